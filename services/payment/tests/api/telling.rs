//! What waits to be done, as the service measures it.

use bootpay::simulator::{Outage, Trouble};
use chrono::TimeDelta;
use common::events::Cause;
use orders::Backlog;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{PRICE, Shop, message};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_waits_is_measured_by_its_age(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let backlog = Backlog::new(&shop.world.metrics).unwrap();
    let measured = async || {
        shop.orders.look_at_backlog(&backlog).await.unwrap();
        [
            "cloudjet_refunds_open{state=\"PENDING\"}",
            "cloudjet_refunds_open{state=\"SENT\"}",
            "cloudjet_refunds_open{state=\"NEEDS_OPERATOR\"}",
            "cloudjet_refund_oldest_open_age_seconds",
            "cloudjet_provider_event_oldest_unapplied_age_seconds",
        ]
        .map(|series| shop.world.counted(series))
    };
    assert_eq!(format!("{:?}", measured().await), "[0.0, 0.0, 0.0, 0.0, 0.0]");

    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let booking = shop.booking(&buyer, schedule, 1).await;
    let order = buyer.begin_for(&booking).await;
    let receipt = shop.pay(&order, PRICE).await;
    let _ = shop.nudge(&order, &receipt).await.expect(200);
    let cause = Cause::user(buyer.id, None);
    shop.orders.cancel_own(&cause, buyer.id, &booking.booking_number).await.unwrap();
    shop.signed(&message("nobody-s", "r-1", -1, PRICE)).await.refused(404, "order-not-found");
    shop.world.pass(TimeDelta::minutes(1));
    let [pending, sent, lost, refund, event] = measured().await;
    assert_eq!(format!("{:?}", [pending, sent, lost]), "[1.0, 0.0, 0.0]");
    assert!((60.0..3600.0).contains(&refund) && (60.0..3600.0).contains(&event), "{refund}, {event}");

    shop.provider.set_outage(Outage::new(Trouble::Refuse));
    let _ = shop.orders.drive_refunds_once(10).await.unwrap();
    assert_eq!(format!("{:?}", &measured().await[..3]), "[0.0, 1.0, 0.0]");
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::minutes(2));
    shop.run_jobs().await;
    let [pending, sent, lost, refund, _] = measured().await;
    assert_eq!(format!("{:?}", [pending, sent, lost, refund]), "[0.0, 0.0, 0.0, 0.0]");
}
