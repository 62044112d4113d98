//! Adopting a database that the original created and used.

use std::panic::resume_unwind;
use std::time::Duration;

use chrono::NaiveDate;
use common::clock::Clock;
use common::db::MIGRATOR;
use common::password;
use migrate::adoption::Report;
use migrate::{Error, Plan, Step};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, MySqlConnection, Row};
use testkit::original;

use crate::support::{another, connect, drop_database, execute, first, migrate, migrate_with, number, run, texts};

/// A day on which the original still has flights to come.
fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2099, 12, 1).expect("a day")
}

async fn used(database: &MySqlConnectOptions) -> MySqlConnection {
    let mut connection = connect(database).await;
    execute(&mut connection, "set timestamp = 1794000000").await;
    original::create_used(&mut connection, day()).await;
    execute(&mut connection, "set timestamp = default").await;
    connection
}

fn report(steps: &[Step]) -> Report {
    let report =
        steps.iter().find_map(|step| if let Step::Report(report) = step { Some(report.clone()) } else { None });
    report.expect("a report")
}

async fn rehearse(database: &MySqlConnectOptions) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    migrate::rehearse(database, &mut |step| steps.push(step)).await?;
    Ok(steps)
}

/// The tables, each with a number that any change of its rows or its shape would change.
async fn fingerprint(connection: &mut MySqlConnection) -> Vec<(String, String)> {
    let mut prints = Vec::new();
    for table in texts(
        connection,
        "select table_name from information_schema.tables where table_schema = database() order by table_name",
    )
    .await
    {
        let sum = sqlx::query(AssertSqlSafe(format!("checksum table `{table}` extended")))
            .fetch_one(&mut *connection)
            .await
            .expect("a checksum");
        prints.push((table, format!("{:?}", sum.get::<Option<i64>, _>(1))));
    }
    prints.push(("shape".to_owned(), crate::support::shape(connection).await.join("\n")));
    prints
}

/// Every row of every table as text, without what a run makes up: ids of events, and when things were done.
async fn contents(connection: &mut MySqlConnection) -> Vec<String> {
    let tables = "select table_name from information_schema.tables where table_schema = database()
                  and table_name <> '_sqlx_migrations' order by table_name";
    let mut contents = Vec::new();
    for table in texts(connection, tables).await {
        let columns = texts(
            connection,
            &format!(
                "select column_name from information_schema.columns where table_schema = database()
                 and table_name = '{table}' and not (table_name in ('events', 'claims', 'charges')
                 and column_name in ('event_id', 'happened_at', 'claim_id', 'created_at', 'updated_at'))
                 order by column_name"
            ),
        )
        .await;
        let row: Vec<_> = columns.iter().map(|c| format!("coalesce(convert(hex({c}) using utf8mb4), '-')")).collect();
        let rows = texts(connection, &format!("select concat_ws(' ', {}) from {table}", row.join(", "))).await;
        let mut rows: Vec<_> = rows.into_iter().map(|row| format!("{table}: {row}")).collect();
        rows.sort();
        contents.extend(rows);
    }
    contents
}

#[track_caller]
fn assert_same(found: &[String], expected: &[String]) {
    let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).collect();
    let surplus: Vec<_> = found.iter().filter(|row| !expected.contains(row)).collect();
    assert!(found == expected, "missing: {missing:#?}, surplus: {surplus:#?}");
}

