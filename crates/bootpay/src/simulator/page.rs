//! The page for people: pay or decline by hand, choose a script, see the receipts, cancel one as if in the provider's
//! console.
//!
//! One page, plain forms, nothing from elsewhere. Everything that was typed in is escaped on its way out.

use std::fmt::Write;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::ledger::{Entry, Wish, locale};
use super::provider::Refusal;
use super::script::{Stage, WORDS};
use super::{Delivery, Mode, Payment, Simulator};
use crate::Status;

/// How many receipts the page shows, newest first.
const SHOWN: usize = 100;

pub(super) fn router() -> Router<Simulator> {
    Router::new()
        .route("/", get(show))
        .route("/pay", get(show).post(pay))
        .route("/receipts/{receipt_id}/cancel", post(cancel))
}

/// What the form starts with, and what has just happened.
#[derive(Default, Deserialize)]
struct Shown {
    #[serde(default)]
    order_id: String,
    #[serde(default)]
    price: String,
    #[serde(default)]
    order_name: String,
    /// The receipt that the last click made.
    #[serde(default)]
    done: String,
}

async fn show(State(simulator): State<Simulator>, Query(shown): Query<Shown>) -> Response {
    let made = simulator.find(&shown.done).map(|entry| summary(&entry));
    page(&simulator, &shown, made.as_deref(), false)
}

async fn pay(State(simulator): State<Simulator>, form: Result<Form<Payment>, FormRejection>) -> Response {
    let paid = match form {
        Ok(Form(payment)) => {
            let shown = Shown {
                order_id: payment.order_id.clone(),
                price: payment.price.to_string(),
                order_name: payment.order_name.clone().unwrap_or_default(),
                done: String::new(),
            };
            let paid = simulator.pay(payment).await;
            paid.map_err(|error| (shown, error.to_string()))
        }
        Err(rejection) => Err((Shown::default(), rejection.body_text())),
    };
    match paid {
        Ok(paid) => Redirect::to(&format!("/?done={}", paid.receipt_id)).into_response(),
        Err((shown, problem)) => {
            let page = page(&simulator, &shown, Some(&problem), true);
            (StatusCode::BAD_REQUEST, page).into_response()
        }
    }
}

async fn cancel(State(simulator): State<Simulator>, Path(receipt_id): Path<String>) -> Result<Redirect, Refusal> {
    let done = simulator.cancel(&Wish::in_console(&receipt_id, None))?;
    Ok(Redirect::to(&format!("/?done={}", done.entry.receipt_id)))
}

fn page(simulator: &Simulator, shown: &Shown, notice: Option<&str>, is_bad: bool) -> Response {
    let entries = simulator.entries();
    let mut rows = String::new();
    for entry in entries.iter().rev().take(SHOWN) {
        rows.push_str(&row(entry));
    }
    if rows.is_empty() {
        rows.push_str("<tr><td colspan=\"7\" class=\"none\">No payments yet · 결제 내역이 없습니다</td></tr>");
    }
    let notice = notice.map_or_else(String::new, |text| {
        let class = if is_bad { "notice bad" } else { "notice" };
        format!("<p class=\"{class}\">{}</p>", escape(text))
    });
    let webhook_url = simulator.state().webhook_url.clone();
    let html = TEMPLATE
        .replace("{{style}}", STYLE)
        .replace("{{webhook_url}}", &escape(webhook_url.as_deref().unwrap_or("nowhere")))
        .replace("{{rows}}", &rows)
        .replace("{{count}}", &entries.len().to_string())
        // What was typed in goes last, so that a placeholder in it is left alone.
        .replace("{{form}}", &form(shown))
        .replace("{{notice}}", &notice);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
}

