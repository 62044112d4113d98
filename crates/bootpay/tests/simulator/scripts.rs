//! Every script, as the client and the shop meet it.

use std::time::Duration;

use axum::http::StatusCode;
use bootpay::simulator::{Config, Mode, Operation, Outage, Payment, Running, Simulator, Trouble};
use bootpay::{Cancel, Client, Error, Receipt, ReceiptId, Status};
use serde_json::{Value, json};

use super::shop::{Shop, get, get_json, post_json};
use super::{config, provider, state_file};

const PRICE: i64 = 50_000;

fn client(provider: &Running, patience: Duration) -> Client {
    let config = bootpay::Config::new(provider.api_url(), "rest-application", "private-key".into());
    Client::new(bootpay::Config { timeout: patience, cancel_timeout: patience, ..config }).unwrap()
}

/// One that waits long enough.
fn patient(provider: &Running) -> Client {
    client(provider, Duration::from_secs(30))
}

/// One that gives up before anything slow has answered, and later than anything else takes on a busy machine.
fn hasty(provider: &Running) -> Client {
    client(provider, Duration::from_secs(2))
}

async fn pay(provider: &Running, script: &str) -> ReceiptId {
    provider.pay(Payment::new("CJ-1", PRICE).scripted(script)).await.unwrap().receipt_id
}

async fn receipt(provider: &Running, id: &ReceiptId) -> Receipt {
    patient(provider).receipt(id).await.unwrap().unwrap()
}

async fn status(provider: &Running, id: &ReceiptId) -> Status {
    receipt(provider, id).await.status
}

/// The receipt, once it is as `wanted`.
async fn receipt_once(provider: &Running, id: &ReceiptId, wanted: impl Fn(&Receipt) -> bool) -> Receipt {
    for _ in 0..3000 {
        let receipt = receipt(provider, id).await;
        if wanted(&receipt) {
            return receipt;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", receipt(provider, id).await);
}

fn refund(id: &ReceiptId, cancel_id: &str, price: i64) -> Cancel {
    let (username, message) = ("CloudJet".to_owned(), "refund".to_owned());
    Cancel { receipt_id: id.clone(), cancel_id: cancel_id.to_owned(), price, username, message }
}

/// What the shop was told, in the order in which it was: type and status.
async fn told(shop: &Shop, count: usize) -> Vec<(Value, Value)> {
    let bodies = shop.taken(count).await;
    let read = |(_, body): &(_, axum::body::Bytes)| serde_json::from_slice::<Value>(body).unwrap();
    bodies.iter().map(read).map(|mut body| (body["webhook_type"].take(), body["status"].take())).collect()
}

#[tokio::test]
async fn a_window_ends_as_its_script_says() {
    let provider = provider().await;
    for (script, expected) in [
        ("approve", Status::Paid),
        ("decline", Status::ApprovalFailed),
        ("fail", Status::Failed),
        ("abandon", Status::Waiting),
        ("separate", Status::AwaitingApproval),
        ("account-unpaid", Status::AccountIssued),
    ] {
        let id = pay(&provider, script).await;
        assert_eq!(status(&provider, &id).await, expected, "{script}");
    }
}

#[tokio::test]
async fn a_script_stands_in_the_name_of_what_is_bought_or_of_who_buys() {
    let provider = provider().await;
    for (order_name, username, expected) in [
        (Some("CJ101 [제주] [decline]"), None, Status::ApprovalFailed),
        (Some("CJ101"), Some("김하늘 [fail]"), Status::Failed),
        (Some("CJ101 [nothing]"), None, Status::Paid),
    ] {
        let [order_name, username] = [order_name, username].map(|name: Option<&str>| name.map(str::to_owned));
        let payment = Payment { order_name, username, ..Payment::new("CJ-1", PRICE) };
        assert_eq!(provider.pay(payment).await.unwrap().status, expected);
    }
}

#[tokio::test]
async fn an_unknown_script_is_refused_by_name() {
    let provider = provider().await;
    let payment = json!({"order_id": "CJ-1", "price": PRICE, "script": "decline cancel-lots"});

    let (status, refused) = post_json(&provider, "/simulator/payments", payment).await;

    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused["message"].as_str().unwrap().contains("cancel-lots"), "{refused}");
    assert_eq!(get_json(&provider, "/simulator/receipts").await, json!([]));
}

#[tokio::test]
async fn nobody_is_told_of_a_window_that_was_closed() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;

    pay(&provider, "abandon").await;
    pay(&provider, "separate").await;
    pay(&provider, "fail").await;

    assert_eq!(told(&shop, 1).await, [(Value::Null, json!(-1))]);
}