/// What `information_schema` says of columns, keys and rules.
async fn schema(connection: &mut MySqlConnection) -> Vec<String> {
    let mut schema = Vec::new();
    for sql in [
        "select concat_ws('|', table_name, ordinal_position, column_name, column_type, is_nullable,
                coalesce(column_default, '-'), coalesce(collation_name, '-'), extra, generation_expression)
         from information_schema.columns where table_schema = database()",
        "select concat_ws('|', table_name, index_name, non_unique, seq_in_index, column_name)
         from information_schema.statistics where table_schema = database()",
        "select concat_ws('|', table_name, constraint_name, constraint_type)
         from information_schema.table_constraints where table_schema = database()",
        "select concat_ws('|', r.table_name, r.constraint_name, k.column_name, k.referenced_table_name,
                k.referenced_column_name, r.delete_rule, r.update_rule)
         from information_schema.referential_constraints r
         join information_schema.key_column_usage k on k.constraint_schema = r.constraint_schema
              and k.constraint_name = r.constraint_name and k.table_name = r.table_name
         where r.constraint_schema = database()",
        "select concat_ws('|', constraint_name, check_clause) from information_schema.check_constraints
         where constraint_schema = database()",
        "select concat_ws('|', table_name, engine, table_collation) from information_schema.tables
         where table_schema = database()",
    ] {
        let mut part = texts(connection, sql).await;
        part.sort();
        assert!(!part.is_empty(), "{sql}");
        schema.extend(part);
    }
    schema
}

#[sqlx::test(migrations = false)]
async fn an_adopted_schema_is_a_fresh_one(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut adopted = used(&database).await;
    migrate(&database).await.unwrap();
    let elsewhere = another(&database).await;
    migrate(&elsewhere).await.unwrap();
    let fresh = schema(&mut connect(&elsewhere).await).await;
    drop_database(&elsewhere).await;
    assert_eq!(schema(&mut adopted).await, fresh);
}

