//! What must hold, whatever was done: at any moment at which nobody is in the middle of something, and in the end.
//!
//! Each rule is a question to the tables whose answer should be empty, put apart from the product's own reconciliation:
//! what that one overlooks should be found here. The one trap is the clock. The server's, on our own line, is the machine's,
//! so where time matters it is handed in.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use bootpay::simulator::Simulator;
use chrono::{DateTime, Utc};
use sqlx::MySqlPool;

use crate::calls::Promise;

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub rule: &'static str,
    /// By what.
    pub what: String,
}

impl Broken {
    pub(crate) fn new(rule: &'static str, what: impl Into<String>) -> Self {
        Self { rule, what: what.into() }
    }
}

/// A rule about rows: its name, and the question that finds what breaks it. A `?` is the time.
type Rule = (&'static str, &'static str);

/// What holds whenever nobody is in the middle of something.
const ALWAYS: &[Rule] = &[
    (
        "one-claim-per-seat",
        "select concat_ws(' ', 'seat', unit, 'of schedule', pool_id, 'is claimed', count(*), 'times') from claims
         where unit is not null group by pool_id, unit having count(*) > 1",
    ),
    (
        "claims-are-owned",
        "select concat_ws(' ', 'booking', b.booking_id, 'is confirmed for', b.people, 'and has', b.sold, 'seats')
         from (select booking_id, (select count(*) from passengers p where p.booking_id = k.booking_id) as people,
                      (select coalesce(sum(quantity), 0) from claims c
                       where c.hold_id = k.hold_id and c.state = 'SOLD' and c.pool_id = k.schedule_id) as sold
               from bookings k where status = 'CONFIRMED') b
         where b.people <> b.sold
         union all
         select concat_ws(' ', 'claim', claim_id, 'is sold to nobody') from claims c
         where state = 'SOLD' and not exists
             (select 1 from bookings b where b.hold_id = c.hold_id and b.status in ('CONFIRMED', 'COMPLETED'))",
    ),
    (
        "pins-hold",
        "select concat_ws(' ', 'booking', b.booking_id, 'is', b.status, b.cancel_reason, 'while receipt', c.receipt_id, 'is being charged')
         from provider_calls c join bookings b on b.booking_id = c.booking_id
         where c.kind = 'CONFIRM' and c.state = 'STARTED'
           and (b.cancel_reason = 'EXPIRED' or b.status = 'PENDING' and (b.payment_due_at <= ? or not exists
               (select 1 from claims h where h.hold_id = b.hold_id and (h.held_until is null or h.held_until > ?))))",
    ),
    (
        "confirmed-is-paid",
        "select concat_ws(' ', 'booking', b.booking_id, 'is confirmed and has', count(c.receipt_id), 'paid charges of its amount')
         from bookings b
         left join payments p on p.booking_id = b.booking_id and p.status in ('PAID', 'PARTIALLY_REFUNDED') and p.closed_at is null
         left join charges c on c.payment_id = p.payment_id and c.receipt_id = p.bootpay_receipt_id and c.was_paid
             and c.amount = b.total_amount and c.cancelled < c.amount
         where b.status = 'CONFIRMED' group by b.booking_id having count(c.receipt_id) <> 1",
    ),
    (
        "paid-is-booked-or-back",
        "select concat_ws(' ', 'receipt', c.receipt_id, 'is paid and neither booked nor waiting nor on its way back')
         from charges c left join payments p on p.payment_id = c.payment_id
         left join bookings b on b.booking_id = p.booking_id
         where c.was_paid and c.cancelled < c.amount
           and c.amount > c.in_console + (select coalesce(sum(r.amount), 0) from refunds r where r.receipt_id = c.receipt_id)
           and not coalesce(p.closed_at is null and p.bootpay_receipt_id = c.receipt_id
                            and (p.booking_id is null or b.status in ('CONFIRMED', 'COMPLETED')), false)",
    ),
    (
        "refunds-within-charges",
        "select concat_ws(' ', 'receipt', c.receipt_id, 'is over', c.amount, 'and', sum(r.amount), 'goes back')
         from charges c join refunds r on r.receipt_id = c.receipt_id
         group by c.receipt_id, c.amount having sum(r.amount) > c.amount
         union all
         select concat_ws(' ', 'receipt', receipt_id, 'is over', amount, 'and', cancelled, 'is back') from charges
         where cancelled > amount",
    ),
];

