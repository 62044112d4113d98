//! Answers of the provider that nobody should believe, and its definite no. The simulator is too kind for these, so a
//! provider of our own gives them.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use bootpay::ReceiptId;
use chrono::TimeDelta;
use orders::bookings::Receipt;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;

use super::{calls, confirm};
use crate::support::{Buyer, KEY, PRICE, Service, wanted};

const RECEIPT: &str = "624c1c5c1fc19202e4746ce5";

/// What a provider says of the one receipt it has: before it is asked to confirm it, to that, and after.
#[derive(Clone, Debug)]
struct Script {
    before: Value,
    confirmed: (StatusCode, Value),
    after: Value,
}

/// What has become of its receipt.
#[derive(Debug, Default)]
struct Book {
    confirms: u32,
    cancels: Vec<Value>,
}

/// A provider that follows a script.
#[derive(Clone, Debug)]
struct Scripted {
    script: Arc<Mutex<Script>>,
    book: Arc<Mutex<Book>>,
}

impl Scripted {
    /// Serves, and answers itself and a client of it.
    async fn serve(script: Script) -> (Self, bootpay::Client) {
        let scripted = Self { script: Arc::new(Mutex::new(script)), book: Arc::default() };
        let router = Router::new()
            .route("/v2/request/token", post(async || Json(json!({ "access_token": "token", "expire_in": 1800 }))))
            .route("/v2/receipt/{id}", get(look_up))
            .route("/v2/confirm", post(approve))
            .route("/v2/cancel", post(cancel))
            .with_state(scripted.clone());
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/v2", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (scripted, bootpay::Client::new(bootpay::Config::new(url, "rest-id", KEY.into())).unwrap())
    }

    fn confirms(&self) -> u32 {
        self.book.lock().unwrap().confirms
    }

    fn cancels(&self) -> Vec<Value> {
        self.book.lock().unwrap().cancels.clone()
    }
}

async fn look_up(State(scripted): State<Scripted>) -> Json<Value> {
    let script = scripted.script.lock().unwrap().clone();
    Json(if scripted.confirms() == 0 { script.before } else { script.after })
}

async fn approve(State(scripted): State<Scripted>) -> (StatusCode, Json<Value>) {
    scripted.book.lock().unwrap().confirms += 1;
    let (status, body) = scripted.script.lock().unwrap().confirmed.clone();
    (status, Json(body))
}

async fn cancel(State(scripted): State<Scripted>, Json(asked): Json<Value>) -> Json<Value> {
    scripted.book.lock().unwrap().cancels.push(asked.clone());
    let mut script = scripted.script.lock().unwrap();
    script.after["status"] = 20.into();
    script.after["cancelled_price"] = asked["cancel_price"].clone();
    Json(script.after.clone())
}

fn receipt(order: &str, price: i64, status: i64) -> Value {
    json!({ "receipt_id": RECEIPT, "order_id": order, "price": price, "status": status })
}

/// A booking whose buyer has agreed to pay under the order id "mine", at a provider that follows `script`.
struct Scene {
    service: Service,
    provider: Scripted,
    buyer: Buyer,
    schedule: i64,
    booking: Receipt,
}

impl Scene {
    async fn of(database: MySqlConnectOptions, script: Script) -> Self {
        let (provider, client) = Scripted::serve(script).await;
        let service = Service::with(World::new(database), Some(client));
        let (buyer, schedule) = (service.buyer().await, service.schedule(9).await);
        let booking = service.book(&wanted(&buyer, schedule, 1, &["1A"])).await.unwrap();
        let request = json!({ "bookingId": booking.booking_id, "amount": PRICE, "orderId": "mine" });
        let _ = buyer.init(&request).await.expect(200);
        Self { service, provider, buyer, schedule, booking }
    }

    async fn confirm(&self) -> testkit::Answer {
        confirm(&self.service.again(&self.buyer), "mine", &ReceiptId::parse(RECEIPT).unwrap()).await
    }

    /// The booking's status and deadline, and its claims' end.
    async fn terms(&self) -> (String, Option<String>, Option<String>) {
        sqlx::query_as(
            "select b.status, cast(b.payment_due_at as char), cast(c.held_until as char)
             from bookings b join claims c on c.hold_id = b.hold_id where b.booking_id = ?",
        )
        .bind(self.booking.booking_id)
        .fetch_one(&self.service.world.db)
        .await
        .unwrap()
    }

