//! Payments without their bookings. The original never tied one to the other (P-3) and never learned that one was
//! paid (P-2), so behind a confirmed booking there is, as a rule, a payment `REQUESTED` that points nowhere. Left
//! alone it would be looked up, found paid, taken for money that nobody booked for, and given back.
//!
//! A payment belongs to the booking of the same account over the same amount, on the schedule that its order id
//! names, that was made next after it; or to the last one, if none was. All tries before a booking are tied to it: the
//! one that turns out to be paid pays for it, and what is paid twice goes back.

use std::collections::{BTreeMap, BTreeSet};

use super::{IS_SOLD, Source};
use crate::adoption::fix::{Fix, RowId, Rule};

const TIED: Rule = Rule { name: "payment-tied", says: "a payment is tied to the booking it was made for" };
const OPEN: Rule = Rule {
    name: "paid-without-booking",
    says: "PAID, and several bookings may be what for: nothing is given back by itself; attach it, or give it back",
};
const UNBOOKED: Rule = Rule {
    name: "paid-unbooked",
    says: "PAID, and no booking is left that it can be for: where it has a receipt, the payment service gives it back",
};
const NO_RECEIPT: Rule =
    Rule { name: "paid-without-receipt", says: "PAID without a receipt: a refund must be made by hand" };
const FAILED: Rule =
    Rule { name: "failed-with-receipt", says: "FAILED, but it has a receipt and may be paid: look it up" };
const KEPT: Rule =
    Rule { name: "paid-and-cancelled", says: "PAID for a booking that was cancelled: the original gave nothing back" };
const NO_AMOUNT: Rule =
    Rule { name: "paid-nothing", says: "PAID over nothing or less: there is no money to give back" };
pub(super) const RULES: &[Rule] = &[TIED, OPEN, UNBOOKED, NO_RECEIPT, FAILED, KEPT, NO_AMOUNT];

#[derive(sqlx::FromRow)]
struct Payment {
    id: i64,
    booking_id: Option<i64>,
    user_id: i64,
    amount: i64,
    status: String,
    has_receipt: bool,
    order_id: Option<String>,
    made_at: String,
    is_cancelled: bool,
}

#[derive(sqlx::FromRow)]
struct Booking {
    id: i64,
    user_id: i64,
    schedule_id: i64,
    total_amount: i64,
    made_at: String,
}

pub(super) async fn find(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let payments: Vec<Payment> = source
        .read(
            "select p.payment_id as id, p.booking_id, p.user_id, p.amount,
                    coalesce(nullif(cast(p.status as char), ''), 'REQUESTED') as status,
                    (p.bootpay_receipt_id is not null) as has_receipt, p.order_id,
                    coalesce(cast(p.created_at as char), '') as made_at, coalesce(b.status = 'CANCELLED', false) as is_cancelled
             from {payments} p left join {bookings} b on b.booking_id = p.booking_id order by p.payment_id",
        )
        .await?;
    let bookings: Vec<Booking> = source
        .read(&format!(
            "select b.booking_id as id, b.user_id, b.schedule_id, b.total_amount, coalesce(cast(b.created_at as char), '') as made_at
             from {{bookings}} b where {IS_SOLD} order by b.booking_id"
        ))
        .await?;
    let mut of_amount: BTreeMap<(i64, i64), Vec<&Booking>> = BTreeMap::new();
    for booking in &bookings {
        of_amount.entry((booking.user_id, booking.total_amount)).or_default().push(booking);
    }
    let mut paid: BTreeSet<i64> = payments.iter().filter(|p| p.status == "PAID").filter_map(|p| p.booking_id).collect();
    let mut fixes = Vec::new();
    for payment in &payments {
        let row = |column| ("payments", RowId::Number(payment.id), column);
        let remark = |rule: Rule, column| rule.remark(row(column), Some(payment.status.clone()));
        let is_paid = payment.status == "PAID";
        if is_paid && payment.amount <= 0 {
            fixes.push(remark(NO_AMOUNT, "amount"));
        } else if is_paid && !payment.has_receipt {
            fixes.push(remark(NO_RECEIPT, "bootpay_receipt_id"));
        }
        if payment.status == "FAILED" && payment.has_receipt {
            fixes.push(remark(FAILED, "status"));
        }
        if is_paid && payment.is_cancelled {
            fixes.push(remark(KEPT, "status"));
        }
        if payment.booking_id.is_some() || payment.status == "CANCELLED" {
            continue;
        }
        let candidates = of_amount.get(&(payment.user_id, payment.amount)).map_or(&[][..], Vec::as_slice);
        match belongs_to(payment, candidates) {
            Match::One(booking) if !is_paid || paid.insert(booking.id) => {
                fixes.push(TIED.fix(row("booking_id"), None, Some(booking.id.to_string())));
            }
            Match::Several(_) if is_paid => fixes.push(remark(OPEN, "booking_id")),
            Match::Several(guess) => {
                fixes.push(TIED.fix(row("booking_id"), None, Some(guess.id.to_string())));
            }
            Match::One(_) | Match::None if is_paid => fixes.push(remark(UNBOOKED, "booking_id")),
            Match::One(_) | Match::None => {}
        }
    }
    Ok(fixes)
}