#[tokio::test]
async fn a_virtual_account_is_issued_and_then_paid() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;

    let id = pay(&provider, "account:0").await;

    let events = told(&shop, 2).await;
    assert_eq!(events[0], (json!("PAYMENT_VIRTUAL_ACCOUNT_ISSUED"), json!(5)));
    assert_eq!(events[1], (json!("PAYMENT_COMPLETED"), json!(1)));
    assert_eq!(receipt(&provider, &id).await.method.as_deref(), Some("가상계좌"));
}

#[tokio::test]
async fn a_virtual_account_gives_back_to_a_bank_account_only() {
    let provider = provider().await;
    let id = pay(&provider, "account:0").await;
    receipt_once(&provider, &id, |receipt| receipt.status.is_paid()).await;

    let refused = patient(&provider).cancel(&refund(&id, "refund-1", PRICE)).await.unwrap_err();
    assert_eq!(refused.code(), Some("RC_CANCEL_SERVER_ERROR"));

    let credentials = json!({"application_id": "rest-application", "private_key": "private-key"});
    let (_, granted) = post_json(&provider, "/v2/request/token", credentials).await;
    let account = json!({"bank_account": "123", "bank_username": "김하늘", "bank_code": "004"});
    let answer = super::http()
        .post(super::url(&provider, "/v2/cancel"))
        .bearer_auth(granted["access_token"].as_str().unwrap())
        .json(&json!({"receipt_id": id, "cancel_id": "refund-1", "cancel_price": PRICE, "refund": account}));
    assert_eq!(answer.send().await.unwrap().status(), StatusCode::OK);
    assert!(receipt(&provider, &id).await.is_fully_cancelled());
}

#[tokio::test]
async fn a_virtual_account_can_close_unpaid() {
    let provider = provider().await;
    let id = pay(&provider, "account-closed:0").await;

    receipt_once(&provider, &id, |receipt| receipt.status == Status::AccountCancelled).await;

    assert!(!provider.cancel_in_console(&id, None), "there is nothing to give back");
}

#[tokio::test]
async fn a_card_can_be_declined_at_confirm() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;
    let id = pay(&provider, "confirm-decline").await;

    let declined = patient(&provider).confirm(&id).await.unwrap_err();

    assert!(declined.is_decline() && declined.is_definite(), "{declined:?}");
    assert_eq!(status(&provider, &id).await, Status::ApprovalFailed);
    assert_eq!(told(&shop, 1).await, [(Value::Null, json!(-2))]);
}

#[tokio::test]
async fn a_confirm_can_answer_with_something_else() {
    let provider = provider().await;

    let id = pay(&provider, "confirm-other-price").await;
    let confirmed = patient(&provider).confirm(&id).await.unwrap();
    assert_eq!((confirmed.status, confirmed.price), (Status::Paid, PRICE + 1000));
    assert_eq!(receipt(&provider, &id).await, confirmed);

    let id = pay(&provider, "confirm-other-order").await;
    let confirmed = patient(&provider).confirm(&id).await.unwrap();
    assert_eq!((confirmed.status, confirmed.order_id.as_str()), (Status::Paid, "CJ-1-OTHER"));
}

/// Trouble at confirm, the same at cancel, the error it leads to, and whether it has had its effect by then.
type Trial = (&'static str, &'static str, fn(&Error) -> bool, bool);
const TRIALS: [Trial; 4] = [
    ("confirm-hang", "cancel-hang", |error| matches!(error, Error::TimedOut), false),
    ("confirm-lost", "cancel-lost", |error| matches!(error, Error::TimedOut), true),
    ("confirm-down", "cancel-down", |error| matches!(error, Error::Unavailable { status: 503 }), false),
    ("confirm-undecided", "cancel-undecided", |error| matches!(error, Error::Undecided { .. }), true),
];

#[tokio::test]
async fn a_confirm_meets_trouble_once_before_or_after_its_effect() {
    let provider = provider().await;
    for (script, _, is_expected, has_effect) in TRIALS {
        let id = pay(&provider, script).await;

        let error = hasty(&provider).confirm(&id).await.unwrap_err();
        assert!(is_expected(&error) && !error.is_definite(), "{script}: {error:?}");

        assert_eq!(status(&provider, &id).await == Status::Paid, has_effect, "{script}");
        let again = patient(&provider).confirm(&id).await;
        assert_eq!(again.is_ok(), !has_effect, "{script}: {again:?}");
    }
}

