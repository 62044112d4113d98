//! `payment-service reconcile`, as an operator runs it.

use std::process::Command;

use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Books, PRICE};

/// Runs the command with the world's database and provider. Answers its code and what it said on both outputs.
async fn run(books: &Books, database: &MySqlConnectOptions, arguments: &[&str]) -> (Option<i32>, String, String) {
    let url = database.to_url_lossy();
    let mut command = Command::new(env!("CARGO_BIN_EXE_payment-service"));
    command
        .arg("reconcile")
        .args(arguments)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env("DB_HOST", url.host_str().unwrap())
        .env("DB_PORT", url.port().unwrap_or(3306).to_string())
        .env("DB_USER", url.username())
        .env("DB_PASSWORD", url.password().unwrap_or_default())
        .env("DB_NAME", url.path().trim_start_matches('/'))
        .env("BOOTPAY_API_URL", books.provider().api_url())
        .env("BOOTPAY_REST_APPLICATION_ID", "rest-id")
        .env("BOOTPAY_PRIVATE_KEY", "private-key");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn tells_by_its_code_whether_a_person_has_to_look(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database.clone()).await;
    let (schedule, sold) = books.sold().await;
    let (code, said, log) = run(&books, &database, &[]).await;
    assert_eq!((code, said.lines().last()), (Some(0), Some("Everything agrees.")), "{said}{log}");

    books.meddle("update flight_schedules set available_seats = 3 where schedule_id = ?", schedule).await;
    let (code, said, log) = run(&books, &database, &["--dry-run"]).await;
    assert_eq!((code, books.seats(schedule).await), (Some(1), (3, 1)), "{said}{log}");
    assert!(said.contains("healable  seat-count  schedule"), "{said}");
    let (code, said, log) = run(&books, &database, &["--schedule", &schedule.to_string()]).await;
    assert_eq!((code, books.seats(schedule).await), (Some(0), (8, 1)), "{said}{log}");
    assert!(said.starts_with("healed    seat-count  schedule") && said.ends_with("1 healed, 0 open.\n"), "{said}");

    books.meddle("update charges set refund_reserved = 7 where receipt_id = ?", &sold.receipt).await;
    let (code, said, log) = run(&books, &database, &["--json"]).await;
    assert_eq!(code, Some(1), "{said}{log}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&report["settled"], &report["findings"][0]["check"]), (&false.into(), &"refund-reserve".into()));
    assert_eq!((&report["findings"][0]["state"], &report["receipts"]["compared"]), (&"open".into(), &1.into()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_check_that_fails_is_told_of_and_keeps_no_other_from_being_made(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let books = Books::open(database.clone()).await;
    let (_, sold) = books.sold().await;
    books.meddle("update charges set refund_reserved = 7 where receipt_id = ?", &sold.receipt).await;
    for away in
        ["alter table claims rename column pool_id to away", "alter table outbox rename column last_error to away"]
    {
        sqlx::query(away).execute(&books.world.db).await.unwrap();
    }
    let (code, said, log) = run(&books, &database, &[]).await;
    assert_eq!(code, Some(2), "{said}{log}");
    assert!(said.contains("OPEN      refund-reserve  charge"), "what lies between them is looked at: {said}");
    assert!(said.contains("FAILED    seat-count\n") && said.contains("FAILED    news-parked\n"), "{said}");
    assert!(log.contains("seat-count failed: ") && log.contains("news-parked failed: "), "{log}");

    let (code, said, log) = run(&books, &database, &["--json"]).await;
    let report: Value = serde_json::from_str(&said).unwrap();
    let failed: Vec<_> = report["failed"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!((code, failed.first(), failed.last()), (Some(2), Some(&"seat-count"), Some(&"news-parked")), "{log}");
    assert_eq!((&report["settled"], &report["findings"][0]["check"]), (&false.into(), &"refund-reserve".into()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_check_that_failed_is_never_called_agreement(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database.clone()).await;
    books.sold().await;
    sqlx::query("alter table outbox rename column last_error to away").execute(&books.world.db).await.unwrap();
    let today = books.world.day(0).to_string();
    let (code, said, log) = run(&books, &database, &["--money", &today, &today]).await;
    assert_eq!(code, Some(2), "{said}{log}");
    assert!(!said.contains("agrees") && said.contains("in all"), "{said}");

    sqlx::query("drop view money_by_day_and_flight").execute(&books.world.db).await.unwrap();
    let (code, said, log) = run(&books, &database, &["--money", &today, &today]).await;
    assert_eq!(code, Some(2), "{said}{log}");
    assert!(said.contains("FAILED    news-parked") && log.contains("money failed: "), "{said}{log}");

    sqlx::query("alter table outbox rename column away to last_error").execute(&books.world.db).await.unwrap();
    let (code, said, log) = run(&books, &database, &["--money", &today, &today]).await;
    assert_eq!(
        (code, said.contains("agrees"), said.contains("FAILED    money")),
        (Some(2), false, true),
        "{said}{log}"
    );
    let (code, said, log) = run(&books, &database, &["--json", "--money", &today, &today]).await;
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(code, Some(2), "{said}{log}");
    assert_eq!((&report["settled"], &report["failed"]), (&false.into(), &json!(["money"])));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn tells_of_money_when_asked(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database.clone()).await;
    books.world.pass_to_noon();
    books.sold().await;
    let today = books.world.day(0).to_string();
    let (code, said, log) = run(&books, &database, &["--money", &today, &today]).await;
    assert_eq!(code, Some(0), "{said}{log}");
    let words: Vec<_> = said.split_whitespace().collect();
    let won = PRICE.to_string();
    assert!(words.windows(5).any(|w| w == [&today, "CJ101", &won, "0", &won]), "{said}");
    let (code, said, _) = run(&books, &database, &["--json", "--money", &today, &today]).await;
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["money"]["net"]), (Some(0), &PRICE.into()));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn says_why_it_cannot_run(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database.clone()).await;
    let (code, _, said) = run(&books, &database, &["--money", "yesterday"]).await;
    assert_eq!(code, Some(64), "{said}");
    let (code, _, said) = run(&books, &database.clone().port(1), &[]).await;
    assert_eq!(code, Some(2), "{said}");
    let (code, help, _) = run(&books, &database, &["--help"]).await;
    assert_eq!(code, Some(0));
    assert!(help.contains("--dry-run") && help.contains("BOOTPAY_API_URL"), "{help}");
}