/// Which booking a payment was made for.
enum Match<'b> {
    One(&'b Booking),
    /// It could be any of several, and is probably this one.
    Several(&'b Booking),
    None,
}

/// `candidates`: the bookings of the same account over the same amount, in the order in which they were made.
fn belongs_to<'b>(payment: &Payment, candidates: &[&'b Booking]) -> Match<'b> {
    let schedule_id = payment.order_id.as_deref().and_then(schedule_of);
    let possible = || candidates.iter().copied().filter(|b| schedule_id.is_none_or(|id| id == b.schedule_id));
    let next = possible().find(|booking| booking.made_at >= payment.made_at).or_else(|| possible().next_back());
    match next {
        None => Match::None,
        Some(booking) if schedule_id.is_some() || candidates.len() == 1 => Match::One(booking),
        Some(booking) => Match::Several(booking),
    }
}

/// The schedule that an order id of the original names: `CJ-ORD-<account>-<schedule>-<chance>`.
fn schedule_of(order_id: &str) -> Option<i64> {
    order_id.strip_prefix("CJ-ORD-")?.split('-').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_names_its_schedule_or_none() {
        assert_eq!(schedule_of("CJ-ORD-7-12-0a1b2c3d"), Some(12));
        for none in ["CJ-ORD-7-NA-0a1b2c3d", "mine", "CJ-ORD-", "CJ-ORD-7"] {
            assert_eq!(schedule_of(none), None, "{none}");
        }
    }

    #[test]
    fn a_payment_belongs_to_the_booking_made_next_after_it() {
        let booking = |id, schedule_id, made_at: &str| Booking {
            id,
            user_id: 1,
            schedule_id,
            total_amount: 100,
            made_at: made_at.into(),
        };
        let (first, second, other) = (booking(1, 12, "10:00"), booking(2, 12, "12:00"), booking(3, 13, "11:00"));
        let all = [&first, &second, &other];
        let belongs = |order_id: &str, made_at: &str, candidates: &[&Booking]| {
            let payment = Payment {
                id: 1,
                booking_id: None,
                user_id: 1,
                amount: 100,
                status: "REQUESTED".into(),
                has_receipt: false,
                order_id: Some(order_id.into()),
                made_at: made_at.into(),
                is_cancelled: false,
            };
            match belongs_to(&payment, candidates) {
                Match::One(booking) => booking.id,
                Match::Several(booking) => -booking.id,
                Match::None => 0,
            }
        };
        assert_eq!(belongs("CJ-ORD-1-12-a", "09:59", &all), 1);
        assert_eq!(belongs("CJ-ORD-1-12-a", "10:01", &all), 2);
        assert_eq!(belongs("CJ-ORD-1-12-a", "12:01", &all), 2, "the page may have booked a moment before");
        assert_eq!(belongs("CJ-ORD-1-13-a", "09:00", &all), 3);
        assert_eq!(belongs("CJ-ORD-1-14-a", "09:00", &all), 0);
        assert_eq!(belongs("mine", "10:30", &all), -2);
        assert_eq!(belongs("mine", "09:00", &[&other]), 3);
    }
}
