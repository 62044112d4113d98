//! A process that dies in the middle: what it had begun is finished by whoever comes next.

use bootpay::simulator::{Operation, Outage, Trouble};
use chrono::TimeDelta;
use common::events::Cause;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use super::{Agreed, asked_to_confirm, calls, outage, statuses};
use crate::support::Shop;

/// Dies while the provider is asked to confirm.
async fn die_asking(shop: &Shop, agreed: &Agreed, mode: Trouble) {
    shop.provider.set_outage(outage(mode, &[Operation::Confirm]));
    let asked = shop.provider.calls().count(Operation::Confirm);
    let (orders, user_id) = (shop.orders.clone(), agreed.buyer.id);
    let (order, receipt) = (agreed.order.clone(), agreed.receipt.clone());
    let approving =
        tokio::spawn(async move { orders.approve(&Cause::user(user_id, None), user_id, &order, &receipt).await });
    asked_to_confirm(shop, asked + 1).await;
    approving.abort();
    assert!(approving.await.unwrap_err().is_cancelled());
    assert_eq!(calls(shop).await, [("CONFIRM".into(), "STARTED".into())]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_dies_before_the_provider_did_it_is_replaced_by_the_job(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    die_asking(&shop, &agreed, Trouble::Hang).await;
    assert_eq!(statuses(&shop), [2]);
    shop.provider.set_outage(Outage::default());
    assert!(!shop.orders.resume_calls_once(10).await.unwrap(), "it may be alive still");
    shop.world.pass(TimeDelta::seconds(31));
    shop.run_jobs().await;
    agreed.assert_paid_once(&shop).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_dies_after_the_provider_did_it_is_replaced_by_the_job(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    die_asking(&shop, &agreed, Trouble::LoseAnswer).await;
    while statuses(&shop) != [1] {
        tokio::task::yield_now().await;
    }
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::hours(1));
    while shop.orders.expire_bookings_once(10).await.unwrap() {}
    shop.run_jobs().await;
    assert_eq!(shop.provider.calls().count(Operation::Confirm), 1);
    agreed.assert_paid_once(&shop).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_client_that_asks_again_goes_on_by_itself(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    die_asking(&shop, &agreed, Trouble::Hang).await;
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::seconds(31));
    let _ = agreed.confirm().await.expect(200);
    agreed.assert_paid_once(&shop).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_webhook_finishes_what_nobody_else_does(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    die_asking(&shop, &agreed, Trouble::LoseAnswer).await;
    while statuses(&shop) != [1] {
        tokio::task::yield_now().await;
    }
    shop.provider.set_outage(Outage::default());
    let _ = shop.nudge(&agreed.order, &agreed.receipt).await.expect(200);
    agreed.assert_paid_once(&shop).await;
    let _ = agreed.confirm().await.expect(200);
}
