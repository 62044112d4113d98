//! Whatever the provider tells, in whatever order and however often: the same end for the payment, its booking, its
//! seats and the money. What the end is, is computed here a second time, from the facts alone.

use std::collections::BTreeMap;

use common::events::Cause;
use common::money::Money;
use orders::charges::{Facts, Outcome};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::{PRICE, Service, wanted};

/// A fact about a receipt: its name, how much was asked for, how much of that went back, and what became of it.
type Fact = (&'static str, i64, i64, Outcome);

const fn paid(receipt: &'static str) -> Fact {
    back(receipt, 0)
}

const fn back(receipt: &'static str, won: i64) -> Fact {
    (receipt, PRICE, won, Outcome::Paid)
}

const fn declined(receipt: &'static str) -> Fact {
    (receipt, PRICE, 0, Outcome::Failed)
}

/// Too little was paid, and so much of it went back.
const fn wrong(receipt: &'static str, back: i64) -> Fact {
    (receipt, 1000, back, Outcome::Paid)
}

/// What the provider may come to say of one order.
const STORIES: [&[Fact]; 12] = [
    &[paid("a"), back("a", PRICE)],
    &[paid("a"), back("a", 20_000), back("a", 120_000), back("a", PRICE)],
    &[paid("a"), back("a", 20_000), back("a", 120_000), declined("a")],
    &[declined("a"), paid("b"), declined("c")],
    &[declined("a"), paid("b"), back("b", PRICE), declined("b")],
    &[declined("a"), wrong("b", 0), declined("b"), wrong("b", 1000)],
    &[wrong("a", 0), wrong("b", 400), declined("c")],
    &[wrong("a", 0), wrong("a", 600), paid("b"), back("b", 50_000)],
    &[wrong("a", 0), back("b", PRICE), paid("b"), declined("c")],
    // Paid more than once: which of them stays is decided by whoever is told of first.
    &[paid("a"), paid("b"), paid("c")],
    &[paid("a"), paid("b"), declined("a"), wrong("c", 0)],
    &[back("a", 30_000), paid("a"), back("b", 70_000), paid("b")],
];

/// Where it all ends.
#[derive(Debug, PartialEq, Eq)]
struct End {
    payment: &'static str,
    /// The booking's status and why it was cancelled, where the payment was for one.
    booking: Option<(String, Option<String>)>,
    /// Seats taken, and of those the sold ones.
    seats: (i64, i64),
    /// What is still to go back, by receipt.
    owed: BTreeMap<String, i64>,
}

/// Where it must end: `told` in this order.
fn expected(told: &[Fact], for_a_booking: bool) -> End {
    let right = |fact: &&Fact| fact.3 == Outcome::Paid && fact.1 == PRICE;
    let own = told.iter().find(right).map(|fact| fact.0);
    let of = |receipt: &'static str| told.iter().filter(move |fact| fact.0 == receipt && fact.3 == Outcome::Paid);
    let gone = |receipt: &'static str| of(receipt).map(|fact| fact.2).max().unwrap_or_default();
    let never_paid = |fact: &&Fact| fact.3 == Outcome::Failed && of(fact.0).next().is_none();
    let payment = match own.map(gone) {
        Some(0) => "PAID",
        Some(PRICE) => "CANCELLED",
        Some(_) => "PARTIALLY_REFUNDED",
        None if told.iter().any(|fact| never_paid(&fact)) => "FAILED",
        None => "REQUESTED",
    };
    let has_money = matches!(payment, "PAID" | "PARTIALLY_REFUNDED");
    let booking = match payment {
        _ if has_money => ("CONFIRMED", None),
        "CANCELLED" => ("CANCELLED", Some("REVERSED")),
        _ => ("PENDING", None),
    };
    let seats = match payment {
        "CANCELLED" => (0, 0),
        // What was reserved for a booking to come is free at once; a booking's own hold is not.
        "FAILED" if !for_a_booking => (0, 0),
        _ => (1, i64::from(has_money && for_a_booking)),
    };
    let others = told.iter().filter(|fact| fact.3 == Outcome::Paid && Some(fact.0) != own);
    let owed = others.map(|fact| (fact.0.to_owned(), fact.1 - gone(fact.0))).filter(|(_, won)| *won > 0).collect();
    let booking = for_a_booking.then(|| (booking.0.to_owned(), booking.1.map(str::to_owned)));
    End { payment, booking, seats, owed }
}

/// Lets all of it be told of a new payment, in this order, and after each fact the one before again.
async fn tell(service: &Service, n: usize, told: &[Fact], for_a_booking: bool) -> End {
    let flight = format!("CJ{n}");
    let schedule = seed::schedule(service.world.day(3)).flight(&flight).seats(9).insert(&service.world.db).await;
    let buyer = service.buyer().await;
    let (order, booking) = if for_a_booking {
        let booking = service.book(&wanted(&buyer, schedule, 1, &["1A"])).await.unwrap();
        (buyer.begin_for(&booking).await, Some(booking))
    } else {
        (buyer.begin(schedule, 1).await, None)
    };
    for at in 0..told.len() {
        for (receipt, amount, cancelled, outcome) in [told[at], told[at.saturating_sub(1)]] {
            let facts = Facts {
                receipt_id: format!("{n}-{receipt}"),
                order_id: order.clone(),
                amount: Money::won(amount),
                cancelled: Money::won(cancelled),
                outcome,
                was_charged: None,
                raw_status: 1,
            };
            service.orders.apply(&Cause::provider(None), &facts).await.unwrap();
        }
    }
    let status = service.status(&order).await;
    let known = ["REQUESTED", "PAID", "FAILED", "CANCELLED", "PARTIALLY_REFUNDED"];
    let (free, taken) = service.seats(schedule).await;
    assert_eq!(free + taken, 9, "{told:?}");
    let sold = "select cast(coalesce(sum(quantity), 0) as signed) from claims where state = 'SOLD' and pool_id = ?";
    End {
        payment: known.into_iter().find(|word| *word == status).unwrap(),
        booking: match &booking {
            Some(booking) => Some(service.booking_state(booking).await),
            None => None,
        },
        seats: (taken, service.value(sold, schedule).await),
        owed: owed(service, &order).await,
    }
}

/// What is to go back of an order's receipts: what was promised, but no more than is left there.
async fn owed(service: &Service, order: &str) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select substring_index(c.receipt_id, '-', -1), cast(least(sum(r.amount), c.amount - c.cancelled) as signed)
         from charges c join refunds r on r.receipt_id = c.receipt_id
         where c.order_id = ? and c.cancelled < c.amount group by c.receipt_id, c.amount, c.cancelled",
    )
    .bind(order)
    .fetch_all(&service.world.db)
    .await
    .unwrap();
    rows.into_iter().collect()
}

/// All orders of these facts.
fn permutations(facts: &[Fact]) -> Vec<Vec<Fact>> {
    if facts.is_empty() {
        return vec![Vec::new()];
    }
    let all = (0..facts.len()).flat_map(|first| {
        let mut rest = facts.to_vec();
        let first = rest.remove(first);
        permutations(&rest).into_iter().map(move |rest| [&[first], rest.as_slice()].concat())
    });
    all.collect()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_end_is_the_same_for_a_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    assert_the_same_end(&Service::start(database), true).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_end_is_the_same_for_a_booking_to_come(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    assert_the_same_end(&Service::start(database), false).await;
}

async fn assert_the_same_end(service: &Service, for_a_booking: bool) {
    let told = STORIES.into_iter().flat_map(permutations);
    for (n, told) in told.enumerate() {
        let end = tell(service, n, &told, for_a_booking).await;
        assert_eq!(end, expected(&told, for_a_booking), "told in this order: {told:?}");
    }
}