/// What holds in the end: when nobody does anything any more, every hold is over, and every job has run.
const FINALLY: &[Rule] = &[
    (
        "nothing-is-left-open",
        "select concat_ws(' ', 'booking', booking_id, 'is pending') from bookings where status = 'PENDING'
         union all select concat_ws(' ', 'payment', payment_id, 'is unfinished') from payments where status = 'REQUESTED'
         union all select concat_ws(' ', 'refund of', receipt_id, 'is', state, last_error) from refunds where state <> 'SUCCEEDED'
         union all select concat_ws(' ', 'message', event_key, 'is unapplied') from provider_events where applied_at is null
         union all select concat_ws(' ', kind, 'of', receipt_id, 'is started') from provider_calls where state = 'STARTED'
         union all select concat_ws(' ', 'claim', claim_id, 'is held') from claims where state = 'HELD'",
    ),
    (
        "paid-is-booked-or-back",
        "select concat_ws(' ', 'payment', payment_id, 'is paid for no booking') from payments
         where status in ('PAID', 'PARTIALLY_REFUNDED') and booking_id is null and closed_at is null",
    ),
];

/// The rules that aren't questions to the tables.
const OTHERS: &[&str] = &[
    "seats-add-up",
    "money-is-right",
    "news-is-told",
    "promises-are-kept",
    "answers-repeat",
    "one-effect-per-key",
    "no-deadlock",
    "no-failure",
    "books-agree",
];

/// The names of all rules.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALWAYS.iter().chain(FINALLY).map(|rule| rule.0).chain(OTHERS.iter().copied())
}

/// Asks for what must hold at any moment. `seats`: how many each schedule has.
pub(crate) async fn always(db: &MySqlPool, now: DateTime<Utc>, seats: &BTreeMap<i64, i64>) -> Result<Option<Broken>> {
    let found: Vec<(i64, i64, i64)> = sqlx::query_as(
        "select schedule_id, cast(available_seats as signed), cast(coalesce(sum(quantity), 0) as signed)
         from flight_schedules left join claims on pool_id = schedule_id group by schedule_id, available_seats",
    )
    .fetch_all(db)
    .await?;
    for (schedule, free, claimed) in found {
        let all = seats.get(&schedule).copied().unwrap_or_default();
        if free + claimed != all || free < 0 {
            let what = format!("schedule {schedule} has {all} seats: {free} are free and {claimed} held or sold");
            return Ok(Some(Broken::new("seats-add-up", what)));
        }
    }
    ask(db, now, ALWAYS).await
}

/// Asks for what must hold in the end.
pub(crate) async fn finally(db: &MySqlPool, now: DateTime<Utc>) -> Result<Option<Broken>> {
    ask(db, now, FINALLY).await
}

async fn ask(db: &MySqlPool, now: DateTime<Utc>, rules: &[Rule]) -> Result<Option<Broken>> {
    for (rule, question) in rules {
        let mut query = sqlx::query_scalar::<_, String>(*question);
        for _ in question.matches('?') {
            query = query.bind(now);
        }
        if let Some(what) = query.fetch_all(db).await?.first() {
            return Ok(Some(Broken::new(rule, what)));
        }
    }
    Ok(None)
}

/// What the provider has of us is what confirmed bookings cost, each on one receipt, less what was given back of it by
/// hand; and not a won more.
pub(crate) async fn money(db: &MySqlPool, provider: &Simulator) -> Result<Option<Broken>> {
    let owed: Vec<(String, i64)> = sqlx::query_as(
        "select p.bootpay_receipt_id, cast(b.total_amount - (select coalesce(sum(r.amount), 0) from refunds r
                    where r.receipt_id = p.bootpay_receipt_id and r.state = 'SUCCEEDED') as signed)
         from bookings b join payments p on p.booking_id = b.booking_id and p.status in ('PAID', 'PARTIALLY_REFUNDED')
         where b.status = 'CONFIRMED' and p.bootpay_receipt_id is not null",
    )
    .fetch_all(db)
    .await?;
    let mut owed: BTreeMap<String, i64> = owed.into_iter().collect();
    for receipt in provider.receipts() {
        let won = |field: &str| receipt[field].as_i64().unwrap_or_default();
        let taken = if matches!(receipt["status"].as_i64(), Some(1 | 20)) { won("price") } else { 0 };
        let (kept, due) = (
            taken - won("cancelled_price"),
            owed.remove(receipt["receipt_id"].as_str().unwrap_or_default()).unwrap_or_default(),
        );
        if kept != due {
            let what =
                format!("the provider keeps {kept} won on {}, and {due} were sold for it", receipt["receipt_id"]);
            return Ok(Some(Broken::new("money-is-right", what)));
        }
    }
    let unknown = owed.keys().next().map(|receipt| format!("nobody paid on {receipt}, and a booking was sold for it"));
    Ok(unknown.map(|what| Broken::new("money-is-right", what)))
}