#[sqlx::test(migrations = false)]
async fn every_row_and_id_stays_and_what_cannot_stay_is_mended(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut connection = used(&database).await;
    let counts = "select concat_ws(' ', (select count(*) from users), (select count(*) from airports),
        (select count(*) from flights), (select count(*) from flight_schedules), (select count(*) from bookings),
        (select count(*) from passengers), (select count(*) from payments), (select count(*) from flight_discounts),
        (select sum(user_id) from users), (select sum(schedule_id) from flight_schedules),
        (select sum(booking_id) from bookings), (select sum(passenger_id) from passengers),
        (select sum(payment_id) from payments), (select sum(discount_id) from flight_discounts))";
    let before = texts(&mut connection, counts).await;
    let times = "select concat_ws(' ', booking_id, created_at) from bookings order by booking_id";
    let made = texts(&mut connection, times).await;
    let steps = migrate(&database).await.unwrap();
    assert_eq!(steps.last(), Some(&Step::Adopted));
    assert_eq!(texts(&mut connection, counts).await, before);
    assert_eq!(texts(&mut connection, times).await, made);

    for (sql, expected) in [
        (
            "select concat_ws(' ', passenger_id, booking_id, coalesce(seat_number, '-')) from passengers order by 1 * passenger_id",
            vec!["1 1 6D", "2 1 -", "3 2 -", "4 3 -", "5 4 12A", "6 5 6D", "7 6 -", "8 6 -", "9 6 -", "10 7 1A", "11 9 -"],
        ),
        (
            "select concat_ws(' ', booking_id, coalesce(seat_number, '-'), status, flight_id, departure_airport,
                              coalesce(unit_price, '-'), hold_id is not null) from bookings order by booking_id",
            vec![
                "1 6D CONFIRMED CJ101 ICN 300000 1",
                "2 - CONFIRMED CJ101 ICN 300000 1",
                "3 - CONFIRMED CJ101 ICN 300000 1",
                "4 12A CONFIRMED CJ101 ICN 300000 1",
                "5 6D CANCELLED CJ101 ICN 300000 0",
                "6 - CONFIRMED CJ101 ICN 300000 1",
                "7 1A COMPLETED CJ101 ICN 300000 1",
                "8 - CONFIRMED CJ101 ICN - 1",
                "9 - CONFIRMED CJ101 ICN 300001 1",
            ],
        ),
        (
            "select concat_ws(' ', c.pool_id, coalesce(c.unit, '-'), c.quantity, c.state, b.booking_id, c.owner_id = b.user_id)
             from claims c join bookings b on b.hold_id = c.hold_id order by b.booking_id, c.unit is null",
            vec![
                "1 6D 1 SOLD 1 1",
                "1 - 1 SOLD 1 1",
                "1 - 1 SOLD 2 1",
                "1 - 1 SOLD 3 1",
                "1 12A 1 SOLD 4 1",
                "2 - 3 SOLD 6 1",
                "6 1A 1 SOLD 7 1",
                "3 - 1 SOLD 9 1",
            ],
        ),
        (
            "select concat_ws(' ', schedule_id, flight_id, current_price, available_seats, oversold, status)
             from flight_schedules order by schedule_id",
            vec![
                "1 CJ101 300000 170 0 ACTIVE",
                "2 CJ101 300000 0 2 ACTIVE",
                "3 CJ101 300000 179 0 ACTIVE",
                "4 CJ900 0 180 0 ACTIVE",
                "5 Xb 300000 180 0 ACTIVE",
                "6 CJ101 300000 179 0 ACTIVE",
            ],
        ),
        (
            "select concat_ws(' ', flight_id, airline, departure_time, aircraft, base_price, total_seats, is_active)
             from flights order by flight_id",
            vec![
                "CJ101 CloudJet 06:30:00 Boeing 737-800 320000 180 1",
                "CJ900 CloudJet 01:30:00 alert(1)Jet 0 180 0",
                "CJ999 CloudJet 10:00:00 Boeing 737-800 50000 180 0",
                "Xb CloudJet 12:00:00 Airbus A320 320000 180 1",
            ],
        ),
        (
            "select concat_ws(' ', schedule_id, discount_percentage, status, coalesce(active_schedule_id, '-'))
             from flight_discounts order by discount_id",
            vec!["1 10 INACTIVE -", "1 20 ACTIVE 1", "2 99 INACTIVE -", "3 1 INACTIVE -", "3 15 INACTIVE -", "3 30 INACTIVE -"],
        ),
        (
            "select concat_ws('|', user_id, name, email, coalesce(phone, '-'), role) from users where user_id > 12 order by user_id",
            vec![
                "13|김해커|account-13@removed.invalid|010-0000|USER",
                "14|김|kim@example.com|-|USER",
                "15|김|account-15@removed.invalid|-|USER",
                "17|이|lee@example.com|-|USER",
            ],
        ),
        (
            "select concat_ws('|', name_kor, name_eng) from passengers where passenger_id = 3",
            vec!["-|LEE ONE"],
        ),
        ("select contact_email from bookings where booking_id = 2", vec!["a@b.c"]),
        (
            "select concat_ws(' ', payment_id, coalesce(booking_id, '-'), status, coalesce(linked_by, '-'),
                              paid_at is not null) from payments order by payment_id",
            vec![
                "1 1 PAID BOOKING 1",
                "2 2 REQUESTED BOOKING 0",
                "3 - PAID - 1",
                "4 4 PAID BOOKING 1",
                "5 - FAILED - 0",
                "6 5 CANCELLED BOOKING 0",
                "7 - PAID - 0",
                "8 - REQUESTED - 0",
                "9 9 PAID BOOKING 1",
            ],
        ),
        (
            "select concat_ws(' ', receipt_id, payment_id, amount, was_paid, was_charged, cancelled, refund_reserved)
             from charges order by 1",
            vec![
                "receipt-1 1 600000 1 1 0 0",
                "receipt-3 3 777000 1 1 0 0",
                "receipt-6 6 300000 1 1 300000 0",
                "receipt-7 7 300000 1 1 0 0",
                "receipt-9 9 300001 1 1 0 0",
            ],
        ),
        (
            "select concat_ws(' ', moved_on, coalesce(flight_id, '-'), receipt_id, charged, refunded)
             from money_moves order by receipt_id, refunded",
            vec![
                "2026-11-07 CJ101 receipt-1 600000 0",
                "2026-11-07 - receipt-3 777000 0",
                "2026-11-01 CJ101 receipt-6 300000 0",
                "2026-11-07 CJ101 receipt-6 0 300000",
                "2026-11-07 - receipt-7 300000 0",
                "2026-11-07 CJ101 receipt-9 300001 0",
            ],
        ),
        ("select password_hash from users where user_id = 1", vec!["admin123"]),
    ] {
        let found: Vec<String> = texts(&mut connection, sql).await;
        assert_eq!(found, expected, "{sql}");
    }

    // New ids go on where the original's ended, also where its last row was deleted; new schedules have eight digits.
    execute(&mut connection, "insert into users (name, email, password_hash) values ('새', 'new@example.com', '!')")
        .await;
    assert_eq!(number(&mut connection, "select max(user_id) from users").await, 19);
    execute(
        &mut connection,
        "insert into flight_schedules (flight_id, flight_date, current_price, available_seats) values ('CJ999', '2099-01-01', 1, 1)",
    )
    .await;
    assert_eq!(number(&mut connection, "select max(schedule_id) from flight_schedules").await, 10_000_001);
}

