//! The client against the simulator, over real HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which may panic as tests may")]

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Json, Router};
use bootpay::simulator::{self, Operation, Outage, Outcome, Payment, Running, Simulator, Trouble};
use bootpay::{Called, Cancel, Client, Config, Credentials, Error, Receipt, ReceiptId, Status};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const ID: &str = "rest-application";
const KEY: &str = "private-key";

async fn provider() -> Running {
    let config = simulator::Config::new(ID, SecretString::from(KEY));
    Simulator::new(config).unwrap().spawn().await.unwrap()
}

fn config(api_url: String) -> Config {
    Config::new(api_url, ID, SecretString::from(KEY))
}

async fn provider_and_client() -> (Running, Client) {
    let provider = provider().await;
    let client = Client::new(config(provider.api_url())).unwrap();
    (provider, client)
}

/// A client that gives up soon, and later than anything else takes on a busy machine.
fn hasty(provider: &Running) -> Client {
    let soon = Duration::from_secs(2);
    Client::new(Config { timeout: soon, cancel_timeout: soon, ..config(provider.api_url()) }).unwrap()
}

fn cancel(receipt_id: &ReceiptId, cancel_id: &str, price: i64) -> Cancel {
    Cancel {
        receipt_id: receipt_id.clone(),
        cancel_id: cancel_id.to_owned(),
        price,
        username: "CloudJet".to_owned(),
        message: "booking cancelled".to_owned(),
    }
}

async fn look_up(client: &Client, receipt_id: &ReceiptId) -> Receipt {
    client.receipt(receipt_id).await.unwrap().unwrap()
}

#[tokio::test]
async fn looks_up_a_payment_and_its_order() {
    let (provider, client) = provider_and_client().await;
    let declined = Payment { outcome: Outcome::Decline, ..Payment::new("CJ-1", 50_000) };
    let declined = provider.pay(declined).await.unwrap();
    let paid = provider.pay(Payment::new("CJ-1", 50_000)).await.unwrap();
    provider.pay(Payment::new("CJ-2", 70_000)).await.unwrap();

    let receipt = look_up(&client, &paid.receipt_id).await;
    assert_eq!(receipt.receipt_id, paid.receipt_id);
    assert_eq!(receipt.order_id, "CJ-1");
    assert_eq!((receipt.price, receipt.cancelled_price), (50_000, 0));
    assert_eq!(receipt.status, Status::Paid);
    assert!(receipt.purchased_at.is_some() && receipt.cancelled_at.is_none());

    let order = client.order("CJ-1").await.unwrap();
    let found: Vec<_> = order.iter().map(|receipt| (&receipt.receipt_id, receipt.status)).collect();
    assert_eq!(found, [(&declined.receipt_id, Status::ApprovalFailed), (&paid.receipt_id, Status::Paid)]);
}

#[tokio::test]
async fn what_is_unknown_is_no_error() {
    let (_provider, client) = provider_and_client().await;

    for id in ["624c1c5c1fc19202e4746ce5", "a/b", "../request/token", "%2e%2e"] {
        let id = ReceiptId::parse(id).unwrap();
        assert_eq!(client.receipt(&id).await.unwrap(), None, "{id}");
    }
    for order in ["CJ-0", "", "..", "주문 1"] {
        assert_eq!(client.order(order).await.unwrap(), [], "{order}");
    }
}

#[tokio::test]
async fn confirms_what_waits_for_it_once() {
    let (provider, client) = provider_and_client().await;
    let payment = Payment { outcome: Outcome::Separate, ..Payment::new("CJ-1", 50_000) };
    let id = provider.pay(payment).await.unwrap().receipt_id;
    assert_eq!(look_up(&client, &id).await.status, Status::AwaitingApproval);

    let confirmed = client.confirm(&id).await.unwrap();
    assert_eq!(confirmed.status, Status::Paid);

    let again = client.confirm(&id).await.unwrap_err();
    assert_eq!(again.code(), Some("RC_NOT_CONFIRM_READY"));
    assert!(again.is_definite());
}

