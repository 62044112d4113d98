//! The simulator's own side: knobs, webhooks, page and state file, over real HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which may panic as tests may")]

mod scripts;
mod shop;

use std::path::PathBuf;
use std::time::Duration;

use axum::http::StatusCode;
use bootpay::simulator::{Config, Payment, Running, Simulator, StartError};
use bootpay::{Status, signature};
use secrecy::SecretString;
use serde_json::{Value, json};

use shop::{Shop, get, get_json, http, post_json, url};

fn config() -> Config {
    let mut config = Config::new("rest-application", SecretString::from("private-key"));
    config.webhook_pauses = vec![Duration::from_millis(20); 3];
    config
}

async fn provider() -> Running {
    Simulator::new(config()).unwrap().spawn().await.unwrap()
}

#[tokio::test]
async fn pays_by_http_and_tells_the_shop() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;

    let payment = json!({"order_id": "CJ-1", "price": 50_000, "order_name": "KE1201"});
    let (status, paid) = post_json(&provider, "/simulator/payments", payment).await;

    assert_eq!(status, StatusCode::OK);
    assert_eq!(paid["status"], 1);
    assert_eq!(paid["webhook"], json!({"delivered": true, "status": 200}));
    let id = paid["receipt_id"].as_str().unwrap();
    assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");

    let (headers, body) = &shop.taken(1).await[0];
    assert_eq!(headers["content-type"], "application/json");
    assert!(!headers.contains_key("bootpay-signature"));
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["receipt_id"], id);
    assert_eq!(body["order_id"], "CJ-1");
    assert_eq!(body["price"], 50_000);
    assert_eq!(body["status"], 1);
    assert_eq!(body["webhook_type"], "PAYMENT_COMPLETED");
    for name in ["tax_free", "order_name", "pg", "method", "method_symbol", "status_locale"] {
        assert!(!body[name].is_null(), "{name}");
    }
    assert_eq!(get_json(&provider, "/simulator/receipts").await[0]["receipt_id"], id);
}

#[tokio::test]
async fn signs_and_writes_forms_when_asked() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;

    let payment = json!({
        "order_id": "CJ-1", "price": 1000, "outcome": "decline", "order_name": "서울 & 제주",
        "webhook": "signed", "webhook_format": "form",
    });
    let (_, paid) = post_json(&provider, "/simulator/payments", payment).await;
    assert_eq!(paid["status"], -2);

    let (headers, body) = &shop.taken(1).await[0];
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    let header = headers["bootpay-signature"].to_str().unwrap();
    assert!(signature::verify(&SecretString::from("private-key"), body, header));
    let form = reqwest::Url::parse(&format!("http://x/?{}", str::from_utf8(body).unwrap())).unwrap();
    let form: Vec<(String, String)> = form.query_pairs().into_owned().collect();
    for (name, value) in [("order_id", "CJ-1"), ("order_name", "서울 & 제주"), ("status", "-2")] {
        assert!(form.contains(&(name.to_owned(), value.to_owned())), "{name}: {form:?}");
    }
}

#[tokio::test]
async fn repeats_a_webhook_until_it_is_taken() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 2).await;

    let paid = provider.pay(Payment::new("CJ-1", 1000)).await.unwrap();
    assert_eq!((paid.webhook.delivered, paid.webhook.status), (false, Some(500)));

    let taken = shop.taken(3).await;
    assert!(taken.iter().all(|(_, body)| *body == taken[0].1));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(shop.taken(3).await.len(), 3);
}

