//! The jobs, as the process runs them.

use std::time::Duration;

use chrono::TimeDelta;
use common::jobs::{self, Shift};
use common::service::Running;
use orders::{Backlog, Orders, Terms};
use payment_service::{Pauses, with_jobs};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{PRICE, Shop, message};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn find_out_refund_and_expire_by_themselves(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let soon = TimeDelta::seconds(1);
    let terms = Terms { reconcile_after: soon, reconcile_interval: soon, ..shop.orders.terms };
    let impatient = Orders { terms, ..shop.orders.clone() };
    let often = Duration::from_millis(20);
    let pauses = Pauses {
        calls: often,
        refunds: often,
        questions: often,
        unbooked: often,
        inbox: often,
        backlog: often,
        rounds: often,
        forget: often,
    };
    let running = with_jobs(Running::default(), &impatient, Backlog::new(&shop.world.metrics).unwrap(), pauses);

    // Nobody tells us, nobody books, nobody calls.
    let (buyer, schedule) = (shop.buyer().await, shop.schedule(9).await);
    let (paid, forgotten) = (buyer.begin(schedule, 1).await, buyer.begin(schedule, 1).await);
    shop.pay(&paid, PRICE).await;
    shop.signed(&message("early", "r-1", -1, PRICE)).await.refused(404, "order-not-found");
    sqlx::query("update provider_events set order_id = ?").bind(&forgotten).execute(&shop.world.db).await.unwrap();

    let stop = CancellationToken::new();
    let shift = Shift { stop: stop.clone(), metrics: jobs::Metrics::new(&shop.world.metrics).unwrap() };
    let jobs: Vec<_> = running.jobs.into_iter().map(|start| tokio::spawn(start(shift.clone()))).collect();
    assert_eq!(jobs.len(), 8);
    let settled = async {
        while (shop.status(&paid).await.as_str(), shop.status(&forgotten).await.as_str()) != ("CANCELLED", "FAILED") {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(2), settled).await.unwrap();
    stop.cancel();
    for job in jobs {
        timeout(Duration::from_secs(5), job).await.unwrap().unwrap();
    }
    shop.assert_refunds(&[(PRICE, "UNBOOKED", "SUCCEEDED")]).await;
    assert_eq!(shop.seats(schedule).await, (9, 0));
    for job in ["pay refunds", "ask about payments", "refund unbooked", "tidy the inbox"] {
        let worked = format!("cloudjet_job_runs_total{{job=\"{job}\",outcome=\"worked\"}}");
        assert!(shop.world.counted(&worked) >= 1.0, "{job}");
    }
    for job in ["look at the backlog", "forget calls and messages"] {
        let rounds = shop.world.counted(&format!("cloudjet_job_duration_seconds_count{{job=\"{job}\"}}"));
        assert!(rounds >= 1.0, "{job}");
    }
}