#[tokio::test]
async fn cancels_in_parts_up_to_the_price() {
    let (provider, client) = provider_and_client().await;
    let id = provider.pay(Payment::new("CJ-1", 50_000)).await.unwrap().receipt_id;

    let part = client.cancel(&cancel(&id, "refund-1", 20_000)).await.unwrap();
    assert_eq!((part.status, part.cancelled_price), (Status::Cancelled, 20_000));
    assert!(!part.is_fully_cancelled());

    let too_much = client.cancel(&cancel(&id, "refund-2", 30_001)).await.unwrap_err();
    assert!(matches!(too_much, Error::Refused { status: 400, .. }), "{too_much:?}");

    let rest = client.cancel(&cancel(&id, "refund-3", 30_000)).await.unwrap();
    assert!(rest.is_fully_cancelled());

    let nothing_left = client.cancel(&cancel(&id, "refund-4", 1)).await.unwrap_err();
    assert_eq!(nothing_left.code(), Some("RC_ALREADY_CANCELLED"));
    assert_eq!(look_up(&client, &id).await.cancelled_price, 50_000);
}

#[tokio::test]
async fn a_repeated_cancel_has_one_effect() {
    let (provider, client) = provider_and_client().await;
    let id = provider.pay(Payment::new("CJ-1", 50_000).scripted("cancel-kind")).await.unwrap().receipt_id;
    let refund = cancel(&id, "refund-1", 10_000);

    let first = client.cancel(&refund).await.unwrap();
    client.cancel(&cancel(&id, "refund-2", 5_000)).await.unwrap();
    let again = client.cancel(&refund).await.unwrap();

    assert_eq!(again, first);
    assert_eq!(look_up(&client, &id).await.cancelled_price, 15_000);
    let other_amount = client.cancel(&cancel(&id, "refund-1", 11_000)).await.unwrap_err();
    assert!(matches!(other_amount, Error::Refused { .. }));
}

#[tokio::test]
async fn many_at_once_with_one_cancel_id_have_one_effect() {
    let (provider, client) = provider_and_client().await;
    let id = provider.pay(Payment::new("CJ-1", 50_000).scripted("cancel-kind")).await.unwrap().receipt_id;

    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (client, refund) = (client.clone(), cancel(&id, "refund-1", 10_000));
        tasks.spawn(async move { client.cancel(&refund).await.unwrap().cancelled_price });
    }
    assert_eq!(tasks.join_all().await, [10_000; 20]);
    assert_eq!(look_up(&client, &id).await.cancelled_price, 10_000);
}

#[tokio::test]
async fn never_asks_to_cancel_nothing() {
    let (provider, client) = provider_and_client().await;
    let id = provider.pay(Payment::new("CJ-1", 50_000)).await.unwrap().receipt_id;

    for price in [0, -1] {
        let refused = client.cancel(&cancel(&id, "refund-1", price)).await.unwrap_err();
        assert!(matches!(refused, Error::NotAnAmount(_)) && refused.is_definite());
    }
    assert_eq!(provider.calls().count(Operation::Cancel), 0);
}

#[tokio::test]
async fn a_token_is_fetched_once_and_replaced_when_refused() {
    let (provider, client) = provider_and_client().await;
    let tokens = || provider.calls().count(Operation::Token);

    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        tasks.spawn(async move { client.order("CJ-1").await.unwrap() });
    }
    tasks.join_all().await;
    assert_eq!(tokens(), 1);

    provider.expire_tokens();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        tasks.spawn(async move { client.order("CJ-1").await.unwrap() });
    }
    tasks.join_all().await;
    assert_eq!(tokens(), 2);
}

#[tokio::test]
async fn a_token_that_expires_is_replaced_before_it_is_refused() {
    let mut settings = simulator::Config::new(ID, SecretString::from(KEY));
    settings.token_lifetime = Duration::from_secs(1);
    let provider = Simulator::new(settings).unwrap().spawn().await.unwrap();
    let client = Client::new(config(provider.api_url())).unwrap();

    client.order("CJ-1").await.unwrap();
    tokio::time::sleep(Duration::from_millis(950)).await;
    client.order("CJ-1").await.unwrap();

    let calls = provider.calls();
    assert_eq!(calls.count(Operation::Token), 2);
    assert!(calls.calls.iter().all(|call| call.status == Some(200)), "{calls:?}");
}

