//! A few dozen seeds of the simulation, the same story twice, and planted faults that must be found. `cargo xtask simulate`
//! runs as many seeds as one likes.
#![expect(clippy::unwrap_used, reason = "a test that can't go on says so")]

use simulation::faults::{FAULTS, Fault};
use simulation::{Outcome, Simulation};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

/// Runs these seeds, up to the first that breaks a rule.
async fn first_broken(simulation: &Simulation, seeds: std::ops::Range<u64>) -> Option<Outcome> {
    for seed in seeds {
        let outcome = simulation.run(seed).await.unwrap();
        if outcome.broken.is_some() {
            return Some(outcome);
        }
    }
    None
}

async fn assert_sound(database: MySqlConnectOptions, seeds: std::ops::Range<u64>) {
    let simulation = Simulation::new(database, None).await.unwrap();
    if let Some(outcome) = first_broken(&simulation, seeds).await {
        let outcome = simulation.shorten(outcome).await.unwrap();
        let (seed, story) = (outcome.seed, outcome.story.join("\n"));
        panic!("{story}\n{:?}\nAgain: cargo xtask simulate --seed {seed} --verbose", outcome.broken);
    }
}

async fn assert_found(database: MySqlConnectOptions, name: &str) {
    let fault = Fault::named(name).unwrap();
    let simulation = Simulation::new(database, Some(fault)).await.unwrap();
    let found = first_broken(&simulation, 0..fault.seeds).await;
    assert!(simulation.took_root(), "the statement that {name} changes is worded otherwise");
    let broken = found.unwrap_or_else(|| panic!("{name} isn't found in {} seeds", fault.seeds)).broken.unwrap();
    assert!(fault.breaks.contains(&broken.rule), "{name} is found as {broken:?}");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn no_rule_is_broken_by_a_dozen_seeds(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    assert_sound(database, 0..12).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn no_rule_is_broken_by_another_dozen_seeds(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    assert_sound(database, 12..24).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_same_seed_is_the_same_story(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let simulation = Simulation::new(database, None).await.unwrap();
    let (first, again) = (simulation.run(5).await.unwrap(), simulation.run(5).await.unwrap());
    assert_eq!(first.whole_story, again.whole_story);
    assert_ne!(first.hash, simulation.run(6).await.unwrap().hash);
    assert!(first.figures.meetings > 0 && first.figures.turns > 100, "{:?}", first.figures);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn payments_that_nobody_was_asked_about_yet_have_their_order(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let simulation = Simulation::new(database, None).await.unwrap();
    // It has two of them.
    let first = simulation.run(150).await.unwrap();
    for _ in 0..3 {
        assert_eq!(first.whole_story, simulation.run(150).await.unwrap().whole_story);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn seats_taken_without_a_guard_are_found(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    assert_found(database, "no-guard").await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn holds_that_are_not_pinned_are_found(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    assert_found(database, "no-pin").await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn requests_that_are_done_twice_are_found(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    assert_found(database, "no-dedupe").await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn locks_in_another_order_are_found(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    assert_found(database, "wrong-lock-order").await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn lost_news_is_found(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    assert_found(database, "lost-news").await;
}

#[test]
fn the_four_faults_that_must_be_found_are_there() {
    for name in ["no-pin", "no-guard", "no-dedupe", "wrong-lock-order"] {
        assert!(FAULTS.iter().any(|fault| fault.name == name), "{name}");
    }
}