    /// The jobs that go on with calls and refunds; this provider knows no orders.
    async fn run_jobs(&self) {
        let orders = &self.service.orders;
        while orders.resume_calls_once(10).await.unwrap() || orders.drive_refunds_once(10).await.unwrap() {}
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_definite_no_gives_the_booking_its_time_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let no = json!({ "error_code": "RC_CONFIRM_FAILED", "message": "한도 초과 5409-****-1234" });
    let waiting = receipt("mine", PRICE, 2);
    let script = Script { before: waiting.clone(), confirmed: (StatusCode::BAD_REQUEST, no), after: waiting };
    let scene = Scene::of(database, script).await;
    let before = scene.terms().await;
    let refused = scene.confirm().await;
    assert!(!refused.body.to_string().contains("RC_CONFIRM"), "{refused:?}");
    refused.refused(409, "payment-declined");
    assert_eq!(scene.terms().await, before);
    let kept: String = scene.service.value("select last_error from provider_calls where kind = ?", "CONFIRM").await;
    assert!(kept.contains("RC_CONFIRM_FAILED") && !kept.contains("5409"), "{kept}");

    // Told again without asking again; and what is still authorised there is let go.
    scene.confirm().await.refused(409, "payment-declined");
    scene.run_jobs().await;
    assert_eq!(scene.provider.confirms(), 1);
    assert_eq!(calls(&scene.service).await, [("CONFIRM".into(), "REFUSED".into()), ("VOID".into(), "DONE".into())]);
    assert_eq!(scene.provider.cancels().len(), 1);
    assert_eq!(scene.provider.cancels()[0]["cancel_price"], PRICE);
    assert_eq!(scene.terms().await, before);

    // The booking can be paid anew, or expires when it would have.
    let again = scene.buyer.begin_for(&scene.booking).await;
    assert_eq!(scene.service.status(&again).await, "REQUESTED");
    let forget = "update payments set status = 'EXPIRED' where booking_id = ? and status = 'REQUESTED'";
    scene.service.by_hand(forget, scene.booking.booking_id).await;
    scene.service.world.pass(TimeDelta::minutes(16));
    while scene.service.orders.expire_bookings_once(10).await.unwrap() {}
    assert_eq!(scene.service.booking_state(&scene.booking).await, ("CANCELLED".into(), Some("EXPIRED".into())));
    assert_eq!(scene.service.seats(scene.schedule).await, (9, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_declined_approval_fails_the_payment_and_not_the_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let declined = receipt("mine", PRICE, -2);
    let script =
        Script { before: receipt("mine", PRICE, 2), confirmed: (StatusCode::OK, declined.clone()), after: declined };
    let scene = Scene::of(database, script).await;
    let before = scene.terms().await;
    scene.confirm().await.refused(409, "payment-declined");
    assert_eq!((scene.service.status("mine").await, scene.terms().await), ("FAILED".into(), before));
    assert_eq!(calls(&scene.service).await, [("CONFIRM".into(), "REFUSED".into())]);
    scene.run_jobs().await;
    assert_eq!((scene.provider.confirms(), scene.provider.cancels().len()), (1, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_no_to_what_is_done_already_is_a_yes(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let no = json!({ "error_code": "RC_NOT_CONFIRM_READY", "message": "승인 대기 상태의 결제가 아닙니다." });
    let script = Script {
        before: receipt("mine", PRICE, 2),
        confirmed: (StatusCode::BAD_REQUEST, no),
        after: receipt("mine", PRICE, 1),
    };
    let scene = Scene::of(database, script).await;
    assert_eq!(scene.confirm().await.expect(200)["booking"]["status"], "CONFIRMED");
    assert_eq!(scene.terms().await.0, "CONFIRMED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn another_amount_taken_than_agreed_goes_back(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let taken = receipt("mine", 2 * PRICE, 1);
    let script = Script { before: receipt("mine", PRICE, 2), confirmed: (StatusCode::OK, taken.clone()), after: taken };
    let scene = Scene::of(database, script).await;
    let before = scene.terms().await;
    scene.confirm().await.refused(409, "receipt-mismatch");
    assert_eq!((scene.service.status("mine").await, scene.terms().await), ("REQUESTED".into(), before));
    scene.run_jobs().await;
    scene.service.assert_refunds(&[(2 * PRICE, "WRONG_AMOUNT", "SUCCEEDED")]).await;
    scene.confirm().await.refused(409, "receipt-mismatch");
    assert_eq!(scene.provider.confirms(), 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn another_order_in_the_answer_is_nobodys_money_and_goes_back(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let taken = receipt("yours", PRICE, 1);
    let script = Script { before: receipt("mine", PRICE, 2), confirmed: (StatusCode::OK, taken.clone()), after: taken };
    let scene = Scene::of(database, script).await;
    let before = scene.terms().await;
    scene.confirm().await.refused(409, "receipt-mismatch");
    assert_eq!((scene.service.status("mine").await, scene.terms().await), ("REQUESTED".into(), before));
    scene.run_jobs().await;
    scene.service.assert_refunds(&[(PRICE, "UNKNOWN_ORDER", "SUCCEEDED")]).await;
    assert_eq!(calls(&scene.service).await, [("CONFIRM".into(), "ABANDONED".into())]);
    scene.confirm().await.refused(409, "receipt-mismatch");
    assert_eq!(scene.provider.confirms(), 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_the_provider_does_not_know_itself_is_asked_later(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let undecided = json!({ "error_code": "RC_CONFIRM_CRITICAL_FAILED", "message": "" });
    let script = Script {
        before: receipt("mine", PRICE, 2),
        confirmed: (StatusCode::INTERNAL_SERVER_ERROR, undecided),
        after: receipt("mine", PRICE, 3),
    };
    let scene = Scene::of(database, script).await;
    for _ in 0..8 {
        assert_eq!(scene.confirm().await.expect(202)["booking"]["status"], "PENDING");
        scene.service.world.pass(TimeDelta::minutes(5));
        scene.run_jobs().await;
    }
    scene.provider.script.lock().unwrap().after = receipt("mine", PRICE, 1);
    scene.service.world.pass(TimeDelta::minutes(1));
    scene.run_jobs().await;
    assert_eq!(scene.terms().await.0, "CONFIRMED");
    assert_eq!(scene.provider.confirms(), 1);
    let _ = scene.confirm().await.expect(200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_has_not_agreed_yet_is_sent_back_to_the_window(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let waiting = receipt("mine", PRICE, 0);
    let script = Script { before: waiting.clone(), confirmed: (StatusCode::OK, waiting.clone()), after: waiting };
    let scene = Scene::of(database, script).await;
    let before = scene.terms().await;
    scene.confirm().await.refused(409, "payment-not-agreed");
    assert_eq!((scene.terms().await, scene.provider.confirms()), (before, 0));
    assert_eq!(calls(&scene.service).await, []);
}