#[tokio::test]
async fn wrong_credentials_are_told_so() {
    let provider = provider().await;
    for (id, key, code) in [("other", KEY, "APP_KEY_NOT_FOUND"), (ID, "other", "APP_SK_NOT_MATCHED")] {
        let config = Config::new(provider.api_url(), id, SecretString::from(key));
        let error = Client::new(config).unwrap().order("CJ-1").await.unwrap_err();
        assert!(matches!(error, Error::NotAuthorised { .. }), "{error:?}");
        assert_eq!(error.code(), Some(code));
    }
    assert_eq!(provider.calls().count(Operation::Order), 0);
}

#[tokio::test]
async fn a_client_key_and_its_secret_need_no_token() {
    let mut settings = simulator::Config::new(ID, SecretString::from(KEY));
    settings.client = Some(("client".to_owned(), SecretString::from("secret")));
    let provider = Simulator::new(settings).unwrap().spawn().await.unwrap();
    let with = |secret: &str| {
        let credentials = Credentials::Client { key: "client".to_owned(), secret: SecretString::from(secret) };
        Client::new(Config::with(provider.api_url(), credentials)).unwrap()
    };
    let id = provider.pay(Payment::new("CJ-1", 50_000)).await.unwrap().receipt_id;

    let client = with("secret");
    assert!(look_up(&client, &id).await.status.is_paid());
    assert!(client.cancel(&cancel(&id, "refund-1", 50_000)).await.unwrap().is_fully_cancelled());

    let refused = with("another").order("CJ-1").await.unwrap_err();
    assert!(matches!(refused, Error::NotAuthorised { status: 401, .. }), "{refused:?}");
    let calls = provider.calls();
    assert_eq!(calls.count(Operation::Token), 0);
    assert_eq!(calls.count(Operation::Order), 1, "the same secret again would be refused again");
}

#[tokio::test]
async fn a_provider_that_hangs_times_out() {
    let provider = provider().await;
    let client = hasty(&provider);
    provider.set_outage(Outage::new(Trouble::Hang));

    let error = client.order("CJ-1").await.unwrap_err();

    assert!(matches!(error, Error::TimedOut), "{error:?}");
    assert!(!error.is_definite());
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    // Taken and given back: nobody listens there now.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);

    let client = Client::new(config(format!("http://{address}/v2"))).unwrap();
    let error = client.order("CJ-1").await.unwrap_err();

    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    assert!(error.is_definite());
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_doubt() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Reads the call, and hangs up.
            stream.readable().await.unwrap();
            let _ = stream.try_read(&mut [0; 4096]);
        }
    });

    let client = Client::new(config(format!("http://{address}/v2"))).unwrap();
    let error = client.order("CJ-1").await.unwrap_err();

    assert!(matches!(error, Error::AnswerLost(_)), "{error:?}");
    assert!(!error.is_definite());
}

#[tokio::test]
async fn a_provider_that_is_down_is_unavailable_until_it_is_up() {
    let (provider, client) = provider_and_client().await;
    provider.set_outage(Outage::new(Trouble::Refuse));

    let error = client.order("CJ-1").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { status: 503 }), "{error:?}");

    provider.set_outage(Outage { for_seconds: Some(0), ..Outage::new(Trouble::Refuse) });
    assert_eq!(client.order("CJ-1").await.unwrap(), []);
}

#[tokio::test]
async fn a_lost_answer_is_found_by_looking_up() {
    let provider = provider().await;
    let client = hasty(&provider);
    let id = provider.pay(Payment::new("CJ-1", 50_000)).await.unwrap().receipt_id;
    provider.set_outage(Outage::new(Trouble::LoseAnswer));

    let error = client.cancel(&cancel(&id, "refund-1", 50_000)).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut) && !error.is_definite(), "{error:?}");

    assert!(look_up(&client, &id).await.is_fully_cancelled());
    let calls = provider.calls();
    let lost = calls.calls.iter().find(|call| call.operation == Operation::Cancel).unwrap();
    assert_eq!(lost.status, None);
}

