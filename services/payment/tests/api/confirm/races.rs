//! What happens at once.

use bootpay::simulator::{Operation, Outage, Outcome, Trouble};
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use super::{Agreed, confirm, outage, statuses};
use crate::support::{PRICE, Shop, order_of};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn eight_calls_at_once_confirm_once_and_agree(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    for round in 1..=10 {
        let agreed = Agreed::of(&shop).await;
        let answers = join_all((0..8).map(|_| agreed.confirm())).await;
        let mut bodies = answers.into_iter().map(|answer| answer.expect(200));
        let first = bodies.next().unwrap();
        assert!(bodies.all(|body| body == first));
        assert_eq!(shop.provider.calls().count(Operation::Confirm), round);
        assert_eq!(agreed.state(&shop).await, ("CONFIRMED".into(), "PAID".into(), (8, 1)));
    }
    shop.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn replicas_and_a_client_that_go_on_at_once_confirm_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let agreed = Agreed::of(&shop).await;
    shop.provider.set_outage(outage(Trouble::Refuse, &[Operation::Confirm]));
    let _ = agreed.confirm().await.expect(202);
    shop.provider.set_outage(Outage::default());
    shop.world.pass(TimeDelta::seconds(2));
    let refused = shop.provider.calls().count(Operation::Confirm);
    let jobs = join_all((0..6).map(|_| shop.orders.resume_calls_once(10)));
    let (jobs, one, other) = tokio::join!(jobs, agreed.confirm(), agreed.confirm());
    for job in jobs {
        job.unwrap();
    }
    let _ = (one.expect(200), other.expect(200));
    assert_eq!(shop.provider.calls().count(Operation::Confirm), refused + 1);
    agreed.assert_paid_once(&shop).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn webhooks_before_beside_and_after_lead_to_the_same(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    for _ in 0..10 {
        let agreed = Agreed::of(&shop).await;
        let tell = || shop.nudge(&agreed.order, &agreed.receipt);
        let told = async {
            for _ in 0..5 {
                let _ = tell().await.expect(200);
            }
        };
        let (answer, ()) = tokio::join!(agreed.confirm(), told);
        let _ = (answer.expect(200), tell().await.expect(200));
        assert_eq!(agreed.state(&shop).await, ("CONFIRMED".into(), "PAID".into(), (8, 1)));
    }
    shop.run_jobs().await;
    assert_eq!(statuses(&shop), [1; 10]);
    shop.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_attach_beside_it_confirms_once_or_comes_first(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    for _ in 0..10 {
        let buyer = shop.buyer().await;
        let order = order_of(&buyer.init(&json!({ "amount": PRICE })).await.expect(200));
        let booking = shop.booking(&buyer, schedule, 1).await;
        let receipt = shop.at_the_window(&order, PRICE, Outcome::Separate).await;
        let (confirmed, attached) = tokio::join!(confirm(&buyer, &order, &receipt), buyer.attach(&order, &booking));
        let _ = attached.expect(200);
        if confirmed.status == 409 {
            confirmed.refused(409, "payment-without-booking");
        } else {
            let _ = confirmed.expect(200);
        }
        let _ = confirm(&buyer, &order, &receipt).await.expect(200);
        assert_eq!(shop.booking_status(&booking).await, "CONFIRMED");
    }
    assert_eq!(shop.seats(schedule).await, (170, 10));
    shop.assert_refunds(&[]).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn beside_the_jobs_that_expire_it_is_paid_or_let_go(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    for round in 0..10 {
        let agreed = Agreed::of(&shop).await;
        // Either side of the deadline.
        let due = "update bookings set payment_due_at = now(6) + interval 20 * (booking_id % 5) * 1000 microsecond
                   where booking_id = ?";
        shop.by_hand(due, agreed.booking.booking_id).await;
        let expiring = async {
            for _ in 0..10 {
                shop.orders.expire_bookings_once(10).await.unwrap();
                shop.orders.ask_about_payments_once(10).await.unwrap();
                shop.orders.resume_calls_once(10).await.unwrap();
            }
        };
        let (answer, ()) = tokio::join!(agreed.confirm(), expiring);
        if answer.status == 200 {
            assert_eq!(agreed.state(&shop).await, ("CONFIRMED".into(), "PAID".into(), (8, 1)), "round {round}");
        } else {
            answer.refused(409, "booking-not-payable");
            shop.world.pass(TimeDelta::minutes(3));
            shop.run_jobs().await;
            while shop.orders.expire_bookings_once(10).await.unwrap() {}
            let (booking, _, seats) = agreed.state(&shop).await;
            assert_eq!((booking.as_str(), seats, statuses(&shop)[round]), ("CANCELLED", (9, 0), 20), "round {round}");
        }
    }
    shop.assert_refunds(&[]).await;
}