#[sqlx::test(migrations = false)]
async fn the_report_names_every_fix_and_nobody(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut connection = used(&database).await;
    let before = fingerprint(&mut connection).await;
    let rehearsed = rehearse(&database).await.unwrap();
    assert_eq!(rehearsed.last(), Some(&Step::Rehearsed { adopts: true }));
    assert_eq!(fingerprint(&mut connection).await, before, "a rehearsal changes nothing");

    let report = report(&migrate(&database).await.unwrap());
    assert_eq!(report, self::report(&rehearsed), "what was rehearsed is what is done");
    let told = report.to_string();
    for line in [
        "seat-sold-twice (1): ",
        "passengers 3, seat_number: 6D -> nothing",
        "passengers 2, seat_number: 6D -> nothing",
        "passengers 4, seat_number: 99Z -> nothing",
        "flight_schedules 2, available_seats: -2 -> 0",
        "flight_schedules 2, oversold: 0 -> 2",
        "flight_discounts 3, discount_percentage: 150 -> 99",
        "flights X\"><b>, flight_id: X\"><b> -> Xb",
        "users 15, email: k*** -> a***",
        "payments 9, booking_id: nothing -> 9",
        "payments 4, bootpay_receipt_id: PAID",
        "paid-without-booking (1): ",
        "payments 7, booking_id: PAID",
        "paid-unbooked (1): ",
        "payments 3, booking_id: PAID",
        "2 passwords are stored as plain text",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    for secret in ["해커", "example.com", "010", "admin123", "Passw0rd", "scrypt", "LEE"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    let kept = number(&mut connection, "select count(*) from events where request_id = 'adoption'").await;
    assert_eq!(usize::try_from(kept).unwrap(), report.lines.len(), "the history has every line");
    let event = "select json_unquote(json_extract(detail, '$.old.seat_number')) from events
                 where subject = 'PASSENGER' and subject_id = '3' and action = 'seat-sold-twice'";
    assert_eq!(texts(&mut connection, event).await, ["6D"]);
}

#[sqlx::test(migrations = false)]
async fn dates_that_are_none_can_be_read_again(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut connection = used(&database).await;
    for lax in [
        "set sql_mode = ''",
        "update users set birth_date = '0000-00-00' where user_id = 2",
        "update passengers set birth_date = '1990-00-00' where passenger_id = 1",
    ] {
        execute(&mut connection, lax).await;
    }
    migrate(&database).await.unwrap();
    let dates = "select concat_ws(' ', (select coalesce(birth_date, '-') from users where user_id = 2),
                                       (select birth_date from passengers where passenger_id = 1))";
    assert_eq!(texts(&mut connection, dates).await, ["- 1900-01-01"]);
}

#[sqlx::test(migrations = false)]
async fn a_second_run_finds_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut connection = used(&database).await;
    migrate(&database).await.unwrap();
    let before = fingerprint(&mut connection).await;
    assert_eq!(migrate(&database).await.unwrap(), [Step::NothingToDo]);
    assert_eq!(rehearse(&database).await.unwrap(), [Step::Rehearsed { adopts: false }]);
    assert_eq!(fingerprint(&mut connection).await, before);
}

