//! Runs that nothing disturbs, and runs that disturb each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::clock::Clock;
use common::db::MIGRATOR;
use migrate::history::State;
use migrate::{Plan, Step};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use tokio::sync::Notify;

use crate::support::{
    another, applied, connect, drop_database, execute, first, migrate, migrate_with, number, run, shape, texts,
};

/// What takes longer hangs, however busy the machine.
const PATIENCE: Duration = Duration::from_mins(1);

#[sqlx::test(migrations = false)]
async fn a_missing_database_is_created_whatever_its_name(_: MySqlPoolOptions, server: MySqlConnectOptions) {
    let name = format!("odd`name-{}", uuid::Uuid::new_v4().simple());
    let database = server.clone().database(&name);

    let steps = migrate(&database).await.unwrap();
    assert_eq!(steps[0], Step::CreatedDatabase { name: name.clone() });
    assert_eq!(applied(&steps), MIGRATOR.iter().count());

    let mut connection = connect(&database).await;
    let collation = texts(&mut connection, "select @@collation_database").await;
    execute(&mut connection, &format!("drop database `{}`", name.replace('`', "``"))).await;
    assert_eq!(collation, ["utf8mb4_unicode_ci"]);
}

#[sqlx::test(migrations = false)]
async fn running_twice_changes_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let steps = run(&database, &Plan::default(), &Clock::system()).await.unwrap();
    assert_eq!(applied(&steps), MIGRATOR.iter().count());
    assert!(steps.contains(&Step::NoAdministrator) && !steps.contains(&Step::NothingToDo));

    let mut connection = connect(&database).await;
    let history = "select concat_ws(' ', version, success, execution_time, installed_on) from _sqlx_migrations";
    let before = (shape(&mut connection).await, texts(&mut connection, history).await);
    let steps = run(&database, &Plan::default(), &Clock::system()).await.unwrap();
    assert_eq!(steps, [Step::NoAdministrator, Step::NothingToDo]);
    assert_eq!((shape(&mut connection).await, texts(&mut connection, history).await), before);
}

#[sqlx::test(migrations = false)]
async fn runs_at_once_wait_for_each_other(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { migrate(&database).await })
        })
        .collect();
    let mut sum = 0;
    for run in runs {
        sum += applied(&run.await.unwrap().unwrap());
    }
    assert_eq!(sum, MIGRATOR.iter().count(), "each migration is applied once");
    let mut connection = connect(&database).await;
    assert_eq!(number(&mut connection, "select count(*) from _sqlx_migrations where not success").await, 0);
}

#[sqlx::test(migrations = false)]
async fn a_run_says_that_it_waits(_: MySqlPoolOptions, server: MySqlConnectOptions) {
    let database = another(&server).await;
    let mut other = connect(&database).await;
    execute(&mut other, "do get_lock(concat('cloudjet:migrate:', database()), 0)").await;

    let told = Arc::new(Notify::new());
    let waiting = tokio::spawn({
        let (database, told) = (database.clone(), Arc::clone(&told));
        async move {
            let mut steps = Vec::new();
            let report = &mut |step| {
                told.notify_one();
                steps.push(step);
            };
            migrate::run(&database, &MIGRATOR, &Plan::default(), &Clock::system(), report).await.unwrap();
            steps
        }
    });
    tokio::time::timeout(PATIENCE, told.notified()).await.expect("it says so after two seconds");
    assert!(shape(&mut other).await.is_empty());
    execute(&mut other, "do release_lock(concat('cloudjet:migrate:', database()))").await;

    let steps = waiting.await.unwrap();
    assert_eq!(steps[0], Step::WaitingForAnotherRun);
    assert_eq!(applied(&steps), MIGRATOR.iter().count());
    let free = "select is_free_lock(concat('cloudjet:migrate:', database()))";
    assert_eq!(number(&mut other, free).await, 1, "the lock is given back");
    drop_database(&database).await;
}

#[sqlx::test(migrations = false)]
async fn a_table_in_use_is_waited_for_and_left_to_others_meanwhile(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let before = MIGRATOR.iter().position(|m| m.description.contains("find flights")).unwrap();
    migrate_with(&database, &first(before)).await.unwrap();
    let mut reader = connect(&database).await;
    execute(&mut reader, "begin").await;
    number(&mut reader, "select count(*) from flights").await;

    let waiting = tokio::spawn({
        let database = database.clone();
        async move { migrate_with(&database, &first(before + 1)).await }
    });
    let mut other = connect(&database).await;
    let is_waiting = "select count(*) from information_schema.processlist
                      where db = database() and state = 'Waiting for table metadata lock'";
    while number(&mut other, is_waiting).await == 0 {
        assert!(!waiting.is_finished(), "it didn't wait");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // As long as the attempt lasts, others wait for the table, too; at its end they get through.
    let asked = Instant::now();
    number(&mut other, "select count(*) from flights").await;
    assert!(asked.elapsed() < Duration::from_millis(4500), "others wait {:?}", asked.elapsed());
    execute(&mut reader, "commit").await;

    let steps = waiting.await.unwrap().unwrap();
    assert!(matches!(&steps[..], [Step::WaitingForTable { .. }, Step::Applied { .. }]), "{steps:?}");
}

#[sqlx::test(migrations = false)]
async fn the_status_is_told_and_nothing_else_is_done(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let status = migrate::status(&database, &MIGRATOR).await.unwrap();
    assert!(status.entries.iter().all(|entry| entry.state == State::Pending));
    let mut connection = connect(&database).await;
    assert!(shape(&mut connection).await.is_empty());

    migrate_with(&database, &first(2)).await.unwrap();
    let told = migrate::status(&database, &MIGRATOR).await.unwrap().to_string();
    assert!(told.contains("applied  20261201090002_create_airports.sql\npending  20261201090003_create_flights.sql"));
    assert!(told.ends_with(&format!("{} pending", MIGRATOR.iter().count() - 2)), "{told}");
}

#[sqlx::test(migrations = false)]
async fn an_older_release_leaves_a_newer_database_alone(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    migrate(&database).await.unwrap();
    let mut connection = connect(&database).await;
    let before = shape(&mut connection).await;
    let older = MIGRATOR.iter().count() - 2;
    let steps = migrate_with(&database, &first(older)).await.unwrap();
    assert_eq!(steps, [Step::Ahead { count: 2 }, Step::NothingToDo]);
    assert_eq!(shape(&mut connection).await, before);
}
