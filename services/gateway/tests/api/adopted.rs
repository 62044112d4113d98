//! The whole system on a database that the original used for years, adopted as an operator adopts it.

use bootpay::simulator::{Outcome, Payment};
use chrono::{NaiveDate, TimeDelta};
use common::clock::Clock;
use common::db::MIGRATOR;
use jsonwebtoken::{EncodingKey, Header};
use migrate::Plan;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions};
use testkit::original;

use crate::system::{Browser, System};

/// The original's database with flights to come, before it is adopted, and the system that is to take over.
struct Before {
    database: MySqlConnectOptions,
    system: System,
    day: NaiveDate,
}

impl Before {
    async fn start(database: MySqlConnectOptions) -> Self {
        let system = System::start(database.clone()).await;
        system.provider.set_webhook_url(None);
        let day = system.world.day(7);
        original::create_used(&mut database.connect().await.unwrap(), day).await;
        Self { database, system, day }
    }

    /// What somebody paid the provider for an order in the original's days; the payment has the receipt where it was
    /// ever told.
    async fn paid(&self, order_id: &str, price: i64) {
        let paid = self.system.provider.pay(Payment { outcome: Outcome::Approve, ..Payment::new(order_id, price) });
        let receipt_id = paid.await.unwrap().receipt_id;
        sqlx::query(
            "update payments set bootpay_receipt_id = ?, updated_at = updated_at
             where order_id = ? and bootpay_receipt_id is not null",
        )
        .bind(receipt_id.as_str())
        .bind(order_id)
        .execute(&self.system.world.db)
        .await
        .unwrap();
    }

    async fn adopt(self, plan: Plan) -> (System, NaiveDate) {
        migrate::run(&self.database, &MIGRATOR, &plan, &Clock::system(), &mut |_| ()).await.unwrap();
        (self.system, self.day)
    }
}

async fn number(system: &System, sql: &'static str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("select cast(({sql}) as signed)")))
        .fetch_one(&system.world.db)
        .await
        .unwrap()
}

async fn log_in<'s>(system: &'s System, name: &str) -> Browser<'s> {
    let mut browser = system.browser();
    browser.log_in_as(&format!("{name}@example.com"), original::PASSWORD).await;
    browser
}

async fn occupied(browser: &Browser<'_>) -> Value {
    browser.get("/api/bookings/occupied-seats/1").await.expect(200)["occupied_seats"].clone()
}

fn booking(schedule_id: i64, total: i64, seat: &str) -> Value {
    json!({
        "scheduleId": schedule_id.to_string(),
        "passengers": [{ "name": "최새롬", "nameEn": "CHOI SAEROM", "birth": "1990-02-03", "gender": "F" }],
        "contactInfo": { "email": "choi@example.com", "phone": "010-1234-5678" },
        "paymentMethod": "card",
        "totalAmount": total,
        "seats": [seat],
    })
}

/// How much of each receipt went back, by order.
fn returned(system: &System, order_id: &str) -> Vec<i64> {
    let receipts = system.provider.receipts();
    receipts.iter().filter(|r| r["order_id"] == order_id).filter_map(|r| r["cancelled_price"].as_i64()).collect()
}

#[sqlx::test(migrations = false)]
async fn every_old_password_and_an_old_token_open_their_account(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let before = Before::start(database.clone()).await;
    let key = b"a-key-for-tests-that-nobody-else-uses";
    let now = before.system.world.now().timestamp();
    let claims = json!({ "user_id": 2, "role": "USER", "iat": now - 60, "exp": now + 3600 });
    let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(key)).unwrap();
    let (system, _) = before.adopt(Plan::default()).await;

    let mut browser = system.browser();
    browser.has_token(&token);
    assert_eq!(browser.get("/api/auth/profile").await.expect(200)["user"]["user_id"], 2);
    assert_eq!(browser.get("/api/bookings").await.expect(200)["bookings"].as_array().unwrap().len(), 5);

    let accepted = original::STORED.iter().filter(|(name, _)| !["plain-method", "bcrypt"].contains(name));
    for (name, _) in accepted.clone() {
        for _ in 0..2 {
            log_in(&system, name).await;
        }
    }
    let upgraded = number(&system, "select count(*) from users where password_hash like '$argon2id$%'").await;
    assert_eq!(usize::try_from(upgraded).unwrap(), accepted.count(), "each is hashed anew, and no other");

    let plain = [("admin@cloudjet.com", "admin123"), ("plain-method@example.com", original::PASSWORD)];
    for (email, password) in plain {
        system.browser().is_refused(email, password).await;
    }
    let plan = Plan { hash_plain_passwords: true, ..Plan::default() };
    migrate::run(&database, &MIGRATOR, &plan, &Clock::system(), &mut |_| ()).await.unwrap();
    for (email, password) in plain {
        system.browser().log_in_as(email, password).await;
    }
    system.browser().is_refused("bcrypt@example.com", original::STORED[10].1).await;
}

