//! A system at work in which nothing is wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::events::Cause;
use common::idempotency::Once;
use orders::reconcile::Scope;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::desk::wanted;
use tokio::task::JoinSet;

use crate::support::{Books, PRICE, THOROUGH};

const PEOPLE: usize = 6;
const TURNS: usize = 6;

/// Somebody who books and pays in every order there is, and cancels every other booking.
async fn come_and_go(books: Books, person: usize, schedule: i64) {
    let buyer = books.buyer().await;
    for turn in 0..TURNS {
        let seat = format!("{}{}", person + 1, ["A", "B", "C", "D", "E", "F"][turn]);
        let booking = if turn % 2 == 0 {
            books.sell(buyer, schedule, &seat).await.booking
        } else {
            let booking = books.book(buyer, schedule, &[&seat]).await;
            let payment = books.begin_for(buyer, booking.booking_id, PRICE).await;
            if turn == 1 {
                let receipt = books.pay(&payment, PRICE).await;
                books.hear_of(&receipt).await;
            } else {
                let receipt = books.agree(&payment, PRICE).await;
                let approval =
                    books.orders.approve(&Cause::user(buyer, None), buyer, &payment.order_id, &receipt).await;
                assert!(!approval.unwrap().is_open);
            }
            booking
        };
        if turn % 3 == 0 {
            books.cancel_own(buyer, &booking).await;
        }
        // Somebody else wants the same, and is refused or gives up.
        let rival = books.buyer().await;
        let _ =
            books.orders.book(&Cause::user(rival, None), &wanted(rival, schedule, &[&seat]), &Once::unkeyed()).await;
        let given_up = books.begin(rival, schedule, PRICE).await;
        books.hear_declined(&given_up, PRICE).await;
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nothing_is_found_where_nothing_is_wrong(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let schedules = [books.published(180).await, books.by_an_operator(180).await];
    let mut people = JoinSet::new();
    for person in 0..PEOPLE {
        people.spawn(come_and_go(books.clone(), person, schedules[person % 2]));
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let mut others = JoinSet::new();
    for scope in [THOROUGH, Scope::ROUTINE, Scope { heals: false, ..THOROUGH }] {
        let (books, is_over) = (books.clone(), Arc::clone(&is_over));
        others.spawn(async move {
            let mut findings = Vec::new();
            let mut rounds = 0;
            while !is_over.load(Ordering::SeqCst) || rounds < 2 {
                findings.extend(books.report(scope).await.findings);
                rounds += 1;
            }
            findings
        });
    }
    let (desk, over) = (books.clone(), Arc::clone(&is_over));
    let jobs = tokio::spawn(async move {
        while !over.load(Ordering::SeqCst) {
            desk.run_jobs().await;
            tokio::task::yield_now().await;
        }
    });
    people.join_all().await;
    is_over.store(true, Ordering::SeqCst);
    jobs.await.unwrap();
    for findings in others.join_all().await {
        assert_eq!(findings, []);
    }
    books.all_is_well().await;
    // Of three people's six bookings each, two were cancelled.
    for schedule in schedules {
        let sold = "select cast(sum(quantity) as signed) from claims where pool_id = ? and state = 'SOLD'";
        assert_eq!(books.value::<i64>(sold, schedule).await, 12);
    }
}
