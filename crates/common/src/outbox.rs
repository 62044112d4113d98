//! The outbox: what the outside is told of a change, kept in the transaction that makes it, so that there is news of
//! what happened and of nothing else. [`events`](crate::events) appends it, which is why whoever records a change has
//! nothing more to do; the crate `news` delivers it.
//!
//! It is written whether or not anybody subscribes, because only one service knows the subscriber, and a forgotten
//! setting in another must not lose news; what nobody reads is forgotten after a week.
//!
//! The one trap: everything in it leaves the house. So every topic names the facts it tells, and only numbers and words
//! of ours pass: no text that somebody typed.

use serde_json::{Map, Value};
use sqlx::MySqlConnection;
use uuid::Uuid;

use crate::events::Subject;
use crate::telemetry::trace::Origin;

crate::text_enum! {
    /// What news is about: what subscribers choose by.
    pub enum Topic {
        /// A booking is paid, and its seats are sold.
        BookingConfirmed = "booking.confirmed",
        /// Passengers of a confirmed booking have other seats, or none.
        BookingSeatsChanged = "booking.seats_changed",
        /// A booking that was confirmed is over.
        BookingCancelled = "booking.cancelled",
        /// The flight of a confirmed booking has left.
        BookingCompleted = "booking.completed",
        /// A payment's money has come.
        PaymentPaid = "payment.paid",
        /// A part of a payment went back.
        PaymentPartiallyRefunded = "payment.partially_refunded",
        /// All of a payment went back.
        PaymentCancelled = "payment.cancelled",
        /// A refund is paid: by the provider, or by hand.
        RefundSucceeded = "refund.succeeded",
        /// A refund isn't tried any more: somebody must see to it.
        RefundNeedsOperator = "refund.needs_operator",
        /// The airline doesn't fly.
        ScheduleCancelled = "schedule.cancelled",
    }
}

impl Topic {
    /// What is told besides the subject's id: its event has it, null where there is none.
    fn facts(self) -> &'static [&'static str] {
        match self {
            Self::BookingCancelled => &["reason"],
            Self::RefundSucceeded | Self::RefundNeedsOperator => &["amount", "payment_id", "booking_id"],
            _ => &[],
        }
    }
}

/// What the outside is told of a change; nothing of most.
///
/// It hears of a booking from its confirmation on, and of a payment from its money on. What ended before (a hold that
/// ran out, a card that was declined) was between us and a visitor, and there is much of it.
pub fn topic_of(subject: Subject, action: &str, old: &Value, new: &Value) -> Option<Topic> {
    let word = |facts: &'static str, of: &Value| of.get(facts).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (before, after) = (word("status", old), word("status", new));
    let had_money = matches!(before.as_str(), "PAID" | "PARTIALLY_REFUNDED");
    Some(match (subject, action, after.as_str()) {
        (Subject::Booking, "booked", "CONFIRMED") | (Subject::Booking, "confirmed" | "revived", _) => {
            Topic::BookingConfirmed
        }
        (Subject::Booking, "seats-changed", "CONFIRMED") => Topic::BookingSeatsChanged,
        (Subject::Booking, _, "CANCELLED") if before == "CONFIRMED" => Topic::BookingCancelled,
        (Subject::Booking, "completed", _) => Topic::BookingCompleted,
        (Subject::Payment, _, "PAID") if !had_money => Topic::PaymentPaid,
        (Subject::Payment, _, "PARTIALLY_REFUNDED") => Topic::PaymentPartiallyRefunded,
        (Subject::Payment, _, "CANCELLED") if had_money => Topic::PaymentCancelled,
        (Subject::Refund, "succeeded" | "settled", _) => Topic::RefundSucceeded,
        (Subject::Refund, "needs-operator", _) => Topic::RefundNeedsOperator,
        (Subject::Schedule, "cancelled", _) => Topic::ScheduleCancelled,
        _ => return None,
    })
}

