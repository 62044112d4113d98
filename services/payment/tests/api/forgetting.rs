//! What is done with is forgotten after thirteen months; what isn't is kept.

use bootpay::simulator::{Operation, Outage, Trouble};
use chrono::TimeDelta;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::confirm::{Agreed, calls, outage};
use crate::support::{PRICE, Shop, message};

/// Forgets all there is to forget; answers the orders that messages are kept for, and the calls.
async fn forget(shop: &Shop) -> (Vec<String>, Vec<(String, String)>) {
    while shop.orders.forget_once(1).await.unwrap() {}
    let orders = sqlx::query_scalar("select order_id from provider_events order by event_id");
    (orders.fetch_all(&shop.world.db).await.unwrap(), calls(shop).await)
}

fn call(kind: &str, state: &str) -> (String, String) {
    (kind.to_owned(), state.to_owned())
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn messages_and_calls_go_once_they_are_done_with_for_long(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let (paid, open) = (Agreed::of(&shop).await, Agreed::of(&shop).await);
    let _ = paid.confirm().await.expect(200);
    let _ = shop.signed(&message(&paid.order, paid.receipt.as_str(), 1, PRICE)).await.expect(200);
    shop.provider.set_outage(outage(Trouble::Refuse, &[Operation::Confirm]));
    let _ = open.confirm().await.expect(202);
    shop.signed(&message("nobodys", "r-1", 1, PRICE)).await.refused(404, "order-not-found");

    let (done, started) = (call("CONFIRM", "DONE"), call("CONFIRM", "STARTED"));
    let everything = (vec![paid.order.clone(), "nobodys".to_owned()], vec![done, started.clone()]);
    shop.world.pass(TimeDelta::days(390));
    assert_eq!(forget(&shop).await, everything, "it isn't thirteen months yet");
    shop.world.pass(TimeDelta::days(8));
    assert_eq!(forget(&shop).await, (vec!["nobodys".to_owned()], vec![started]));

    // What was open for so long is kept for as long as anything else, from its end on.
    shop.provider.set_outage(Outage::default());
    shop.run_jobs().await;
    let ended = (vec!["nobodys".to_owned()], vec![call("CONFIRM", "ABANDONED"), call("VOID", "DONE")]);
    assert_eq!(forget(&shop).await, ended);
    shop.world.pass(TimeDelta::days(398));
    assert_eq!(forget(&shop).await, (vec![], vec![]));
    let steps: i64 = shop.value("select count(*) from events where action = ?", "call-ended").await;
    assert_eq!(steps, 3, "history stays");
}