/// Runs until `end` says of a step that this is the end, and dies there. Answers whether it did.
async fn dies_at(database: &MySqlConnectOptions, mut end: impl FnMut(&Step) -> bool + Send + 'static) -> bool {
    let database = database.clone();
    let run = tokio::spawn(async move {
        let mut report = |step| {
            if end(&step) {
                resume_unwind(Box::new("cut off"));
            }
        };
        migrate::run(&database, &MIGRATOR, &Plan::default(), &Clock::system(), &mut report).await
    });
    match run.await {
        Ok(result) => {
            result.expect("a run that nothing disturbs");
            false
        }
        Err(died) => died.is_panic(),
    }
}

#[sqlx::test(migrations = false)]
async fn cut_off_after_any_step_it_arrives_at_the_same_place(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let undisturbed = another(&database).await;
    used(&undisturbed).await;
    let whole = report(&migrate(&undisturbed).await.unwrap());
    let expected = contents(&mut connect(&undisturbed).await).await;
    drop_database(&undisturbed).await;
    for after in 0.. {
        let disturbed = another(&database).await;
        used(&disturbed).await;
        // The history's own steps are cut off in tests of their own.
        let mut told = 0;
        let died = dies_at(&disturbed, move |step| {
            told += usize::from(!matches!(step, Step::Applied { .. }));
            told > after
        })
        .await;
        let steps = migrate(&disturbed).await.unwrap();
        if let Some(report) = steps.iter().find_map(|s| if let Step::Report(report) = s { Some(report) } else { None })
        {
            assert_eq!(*report, whole, "after {after} steps");
        }
        assert_same(&contents(&mut connect(&disturbed).await).await, &expected);
        assert_eq!(migrate(&disturbed).await.unwrap(), [Step::NothingToDo]);
        drop_database(&disturbed).await;
        if !died {
            assert!(after > 10, "no run was long enough");
            break;
        }
    }
}

#[sqlx::test(migrations = false)]
async fn killed_while_it_works_it_arrives_at_the_same_place(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let undisturbed = another(&database).await;
    used(&undisturbed).await;
    migrate(&undisturbed).await.unwrap();
    let expected = contents(&mut connect(&undisturbed).await).await;
    drop_database(&undisturbed).await;

    let mut connection = used(&database).await;
    let mut killed = 0;
    for patience in 1.. {
        let mut run = crate::program::program(&database, &[]).kill_on_drop(true).spawn().unwrap();
        if let Ok(status) = tokio::time::timeout(Duration::from_millis(15 * patience), run.wait()).await {
            assert!(status.unwrap().success());
            break;
        }
        run.kill().await.unwrap();
        killed += 1;
    }
    assert!(killed > 0, "no run was slow enough to be killed");
    assert_eq!(migrate(&database).await.unwrap(), [Step::NothingToDo]);
    assert_same(&contents(&mut connection).await, &expected);
}

#[sqlx::test(migrations = false)]
async fn a_database_of_somebody_else_is_refused_and_left_alone(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    for (change, named) in [
        ("drop table passengers", "table passengers is missing"),
        (
            "alter table flights modify aircraft varchar(80) not null",
            "flights.aircraft is varchar(80), not varchar(50)",
        ),
        ("alter table users add column nickname varchar(9)", "users.nickname isn't the original's"),
        ("alter table payments drop column raw_payload", "payments.raw_payload is missing"),
        ("create table claims (a int)", "table claims is in the way"),
        (
            "create table notes (user_id int, foreign key (user_id) references users (user_id))",
            "table notes, which isn't the original's, refers to users",
        ),
        (
            "create trigger watch before insert on bookings for each row set new.seat_number = null",
            "table bookings has a trigger",
        ),
        (
            "set foreign_key_checks = 0; update bookings set user_id = 99 where booking_id = 1; set foreign_key_checks = 1",
            "1 rows of bookings have a user_id of no users",
        ),
    ] {
        let foreign = another(&database).await;
        let mut connection = used(&foreign).await;
        for statement in change.split("; ") {
            execute(&mut connection, statement).await;
        }
        let before = fingerprint(&mut connection).await;
        for refused in [migrate(&foreign).await, rehearse(&foreign).await] {
            let refused = refused.expect_err(change);
            assert!(matches!(refused, Error::Foreign { .. }), "{refused:?}");
            assert!(refused.to_string().contains(named), "{refused}");
        }
        assert_eq!(fingerprint(&mut connection).await, before, "{change}");
        drop_database(&foreign).await;
    }
    let mut connection = connect(&database).await;
    execute(&mut connection, "create table orders (id int)").await;
    let refused = migrate(&database).await.unwrap_err().to_string();
    assert!(refused.contains("table users is missing") && refused.contains("neither CloudJet's"), "{refused}");
}