#[tokio::test]
async fn a_cancel_meets_trouble_once_before_or_after_its_effect() {
    let provider = provider().await;
    for (_, script, is_expected, has_effect) in TRIALS {
        let id = pay(&provider, &format!("{script} cancel-strict")).await;

        let error = hasty(&provider).cancel(&refund(&id, "refund-1", PRICE)).await.unwrap_err();
        assert!(is_expected(&error) && !error.is_definite(), "{script}: {error:?}");

        assert_eq!(receipt(&provider, &id).await.is_fully_cancelled(), has_effect, "{script}");
        let again = patient(&provider).cancel(&refund(&id, "refund-1", PRICE)).await;
        assert_eq!(again.is_ok(), !has_effect, "{script}: {again:?}");
    }
}

#[tokio::test]
async fn slow_answers_come_to_those_who_wait() {
    let provider = provider().await;
    let id = pay(&provider, "confirm-slow:4 cancel-slow:4 slow:4").await;

    assert!(matches!(hasty(&provider).receipt(&id).await, Err(Error::TimedOut)));
    assert!(matches!(hasty(&provider).order("CJ-1").await, Err(Error::TimedOut)));
    assert!(matches!(hasty(&provider).confirm(&id).await, Err(Error::TimedOut)));
    let paid = receipt(&provider, &id).await;
    assert!(paid.status.is_paid(), "a slow answer is no lost effect: {paid:?}");

    let part = patient(&provider).cancel(&refund(&id, "refund-1", 1000)).await.unwrap();
    assert_eq!(part.cancelled_price, 1000);
}

#[tokio::test]
async fn a_cancel_is_refused_so_many_times_or_for_ever() {
    let provider = provider().await;
    let cancel = async |id: &ReceiptId| patient(&provider).cancel(&refund(id, "refund-1", PRICE)).await;

    let id = pay(&provider, "cancel-refused:2").await;
    for _ in 0..2 {
        assert_eq!(cancel(&id).await.unwrap_err().code(), Some("RC_CANCEL_SERVER_ERROR"));
    }
    assert!(cancel(&id).await.unwrap().is_fully_cancelled());

    let id = pay(&provider, "cancel-never").await;
    for _ in 0..3 {
        assert!(matches!(cancel(&id).await, Err(Error::Refused { .. })));
    }
    assert_eq!(receipt(&provider, &id).await.cancelled_price, 0);
}

#[tokio::test]
async fn a_used_cancel_id_is_refused_unless_the_provider_is_kind() {
    for (is_kind, script, is_refused) in
        [(false, "", true), (true, "", false), (false, "cancel-kind", false), (true, "cancel-strict", true)]
    {
        let provider = Simulator::new(Config { is_kind, ..config() }).unwrap().spawn().await.unwrap();
        let id = pay(&provider, script).await;
        let cancel = async || patient(&provider).cancel(&refund(&id, "refund-1", 1000)).await;

        cancel().await.unwrap();

        assert_eq!(cancel().await.is_err(), is_refused, "{is_kind} {script}");
        assert_eq!(receipt(&provider, &id).await.cancelled_price, 1000);
    }
}

#[tokio::test]
async fn a_caller_who_is_turned_away_uses_no_script_up() {
    let provider = provider().await;
    let id = pay(&provider, "cancel-down").await;
    let client = patient(&provider);
    client.order("CJ-1").await.unwrap();
    provider.expire_tokens();

    let error = client.cancel(&refund(&id, "refund-1", PRICE)).await.unwrap_err();

    assert!(matches!(error, Error::Unavailable { status: 503 }), "{error:?}");
    assert_eq!(provider.calls().count(Operation::Cancel), 2, "refused for its token, and then in trouble");
}

#[tokio::test]
async fn webhooks_look_as_their_script_says() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;

    pay(&provider, "webhook-none").await;
    pay(&provider, "webhook-signed").await;
    let signed = Payment { webhook: Mode::Signed, ..Payment::new("CJ-1", PRICE) };
    provider.pay(signed.scripted("webhook-unsigned")).await.unwrap();
    pay(&provider, "webhook-form").await;
    pay(&provider, "webhook-untyped").await;

    let taken = shop.taken(4).await;
    let is_signed: Vec<_> = taken.iter().map(|(headers, _)| headers.contains_key("bootpay-signature")).collect();
    assert_eq!(is_signed, [true, false, false, false]);
    assert_eq!(taken[2].0["content-type"], "application/x-www-form-urlencoded");
    let untyped: Value = serde_json::from_slice(&taken[3].1).unwrap();
    assert_eq!((&untyped["webhook_type"], &untyped["status"]), (&Value::Null, &json!(1)));
}