#[sqlx::test(migrations = false)]
async fn an_old_booking_keeps_its_seat_until_it_is_cancelled_and_paid_back(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let before = Before::start(database).await;
    before.paid("CJ-ORD-2-1-aaaaaaa1", 600_000).await;
    let (system, day) = before.adopt(Plan::default()).await;
    let (owner, rival) = (log_in(&system, "scrypt").await, log_in(&system, "sha256").await);

    let search = format!("/api/flights/search?departure=ICN&arrival=NRT&date={day}");
    let flight = rival.get(&search).await.expect(200)["flights"][0].clone();
    assert_eq!(
        (flight["schedule_id"].as_i64(), flight["price"].as_i64(), flight["available_seats"].as_i64()),
        (Some(1), Some(240_000), Some(170))
    );
    assert_eq!(occupied(&rival).await, json!(["6D", "12A"]));
    let refused = rival.post("/api/bookings", &booking(1, 240_000, "6D")).await.expect(409);
    assert_eq!(refused["code"], "seat-taken");
    rival.post("/api/bookings", &booking(1, 240_000, "12A")).await.expect(409);

    rival.post_nothing("/api/bookings/CJAAAAAAA1/cancel").await.expect(404);
    owner.post_nothing("/api/bookings/CJAAAAAAA1/cancel").await.expect(200);
    owner.post_nothing("/api/bookings/CJAAAAAAA1/cancel").await.expect(404);
    assert_eq!(rival.get(&search).await.expect(200)["flights"][0]["available_seats"], 172);
    assert_eq!(occupied(&rival).await, json!(["12A"]));
    while system.orders.drive_refunds_once(10).await.unwrap() {}
    assert_eq!(returned(&system, "CJ-ORD-2-1-aaaaaaa1"), [600_000]);
    assert_eq!(number(&system, "select count(*) from payments where payment_id = 1 and status = 'CANCELLED'").await, 1);

    let booked = rival.post("/api/bookings", &booking(1, 240_000, "6D")).await.expect(201);
    assert_eq!(booked["status"], "PENDING");
    assert_eq!(occupied(&rival).await, json!(["6D", "12A"]));
    assert_eq!(rival.get(&search).await.expect(200)["flights"][0]["available_seats"], 171);
}

#[sqlx::test(migrations = false)]
async fn what_comes_back_to_an_oversold_flight_covers_the_surplus_first(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let (system, _) = Before::start(database).await.adopt(Plan::default()).await;
    let (owner, rival) = (log_in(&system, "scrypt").await, log_in(&system, "sha256").await);
    assert_eq!(rival.post("/api/bookings", &booking(2, 300_000, "1A")).await.expect(409)["code"], "sold-out");
    // Three of them leave; two were sold too many.
    owner.post_nothing("/api/bookings/CJAAAAAAA6/cancel").await.expect(200);
    let state = "select available_seats * 100 + oversold from flight_schedules where schedule_id = 2";
    assert_eq!(number(&system, state).await, 100);
    rival.post("/api/bookings", &booking(2, 300_000, "1A")).await.expect(201);
    assert_eq!(number(&system, state).await, 0);
}

#[sqlx::test(migrations = false)]
async fn money_the_original_never_heard_of_pays_for_its_booking_and_is_not_given_back(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let before = Before::start(database).await;
    before.paid("CJ-ORD-3-1-aaaaaaa2", 300_000).await;
    let (system, _) = before.adopt(Plan::default()).await;
    system.world.pass(TimeDelta::minutes(31));
    while system.orders.ask_about_payments_once(10).await.unwrap() {}
    while system.orders.refund_unbooked_once(10).await.unwrap() {}
    let paid = "select count(*) from payments where payment_id = 2 and status = 'PAID' and booking_id = 2";
    assert_eq!(number(&system, paid).await, 1);
    let refunds = "select count(*) from refunds where payment_id in (2, 7, 9)";
    assert_eq!(number(&system, refunds).await, 0, "what was booked, or may have been, is not given back");
    assert_eq!(number(&system, "select count(*) from refunds where payment_id = 3").await, 1, "what wasn't, is");

    let owner = log_in(&system, "pbkdf2-sha1").await;
    owner.post_nothing("/api/bookings/CJAAAAAAA2/cancel").await.expect(200);
    while system.orders.drive_refunds_once(10).await.unwrap() {}
    assert_eq!(returned(&system, "CJ-ORD-3-1-aaaaaaa2"), [300_000]);
}

#[sqlx::test(migrations = false)]
async fn an_old_payment_is_attached_by_hand_and_given_back_with_its_booking(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let before = Before::start(database).await;
    before.paid("mine", 300_000).await;
    let (system, _) = before.adopt(Plan::default()).await;
    let owner = log_in(&system, "pbkdf2-sha1").await;
    let pair = json!({ "orderId": "mine", "bookingId": "CJAAAAAAA3" });
    for _ in 0..2 {
        owner.post("/api/payments/attach-booking", &pair).await.expect(200);
    }
    owner.post_nothing("/api/bookings/CJAAAAAAA3/cancel").await.expect(200);
    while system.orders.drive_refunds_once(10).await.unwrap() {}
    assert_eq!(returned(&system, "mine"), [300_000]);
    assert_eq!(number(&system, "select count(*) from payments where payment_id = 7 and status = 'CANCELLED'").await, 1);
}
