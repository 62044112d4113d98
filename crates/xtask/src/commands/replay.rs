//! `cargo xtask replay`: what the payment provider told is applied again, as an administrator asks for it.
//!
//! It talks to the running system and knows no more than that may be asked: the rules stay where they are.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::client::{Request, ask};
use crate::migrate::ADMIN;
use crate::report;
use crate::services::Ports;
use crate::settings::Settings;
use crate::visit::log_in;

/// Apply what the payment provider told again, in the running system.
///
/// The provider is asked about the receipt first. However often it is done, it has one effect.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The id of a message, or an order id: then everything that was told of that order, the oldest first.
    #[arg(value_name = "EVENT_ID | ORDER_ID")]
    what: String,
}

/// Replays it, and tells what came of each message.
pub(crate) async fn run(arguments: &Arguments, settings: &Settings) -> Result<()> {
    let ports = Ports::from_settings(settings)?;
    let [email, password] = ADMIN.map(|(setting, usual)| settings.get_or(setting, usual));
    let token = log_in(ports.address("auth")?, (email, password)).await;
    let token = token.context("is the system running? `cargo xtask up` starts it")?;
    let admin = ports.address("admin")?;
    let events = match arguments.what.as_str() {
        event if is_uuid(event) => vec![event.to_owned()],
        order => told_of(order, admin, &token).await?,
    };
    if events.is_empty() {
        bail!("the provider has told nothing of {}", arguments.what);
    }
    let mut rows = vec![["message", "result", "payment", "status"].map(str::to_owned)];
    for event in events {
        let path = format!("/api/admin/provider-events/{event}/replay");
        let answer = ask(admin, &Request::post(path, None).by(&token)).await?;
        rows.push([event, shown(&answer["result"]), shown(&answer["payment_id"]), shown(&answer["payment_status"])]);
    }
    report::say(report::table(&rows).trim_end());
    Ok(())
}

/// The messages about an order, the oldest first.
async fn told_of(order: &str, admin: SocketAddr, token: &str) -> Result<Vec<String>> {
    let path =
        format!("/api/admin/provider-events?limit=100&order_id={}", utf8_percent_encode(order, NON_ALPHANUMERIC));
    let answer = ask(admin, &Request::get(path).by(token)).await?;
    let events = answer["events"].as_array().context("admin-service lists no messages")?;
    Ok(events.iter().rev().map(|event| shown(&event["event_id"])).collect())
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// A value as people read it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_and_an_order_are_told_apart() {
        assert!(is_uuid("01890000-0000-7000-8000-00000000abcd"));
        for order in ["CJ-ORD-7-10000001-0f3a9c2e", "01890000-0000-7000-8000-00000000abcx", "", "----"] {
            assert!(!is_uuid(order), "{order}");
        }
    }
}