#[tokio::test]
async fn a_cancel_in_the_console_is_silent_unless_asked() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;
    let id = provider.pay(Payment::new("CJ-1", 1000)).await.unwrap().receipt_id;
    let path = format!("/simulator/receipts/{id}/cancel");

    let (status, told) = post_json(&provider, &path, json!({"price": 400})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(told["receipt"]["cancelled_price"], 400);
    assert_eq!(told["webhook"]["delivered"], false);

    let (_, told) = post_json(&provider, &path, json!({"webhook": "unsigned"})).await;
    assert_eq!(told["webhook"]["delivered"], true);
    let taken = shop.taken(2).await;
    let body: Value = serde_json::from_slice(&taken[1].1).unwrap();
    assert_eq!(body["webhook_type"], "PAYMENT_CANCELLED");
    assert_eq!(taken.len(), 2);

    let (status, refused) = post_json(&provider, &path, json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(refused["error_code"], "RC_ALREADY_CANCELLED");
}

#[tokio::test]
async fn a_webhook_can_be_sent_again() {
    let provider = provider().await;
    let shop = Shop::of(&provider, 0).await;
    let payment = json!({"order_id": "CJ-1", "price": 1000, "webhook": "none"});
    let (_, paid) = post_json(&provider, "/simulator/payments", payment).await;
    assert_eq!(paid["webhook"], json!({"delivered": false, "status": null}));

    let id = paid["receipt_id"].as_str().unwrap();
    let path = format!("/simulator/receipts/{id}/webhook");
    let (_, told) = post_json(&provider, &path, json!({"webhook": "signed"})).await;

    assert_eq!(told["webhook"]["delivered"], true);
    assert!(shop.taken(1).await[0].0.contains_key("bootpay-signature"));
}

#[tokio::test]
async fn a_payment_that_makes_no_sense_is_refused() {
    let provider = provider().await;
    for payment in [
        json!({"order_id": "", "price": 1000}),
        json!({"order_id": "CJ-1", "price": 0}),
        json!({"order_id": "CJ-1", "price": "much"}),
        json!({"order_id": "CJ-1", "price": 1, "outcome": "maybe"}),
        json!({"order_id": "CJ-1", "price": 1, "unknown": true}),
        json!([]),
    ] {
        let (status, refused) = post_json(&provider, "/simulator/payments", payment.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{payment}");
        assert_eq!(refused["error_code"], "INVALID_PARAMETER");
    }
}

#[tokio::test]
async fn the_api_wants_a_token() {
    let provider = provider().await;
    for path in ["/v2/receipt/1", "/v2/lookup/order/1"] {
        let response = http().get(url(&provider, path)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    for path in ["/v2/confirm", "/v2/cancel"] {
        let (status, refused) = post_json(&provider, path, json!({"receipt_id": "1"})).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(refused["error_code"], "TOKEN_KEY_INVALID");
    }
    let calls = get_json(&provider, "/simulator/calls").await;
    assert_eq!(calls["total"], 4);
    assert_eq!(calls["counts"], json!({"receipt": 1, "order": 1, "confirm": 1, "cancel": 1}));
    assert_eq!(calls["calls"][3]["status"], 401);
}

#[tokio::test]
async fn the_api_takes_a_client_key_with_its_secret_too() {
    let client = Some(("client".to_owned(), SecretString::from("its secret")));
    let provider = Simulator::new(Config { client, ..config() }).unwrap().spawn().await.unwrap();
    let order = url(&provider, "/v2/lookup/order/1");
    for (key, secret, expected) in [
        ("client", "its secret", StatusCode::OK),
        ("client", "another", StatusCode::UNAUTHORIZED),
        ("another", "its secret", StatusCode::UNAUTHORIZED),
    ] {
        let answer = http().get(&order).basic_auth(key, Some(secret)).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{key} {secret}");
    }

    let half = Some((String::new(), SecretString::from("its secret")));
    assert!(matches!(Simulator::new(Config { client: half, ..config() }), Err(StartError::NoCredentials)));
}

#[tokio::test]
async fn a_payment_can_be_scripted_after_it_was_made() {
    let provider = provider().await;
    let id = provider.pay(Payment::new("CJ-1", 1000)).await.unwrap().receipt_id;
    let path = format!("/simulator/receipts/{id}/script");

    let (_, followed) = post_json(&provider, &path, json!({"script": "cancel-never slow:1"})).await;
    assert_eq!(followed, json!({"script": "cancel-never slow:1"}));

    let (status, _) = post_json(&provider, &path, json!({"script": "cancel-sometimes"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = post_json(&provider, "/simulator/receipts/none/script", json!({"script": ""})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_payment_can_be_given_any_status() {
    let provider = provider().await;
    let id = provider.pay(Payment::new("CJ-1", 1000)).await.unwrap().receipt_id;
    let path = format!("/simulator/receipts/{id}/status");

    for code in [0, 1, 2, 3, 5, 11, 12, 20, -1, -2, -3, -11, -20, -30, 77] {
        let (_, receipt) = post_json(&provider, &path, json!({"status": code})).await;
        assert_eq!(receipt["status"], code);
        assert_ne!(receipt["status_locale"], "", "{code}");
    }
    assert!(!provider.set_status(&"none".parse().unwrap(), Status::Paid));
}

#[tokio::test]
async fn totals_are_what_was_charged_less_what_was_given_back() {
    let provider = provider().await;
    for (price, script) in [(1000, ""), (2000, ""), (4000, "separate"), (8000, "decline"), (16_000, "account-unpaid")] {
        provider.pay(Payment::new("CJ-1", price).scripted(script)).await.unwrap();
    }
    let receipts = get_json(&provider, "/simulator/receipts").await;
    let cancel = async |n: usize, body: Value| {
        let path = format!("/simulator/receipts/{}/cancel", receipts[n]["receipt_id"].as_str().unwrap());
        assert_eq!(post_json(&provider, &path, body).await.0, StatusCode::OK);
    };
    cancel(0, json!({"price": 300})).await;
    cancel(0, json!({})).await;
    cancel(1, json!({"price": 500})).await;
    // Never charged, so nothing comes back.
    cancel(2, json!({})).await;

    let totals = get_json(&provider, "/simulator/totals").await;
    let sum = |name: &str| totals.as_array().unwrap().iter().map(|day| day[name].as_i64().unwrap()).sum::<i64>();

    // Of one day, or of two around midnight.
    assert_eq!((sum("payments"), sum("charged")), (2, 3000));
    assert_eq!((sum("cancels"), sum("cancelled"), sum("net")), (3, 1500, 1500));
}

#[tokio::test]
async fn an_outage_is_set_by_http() {
    let provider = provider().await;
    let token = json!({"application_id": "rest-application", "private_key": "private-key"});

    post_json(&provider, "/simulator/outage", json!({"mode": "refuse", "for_seconds": 600})).await;
    let (down, refused) = post_json(&provider, "/v2/request/token", token.clone()).await;
    let only = json!({"mode": "refuse", "only": ["cancel"]});
    post_json(&provider, "/simulator/outage", only).await;
    let (up, granted) = post_json(&provider, "/v2/request/token", token).await;

    assert_eq!((down, up), (StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK));
    assert_eq!(refused["error_code"], "SERVICE_UNAVAILABLE");
    assert_eq!(granted["expire_in"], 1800);
}

#[tokio::test]
async fn the_page_pays_and_escapes() {
    let provider = provider().await;
    let page = get(&provider, "/pay?order_id=CJ-1&price=50000&order_name=%22%3E%3Cscript%3E").await;
    assert!(page.contains(r#"value="CJ-1""#) && page.contains(r#"value="50000""#));
    assert!(page.contains("&quot;&gt;&lt;script&gt;") && !page.contains("<script>"));
    assert!(page.contains(r#"<option value="cancel-lost:1">"#));

    let form = "order_id=%3Cb%3E&price=50000&order_name=%7B%7Bform%7D%7D&outcome=approve&webhook=none&webhook_format=json&script=cancel-lost%3A1";
    let send = |body: &'static str| {
        let request = http().post(url(&provider, "/pay")).body(body);
        request.header("content-type", "application/x-www-form-urlencoded").send()
    };
    let paid = send(form).await.unwrap();
    assert_eq!(paid.status(), StatusCode::SEE_OTHER);
    let next = paid.headers()["location"].to_str().unwrap().to_owned();

    let page = get(&provider, &next).await;
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
    assert!(page.contains("₩50,000") && page.contains("결제완료") && page.contains("<code>cancel-lost:1</code>"));
    assert_eq!(page.matches("<form method=\"post\" action=\"/pay\"").count(), 1);

    let id = provider.receipts()[0]["receipt_id"].as_str().unwrap().to_owned();
    let cancel = http().post(url(&provider, &format!("/receipts/{id}/cancel")));
    assert_eq!(cancel.send().await.unwrap().status(), StatusCode::SEE_OTHER);
    assert!(get(&provider, "/").await.contains("결제취소"));

    assert_eq!(send("order_id=CJ-1&price=-5").await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(send("price=x").await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(get_json(&provider, "/health").await, json!({"status": "ok"}));
}

#[tokio::test]
async fn a_restarted_one_still_knows_its_receipts() {
    let path = state_file("restart");
    let config = || Config { state_file: Some(path.clone()), ..config() };
    let first = Simulator::new(config()).unwrap();
    let id = first.pay(Payment::new("CJ-1", 1000)).await.unwrap().receipt_id;
    assert!(first.cancel_in_console(&id, Some(400)));
    let before = first.receipts();

    let second = Simulator::new(config()).unwrap();
    assert_eq!(second.receipts(), before);
    assert!(!second.cancel_in_console(&id, Some(601)));
    assert!(second.cancel_in_console(&id, Some(600)));

    std::fs::write(&path, "not json").unwrap();
    assert!(matches!(Simulator::new(config()), Err(StartError::State { .. })));
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

fn state_file(name: &str) -> PathBuf {
    let directory = format!("bootpay-simulator-{name}-{}", std::process::id());
    std::env::temp_dir().join(directory).join("receipts.json")
}
