//! Pay first, book after, as the browser client does: the booking call finds the payment that nobody named.

use std::time::{Duration, Instant};

use bootpay::simulator::{Operation, Outage, Trouble};
use chrono::TimeDelta;
use orders::bookings::BookingStatus;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::desk::Desk;
use testkit::{World, seed};

use crate::support::{Service, Shop, id, minutes, number, request};

const PRICE: i64 = 320_000;

fn paid(booking_id: i64) -> (String, Option<i64>) {
    ("PAID".to_owned(), Some(booking_id))
}

fn requested(booking_id: Option<i64>) -> (String, Option<i64>) {
    ("REQUESTED".to_owned(), booking_id)
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_paid_is_confirmed_in_the_first_answer_and_in_the_list(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(10).await;
    let buyer = service.traveller().await;
    let payment = service.begin(&buyer, schedule, 2 * PRICE).await;
    assert_eq!(service.seats(schedule).await, (8, 2), "reserved");
    service.hear_paid(&payment, 2 * PRICE).await;
    let made = buyer.books(201, &request(schedule, 2, PRICE, &["6D"])).await;
    assert_eq!((&made["status"], &made["payment_due_at"]), (&json!("CONFIRMED"), &json!(null)));
    assert_eq!(made["message"], "예약이 완료되었습니다.");
    assert_eq!(service.seats(schedule).await, (8, 2), "counted once");
    assert_eq!(service.payment(&payment).await, paid(id(&made)));
    let listed = buyer.newest().await;
    assert_eq!((&listed["booking_id"], &listed["status"]), (&made["booking_id"], &json!("CONFIRMED")));
    let sold: i64 = service.value("select count(*) from claims where pool_id = ? and state = 'SOLD'", schedule).await;
    assert_eq!(sold, 2);
    // The browser client attaches now, which changes nothing.
    service.attach(&buyer, &payment, id(&made)).await.unwrap();
    assert_eq!(service.payment(&payment).await, paid(id(&made)));
    service.world.pass(minutes(200));
    service.run_jobs().await;
    assert_eq!((service.booking(id(&made)).await.0, service.refunds().await), ("CONFIRMED".to_owned(), vec![]));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_paid_is_sold_however_long_its_booking_takes(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut desk = Desk::new(World::new(database), None);
    let (buyer, schedule) = (seed::user(&desk.world.db).await, desk.schedule(10).await);
    let payment = desk.begin(buyer, schedule, PRICE).await;
    desk.hear_paid(&payment, PRICE).await;
    // As if the process stood still in the middle of it until every hold was over.
    desk.orders.terms.hold = TimeDelta::zero();
    let booked = desk.book(buyer, schedule, &["6D"]).await;
    let sold: i64 = desk.value("select count(*) from claims where pool_id = ? and state = 'SOLD'", schedule).await;
    assert_eq!((booked.status, sold), (BookingStatus::Confirmed, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_nobody_told_us_of_yet_is_asked_for(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(10).await;
    let buyer = shop.traveller().await;
    let payment = shop.begin(&buyer, schedule, PRICE).await;
    shop.pay(&payment, PRICE).await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    assert_eq!(made["status"], "CONFIRMED");
    assert_eq!((shop.payment(&payment).await, shop.seats(schedule).await), (paid(id(&made)), (9, 1)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_known_to_be_paid_is_not_asked_for(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(10).await;
    let buyer = shop.traveller().await;
    let payment = shop.begin(&buyer, schedule, PRICE).await;
    shop.hear_paid(&payment, PRICE).await;
    buyer.books(201, &request(schedule, 1, PRICE, &[])).await;
    assert_eq!(shop.provider.calls().total, 0);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_paid_comes_before_what_is_newer(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(10).await;
    let buyer = service.traveller().await;
    let older = service.begin(&buyer, schedule, PRICE).await;
    let newer = service.begin(&buyer, schedule, PRICE).await;
    service.hear_paid(&older, PRICE).await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &[])).await;
    assert_eq!(made["status"], "CONFIRMED");
    assert_eq!(service.payment(&older).await, paid(id(&made)));
    assert_eq!(service.payment(&newer).await, requested(None));
    assert_eq!(service.seats(schedule).await, (8, 2), "one sold, one still reserved");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn of_two_the_provider_knows_to_be_paid_one_pays(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(10).await;
    let buyer = shop.traveller().await;
    let older = shop.begin(&buyer, schedule, PRICE).await;
    let newer = shop.begin(&buyer, schedule, PRICE).await;
    shop.pay(&older, PRICE).await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &[])).await;
    assert_eq!((made["status"].as_str(), shop.payment(&older).await), (Some("CONFIRMED"), paid(id(&made))));
    assert_eq!(shop.payment(&newer).await, requested(None));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_not_paid_yet_is_confirmed_when_it_is(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(10).await;
    let buyer = shop.traveller().await;
    let payment = shop.begin(&buyer, schedule, PRICE).await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    assert_eq!(made["status"], "PENDING");
    assert_eq!((shop.payment(&payment).await, shop.seats(schedule).await), (requested(Some(id(&made))), (9, 1)));
    let receipt = shop.pay(&payment, PRICE).await;
    shop.hear_of(&receipt).await;
    assert_eq!(buyer.newest().await["status"], "CONFIRMED");
    assert_eq!((shop.payment(&payment).await, shop.seats(schedule).await), (paid(id(&made)), (9, 1)));
    assert_eq!(shop.history("BOOKING", id(&made)).await, ["booked", "confirmed"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_newest_that_is_not_paid_is_the_guess(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(10).await;
    let buyer = service.traveller().await;
    let older = service.begin(&buyer, schedule, PRICE).await;
    let newer = service.begin(&buyer, schedule, PRICE).await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    assert_eq!(
        (service.payment(&older).await, service.payment(&newer).await),
        (requested(None), requested(Some(id(&made))))
    );
    // The browser client knows better, and says so.
    service.attach(&buyer, &older, id(&made)).await.unwrap();
    assert_eq!(
        (service.payment(&older).await, service.payment(&newer).await),
        (requested(Some(id(&made))), requested(None))
    );
    service.hear_paid(&older, PRICE).await;
    assert_eq!(buyer.newest().await["status"], "CONFIRMED");
    assert_eq!(service.seats(schedule).await, (8, 2), "one sold, one reserved for the other");
    service.world.pass(minutes(16));
    service.run_jobs().await;
    assert_eq!(service.seats(schedule).await, (9, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn only_closed_ones_refuse_the_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(10).await;
    let wanted = request(schedule, 1, PRICE, &["6D"]);
    let declined = shop.traveller().await;
    let payment = shop.begin(&declined, schedule, PRICE).await;
    shop.decline(&payment, PRICE).await;
    declined.post("/api/bookings", &wanted).await.refused(409, "payment-closed");
    assert_eq!(
        (shop.bookings(schedule).await, shop.seats(schedule).await),
        (0, (10, 0)),
        "nothing is reserved any more"
    );

    let refunded = shop.traveller().await;
    let payment = shop.begin(&refunded, schedule, PRICE).await;
    shop.pay(&payment, PRICE).await;
    let terms = orders::Terms { reconcile_after: minutes(0), ..shop.orders.terms };
    let hurried = orders::Orders { terms, ..shop.orders.clone() };
    hurried.ask_about_payments_once(10).await.unwrap();
    assert!(hurried.refund_unbooked_once(10).await.unwrap());
    refunded.post("/api/bookings", &wanted).await.refused(409, "payment-closed");
    assert_eq!(shop.seats(schedule).await, (10, 0));

    // A new try opens the way again, also with the last seats.
    let payment = shop.begin(&declined, schedule, PRICE).await;
    shop.pay(&payment, PRICE).await;
    assert_eq!(declined.books(201, &wanted).await["status"], "CONFIRMED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_declined_card_does_not_stand_in_the_way_of_a_paid_one(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(1).await;
    let buyer = service.traveller().await;
    let first = service.begin(&buyer, schedule, PRICE).await;
    service.hear_declined(&first, PRICE).await;
    let second = service.begin(&buyer, schedule, PRICE).await;
    service.hear_paid(&second, PRICE).await;
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    assert_eq!((made["status"].as_str(), service.seats(schedule).await), (Some("CONFIRMED"), (0, 1)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_price_locked_when_paying_began_is_the_price(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(10).await;
    let raise = "update flight_schedules set current_price = 400000 where schedule_id = ?";
    for is_paid in [true, false] {
        let buyer = service.traveller().await;
        service.by_hand("update flight_schedules set current_price = 320000 where schedule_id = ?", schedule).await;
        let payment = service.begin(&buyer, schedule, 2 * PRICE).await;
        if is_paid {
            service.hear_paid(&payment, 2 * PRICE).await;
        }
        service.by_hand(raise, schedule).await;
        let made = buyer.books(201, &request(schedule, 2, PRICE, &[])).await;
        assert_eq!(made["total_amount"], 2 * PRICE);
        assert_eq!(made["status"], if is_paid { "CONFIRMED" } else { "PENDING" });
        let prices: i64 =
            service.value("select cast(sum(price) as signed) from passengers where booking_id = ?", id(&made)).await;
        assert_eq!(prices, 2 * PRICE);
        assert_eq!(service.payment(&payment).await.1, Some(id(&made)));
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_names_no_total_gets_the_price_that_was_locked(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(10).await;
    let buyer = service.traveller().await;
    let payment = service.begin(&buyer, schedule, PRICE).await;
    service.hear_paid(&payment, PRICE).await;
    service.by_hand("update flight_schedules set current_price = 400000 where schedule_id = ?", schedule).await;
    let documented = json!({"schedule_id": schedule, "passengers": [{"name": "김하늘", "birth_date": "1990-02-03"}]});
    let made = buyer.books(201, &documented).await;
    assert_eq!((made["status"].as_str(), made["total_amount"].as_i64()), (Some("CONFIRMED"), Some(PRICE)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn without_a_payment_it_is_an_ordinary_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(10).await;
    let made = shop.traveller().await.books(201, &request(schedule, 1, PRICE, &[])).await;
    assert_eq!(made["status"], "PENDING");
    assert_eq!(shop.provider.calls().total, 0);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_waits_for_half_an_hour(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(10).await;
    let (in_time, late) = (service.traveller().await, service.traveller().await);
    let first = service.begin(&in_time, schedule, PRICE).await;
    let second = service.begin(&late, schedule, PRICE).await;
    service.hear_paid(&first, PRICE).await;
    service.hear_paid(&second, PRICE).await;
    service.world.pass(minutes(29));
    let made = in_time.books(201, &request(schedule, 1, PRICE, &[])).await;
    assert_eq!((made["status"].as_str(), service.payment(&first).await), (Some("CONFIRMED"), paid(id(&made))));
    service.world.pass(minutes(2));
    let made = late.books(201, &request(schedule, 1, PRICE, &[])).await;
    assert_eq!((made["status"].as_str(), service.payment(&second).await), (Some("PENDING"), ("PAID".to_owned(), None)));
    assert_eq!(service.seats(schedule).await, (7, 3), "what is paid stays reserved until it is refunded");
    service.run_jobs().await;
    assert_eq!(service.seats(schedule).await, (8, 2));
    assert_eq!(service.refunds().await, [(PRICE, "UNBOOKED".to_owned(), "PENDING".to_owned())]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_for_something_else_is_left_alone(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(100).await;
    let other_day = testkit::seed::schedule(service.world.day(4)).insert(&service.world.db).await;
    let buyer = service.traveller().await;
    let somebody = service.traveller().await;
    let two_seats = service.begin(&buyer, schedule, 2 * PRICE).await;
    let elsewhere = service.begin(&buyer, other_day, PRICE).await;
    let anybodys = service.begin(&somebody, schedule, PRICE).await;
    let open = service.init(&buyer, orders::payments::Target::Open, PRICE).await.unwrap();
    for (payment, amount) in [(&two_seats, 2 * PRICE), (&elsewhere, PRICE), (&anybodys, PRICE), (&open, PRICE)] {
        service.hear_paid(payment, amount).await;
    }
    let made = buyer.books(201, &request(schedule, 1, PRICE, &[])).await;
    assert_eq!(made["status"], "PENDING");
    for payment in [&two_seats, &elsewhere, &anybodys, &open] {
        assert_eq!(service.payment(payment).await, ("PAID".to_owned(), None));
    }
    // Same number of people, another total: the price was another one when that payment began.
    service.by_hand("update flight_schedules set current_price = 160000 where schedule_id = ?", schedule).await;
    let cheaper = service.begin(&somebody, schedule, 160_000).await;
    let made = somebody.books(201, &request(schedule, 1, 160_000, &[])).await;
    assert_eq!(made["status"], "PENDING");
    assert_eq!(
        (service.payment(&cheaper).await, service.payment(&anybodys).await.1),
        (requested(Some(id(&made))), None)
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_paid_one_for_another_total_does_not_keep_us_from_asking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(100).await;
    let buyer = shop.traveller().await;
    let dearer = shop.begin(&buyer, schedule, PRICE).await;
    shop.hear_paid(&dearer, PRICE).await;
    shop.by_hand("update flight_schedules set current_price = 160000 where schedule_id = ?", schedule).await;
    let cheaper = shop.begin(&buyer, schedule, 160_000).await;
    shop.pay(&cheaper, 160_000).await;
    let made = buyer.books(201, &request(schedule, 1, 160_000, &[])).await;
    assert_eq!((made["status"].as_str(), shop.payment(&cheaper).await), (Some("CONFIRMED"), paid(id(&made))));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_last_seats_are_reserved_for_who_pays(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(2).await;
    let (buyer, rival) = (shop.traveller().await, shop.traveller().await);
    let payment = shop.begin(&buyer, schedule, 2 * PRICE).await;
    assert_eq!(shop.seats(schedule).await, (0, 2));
    rival.post("/api/bookings", &request(schedule, 1, PRICE, &[])).await.refused(409, "sold-out");
    let receipt = shop.pay(&payment, 2 * PRICE).await;
    shop.hear_of(&receipt).await;
    // While it is paid, it doesn't lapse.
    shop.world.pass(minutes(20));
    rival.post("/api/bookings", &request(schedule, 1, PRICE, &[])).await.refused(409, "sold-out");
    let made = buyer.books(201, &request(schedule, 2, PRICE, &["1A"])).await;
    assert_eq!((made["status"].as_str(), shop.seats(schedule).await), (Some("CONFIRMED"), (0, 2)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn after_a_declined_card_the_last_seats_can_be_tried_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(2).await;
    let buyer = shop.traveller().await;
    // The window was closed, and nobody told us; then a card was declined, and we were told.
    shop.begin(&buyer, schedule, 2 * PRICE).await;
    let declined = shop.begin(&buyer, schedule, 2 * PRICE).await;
    let receipt = shop.decline(&declined, 2 * PRICE).await;
    shop.hear_of(&receipt).await;
    let third = shop.begin(&buyer, schedule, 2 * PRICE).await;
    shop.pay(&third, 2 * PRICE).await;
    let made = buyer.books(201, &request(schedule, 2, PRICE, &["1A"])).await;
    assert_eq!((made["status"].as_str(), shop.payment(&third).await), (Some("CONFIRMED"), paid(id(&made))));
    assert_eq!(shop.seats(schedule).await, (0, 2));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_seat_that_is_gone_leaves_the_payment_waiting_for_another(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(10).await;
    service.traveller().await.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
    let buyer = service.traveller().await;
    let payment = service.begin(&buyer, schedule, PRICE).await;
    service.hear_paid(&payment, PRICE).await;
    buyer.post("/api/bookings", &request(schedule, 1, PRICE, &["6D"])).await.refused(409, "seat-taken");
    assert_eq!(service.seats(schedule).await, (8, 2), "its reservation stays");
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["6E"])).await;
    assert_eq!((made["status"].as_str(), service.payment(&payment).await), (Some("CONFIRMED"), paid(id(&made))));
    assert_eq!(service.seats(schedule).await, (8, 2));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_provider_that_is_down_or_hangs_is_not_waited_for_long(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    for (n, trouble) in [Trouble::Refuse, Trouble::Hang].into_iter().enumerate() {
        let day = shop.world.day(3);
        let schedule = testkit::seed::schedule(day).flight(&format!("CJ{n}")).seats(1).insert(&shop.world.db).await;
        let buyer = shop.traveller().await;
        let payment = shop.begin(&buyer, schedule, PRICE).await;
        let receipt = shop.pay(&payment, PRICE).await;
        shop.provider.set_outage(Outage::new(trouble));
        shop.provider.expire_tokens();
        let asked = Instant::now();
        let made = buyer.books(201, &request(schedule, 1, PRICE, &["6D"])).await;
        assert!(asked.elapsed() < Duration::from_secs(7), "{trouble:?}: {:?}", asked.elapsed());
        assert_eq!(made["status"], "PENDING", "{trouble:?}");
        assert_eq!(shop.payment(&payment).await, requested(Some(id(&made))));
        // Nobody else gets its seat while nobody knows, and the money is heard of in the end.
        shop.world.pass(minutes(60));
        shop.run_jobs().await;
        assert_eq!(shop.seats(schedule).await, (0, 1), "{trouble:?}");
        shop.provider.set_outage(Outage::default());
        shop.hear_of(&receipt).await;
        assert_eq!(shop.booking(id(&made)).await, ("CONFIRMED".to_owned(), None), "{trouble:?}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn at_most_three_orders_are_asked_about_and_all_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(100).await;
    let buyer = shop.traveller().await;
    for _ in 0..6 {
        shop.begin(&buyer, schedule, PRICE).await;
    }
    buyer.books(201, &request(schedule, 1, PRICE, &[])).await;
    assert_eq!(shop.provider.calls().count(Operation::Order), 3);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_payment_that_was_given_up_early_still_pays(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(100).await;
    let terms = orders::Terms { reconcile_after: minutes(0), ..shop.orders.terms };
    let hurried = orders::Orders { terms, ..shop.orders.clone() };
    // An operator may let reconciliation run long before the payment window closes.
    let (slow, gone) = (shop.traveller().await, shop.traveller().await);
    let (payment, abandoned) = (shop.begin(&slow, schedule, PRICE).await, shop.begin(&gone, schedule, PRICE).await);
    hurried.ask_about_payments_once(10).await.unwrap();
    assert_eq!(shop.payment(&payment).await.0, "EXPIRED");
    shop.pay(&payment, PRICE).await;
    let made = slow.books(201, &request(schedule, 1, PRICE, &[])).await;
    assert_eq!((made["status"].as_str(), shop.payment(&payment).await), (Some("CONFIRMED"), paid(id(&made))));
    // Also when it is the attach call that brings it up.
    let late = shop.traveller().await;
    let payment = shop.init(&late, orders::payments::Target::Open, PRICE).await.unwrap();
    hurried.ask_about_payments_once(10).await.unwrap();
    shop.pay(&payment, PRICE).await;
    let made = late.books(201, &request(schedule, 1, PRICE, &[])).await;
    shop.attach(&late, &payment, id(&made)).await.unwrap();
    assert_eq!(late.newest().await["status"], "CONFIRMED");
    // And one that nobody will pay refuses nobody.
    let made = gone.books(201, &request(schedule, 1, PRICE, &[])).await;
    assert_eq!(made["status"], "PENDING");
    assert_eq!(gone.cancel(number(&made)).await, 200);
    let receipt = shop.pay(&abandoned, PRICE).await;
    shop.hear_of(&receipt).await;
    shop.world.pass(minutes(31));
    shop.run_jobs().await;
    assert_eq!(shop.given_back(&receipt).await, PRICE);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_booking_that_init_guessed_gives_way_to_the_one_that_is_attached(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(10).await;
    let buyer = shop.traveller().await;
    let forgotten = buyer.books(201, &request(schedule, 1, PRICE, &["1A"])).await;
    // Nobody said that this is for 1A; it only looked so.
    let payment = shop.begin(&buyer, schedule, PRICE).await;
    assert_eq!(shop.payment(&payment).await, requested(Some(id(&forgotten))));
    let made = buyer.books(201, &request(schedule, 1, PRICE, &["1C"])).await;
    shop.pay(&payment, PRICE).await;
    shop.attach(&buyer, &payment, id(&made)).await.unwrap();
    assert_eq!(shop.payment(&payment).await, paid(id(&made)));
    assert_eq!(shop.booking(id(&made)).await.0, "CONFIRMED");
    assert_eq!(shop.booking(id(&forgotten)).await.0, "PENDING");

    // One that was named stays where it is.
    let named = shop.begin_for(&buyer, id(&forgotten), PRICE).await;
    assert!(shop.attach(&buyer, &named, id(&made)).await.is_err());
    assert_eq!(shop.payment(&named).await, requested(Some(id(&forgotten))));
}