/// A provider that answers what it likes.
async fn odd_provider(routes: Router) -> Client {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let api_url = format!("http://{}/v2", listener.local_addr().unwrap());
    let token = || async { Json(json!({"access_token": "t"})) };
    let router = Router::new().nest("/v2", routes.route("/request/token", post(token)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Client::new(config(api_url)).unwrap()
}

fn answers(json: Value) -> axum::routing::MethodRouter {
    get(|| async move { Json(json) })
}

#[tokio::test]
async fn a_success_without_a_receipt_is_completed_by_looking_up() {
    let receipt = json!({"receipt_id": "r1", "order_id": "CJ-1", "price": 1000.0, "status": "20"});
    let routes = Router::new()
        .route("/cancel", post(|| async { Json(json!({"success": true})) }))
        .route("/receipt/r1", answers(receipt));
    let id = ReceiptId::parse("r1").unwrap();

    let client = odd_provider(routes).await;

    assert!(client.cancel(&cancel(&id, "refund-1", 1000)).await.unwrap().is_fully_cancelled());
}

#[tokio::test]
async fn a_success_that_nothing_explains_leaves_doubt() {
    let routes = Router::new().route("/cancel", post(|| async { "done" }));
    let id = ReceiptId::parse("r1").unwrap();

    let error = odd_provider(routes).await.cancel(&cancel(&id, "refund-1", 1000)).await.unwrap_err();

    assert!(matches!(error, Error::Unreadable(_)) && !error.is_definite(), "{error:?}");
}

#[tokio::test]
async fn odd_answers_are_unreadable() {
    let other = json!({"receipt_id": "r2", "order_id": "CJ-1", "price": 1, "status": 1});
    let routes = Router::new()
        .route("/receipt/r1", answers(other.clone()))
        .route("/receipt/r2", get(|| async { Redirect::temporary("/elsewhere") }))
        .route("/lookup/order/CJ-1", answers(json!({})))
        .route("/lookup/order/CJ-2", answers(json!([other, {"price": 1}])))
        .route("/lookup/order/CJ-3", answers(json!([other])));
    let client = odd_provider(routes).await;

    for id in ["r1", "r2"] {
        let error = client.receipt(&ReceiptId::parse(id).unwrap()).await.unwrap_err();
        assert!(matches!(error, Error::Unreadable(_)), "{id}: {error:?}");
    }
    for order in ["CJ-1", "CJ-2"] {
        let error = client.order(order).await.unwrap_err();
        assert!(matches!(error, Error::Unreadable(_)), "{order}: {error:?}");
    }
    assert_eq!(client.order("CJ-3").await.unwrap(), [], "a payment for another order");
}

/// A provider behind a line that breaks during the first `broken` calls, once they have been read; a client of it that
/// has nothing to fetch first, and how many calls were made.
async fn broken_line(broken: usize, answer: Value) -> (Client, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let api_url = format!("http://{}/v2", listener.local_addr().unwrap());
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            if counted.fetch_add(1, Ordering::Relaxed) >= broken {
                let body = answer.to_string();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
        }
    });
    let credentials = Credentials::Client { key: "client".to_owned(), secret: SecretString::from("secret") };
    (Client::new(Config::with(api_url, credentials)).unwrap(), made)
}