/// Everything that the outside should hear of was told. `heard`: what the subscriber took.
pub(crate) async fn news(db: &MySqlPool, heard: &BTreeSet<String>) -> Result<Option<Broken>> {
    let happened: Vec<(String, String)> = sqlx::query_as(
        "select lower(insert(insert(insert(insert(hex(event_id), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-')),
                concat_ws(' ', subject, subject_id, action) from events
         where subject = 'BOOKING' and (action in ('confirmed', 'revived')
                   or action = 'booked' and json_value(detail, '$.new.status') = 'CONFIRMED')
            or subject = 'REFUND' and action = 'succeeded'
            or subject = 'SCHEDULE' and action = 'cancelled'",
    )
    .fetch_all(db)
    .await?;
    let untold = happened.into_iter().find(|(id, _)| !heard.contains(id));
    Ok(untold.map(|(_, what)| Broken::new("news-is-told", format!("nobody was told: {}", what.to_lowercase()))))
}

/// Each request was done once, however often it was sent: what it made bears its number.
pub(crate) async fn effects(db: &MySqlPool) -> Result<Option<Broken>> {
    let twice: Vec<String> = sqlx::query_scalar(
        "select concat_ws(' ', 'request', substring_index(name_kor, '-', -1), 'has', count(distinct booking_id), 'bookings')
         from passengers group by substring_index(name_kor, '-', -1) having count(distinct booking_id) > 1
         union all
         select concat_ws(' ', order_name, 'has', count(*), 'payments') from payments group by order_name having count(*) > 1
         union all
         select concat_ws(' ', note, 'has', count(*), 'refunds') from refunds where note is not null
         group by note having count(*) > 1
         union all
         select concat_ws(' ', 'booking', subject_id, 'was cancelled', count(*), 'times') from events
         where subject = 'BOOKING' and action = 'cancelled' and actor in ('USER', 'ADMIN')
         group by subject_id having count(*) > 1",
    )
    .fetch_all(db)
    .await?;
    Ok(twice.into_iter().next().map(|what| Broken::new("one-effect-per-key", what)))
}

/// What a client was told is still true.
pub(crate) async fn promise(db: &MySqlPool, promise: &Promise) -> Result<Option<Broken>> {
    let holds = match promise {
        Promise::Booked { booking_id, number, passengers } => {
            sqlx::query_scalar::<_, bool>(
                "select (select count(*) from passengers p join bookings b using (booking_id)
                         where b.booking_id = ? and b.booking_number = ?) = ?",
            )
            .bind(booking_id)
            .bind(number)
            .bind(passengers)
        }
        Promise::Begun { order_id } => {
            sqlx::query_scalar("select exists (select 1 from payments where order_id = ?)").bind(order_id)
        }
        Promise::Paid { order_id } => sqlx::query_scalar(
            "select exists (select 1 from payments p join charges c on c.receipt_id = p.bootpay_receipt_id and c.was_paid
                            where p.order_id = ? and p.status in ('PAID', 'PARTIALLY_REFUNDED', 'CANCELLED'))",
        )
        .bind(order_id),
        Promise::Cancelled { number, refund } => {
            // What was cancelled in the provider's console meanwhile needn't go back twice.
            sqlx::query_scalar(
                "select exists (select 1 from bookings b where booking_number = ? and status = 'CANCELLED'
                     and ? <= (select coalesce(sum(c.cancelled), 0) from payments p join charges c on c.payment_id = p.payment_id
                               where p.booking_id = b.booking_id))",
            )
            .bind(number)
            .bind(refund.unwrap_or_default())
        }
        Promise::Refunded { refund_id, amount } => sqlx::query_scalar(
            "select exists (select 1 from refunds r join charges c on c.receipt_id = r.receipt_id
                            where r.refund_id = unhex(replace(?, '-', '')) and r.state = 'SUCCEEDED' and c.cancelled >= ?)",
        )
        .bind(refund_id)
        .bind(amount),
        Promise::Grounded { schedule } => sqlx::query_scalar(
            "select exists (select 1 from flight_schedules where schedule_id = ? and cancelled_at is not null)
                 and not exists (select 1 from bookings where schedule_id = ? and status in ('PENDING', 'CONFIRMED'))",
        )
        .bind(schedule)
        .bind(schedule),
    };
    let is_kept = holds.fetch_one(db).await?;
    Ok((!is_kept).then(|| Broken::new("promises-are-kept", format!("this isn't true any more: {promise:?}"))))
}