#[sqlx::test(migrations = false)]
async fn an_empty_original_is_adopted_too(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    original::create(&mut connect(&database).await).await;
    let steps = migrate(&database).await.unwrap();
    assert_eq!(report(&steps), Report::default());
    assert_eq!(migrate(&database).await.unwrap(), [Step::NothingToDo]);
}

#[sqlx::test(migrations = false)]
async fn plain_text_passwords_are_hashed_when_asked_for_and_nothing_else_is(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let mut connection = used(&database).await;
    let hashes = "select concat_ws(' ', user_id, password_hash) from users order by user_id";
    let stored = texts(&mut connection, hashes).await;
    migrate(&database).await.unwrap();
    assert_eq!(texts(&mut connection, hashes).await, stored, "not unasked");

    let plan = Plan { hash_plain_passwords: true, ..Plan::default() };
    let steps = run(&database, &plan, &Clock::system()).await.unwrap();
    assert_eq!(steps[..2], [Step::KnownPassword { user_id: 1 }, Step::HashedPasswords { done: 2, of: 2 }]);
    let after = texts(&mut connection, hashes).await;
    for (before, after) in stored.iter().zip(&after) {
        let (id, hash) = after.split_once(' ').unwrap();
        match id {
            "1" => assert!(password::verify("admin123", hash)),
            "11" => assert!(password::verify(original::PASSWORD, hash)),
            _ => assert_eq!(before, after),
        }
    }
    assert_eq!(number(&mut connection, "select count(*) from events where action = 'password-hashed'").await, 2);
    let steps = run(&database, &plan, &Clock::system()).await.unwrap();
    assert_eq!(steps, [Step::NoAdministrator, Step::NothingToDo]);
}

#[sqlx::test(migrations = false)]
async fn what_is_left_of_the_original_goes_when_all_is_done(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut connection = used(&database).await;
    assert!(dies_at(&database, |step| matches!(step, Step::Report(_))).await);
    for table in ["passengers", "payments", "flight_discounts", "bookings"] {
        execute(&mut connection, &format!("drop table original_{table}")).await;
    }
    assert_eq!(migrate(&database).await.unwrap(), [Step::Adopted]);
    let left = "select count(*) from information_schema.tables where table_schema = database()
                and (table_name like 'original%' or table_name = '_adoption_fixes')";
    assert_eq!(number(&mut connection, left).await, 0);
}

#[sqlx::test(migrations = false)]
async fn half_an_adoption_with_a_backup_beside_it_is_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    used(&database).await;
    assert!(dies_at(&database, |step| matches!(step, Step::Examined { .. })).await);
    let mut connection = connect(&database).await;
    original::create(&mut connection).await;
    let refused = migrate(&database).await.unwrap_err().to_string();
    assert!(refused.contains("restore a backup into an empty database"), "{refused}");
}

#[sqlx::test(migrations = false)]
async fn tables_that_only_have_the_names_of_those_set_aside_are_kept(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    migrate_with(&database, &first(0)).await.unwrap();
    let mut connection = connect(&database).await;
    execute(&mut connection, "create table original_users (a int)").await;
    migrate(&database).await.unwrap();
    assert_eq!(number(&mut connection, "select count(*) from original_users").await, 0);
}