#[tokio::test]
async fn a_look_up_is_tried_once_more_when_its_connection_breaks() {
    let (client, made) = broken_line(1, json!([])).await;
    assert_eq!(client.order("CJ-1").await.unwrap(), []);
    assert_eq!(made.load(Ordering::Relaxed), 2);

    let (client, made) = broken_line(2, json!([])).await;
    assert!(matches!(client.order("CJ-1").await, Err(Error::AnswerLost(_))));
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn what_moves_money_is_never_tried_twice() {
    let receipt = json!({"receipt_id": "r1", "order_id": "CJ-1", "price": 1000, "status": 1});
    let id = ReceiptId::parse("r1").unwrap();

    let (client, made) = broken_line(1, receipt.clone()).await;
    assert!(matches!(client.confirm(&id).await, Err(Error::AnswerLost(_))));
    assert_eq!(made.load(Ordering::Relaxed), 1);

    let (client, made) = broken_line(1, receipt).await;
    assert!(matches!(client.cancel(&cancel(&id, "refund-1", 1000)).await, Err(Error::AnswerLost(_))));
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

/// A client that gives the provider up after three outages in a row, for `rest`.
fn wary(provider: &Running, rest: Duration) -> Client {
    Client::new(Config { outages: 3, rest, ..config(provider.api_url()) }).unwrap()
}

const FOR_LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn fails_fast_while_the_provider_is_away() {
    let provider = provider().await;
    let client = wary(&provider, FOR_LONG);
    provider.set_outage(Outage::new(Trouble::Refuse));
    for _ in 0..3 {
        assert!(matches!(client.order("CJ-1").await, Err(Error::Unavailable { .. })));
    }
    let asked = provider.calls().total;

    let error = client.clone().order("CJ-1").await.unwrap_err();
    assert!(matches!(error, Error::NotTried) && error.is_definite(), "{error:?}");
    let id = ReceiptId::parse("r1").unwrap();
    assert!(matches!(client.cancel(&cancel(&id, "refund-1", 1000)).await, Err(Error::NotTried)));

    assert!(client.is_failing_fast());
    assert_eq!(provider.calls().total, asked, "nothing was sent");
}

#[tokio::test]
async fn who_is_undeterred_finds_out_that_the_provider_is_back() {
    let provider = provider().await;
    let client = wary(&provider, FOR_LONG);
    provider.set_outage(Outage::new(Trouble::Refuse));
    for _ in 0..4 {
        assert!(matches!(client.undeterred().order("CJ-1").await, Err(Error::Unavailable { .. })));
    }
    assert!(client.is_failing_fast());

    provider.set_outage(Outage::default());
    assert!(matches!(client.order("CJ-1").await, Err(Error::NotTried)));
    assert_eq!(client.undeterred().order("CJ-1").await.unwrap(), []);
    assert_eq!(client.order("CJ-1").await.unwrap(), []);
}

#[tokio::test]
async fn the_provider_is_tried_again_after_a_rest() {
    let provider = provider().await;
    let client = wary(&provider, Duration::ZERO);
    provider.set_outage(Outage::new(Trouble::Refuse));
    for _ in 0..4 {
        assert!(matches!(client.order("CJ-1").await, Err(Error::Unavailable { .. })));
    }
    assert!(client.is_failing_fast());

    provider.set_outage(Outage::default());

    assert_eq!(client.order("CJ-1").await.unwrap(), []);
    assert!(!client.is_failing_fast());
}

#[tokio::test]
async fn a_caller_who_hangs_up_keeps_nobody_from_trying() {
    let provider = provider().await;
    let client = wary(&provider, Duration::ZERO);
    provider.set_outage(Outage::new(Trouble::Refuse));
    for _ in 0..3 {
        client.order("CJ-1").await.unwrap_err();
    }
    provider.set_outage(Outage::new(Trouble::Hang));
    let hangs_up = Duration::from_millis(100);
    assert!(tokio::time::timeout(hangs_up, client.order("CJ-1")).await.is_err());

    provider.set_outage(Outage::default());

    assert_eq!(client.order("CJ-1").await.unwrap(), []);
}

#[tokio::test]
async fn refusals_are_no_outage() {
    let provider = provider().await;
    let client = wary(&provider, FOR_LONG);
    let unknown = ReceiptId::parse("624c1c5c1fc19202e4746ce5").unwrap();
    for _ in 0..5 {
        assert!(matches!(client.confirm(&unknown).await, Err(Error::Refused { .. })));
        assert!(client.receipt(&unknown).await.unwrap().is_none());
    }
    assert!(!client.is_failing_fast());
}

#[tokio::test]
async fn tells_how_each_request_ended() {
    let provider = provider().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let hear =
        move |called: &Called| listener.lock().unwrap().push((called.operation, called.outcome, called.took.is_some()));
    let client =
        Client::new(Config { outages: 1, rest: FOR_LONG, ..config(provider.api_url()) }).unwrap().watched(hear);
    let unknown = ReceiptId::parse("624c1c5c1fc19202e4746ce5").unwrap();

    client.receipt(&unknown).await.unwrap();
    provider.set_outage(Outage::new(Trouble::Refuse));
    client.confirm(&unknown).await.unwrap_err();
    client.clone().order("CJ-1").await.unwrap_err();

    let expected = [
        (Operation::Token, "answered", true),
        (Operation::Receipt, "not_found", true),
        (Operation::Confirm, "unavailable", true),
        (Operation::Order, "not_tried", false),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}
