//! Two tabs pay at once: one booking results, and the money that is too much goes back.

use std::sync::Arc;

use bootpay::ReceiptId;
use orders::payments::{AttachError, Requested};
use serde_json::Value;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use tokio::sync::Barrier;

use crate::support::{Shop, Traveller, id, minutes, number, request};

const PRICE: i64 = 320_000;
const ROUNDS: usize = 10;

/// One tab: a payment, its receipt, and what the booking call answered.
struct Tab {
    payment: Requested,
    receipt: ReceiptId,
    status: u16,
    answer: Value,
}

/// Two tabs of one buyer: both begin to pay, both pay, and then both book the same seat at the same moment, while
/// the provider's webhooks arrive or don't.
async fn two_tabs(shop: &Shop, buyer: &Traveller, schedule: i64, round: usize) -> [Tab; 2] {
    let payments = [shop.begin(buyer, schedule, PRICE).await, shop.begin(buyer, schedule, PRICE).await];
    let receipts = [shop.pay(&payments[0], PRICE).await, shop.pay(&payments[1], PRICE).await];
    let wanted = request(schedule, 1, PRICE, &[&format!("{}A", round + 1)]);
    let barrier = Arc::new(Barrier::new(2));
    let calls = [(); 2].map(|()| {
        let (buyer, wanted, barrier) = (buyer.clone(), wanted.clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            barrier.wait().await;
            let answer = buyer.post("/api/bookings", &wanted).await;
            (answer.status.as_u16(), answer.body)
        })
    });
    for (n, receipt) in receipts.iter().enumerate() {
        if round & (1 << n) > 0 {
            shop.hear_of(receipt).await;
        }
    }
    let [first, second] = calls;
    let ((s0, a0), (s1, a1)) = (first.await.unwrap(), second.await.unwrap());
    let ([p0, p1], [r0, r1]) = (payments, receipts);
    [Tab { payment: p0, receipt: r0, status: s0, answer: a0 }, Tab { payment: p1, receipt: r1, status: s1, answer: a1 }]
}

/// What the provider gave back of the two receipts, the smaller amount first.
async fn given_back(shop: &Shop, tabs: &[Tab; 2]) -> [i64; 2] {
    let mut amounts = [shop.given_back(&tabs[0].receipt).await, shop.given_back(&tabs[1].receipt).await];
    amounts.sort_unstable();
    amounts
}

/// Lets the time pass after which unfinished payments are asked about, and that after which money is given back.
async fn wait_for_jobs(shop: &Shop) {
    for _ in 0..2 {
        shop.world.pass(minutes(31));
        shop.run_jobs().await;
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn both_get_the_one_booking_and_attaching_sends_the_surplus_back(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    for round in 0..ROUNDS {
        let buyer = shop.traveller().await;
        let tabs = two_tabs(&shop, &buyer, schedule, round).await;
        let mut statuses = tabs.each_ref().map(|t| t.status);
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201], "round {round}: {} {}", tabs[0].answer, tabs[1].answer);
        let booking = id(&tabs[0].answer);
        assert_eq!(booking, id(&tabs[1].answer), "round {round}");
        assert_eq!(buyer.newest().await["status"], "CONFIRMED", "round {round}");

        // A webhook that was under way arrives at last, and then the browser attaches.
        let mut refused = 0;
        for tab in &tabs {
            shop.hear_of(&tab.receipt).await;
            match shop.attach(&buyer, &tab.payment, booking).await {
                Ok(()) => {}
                Err(AttachError::BookingPaid) => refused += 1,
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        assert_eq!(refused, 1, "round {round}");
        shop.run_jobs().await;
        assert_eq!(given_back(&shop, &tabs).await, [0, PRICE], "round {round}");
        assert_eq!(buyer.get("/api/bookings").await.expect(200)["bookings"].as_array().unwrap().len(), 1);
        assert_eq!(buyer.newest().await["status"], "CONFIRMED", "round {round}");
    }
    let (sold, rounds) = (i64::try_from(ROUNDS).unwrap(), i64::try_from(ROUNDS).unwrap());
    assert_eq!((shop.bookings(schedule).await, shop.seats(schedule).await), (rounds, (180 - sold, sold)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_attaching_the_surplus_goes_back_after_the_grace_period(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let mut all = Vec::new();
    for round in 0..ROUNDS {
        let buyer = shop.traveller().await;
        let tabs = two_tabs(&shop, &buyer, schedule, round).await;
        assert_eq!(id(&tabs[0].answer), id(&tabs[1].answer), "round {round}");
        assert_eq!(buyer.newest().await["status"], "CONFIRMED", "round {round}");
        all.push(tabs);
    }
    wait_for_jobs(&shop).await;
    for tabs in &all {
        assert_eq!(given_back(&shop, tabs).await, [0, PRICE]);
    }
    let rounds = i64::try_from(ROUNDS).unwrap();
    assert_eq!((shop.bookings(schedule).await, shop.seats(schedule).await), (rounds, (180 - rounds, rounds)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn on_the_last_seat_too(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    for round in 0..3 {
        let day = shop.world.day(3);
        let schedule = testkit::seed::schedule(day).flight(&format!("CJ{round}")).seats(1).insert(&shop.world.db).await;
        let buyer = shop.traveller().await;
        // The second begin takes the first's reservation over: there is no second seat.
        let tabs = two_tabs(&shop, &buyer, schedule, round).await;
        let mut statuses = tabs.each_ref().map(|t| t.status);
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201], "round {round}: {} {}", tabs[0].answer, tabs[1].answer);
        assert_eq!(id(&tabs[0].answer), id(&tabs[1].answer), "round {round}");
        assert_eq!(buyer.newest().await["status"], "CONFIRMED", "round {round}");
        assert_eq!(shop.seats(schedule).await, (0, 1), "round {round}");
        wait_for_jobs(&shop).await;
        assert_eq!(given_back(&shop, &tabs).await, [0, PRICE], "round {round}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn two_tabs_that_buy_two_bookings_get_two(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(2).await;
    for is_known in [true, false] {
        let buyer = shop.traveller().await;
        let payments = [shop.begin(&buyer, schedule, PRICE).await, shop.begin(&buyer, schedule, PRICE).await];
        for payment in &payments {
            let receipt = shop.pay(payment, PRICE).await;
            if is_known {
                shop.hear_of(&receipt).await;
            }
        }
        let mut numbers = Vec::new();
        for (payment, seat) in payments.iter().zip(["1A", "1B"]) {
            let made = buyer.books(201, &request(schedule, 1, PRICE, &[seat])).await;
            assert_eq!(made["status"], "CONFIRMED");
            shop.attach(&buyer, payment, id(&made)).await.unwrap();
            assert_eq!(shop.payment(payment).await, ("PAID".to_owned(), Some(id(&made))));
            numbers.push(number(&made).to_owned());
        }
        assert_eq!((shop.seats(schedule).await, shop.refunds().await.len()), ((0, 2), if is_known { 0 } else { 2 }));
        for number in &numbers {
            assert_eq!(buyer.cancel(number).await, 200);
        }
    }
}
