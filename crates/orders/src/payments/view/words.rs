//! What happened to money, in words for people. What has no words here is nobody's business but the airline's.

use common::events::Subject;
use common::language::Language;
use serde_json::Value;

/// Why money goes back. A reason nobody has found words for is just a refund.
pub(crate) fn reason(code: &str, language: Language) -> &'static str {
    let (korean, english) = match code {
        "OWNER" => ("고객 요청으로 예약 취소", "Cancelled at the customer's request"),
        "ADMIN" => ("항공사 고객센터에서 예약 취소", "The airline's desk cancelled the booking"),
        "AIRLINE" => ("항공사 사정으로 결항", "The airline cancelled the flight"),
        "EXPIRED" => ("결제 기한이 지난 예약", "The booking had run out of time"),
        "REVERSED" => ("결제사에서 결제 취소", "The payment was cancelled at the payment provider"),
        "SURPLUS" => ("필요 없는 중복 결제", "The payment was one too many"),
        "WRONG_AMOUNT" => ("주문과 다른 금액 결제", "Another amount was paid than ordered"),
        "TOO_LATE" => ("좌석 확보 시간이 지난 결제", "The payment came too late for the seats"),
        "UNBOOKED" => ("예약 없이 결제만 완료", "It was paid, but nothing was booked"),
        "BY_HAND" => ("항공사 고객센터에서 환불", "The airline's desk gave it back"),
        "UNKNOWN_ORDER" => ("확인할 수 없는 주문", "Nobody made this order"),
        _ => ("환불", "Refund"),
    };
    language.pick(korean, english)
}

/// What happened, from a row of history. `None`: it isn't worth telling.
pub(super) fn moment(subject: Subject, action: &str, new: &Value, language: Language) -> Option<String> {
    let word = |name: &str| new.get(name).and_then(Value::as_str).unwrap_or_default();
    let (korean, english) = match (subject, action) {
        (Subject::Payment, "requested") => ("결제를 시작했습니다.", "The payment was begun."),
        (Subject::Payment, "changed" | "expired") => status(word("status"))?,
        (Subject::Payment, "linked") if new["booking_id"].is_number() => {
            ("결제가 예약에 연결되었습니다.", "The payment was assigned to the booking.")
        }
        (Subject::Booking, "booked") => ("예약이 접수되었습니다.", "The booking was made."),
        (Subject::Booking, "confirmed" | "revived") => ("예약이 확정되었습니다.", "The booking was confirmed."),
        (Subject::Booking, "expired") => ("결제 기한이 지나 예약이 취소되었습니다.", "The booking ran out of time."),
        (Subject::Booking, "cancelled") => ("예약이 취소되었습니다", "The booking was cancelled"),
        (Subject::Booking, "completed") => ("탑승이 완료되었습니다.", "The flight was flown."),
        (Subject::Refund, "queued") => ("환불이 접수되었습니다", "A refund was begun"),
        // By the provider, or by the airline by other means: whose money it is sees no difference.
        (Subject::Refund, "succeeded" | "settled") => ("환불이 완료되었습니다.", "The refund was paid."),
        (Subject::Refund, "needs-operator") => {
            ("담당자가 환불을 확인하고 있습니다.", "Somebody of the airline is looking after the refund.")
        }
        _ => return None,
    };
    let text = language.pick(korean, english);
    Some(if text.ends_with('.') { text.to_owned() } else { format!("{text}: {}.", reason(word("reason"), language)) })
}

/// What it means that a payment's status has changed.
fn status(status: &str) -> Option<(&'static str, &'static str)> {
    Some(match status {
        "PAID" => ("결제가 완료되었습니다.", "The payment was made."),
        "FAILED" => ("결제가 승인되지 않았습니다.", "The payment was declined."),
        "EXPIRED" => ("결제 시간이 지났습니다.", "The payment wasn't made in time."),
        "PARTIALLY_REFUNDED" => ("결제 금액의 일부가 환불되었습니다.", "A part of the payment went back."),
        "CANCELLED" => ("결제가 취소되었습니다.", "The payment was cancelled."),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bookings::CancelReason;
    use crate::refunds::reason as code;

    #[test]
    fn every_reason_we_give_has_words() {
        let cancelled = [
            CancelReason::Expired,
            CancelReason::Owner,
            CancelReason::Admin,
            CancelReason::Airline,
            CancelReason::Reversed,
        ];
        let others =
            [code::SURPLUS, code::WRONG_AMOUNT, code::TOO_LATE, code::UNBOOKED, code::UNKNOWN_ORDER, code::BY_HAND];
        for known in cancelled.map(CancelReason::as_str).into_iter().chain(others) {
            for language in [Language::Korean, Language::English] {
                assert_ne!(reason(known, language), reason("SOMETHING_NEW", language), "{known}");
            }
        }
    }

    #[test]
    fn a_moment_ends_as_a_sentence_and_names_its_reason() {
        let told = |action, new: &Value| moment(Subject::Refund, action, new, Language::English);
        let queued = told("queued", &json!({ "amount": 1000, "reason": "SURPLUS" }));
        assert_eq!(queued.as_deref(), Some("A refund was begun: The payment was one too many."));
        for paid in ["succeeded", "settled"] {
            assert_eq!(told(paid, &json!({})).as_deref(), Some("The refund was paid."));
        }
        assert_eq!(told("looked-at", &json!({})), None);
    }
}