#[tokio::test]
async fn a_webhook_can_come_twice() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;

    pay(&provider, "webhook-twice").await;

    let taken = shop.taken(2).await;
    assert_eq!(taken[0].1, taken[1].1);
}

#[tokio::test]
async fn a_webhook_can_come_late() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;

    let paid = provider.pay(Payment::new("CJ-1", PRICE).scripted("webhook-late:0")).await.unwrap();

    assert!(!paid.webhook.delivered, "nobody waited for it");
    assert_eq!(told(&shop, 1).await, [(json!("PAYMENT_COMPLETED"), json!(1))]);
}

#[tokio::test]
async fn the_second_webhook_overtakes_the_first() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;

    let id = pay(&provider, "webhook-reordered").await;
    patient(&provider).cancel(&refund(&id, "refund-1", PRICE)).await.unwrap();
    let events = told(&shop, 2).await;
    assert_eq!(events[0].0, json!("PAYMENT_CANCELLED"));
    assert_eq!(events[1].0, json!("PAYMENT_COMPLETED"));

    pay(&provider, "account:0 webhook-reordered").await;
    let statuses: Vec<_> = told(&shop, 4).await.into_iter().skip(2).map(|(_, status)| status).collect();
    assert_eq!(statuses, [json!(1), json!(5)]);
}

#[tokio::test]
async fn a_webhook_that_nothing_overtakes_comes_in_the_end() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;

    pay(&provider, "webhook-reordered:0").await;

    assert_eq!(told(&shop, 1).await, [(json!("PAYMENT_COMPLETED"), json!(1))]);
}

#[tokio::test]
async fn the_console_cancels_by_itself_and_tells_nobody() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;

    let all = pay(&provider, "console-cancel:0").await;
    let half = pay(&provider, "separate console-cancel-part:0").await;
    assert_eq!(status(&provider, &half).await, Status::AwaitingApproval, "nothing is paid that could be cancelled");
    patient(&provider).confirm(&half).await.unwrap();

    assert_eq!(receipt_once(&provider, &all, |receipt| receipt.status.is_cancelled()).await.remaining(), 0);
    assert_eq!(receipt_once(&provider, &half, |receipt| receipt.status.is_cancelled()).await.remaining(), PRICE / 2);
    let paid = (json!("PAYMENT_COMPLETED"), json!(1));
    assert_eq!(told(&shop, 2).await, [paid.clone(), paid]);
}

#[tokio::test]
async fn scripts_that_are_not_used_up_survive_a_restart() {
    let path = state_file("scripts");
    let start = async || {
        let config = Config { state_file: Some(path.clone()), ..config() };
        Simulator::new(config).unwrap().spawn().await.unwrap()
    };
    let first = start().await;
    let id = pay(&first, "cancel-refused:2").await;
    let cancel = refund(&id, "refund-1", PRICE);
    assert!(patient(&first).cancel(&cancel).await.is_err());
    drop(first);

    let second = start().await;
    assert!(patient(&second).cancel(&cancel).await.is_err());
    assert!(patient(&second).cancel(&cancel).await.unwrap().is_fully_cancelled());
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[tokio::test]
async fn an_outage_befalls_every_payment_and_a_script_only_its_own() {
    let provider = provider().await;
    let [scripted, other] = [pay(&provider, "cancel-down").await, pay(&provider, "").await];
    let cancel = async |id: &ReceiptId| patient(&provider).cancel(&refund(id, "refund-1", PRICE)).await;

    assert!(cancel(&scripted).await.is_err());
    assert!(cancel(&other).await.is_ok());

    provider.set_outage(Outage { only: Some(vec![Operation::Confirm]), ..Outage::new(Trouble::Undecided) });
    let id = pay(&provider, "separate").await;
    assert!(matches!(patient(&provider).confirm(&id).await, Err(Error::Undecided { .. })));
    provider.set_outage(Outage { seconds: Some(0), ..Outage::new(Trouble::Slow) });
    assert_eq!(status(&provider, &id).await, Status::Paid);
}

/// A script that no test here names would be one that nobody has seen work.
#[tokio::test]
async fn every_script_has_a_test() {
    let tests = include_str!("scripts.rs");
    let provider = provider().await;
    let table = get(&provider, "/simulator/scripts").await;
    let names: Vec<_> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(['`', ':']).next()).collect();

    assert!(names.len() > 30, "{names:?}");
    for name in names {
        let is_written = |end| tests.contains(&format!("{name}{end}"));
        assert!(['"', ':', ' '].into_iter().any(is_written), "{name}");
    }
}