fn row(entry: &Entry) -> String {
    let class = match entry.status {
        Status::Paid => "paid",
        Status::Cancelled => "cancelled",
        Status::AwaitingApproval => "waiting",
        _ => "failed",
    };
    let mut row = String::new();
    // Writing to a string can't fail.
    let _ = write!(
        row,
        "<tr><td><code>{}</code></td><td><code>{}</code></td><td>{}</td><td class=\"won\">{}</td>\
         <td><span class=\"{class}\">{} · {}</span>{}</td><td>{}</td><td>{}</td></tr>",
        escape(entry.receipt_id.as_str()),
        escape(&entry.order_id),
        name(entry),
        won(entry.price),
        entry.status,
        locale(entry.status),
        if entry.cancelled_price > 0 {
            format!("<br><small>−{}</small>", won(entry.cancelled_price))
        } else {
            String::new()
        },
        webhook(entry),
        if matches!(entry.status, Status::Paid | Status::Cancelled) && entry.remaining() > 0 {
            format!(
                "<form method=\"post\" action=\"/receipts/{}/cancel\"><button class=\"quiet\">Cancel · 취소</button></form>",
                escape(entry.receipt_id.as_str())
            )
        } else {
            String::new()
        },
    );
    row
}

/// What was bought, and the script below it.
fn name(entry: &Entry) -> String {
    let (name, script) = (escape(&entry.order_name), escape(&entry.script.words()));
    if script.is_empty() { name } else { format!("{name}<br><small><code>{script}</code></small>") }
}

fn webhook(entry: &Entry) -> String {
    match (entry.webhook, entry.last_delivery) {
        (Mode::None, _) => "not sent".to_owned(),
        (_, None) => "–".to_owned(),
        (_, Some(Delivery { delivered: true, .. })) => "delivered".to_owned(),
        (_, Some(Delivery { status: Some(status), .. })) => format!("refused ({status})"),
        (_, Some(_)) => "no answer".to_owned(),
    }
}

fn summary(entry: &Entry) -> String {
    format!(
        "{} · {} · {} · {} · webhook {}",
        entry.receipt_id,
        entry.order_id,
        won(entry.price),
        locale(entry.status),
        webhook(entry),
    )
}

fn form(shown: &Shown) -> String {
    format!(
        r#"<form method="post" action="/pay" class="pay">
<label>Order · 주문번호<input name="order_id" required maxlength="255" autocomplete="off" value="{}"></label>
<label>Price · 금액 (₩)<input name="price" required type="number" min="1" step="1" value="{}"></label>
<label>Name · 상품명<input name="order_name" autocomplete="off" value="{}"></label>
<label>Webhook · 웹훅<select name="webhook"><option value="unsigned">unsigned</option><option value="signed">signed</option><option value="none">none</option></select></label>
<label>Format<select name="webhook_format"><option value="json">JSON</option><option value="form">form</option></select></label>
<label>Script · 시나리오<select name="script"><option value="">–</option>{}</select></label>
<div class="buttons"><button name="outcome" value="approve">Approve · 승인</button>
<button name="outcome" value="decline" class="danger">Decline · 거절</button>
<button name="outcome" value="separate" class="quiet">Hold for confirm · 승인대기</button></div>
</form>"#,
        escape(&shown.order_id),
        escape(&shown.price),
        escape(&shown.order_name),
        scripts(),
    )
}

/// The scripts to choose from, by the stage at which they tell.
fn scripts() -> String {
    let mut options = String::new();
    for stage in Stage::ALL {
        // Writing to a string can't fail.
        let _ = write!(options, "<optgroup label=\"{}\">", stage.title());
        for word in WORDS.iter().filter(|word| word.stage == stage) {
            let example = word.example();
            let _ = write!(options, "<option value=\"{example}\">{example} · {}</option>", word.korean);
        }
        options.push_str("</optgroup>");
    }
    options
}

/// ₩1,234,567
fn won(amount: i64) -> String {
    let digits = amount.to_string();
    let mut text = String::from("₩");
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text that is safe between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // So that text can't form a placeholder of the template.
            '{' => safe.push_str("&#123;"),
            other => safe.push(other),
        }
    }
    safe
}

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_won_by_thousands() {
        for (amount, text) in [(5, "₩5"), (1000, "₩1,000"), (150_000, "₩150,000"), (1_234_567, "₩1,234,567")] {
            assert_eq!(won(amount), text);
        }
    }

    #[test]
    fn escapes_what_html_would_read() {
        assert_eq!(
            escape(r#"<b a="1" b='2'>&{{rows}}"#),
            "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;&#123;&#123;rows}}"
        );
    }
}
