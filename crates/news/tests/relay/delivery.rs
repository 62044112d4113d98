//! One piece of news: how it is sent, what an answer means, and when it is tried again.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use chrono::{DateTime, TimeDelta, Utc};
use news::{RetryError, State};
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{LEASE, Post, SECRET, confirm, secrets};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn news_comes_once_signed_and_says_what_it_is_about(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let post = Post::open(database).await;
    post.cancel(17).await;
    post.deliver().await;
    let [heard] = post.subscriber.heard().try_into().unwrap();
    let news = heard.news();
    let happened: DateTime<Utc> = news["timestamp"].as_str().unwrap().parse().unwrap();
    assert!((post.now() - happened).num_seconds().abs() <= 60, "{happened}");
    let data = json!({ "booking_id": 17, "reason": "OWNER" });
    assert_eq!(news, json!({ "type": "booking.cancelled", "timestamp": news["timestamp"], "data": data }));
    assert_eq!(heard.header("content-type"), "application/json");
    let timestamp = post.now().timestamp();
    assert_eq!(heard.header("webhook-timestamp"), timestamp.to_string());
    assert_eq!(heard.header("webhook-signature"), secrets().sign(heard.id(), timestamp, &heard.body));
    // Its id is the event's, by which the history finds it.
    let event: String =
        sqlx::query_scalar("select lower(hex(event_id)) from events").fetch_one(&post.db).await.unwrap();
    assert_eq!(heard.id().replace('-', ""), event);

    let kept = post.only(State::Delivered).await;
    assert_eq!((kept.id.to_string().as_str(), kept.attempts, kept.last_error), (heard.id(), 1, None));
    assert!(kept.delivered_at.is_some());
    post.pass(TimeDelta::hours(1));
    post.deliver().await;
    assert_eq!(post.subscriber.heard().len(), 1);
    assert_eq!(post.outcomes("delivered").to_string(), "1");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_rolled_back_is_no_news(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let post = Post::open(database).await;
    let mut tx = post.db.begin().await.unwrap();
    confirm(&mut tx, 17).await;
    assert!(!post.relay.relay_once(10).await.unwrap(), "nor before it is committed");
    tx.rollback().await.unwrap();
    post.deliver().await;
    assert!(post.subscriber.heard().is_empty() && post.kept(State::Waiting).await.is_empty());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn while_secrets_change_both_sign(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let post = Post::open(database).await;
    let next = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let both = news::Secrets::parse(&format!("{next} {SECRET}").into()).unwrap();
    let subscriber = news::Subscriber::new(&post.subscriber.url, both).unwrap();
    let relay =
        news::Relay::new(post.db.clone(), subscriber, post.clock.clone(), post.chance.clone(), post.metrics.clone());
    post.confirm(17).await;
    assert!(relay.relay_once(1).await.unwrap());
    let [heard] = post.subscriber.heard().try_into().unwrap();
    let signatures: Vec<_> = heard.header("webhook-signature").split(' ').collect();
    let timestamp = post.now().timestamp();
    for (signature, secret) in signatures.iter().zip([next, SECRET]) {
        let alone = news::Secrets::parse(&secret.into()).unwrap();
        assert_eq!(*signature, alone.sign(heard.id(), timestamp, &heard.body));
    }
    assert_eq!(signatures.len(), 2);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_piece_that_is_not_taken_is_tried_ten_times_in_three_days_and_parked(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let post = Post::open(database).await;
    post.subscriber.answer_with(500);
    post.confirm(17).await;
    let began = post.now();
    for pause in [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400] {
        post.deliver().await;
        let due_in = post.due_in().await;
        // The machine's own time goes on, too.
        assert!((pause * 89 / 100..=pause * 111 / 100 + 60).contains(&due_in), "{due_in} s instead of {pause}");
        let kept = post.only(State::Waiting).await;
        assert_eq!(kept.last_error.as_deref(), Some("status 500"));
        post.pass(TimeDelta::seconds(due_in + 1));
    }
    assert!(((post.now() - began).num_hours() - 75).abs() <= 8);
    post.deliver().await;
    let kept = post.only(State::Parked).await;
    assert_eq!((kept.attempts, kept.last_error.as_deref()), (10, Some("status 500")));
    post.pass(TimeDelta::days(3));
    post.deliver().await;

    let heard = post.subscriber.heard();
    assert_eq!(heard.len(), 10);
    assert!(heard.iter().all(|again| again.id() == heard[0].id() && again.body == heard[0].body));
    let times: Vec<i64> = heard.iter().map(|heard| heard.header("webhook-timestamp").parse().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "each try is signed anew: {times:?}");
    assert_eq!(post.outcomes("refused").to_string(), "10");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_operator_sends_again_what_was_given_up_and_nothing_else(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let post = Post::open(database).await;
    post.subscriber.answer_with(410);
    post.confirm(17).await;
    post.deliver().await;
    let parked = post.only(State::Parked).await;
    assert_eq!((parked.attempts, parked.last_error.as_deref()), (1, Some("status 410")), "gone is gone");
    assert_eq!(post.outcomes("gone").to_string(), "1");

    post.subscriber.answer_with(200);
    post.outbox.retry(parked.id).await.unwrap();
    assert!(matches!(post.outbox.retry(parked.id).await, Err(RetryError::NotParked)));
    post.deliver().await;
    assert_eq!(post.only(State::Delivered).await.id, parked.id);
    assert!(matches!(post.outbox.retry(parked.id).await, Err(RetryError::NotParked)));
    let unknown = "019aa5f0-6f3c-7c1e-9d43-5b1d0e7c2a11".parse().unwrap();
    assert!(matches!(post.outbox.retry(unknown).await, Err(RetryError::NotFound)));
    let ids: Vec<_> = post.subscriber.heard().iter().map(|heard| heard.id().to_owned()).collect();
    assert_eq!(ids, [parked.id.to_string(), parked.id.to_string()]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_redirect_is_not_followed(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let post = Post::open(database).await;
    let elsewhere = testkit::Subscriber::listen().await;
    let url = elsewhere.url.clone();
    post.subscriber.answer(move |_| Some(Redirect::temporary(&url).into_response()));
    post.confirm(17).await;
    post.deliver().await;
    assert_eq!(post.only(State::Waiting).await.last_error.as_deref(), Some("status 307"));
    assert!(elsewhere.heard().is_empty());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nobody_there_and_no_answer_are_told_apart(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let post = Post::open(database).await;
    post.confirm(17).await;
    let nobody = post.relay_to("http://127.0.0.1:1/news");
    assert!(nobody.relay_once(1).await.unwrap());
    assert_eq!(post.only(State::Waiting).await.last_error.as_deref(), Some("no connection"));

    post.subscriber.answer(|_| None);
    post.pass(TimeDelta::minutes(1));
    let subscriber =
        news::Subscriber::patient(&post.subscriber.url, secrets(), std::time::Duration::from_millis(200)).unwrap();
    let impatient =
        news::Relay::new(post.db.clone(), subscriber, post.clock.clone(), post.chance.clone(), post.metrics.clone());
    assert!(impatient.relay_once(1).await.unwrap());
    assert_eq!(post.only(State::Waiting).await.last_error.as_deref(), Some("no answer in time"));
    assert_eq!(post.outcomes("unanswered").to_string(), "2");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_subscriber_that_cannot_take_more_is_left_alone_as_long_as_it_asks(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let post = Post::open(database).await;
    post.subscriber.answer(|_| Some((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "120")]).into_response()));
    post.confirm(17).await;
    post.deliver().await;
    assert!((115..=180).contains(&post.due_in().await), "not the usual five seconds");

    // Nor is anything else sent.
    post.confirm(18).await;
    post.pass(TimeDelta::seconds(100));
    post.deliver().await;
    assert_eq!(post.subscriber.heard().len(), 1);
    post.subscriber.answer_with(204);
    post.pass(TimeDelta::seconds(25));
    post.deliver().await;
    assert_eq!(post.kept(State::Delivered).await.len(), 2);
    assert_eq!(post.outcomes("slowed").to_string(), "1");

    // One that doesn't say is left alone for half a minute.
    post.subscriber.answer_with(502);
    post.confirm(19).await;
    post.deliver().await;
    post.subscriber.answer_with(204);
    post.pass(TimeDelta::seconds(20));
    post.deliver().await;
    assert_eq!(post.kept(State::Waiting).await.len(), 1);
    post.pass(TimeDelta::seconds(15));
    post.deliver().await;
    assert_eq!(post.kept(State::Delivered).await.len(), 3);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_crash_between_the_answer_and_its_note_sends_the_same_again(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let post = Post::open(database).await;
    post.subscriber.answer(|_| None);
    post.confirm(17).await;
    post.cancel(17).await;
    tokio::select! {
        biased;
        () = post.heard(1) => {}
        _ = post.relay.relay_once(10) => unreachable!("it never answers"),
    }
    // The process that was told is dead; to another it is still taken.
    post.subscriber.answer_with(200);
    post.deliver().await;
    assert_eq!(post.subscriber.heard().len(), 1, "nor has what waits behind it overtaken it");
    post.pass(LEASE);
    post.deliver().await;
    let heard = post.subscriber.heard();
    assert_eq!(post.subscriber.topics(), ["booking.confirmed", "booking.confirmed", "booking.cancelled"]);
    assert_eq!((heard[0].id(), &heard[0].body), (heard[1].id(), &heard[1].body));
    assert_ne!(heard[1].id(), heard[2].id());
}
