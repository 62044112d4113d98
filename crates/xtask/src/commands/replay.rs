//! `cargo xtask replay`: what the payment provider told is applied again, as an administrator asks for it.
//!
//! It talks to the running system and knows no more than that may be asked: the rules stay where they are.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::commands::contract::session::{Role, Session};
use crate::migrate::ADMIN;
use crate::probe;
use crate::report;
use crate::services::Ports;
use crate::settings::Settings;

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
    let session = Session::open(Role::Administrator, (email, password), &ports).await;
    let token = session.context("is the system running? `cargo xtask up` starts it")?.token;
    let port = ports.of("admin").context("there is no admin-service to ask")?;
    let events = match arguments.what.as_str() {
        event if is_uuid(event) => vec![event.to_owned()],
        order => told_of(order, port, &token).await?,
    };
    if events.is_empty() {
        bail!("the provider has told nothing of {}", arguments.what);
    }
    let mut rows = vec![["message", "result", "payment", "status"].map(str::to_owned)];
    for event in events {
        let path = format!("/api/admin/provider-events/{event}/replay");
        let answer: Value = serde_json::from_slice(&probe::ask("POST", port, &path, &token).await?)?;
        rows.push([event, shown(&answer["result"]), shown(&answer["payment_id"]), shown(&answer["payment_status"])]);
    }
    report::say(report::table(&rows).trim_end());
    Ok(())
}

/// The messages about an order, the oldest first.
async fn told_of(order: &str, port: u16, token: &str) -> Result<Vec<String>> {
    let path = format!("/api/admin/provider-events?limit=100&order_id={}", escaped(order));
    let answer: Value = serde_json::from_slice(&probe::ask("GET", port, &path, token).await?)?;
    let events = answer["events"].as_array().context("admin-service lists no messages")?;
    Ok(events.iter().rev().map(|event| shown(&event["event_id"])).collect())
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// A text as the query of an address can carry it.
fn escaped(text: &str) -> String {
    let escape = |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(escape).collect()
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

    #[test]
    fn an_order_id_of_any_script_fits_into_an_address() {
        assert_eq!(escaped("CJ-1 &가"), "CJ%2D1%20%26%EA%B0%80");
    }
}
