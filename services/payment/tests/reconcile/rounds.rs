//! Rounds as the job makes them, and what is told of them.

use orders::Backlog;
use orders::reconcile::{CHECKS, Rounds, Scope};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{Books, THOROUGH};

/// What every table holds.
async fn everything(books: &Books) -> Vec<(String, i64)> {
    let mut checksums = Vec::new();
    for table in
        ["bookings", "claims", "payments", "charges", "refunds", "flight_schedules", "events", "provider_events"]
    {
        let sum: (String, i64) = sqlx::query_as(sqlx::AssertSqlSafe(format!("checksum table {table}")))
            .fetch_one(&books.world.db)
            .await
            .unwrap();
        checksums.push(sum);
    }
    checksums
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_dry_run_says_the_same_and_changes_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    let id = sold.booking.booking_id;
    books.by_an_operator(5).await;
    assert!(books.provider().cancel_in_console(&sold.receipt, Some(1_000)));
    books.meddle("update flight_schedules set available_seats = 3 where schedule_id = ?", schedule).await;
    books.meddle("update bookings set status = 'CANCELLED', cancel_reason = 'ADMIN' where booking_id = ?", id).await;
    books.meddle("update payments set status = 'CANCELLED' where booking_id = ?", id).await;
    let before = everything(&books).await;
    let report = books.report(Scope { heals: false, ..THOROUGH }).await;
    let found: Vec<_> = report.findings.iter().map(|finding| finding.check).collect();
    assert_eq!(found, ["seat-count", "cancelled-with-seats", "receipt-differs", "payment-status"]);
    assert_eq!(everything(&books).await, before);
    books
        .heals(&["seat-count", "cancelled-with-seats", "receipt-differs", "payment-status", "cancelled-and-paid"])
        .await;
    assert_eq!(books.seats(schedule).await, (9, 0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn one_schedule_can_be_looked_at_alone(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, _) = books.sold().await;
    let other = books.by_an_operator(9).await;
    books.reconcile().await;
    for schedule in [schedule, other] {
        books.meddle("update flight_schedules set available_seats = 3 where schedule_id = ?", schedule).await;
    }
    let report = books.report(Scope { schedule_id: Some(other), ..THOROUGH }).await;
    assert_eq!(report.findings.len(), 1, "{report}");
    assert_eq!(report.findings[0].id, other.to_string());
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_a_round_found_is_shown_until_the_next(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let books = Books::open(database).await;
    let (schedule, sold) = books.sold().await;
    let rounds = Rounds::new(&books.orders, &Backlog::new(&books.world.metrics).unwrap());
    // After each it rests for a while, and begins none.
    let round = async || {
        while !rounds.go_on().await.unwrap() {}
        while rounds.go_on().await.unwrap() {}
    };
    let shown = |check: &str, state: &str| {
        let shown =
            books.world.counted(&format!("cloudjet_reconciliation_findings{{check=\"{check}\",state=\"{state}\"}}"));
        (shown * 10.0).round() / 10.0
    };
    books.meddle("update flight_schedules set available_seats = 3 where schedule_id = ?", schedule).await;
    books.meddle("update charges set refund_reserved = 7 where receipt_id = ?", &sold.receipt).await;
    round().await;
    let all = |state| CHECKS.iter().map(|check| shown(check.code, state)).sum::<f64>();
    assert_eq!(
        (shown("seat-count", "healed"), shown("refund-reserve", "open"), all("healed"), all("open")),
        (1.0, 1.0, 1.0, 1.0)
    );
    round().await;
    assert_eq!((all("healed"), all("open")), (0.0, 1.0));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_check_that_fails_is_told_of_and_what_it_found_before_stays(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let books = Books::open(database).await;
    let (_, sold) = books.sold().await;
    let parked = "update outbox set state = 'PARKED' where subject = 'BOOKING' and subject_id = ?";
    books.meddle(parked, sold.booking.booking_id).await;
    let backlog = Backlog::new(&books.world.metrics).unwrap();
    // How many checks of a round fail.
    let round = async || {
        let rounds = Rounds::new(&books.orders, &backlog);
        let mut failures = 0;
        for _ in CHECKS {
            failures += usize::from(rounds.go_on().await.is_err());
        }
        failures
    };
    let shown = || {
        ["open", "failed"].map(|state| {
            let series = format!("cloudjet_reconciliation_findings{{check=\"news-parked\",state=\"{state}\"}}");
            books.world.counted(&series).to_string()
        })
    };
    assert_eq!((round().await, shown()), (0, ["1".to_owned(), "0".to_owned()]));
    sqlx::query("alter table outbox rename column last_error to away").execute(&books.world.db).await.unwrap();
    assert_eq!((round().await, shown()), (1, ["1".to_owned(), "1".to_owned()]));
}

#[test]
fn every_check_is_told_of() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reconciliation.md")).unwrap();
    for check in CHECKS {
        let row = format!(
            "| `{}` | {} | {} | {} |",
            check.code,
            check.means,
            check.heals.unwrap_or("–"),
            if check.to_do.is_empty() { "–" } else { check.to_do }
        );
        assert!(page.contains(&row), "docs/reconciliation.md lacks\n{row}");
    }
    let told = page.lines().filter(|line| line.starts_with("| `") && !line.starts_with("| `--"));
    assert_eq!(told.count(), CHECKS.len());
}
