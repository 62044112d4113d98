//! Money that comes when its booking is over.

use bootpay::simulator::Operation;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Shop, Traveller, id, minutes, number, request};
use orders::payments::{AttachError, Requested};

const PRICE: i64 = 320_000;

/// A booking of seat 6D whose time has passed, and whose payment the provider heard of only now.
struct Late {
    shop: Shop,
    schedule: i64,
    buyer: Traveller,
    booking: i64,
    number: String,
    payment: Requested,
}

impl Late {
    /// `tidied`: whether the job that writes down what has expired has run. It must never matter.
    async fn new(database: MySqlConnectOptions, tidied: bool) -> Self {
        let late = Self::before(database).await;
        late.shop.world.pass(minutes(150));
        if tidied {
            late.tidy().await;
        }
        late
    }

    async fn before(database: MySqlConnectOptions) -> Self {
        let shop = Shop::open(database).await;
        let schedule = shop.schedule(2).await;
        let buyer = shop.traveller().await;
        let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
        let payment = shop.begin_for(&buyer, id(&made), PRICE).await;
        Self { shop, schedule, buyer, booking: id(&made), number: number(&made).to_owned(), payment }
    }

    async fn tidy(&self) {
        while self.shop.orders.expire_bookings_once(10).await.unwrap() {}
        while self.shop.orders.sweep_seats_once(10).await.unwrap() {}
    }

    /// The money comes.
    async fn comes(&self) {
        let receipt = self.shop.pay(&self.payment, PRICE).await;
        self.shop.hear_of(&receipt).await;
    }

    #[track_caller]
    fn is_refunded(&self, reason: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let reason = reason.to_owned();
        async move {
            assert_eq!(self.shop.booking(self.booking).await.0, "CANCELLED", "asked at {caller}");
            let queued = self.shop.refunds().await;
            assert_eq!(queued, [(PRICE, reason.clone(), "PENDING".to_owned())], "asked at {caller}");
            self.shop.run_jobs().await;
            assert_eq!(self.shop.refunds().await, [(PRICE, reason, "SUCCEEDED".to_owned())], "asked at {caller}");
            assert_eq!(self.shop.payment(&self.payment).await.0, "CANCELLED", "asked at {caller}");
        }
    }