/// Appends the news `topic` of the change that the event `news_id` records: `subject` number `id` is `new` now. Whoever
/// changes it has locked it, so its news is in the order of its changes.
pub(crate) async fn append(
    connection: &mut MySqlConnection,
    news_id: Uuid,
    topic: Topic,
    subject: Subject,
    id: &str,
    new: &Value,
) -> sqlx::Result<()> {
    let (parent, state) = Origin::current().map_or((None, None), |origin| (Some(origin.parent), origin.state));
    sqlx::query(
        "insert into outbox (news_id, subject, subject_id, topic, data, traceparent, tracestate)
         values (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(news_id)
    .bind(subject)
    .bind(id)
    .bind(topic)
    .bind(data(topic, subject, id, new).to_string())
    .bind(parent)
    .bind(state)
    .execute(connection)
    .await
    .map(drop)
}

/// What news says: the subject's id, under its name, and the topic's facts. One that isn't ours to tell is null.
fn data(topic: Topic, subject: Subject, id: &str, new: &Value) -> Value {
    let name = format!("{}_id", subject.as_str().to_lowercase());
    let id = id.parse::<i64>().map_or_else(|_| Value::from(id), Value::from);
    let told = |fact| new.get(fact).filter(|fact| is_ours(fact)).cloned().unwrap_or_default();
    let facts = topic.facts().iter().map(|&fact| (fact.to_owned(), told(fact)));
    Value::Object(std::iter::once((name, id)).chain(facts).collect::<Map<_, _>>())
}

/// Whether a fact is a number, or a word such as `AIRLINE`.
fn is_ours(fact: &Value) -> bool {
    fact.is_i64() || fact.as_str().is_some_and(|text| text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_outside_hears_of_what_is_sold_and_paid_and_of_nothing_before() {
        let status = |status: &str| json!({ "status": status });
        for (subject, action, before, after, topic) in [
            (Subject::Booking, "booked", "", "PENDING", None),
            (Subject::Booking, "booked", "", "CONFIRMED", Some(Topic::BookingConfirmed)),
            (Subject::Booking, "confirmed", "PENDING", "CONFIRMED", Some(Topic::BookingConfirmed)),
            (Subject::Booking, "revived", "CANCELLED", "CONFIRMED", Some(Topic::BookingConfirmed)),
            (Subject::Booking, "seats-changed", "PENDING", "PENDING", None),
            (Subject::Booking, "seats-changed", "CONFIRMED", "CONFIRMED", Some(Topic::BookingSeatsChanged)),
            (Subject::Booking, "expired", "PENDING", "CANCELLED", None),
            (Subject::Booking, "cancelled", "PENDING", "CANCELLED", None),
            (Subject::Booking, "cancelled", "CONFIRMED", "CANCELLED", Some(Topic::BookingCancelled)),
            (Subject::Booking, "completed", "CONFIRMED", "COMPLETED", Some(Topic::BookingCompleted)),
            (Subject::Payment, "requested", "", "REQUESTED", None),
            (Subject::Payment, "changed", "REQUESTED", "FAILED", None),
            (Subject::Payment, "expired", "REQUESTED", "EXPIRED", None),
            (Subject::Payment, "changed", "EXPIRED", "PAID", Some(Topic::PaymentPaid)),
            (Subject::Payment, "changed", "PAID", "PARTIALLY_REFUNDED", Some(Topic::PaymentPartiallyRefunded)),
            (Subject::Payment, "changed", "PARTIALLY_REFUNDED", "CANCELLED", Some(Topic::PaymentCancelled)),
            (Subject::Payment, "changed", "REQUESTED", "CANCELLED", None),
            (Subject::Payment, "linked", "", "", None),
            (Subject::Payment, "closed", "PAID", "", None),
            (Subject::Refund, "queued", "", "", None),
            (Subject::Refund, "succeeded", "", "", Some(Topic::RefundSucceeded)),
            (Subject::Refund, "settled", "", "", Some(Topic::RefundSucceeded)),
            (Subject::Refund, "needs-operator", "", "", Some(Topic::RefundNeedsOperator)),
            (Subject::Schedule, "published", "", "", None),
            (Subject::Schedule, "cancelled", "ACTIVE", "CANCELLED", Some(Topic::ScheduleCancelled)),
            (Subject::User, "promoted", "", "", None),
        ] {
            let told = topic_of(subject, action, &status(before), &status(after));
            assert_eq!(told, topic, "{subject} {action} from {before:?} to {after:?}");
        }
        assert_eq!(topic_of(Subject::Payment, "linked", &Value::Null, &json!([1])), None);
    }

    #[test]
    fn news_tells_ids_amounts_and_words_of_ours_and_nothing_somebody_typed() {
        let told = |topic, subject, id, new| data(topic, subject, id, &new);
        let typed = json!({ "status": "CANCELLED", "reason": "김하늘 님", "note": "태풍", "phone": "010-1234-5678" });
        let expected = json!({ "booking_id": 17, "reason": null });
        assert_eq!(told(Topic::BookingCancelled, Subject::Booking, "17", typed), expected);
        let by_owner = json!({ "status": "CANCELLED", "reason": "OWNER" });
        let expected = json!({ "booking_id": 17, "reason": "OWNER" });
        assert_eq!(told(Topic::BookingCancelled, Subject::Booking, "17", by_owner), expected);
        let id = "019aa5f0-6f3c-7c1e-9d43-5b1d0e7c2a11";
        let paid = json!({ "amount": 320_000, "payment_id": 4, "error": "the provider's own words" });
        let expected = json!({ "refund_id": id, "amount": 320_000, "payment_id": 4, "booking_id": null });
        assert_eq!(told(Topic::RefundSucceeded, Subject::Refund, id, paid), expected);
    }
}
