//! The outbox itself: measured, listed, forgotten.

use chrono::TimeDelta;
use news::State;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::Post;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_waits_is_measured_by_its_number_and_age(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let post = Post::open(database).await;
    let measured = async || {
        post.outbox.look(&post.metrics).await.unwrap();
        ["waiting", "parked", "oldest_age_seconds"].map(|name| post.counted(&format!("cloudjet_outbox_{name}")))
    };
    assert_eq!(format!("{:?}", measured().await), "[0.0, 0.0, 0.0]");
    post.confirm(17).await;
    post.confirm(18).await;
    post.pass(TimeDelta::minutes(5));
    let [waiting, parked, age] = measured().await;
    assert_eq!(format!("{:?}", [waiting, parked]), "[2.0, 0.0]");
    assert!((300.0..3600.0).contains(&age), "{age}");
    post.subscriber.answer_with(410);
    assert!(post.relay.relay_once(1).await.unwrap());
    post.subscriber.answer_with(200);
    post.deliver().await;
    assert_eq!(format!("{:?}", measured().await), "[0.0, 1.0, 0.0]");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_done_with_is_forgotten_after_a_week_and_what_was_given_up_after_a_month(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let post = Post::open(database).await;
    post.confirm(17).await;
    post.deliver().await;
    post.subscriber.answer_with(410);
    post.confirm(18).await;
    post.deliver().await;
    let left = async || {
        while post.outbox.forget_once(1, false).await.unwrap() {}
        (post.kept(State::Delivered).await.len(), post.kept(State::Parked).await.len())
    };
    post.pass(TimeDelta::days(6));
    assert_eq!(left().await, (1, 1));
    post.pass(TimeDelta::days(2));
    assert_eq!(left().await, (0, 1));
    post.pass(TimeDelta::days(21));
    assert_eq!(left().await, (0, 1));
    post.pass(TimeDelta::days(2));
    assert_eq!(left().await, (0, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_nobody_reads_is_forgotten_after_a_week_and_what_a_subscriber_waits_for_is_not(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let post = Post::open(database).await;
    post.confirm(17).await;
    post.pass(TimeDelta::days(8));
    assert!(!post.outbox.forget_once(10, false).await.unwrap());
    assert_eq!(post.kept(State::Waiting).await.len(), 1);
    post.confirm(18).await;
    let _ = post.outbox.forget_once(10, true).await.unwrap();
    let left = post.only(State::Waiting).await;
    assert_eq!(left.data["booking_id"], 18, "whoever subscribes now hears of the last week");
}
