//! Of one subject news comes in its order, whatever fails; subjects don't wait for each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::TimeDelta;
use news::State;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Post, cancelled, confirmed};

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_comes_later_waits_behind_and_others_go_on(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let post = Post::open(database).await;
    post.subscriber.answer(|heard| {
        let status = if heard.news()["data"]["booking_id"] == 17 { 500 } else { 200 };
        Some(StatusCode::from_u16(status).unwrap().into_response())
    });
    post.confirm(17).await;
    post.cancel(17).await;
    post.confirm(18).await;
    post.cancel(18).await;
    post.deliver().await;
    let told = post.told();
    assert_eq!(told.iter().filter(|(booking_id, _)| *booking_id == 17).count(), 1, "{told:?}");
    let others: Vec<_> = told.into_iter().filter(|(booking_id, _)| *booking_id == 18).collect();
    assert_eq!(others, [confirmed(18), cancelled(18)]);

    // What waits behind isn't looked at before its head is tried again.
    post.subscriber.answer_with(200);
    post.deliver().await;
    assert_eq!(post.kept(State::Waiting).await.len(), 2);
    post.pass(TimeDelta::seconds(6));
    post.deliver().await;
    assert_eq!(post.told()[3..], [confirmed(17), cancelled(17)]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_was_given_up_blocks_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let post = Post::open(database).await;
    post.subscriber.answer(|heard| {
        let status = if heard.topic() == "booking.confirmed" { 410 } else { 200 };
        Some(StatusCode::from_u16(status).unwrap().into_response())
    });
    post.confirm(17).await;
    post.cancel(17).await;
    post.deliver().await;
    assert_eq!(post.told(), [confirmed(17), cancelled(17)]);
    assert_eq!((post.kept(State::Parked).await.len(), post.kept(State::Delivered).await.len()), (1, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn two_relays_and_a_subscriber_that_fails_keep_the_order(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let post = Post::open(database).await;
    let asked = Arc::new(AtomicUsize::new(0));
    post.subscriber.answer(move |_| {
        let status = if asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(3) { 500 } else { 200 };
        Some((StatusCode::from_u16(status).unwrap(), [("x-status", status)]).into_response())
    });
    for booking_id in 1..=12 {
        post.confirm(booking_id).await;
        post.cancel(booking_id).await;
        post.complete(booking_id).await;
    }
    let another = post.another_relay();
    for _ in 0..400 {
        // Each may send, or meet what the other has taken.
        let (ours, theirs) = tokio::join!(post.relay.relay_once(5), another.relay_once(5));
        if !ours.unwrap() && !theirs.unwrap() {
            if post.kept(State::Waiting).await.is_empty() {
                break;
            }
            post.pass(TimeDelta::hours(25));
        }
    }
    assert_eq!(post.kept(State::Delivered).await.len(), 36);
    let mut tries: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (booking_id, topic) in post.told() {
        let of_booking = tries.entry(booking_id).or_default();
        if of_booking.last() != Some(&topic) {
            of_booking.push(topic);
        }
    }
    // A try of a later piece would stand between two of an earlier one.
    for (booking_id, topics) in &tries {
        assert_eq!(topics, &["booking.confirmed", "booking.cancelled", "booking.completed"], "{booking_id}");
    }
    assert_eq!(
        (tries.len(), post.subscriber.heard().len()),
        (12, 36 * 3 / 2),
        "each is taken once, every third refused"
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn many_pieces_behind_a_head_that_fails_are_looked_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let post = Post::open(database).await;
    post.subscriber.answer_with(500);
    for _ in 0..200 {
        post.confirm(17).await;
    }
    let mut rounds = 0;
    while post.relay.relay_once(50).await.unwrap() {
        rounds += 1;
        assert!(rounds <= 12, "each piece is put behind its head, and then let alone");
    }
    assert_eq!(post.subscriber.heard().len(), 1);
}
