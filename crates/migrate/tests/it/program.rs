//! The program itself, as a person or a cluster starts it.

use std::process::{Output, Stdio};
use std::time::Duration;

use common::db::MIGRATOR;
use migrate::Step;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{ConnectOptions, MySqlConnection};
use tokio::process::Command;

use crate::support::{another, connect, drop_database, migrate, number, shape};

/// The program with the settings for `database` and nothing else from this process.
pub(crate) fn program(database: &MySqlConnectOptions, settings: &[(&str, &str)]) -> Command {
    let url = database.to_url_lossy();
    let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
    command
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_clear()
        .env("DB_HOST", url.host_str().unwrap_or_default())
        .env("DB_PORT", url.port().unwrap_or(3306).to_string())
        .env("DB_USER", url.username())
        .env("DB_PASSWORD", url.password().unwrap_or_default())
        .env("DB_NAME", url.path().trim_start_matches('/'))
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn output(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().await.expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    (status.code(), text(stdout), text(stderr))
}

const DEVELOPMENT: [(&str, &str); 3] =
    [("CLOUDJET_ENV", "development"), ("ADMIN_EMAIL", "admin@cloudjet.com"), ("ADMIN_PASSWORD", "admin-123")];

#[sqlx::test(migrations = false)]
async fn two_at_once_both_succeed(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let start = || {
        let mut command = program(&database, &DEVELOPMENT);
        command.arg("--demo");
        output(command)
    };
    let (one, two) = tokio::join!(start(), start());
    assert_eq!((one.0, two.0), (Some(0), Some(0)), "{one:?} {two:?}");
    let both = format!("{}{}", one.1, two.1);
    let times = |line: &str| both.lines().filter(|l| l.starts_with(line)).count();
    assert_eq!(times("applied "), MIGRATOR.iter().count(), "{both}");
    assert_eq!((times("created the administrator"), times("loaded demo data"), times("nothing to do")), (1, 1, 1));
    assert!(!both.contains("admin-123") && !both.contains("admin@"), "{both}");

    let mut connection = connect(&database).await;
    assert_eq!(number(&mut connection, "select count(*) from flight_schedules").await, 420);
    assert_eq!(number(&mut connection, "select count(*) from users").await, 2);
}

#[sqlx::test(migrations = false)]
async fn killed_again_and_again_it_still_arrives(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut killed = 0;
    for patience in 1.. {
        let mut run = program(&database, &DEVELOPMENT).arg("--demo").kill_on_drop(true).spawn().unwrap();
        if let Ok(status) = tokio::time::timeout(Duration::from_millis(20 * patience), run.wait()).await {
            assert!(status.unwrap().success());
            break;
        }
        run.kill().await.unwrap();
        killed += 1;
    }
    assert!(killed > 0, "no run was slow enough to be killed");

    assert_eq!(migrate(&database).await.unwrap(), [Step::NothingToDo]);
    let mut connection = connect(&database).await;
    let undisturbed = another(&database).await;
    migrate(&undisturbed).await.unwrap();
    // Ids that were given out in vain are all that may differ.
    let shape_of = async |connection: &mut MySqlConnection| -> Vec<String> {
        let number = |word: &str| word.strip_prefix("AUTO_INCREMENT=").is_some();
        let without = |table: String| table.split(' ').filter(|&word| !number(word)).collect::<Vec<_>>().join(" ");
        shape(connection).await.into_iter().map(without).collect()
    };
    assert_eq!(shape_of(&mut connection).await, shape_of(&mut connect(&undisturbed).await).await);
    drop_database(&undisturbed).await;
    assert_eq!(number(&mut connection, "select count(*) from flight_schedules").await, 420);
    assert_eq!(number(&mut connection, "select count(*) from users").await, 2);
}

#[sqlx::test(migrations = false)]
async fn production_has_no_default_and_no_demo(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut command = program(&database, &[("ADMIN_PASSWORD", "short")]);
    command.arg("--demo");
    let (code, _, error) = output(command).await;
    assert_eq!(code, Some(64));
    assert!(error.contains("ADMIN_EMAIL: is not set, but ADMIN_PASSWORD is") && error.contains("--demo:"), "{error}");
    let mut connection = connect(&database).await;
    let tables = "select count(*) from information_schema.tables where table_schema = database()";
    assert_eq!(number(&mut connection, tables).await, 0, "nothing was begun");

    let (code, told, _) = output(program(&database, &[])).await;
    assert_eq!(code, Some(0));
    assert!(told.contains("no administrator was made: ADMIN_EMAIL and ADMIN_PASSWORD are not set"), "{told}");
    assert_eq!(number(&mut connection, "select count(*) from users").await, 0);

    let mut command = program(&database, &[("ADMIN_EMAIL", "boss@cloudjet.com")]);
    command.arg("--status");
    let (code, told, _) = output(command).await;
    assert_eq!(code, Some(0));
    assert!(told.ends_with(" migrations, 0 pending\n"), "{told}");
}

#[sqlx::test(migrations = false)]
async fn a_rehearsal_tells_people_and_programs_what_would_change(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let day = chrono::NaiveDate::from_ymd_opt(2099, 12, 1).unwrap();
    testkit::original::create_used(&mut connect(&database).await, day).await;
    let path = format!("{}/{}.json", env!("CARGO_TARGET_TMPDIR"), uuid::Uuid::new_v4().simple());
    let mut command = program(&database, &[]);
    command.args(["--dry-run", "--report-json", &path]);
    let (code, told, error) = output(command).await;
    assert_eq!(code, Some(0), "{error}");
    assert!(told.contains("  passengers 3, seat_number: 6D -> nothing\n"), "{told}");
    assert!(told.ends_with("nothing was changed: this was a rehearsal\n"), "{told}");

    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(report["plain_passwords"], 2);
    let lines = report["lines"].as_array().unwrap();
    assert_eq!(lines.len(), told.lines().filter(|line| line.starts_with("  ")).count());
    let sold_twice = lines.iter().find(|line| line["rule"] == "seat-sold-twice").unwrap();
    assert_eq!((&sold_twice["row"], &sold_twice["old"], &sold_twice["new"]), (&"3".into(), &"6D".into(), &().into()));

    let (code, told, _) = output(program(&database, &[])).await;
    assert_eq!(code, Some(0));
    assert!(told.contains("adopted: the database is CloudJet's now"), "{told}");
}

#[sqlx::test(migrations = false)]
async fn a_database_that_is_not_there_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let (code, _, error) = output(program(&database, &[("DB_PORT", "1"), ("DB_PASSWORD", "hush-hush")])).await;
    assert_eq!(code, Some(1));
    assert!(error.contains("can't be reached") && error.contains(":1"), "{error}");
    assert!(!error.contains("hush-hush"));

    let (code, _, error) = output(program(&database, &[("DB_HOST", ""), ("DB_NAME", "")])).await;
    assert_eq!(code, Some(64));
    assert!(error.contains("DB_HOST: is not set") && error.contains("DB_NAME: is not set"), "{error}");
}