    #[track_caller]
    fn is_revived(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            assert_eq!(self.shop.booking(self.booking).await, ("CONFIRMED".to_owned(), None), "asked at {caller}");
            let paid = ("PAID".to_owned(), Some(self.booking));
            assert_eq!(self.shop.payment(&self.payment).await, paid, "asked at {caller}");
            assert_eq!(self.shop.refunds().await, [], "asked at {caller}");
            assert_eq!(
                self.shop.history("BOOKING", self.booking).await.last().unwrap(),
                "revived",
                "asked at {caller}"
            );
            let occupied = format!("/api/bookings/occupied-seats/{}", self.schedule);
            assert_eq!(self.shop.client.get(&occupied).await.expect(200)["occupied_seats"], json!(["6D"]));
            assert_eq!(self.shop.seats(self.schedule).await, (1, 1), "asked at {caller}");
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_the_provider_decides_the_seats_stay_held(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::before(database).await;
    late.shop.world.pass(minutes(100));
    late.tidy().await;
    let rival = late.shop.traveller().await;
    rival.post("/api/bookings", &request(late.schedule, 1, PRICE, &["6D"])).await.refused(409, "seat-taken");
    assert_eq!(late.buyer.newest().await["status"], "CANCELLED");
    late.comes().await;
    assert_eq!(late.shop.booking(late.booking).await, ("CONFIRMED".to_owned(), None));
    assert_eq!((late.shop.seats(late.schedule).await, late.shop.refunds().await), ((1, 1), vec![]));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn once_the_provider_knows_of_nothing_the_seats_are_free(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::before(database).await;
    late.shop.world.pass(minutes(16));
    late.shop.run_jobs().await;
    late.shop.run_jobs().await;
    assert_eq!(late.shop.payment(&late.payment).await.0, "EXPIRED");
    assert_eq!(late.shop.booking(late.booking).await, ("CANCELLED".to_owned(), Some("EXPIRED".to_owned())));
    assert_eq!(late.shop.seats(late.schedule).await, (2, 0));
    late.comes().await;
    late.is_revived().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn money_that_comes_after_we_gave_up_is_found_though_nobody_told_us(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(2).await;
    let buyer = shop.traveller().await;
    let payment = shop.begin(&buyer, schedule, PRICE).await;
    shop.world.pass(minutes(31));
    shop.run_jobs().await;
    assert_eq!(shop.payment(&payment).await.0, "EXPIRED");
    let asked = shop.provider.calls().count(Operation::Order);
    for _ in 0..10 {
        shop.world.pass(minutes(1));
        shop.run_jobs().await;
    }
    assert_eq!(shop.provider.calls().count(Operation::Order), asked, "not every minute");
    let receipt = shop.pay(&payment, PRICE).await;
    shop.world.pass(minutes(21));
    shop.run_jobs().await;
    assert_eq!(shop.payment(&payment).await.0, "PAID");
    shop.world.pass(minutes(31));
    shop.run_jobs().await;
    assert_eq!(shop.given_back(&receipt).await, PRICE);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_expired_booking_is_revived_if_its_seats_are_free_at_the_same_price(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let late = Late::new(database, true).await;
    assert_eq!(late.shop.booking(late.booking).await, ("CANCELLED".to_owned(), Some("EXPIRED".to_owned())));
    late.comes().await;
    late.is_revived().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn so_is_one_that_nobody_has_tidied(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::new(database, false).await;
    late.comes().await;
    late.is_revived().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_is_refunded_when_a_seat_is_gone(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::new(database, true).await;
    late.shop.traveller().await.books(201, &request(late.schedule, 1, PRICE, &["6D"])).await;
    late.comes().await;
    late.is_refunded("TOO_LATE").await;
    assert_eq!(late.shop.seats(late.schedule).await, (1, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn also_when_nobody_has_tidied_before_it_was_taken(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::new(database, false).await;
    late.shop.traveller().await.books(201, &request(late.schedule, 1, PRICE, &["6D"])).await;
    late.comes().await;
    late.is_refunded("TOO_LATE").await;
    assert_eq!(late.shop.booking(late.booking).await.1.as_deref(), Some("EXPIRED"));
    assert_eq!(late.shop.seats(late.schedule).await, (1, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_is_refunded_when_the_flight_is_full(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::new(database, false).await;
    late.shop.traveller().await.books(201, &request(late.schedule, 2, PRICE, &["1A", "1B"])).await;
    late.comes().await;
    late.is_refunded("TOO_LATE").await;
    assert_eq!(late.shop.seats(late.schedule).await, (0, 2));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_is_refunded_when_the_price_has_changed(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::new(database, true).await;
    let raise = "update flight_schedules set current_price = 320001 where schedule_id = ?";
    late.shop.by_hand(raise, late.schedule).await;
    late.comes().await;
    late.is_refunded("TOO_LATE").await;
    assert_eq!(late.shop.seats(late.schedule).await, (2, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn also_when_nobody_has_tidied_before_the_price_changed(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::new(database, false).await;
    let raise = "update flight_schedules set current_price = 320001 where schedule_id = ?";
    late.shop.by_hand(raise, late.schedule).await;
    late.comes().await;
    late.is_refunded("TOO_LATE").await;
    assert_eq!(late.shop.seats(late.schedule).await, (2, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_is_refunded_when_the_flight_is_not_sold_any_more(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::new(database, false).await;
    late.shop.by_hand("update flight_schedules set status = 'CANCELLED' where schedule_id = ?", late.schedule).await;
    late.comes().await;
    late.is_refunded("TOO_LATE").await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn it_is_refunded_when_the_owner_cancelled(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::before(database).await;
    assert_eq!(late.buyer.cancel(&late.number).await, 200);
    assert_eq!(late.shop.seats(late.schedule).await, (2, 0), "the owner's cancel wins at once");
    late.comes().await;
    late.is_refunded("SURPLUS").await;
    assert_eq!(late.shop.booking(late.booking).await.1.as_deref(), Some("OWNER"));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn another_amount_never_pays(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::before(database).await;
    for amount in [PRICE - 1, PRICE + 1] {
        let receipt = late.shop.pay(&late.payment, amount).await;
        late.shop.hear_of(&receipt).await;
    }
    assert_eq!(late.shop.booking(late.booking).await.0, "PENDING");
    late.shop.run_jobs().await;
    let given_back: Vec<_> = late.shop.refunds().await.into_iter().map(|(amount, _, state)| (amount, state)).collect();
    assert_eq!(given_back, [(PRICE - 1, "SUCCEEDED".to_owned()), (PRICE + 1, "SUCCEEDED".to_owned())]);
    // The right one still does.
    late.comes().await;
    assert_eq!(late.shop.booking(late.booking).await.0, "CONFIRMED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_second_receipt_for_a_booking_that_is_paid_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let late = Late::before(database).await;
    late.comes().await;
    late.comes().await;
    late.shop.run_jobs().await;
    assert_eq!(late.shop.booking(late.booking).await.0, "CONFIRMED");
    assert_eq!(late.shop.refunds().await, [(PRICE, "SURPLUS".to_owned(), "SUCCEEDED".to_owned())]);
    assert_eq!(late.shop.payment(&late.payment).await.0, "PAID");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_attached_to_an_expired_booking_revives_it_with_its_own_reservation(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(1).await;
    let buyer = shop.traveller().await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    shop.world.pass(minutes(16));
    // The last seat is reserved for this very payment.
    let payment = shop.begin(&buyer, schedule, PRICE).await;
    let receipt = shop.pay(&payment, PRICE).await;
    shop.hear_of(&receipt).await;
    shop.attach(&buyer, &payment, id(&made)).await.unwrap();
    assert_eq!(shop.booking(id(&made)).await, ("CONFIRMED".to_owned(), None));
    assert_eq!(shop.seats(schedule).await, (0, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_attached_to_a_booking_that_cannot_be_revived_goes_back(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(2).await;
    let buyer = shop.traveller().await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    shop.world.pass(minutes(16));
    shop.traveller().await.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    let payment = shop.begin(&buyer, schedule, PRICE).await;
    let receipt = shop.pay(&payment, PRICE).await;
    shop.hear_of(&receipt).await;
    let refused = shop.attach(&buyer, &payment, id(&made)).await;
    assert!(matches!(refused, Err(AttachError::BookingOver)), "{refused:?}");
    shop.run_jobs().await;
    assert_eq!((shop.given_back(&receipt).await, shop.seats(schedule).await), (PRICE, (1, 1)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_flight_that_has_left_takes_no_money(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(10).await;
    let buyer = shop.traveller().await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    let payment = shop.begin_for(&buyer, id(&made), PRICE).await;
    let receipt = shop.pay(&payment, PRICE).await;
    // It left while the window was open; its seats are still held.
    shop.world.clock.advance(chrono::TimeDelta::days(4));
    shop.hear_of(&receipt).await;
    shop.run_jobs().await;
    assert_eq!(shop.given_back(&receipt).await, PRICE);
    assert_ne!(shop.booking(id(&made)).await.0, "CONFIRMED");
}
