//! `POST /api/admin/provider-events/{event_id}/replay`

use orders::payments::Applied;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, seed};

use crate::payments::{EVENTS, PRICE, hear, listed};
use crate::support::Service;

async fn replay(admin: &Client, event: &str) -> Value {
    admin.post(&format!("{EVENTS}/{event}/replay"), &json!({})).await.expect(200)
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_message_is_applied_again_however_often(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let admin = service.admin().await;
    let (applied, event) = hear(&service, "my-order", "r-1", PRICE).await;
    assert_eq!(applied, Applied::UnknownOrder);
    let answer = replay(&admin, &event).await;
    assert_eq!(
        answer,
        json!({
            "message": "아직 없는 주문입니다.", "success": true, "event_id": event, "result": "UNKNOWN_ORDER",
            "provider_asked": false, "payment_id": null, "payment_status": null,
        })
    );
    // Its order appears, and nobody has looked into the inbox since.
    let schedule = service.schedule(180).await;
    let payment = service.begin(seed::user(&service.world.db).await, schedule, PRICE).await;
    service.by_hand("update payments set order_id = 'my-order' where payment_id = ?", payment.payment_id).await;
    for _ in 0..3 {
        let answer = replay(&admin, &event).await;
        assert_eq!(
            (&answer["result"], &answer["payment_id"], &answer["payment_status"]),
            (&json!("DONE"), &json!(payment.payment_id), &json!("PAID"))
        );
    }
    assert_eq!(
        service.desk.history("PAYMENT", payment.payment_id).await,
        ["requested", "changed", "replayed", "replayed", "replayed"]
    );
    assert_eq!(listed(&admin, &format!("{EVENTS}?applied=true"), "events").await.len(), 1);
    assert_eq!((service.refunds().await.len(), service.seats(schedule).await), (0, (179, 1)));

    let (_, wrong) = hear(&service, "my-order", "r-2", 5).await;
    for _ in 0..2 {
        assert_eq!(replay(&admin, &wrong).await["result"], "WRONG_AMOUNT");
    }
    assert_eq!(service.refunds().await.len(), 1);
    for nothing in ["1", "nothing", "01890000-0000-7000-8000-000000000000"] {
        let code = if nothing.len() == 36 { "event-not-found" } else { "not-found" };
        admin.post(&format!("{EVENTS}/{nothing}/replay"), &json!({})).await.refused(404, code);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_the_provider_says_today_counts_for_more(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::selling(database).await;
    let admin = service.admin().await;
    let schedule = service.schedule(180).await;
    let payment = service.begin(seed::user(&service.world.db).await, schedule, PRICE).await;
    let receipt = service.pay(&payment, PRICE).await;
    let (_, event) = hear(&service, &payment.order_id, receipt.as_str(), PRICE).await;
    assert!(service.provider().cancel_in_console(&receipt, Some(20_000)));
    let answer = replay(&admin.in_english(), &event).await;
    assert_eq!(
        (&answer["provider_asked"], &answer["payment_status"], &answer["message"]),
        (&json!(true), &json!("PARTIALLY_REFUNDED"), &json!("The message has been applied again."))
    );
    // Somebody else's receipt, or none that the provider knows, is not what the message was about.
    let other = service.begin(seed::user(&service.world.db).await, schedule, PRICE).await;
    let (_, astray) = hear(&service, &other.order_id, "unknown-to-it", PRICE).await;
    let answer = replay(&admin, &astray).await;
    assert_eq!((&answer["provider_asked"], &answer["payment_status"]), (&json!(false), &json!("PAID")));
}
