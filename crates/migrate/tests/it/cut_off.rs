//! Runs that were cut off: a run may die at any point, and the next one goes on from there.

use common::db::MIGRATOR;
use migrate::history::State;
use migrate::{Error, Step};
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{
    another, applied, connect, drop_database, execute, first, mark_begun, migrate, migrate_with, number, shape,
};

/// The shape of a database that nothing ever happened to.
async fn undisturbed(database: &MySqlConnectOptions) -> Vec<String> {
    let other = another(database).await;
    migrate(&other).await.expect("migrated");
    let shape = shape(&mut connect(&other).await).await;
    drop_database(&other).await;
    shape
}

#[sqlx::test(migrations = false)]
async fn any_migration_resumes_that_had_not_happened(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    migrate_with(&database, &first(0)).await.unwrap();
    let mut connection = connect(&database).await;
    for (done, migration) in MIGRATOR.iter().enumerate() {
        mark_begun(&mut connection, migration, &migration.checksum).await;
        let steps = migrate_with(&database, &first(done + 1)).await.unwrap();
        assert!(steps[0].to_string().contains("before it took effect"), "{steps:?}");
        assert_eq!(applied(&steps), 1);
    }
    assert_eq!(migrate(&database).await.unwrap(), [Step::NothingToDo]);
    assert_eq!(shape(&mut connection).await, undisturbed(&database).await);
}

#[sqlx::test(migrations = false)]
async fn any_migration_resumes_that_had_happened(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    migrate_with(&database, &first(0)).await.unwrap();
    let mut connection = connect(&database).await;
    for (done, migration) in MIGRATOR.iter().enumerate() {
        mark_begun(&mut connection, migration, &migration.checksum).await;
        execute(&mut connection, migration.sql.as_str()).await;
        let steps = migrate_with(&database, &first(done + 1)).await.unwrap();
        assert_eq!(applied(&steps), 1, "{steps:?}");
        // What can be done twice is; anything else must be recognised.
        let twice = [
            "create table if not exists",
            "update airports",
            "auto_increment",
            "on duplicate key update",
            "modify column unit",
            "create or replace",
        ];
        if !twice.iter().any(|statement| migration.sql.as_str().contains(statement)) {
            assert!(steps[0].to_string().contains("after it took effect"), "{steps:?}");
        }
    }
    assert_eq!(migrate(&database).await.unwrap(), [Step::NothingToDo]);
    assert_eq!(shape(&mut connection).await, undisturbed(&database).await);
}

/// A history of our own: one migration, `sql`.
fn only(sql: &'static str) -> Migrator {
    Migrator::with_migrations(vec![Migration::new(
        1,
        "change things".into(),
        MigrationType::Simple,
        sql.into_sql_str(),
        false,
    )])
}

#[sqlx::test(migrations = false)]
async fn whatever_a_statement_makes_is_recognised(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut connection = connect(&database).await;
    for statement in [
        "create table made (a int)",
        "alter table t add column made int",
        "alter table t add key made (b)",
        "alter table t add constraint made unique (b)",
        "alter table t add constraint made foreign key (b) references p (a)",
        "alter table t add constraint made check (b > 0)",
        "alter table t add primary key (b)",
        "drop table unused",
        "alter table t drop column unused",
        "alter table t drop key unused_key",
        "alter table t drop constraint unused_check",
        "alter table t drop foreign key unused_foreign",
    ] {
        migrate_with(&database, &first(0)).await.unwrap();
        execute(&mut connection, "create table p (a int primary key)").await;
        execute(&mut connection, "create table unused (a int)").await;
        execute(
            &mut connection,
            "create table t (b int, unused int, c int, key unused_key (c), constraint unused_check check (b < 9),
             constraint unused_foreign foreign key (b) references p (a))",
        )
        .await;
        let migrator = only(statement);
        let migration = migrator.iter().next().unwrap();
        execute(&mut connection, statement).await;
        mark_begun(&mut connection, migration, &migration.checksum).await;

        let steps = migrate_with(&database, &migrator).await.unwrap_or_else(|e| panic!("{statement}: {e:?}"));
        assert!(steps[0].to_string().contains("after it took effect"), "{statement}: {steps:?}");
        execute(&mut connection, "drop table if exists _sqlx_migrations, t, p, unused, made").await;
    }
}

#[sqlx::test(migrations = false)]
async fn a_refusal_does_not_become_a_success_by_repeating_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    migrate_with(&database, &first(0)).await.unwrap();
    let mut connection = connect(&database).await;
    execute(&mut connection, "create table t (b varchar(9))").await;
    let migrator = only("alter table t add column b int");
    for _ in 0..2 {
        let refused = migrate_with(&database, &migrator).await.unwrap_err();
        assert!(matches!(&refused, Error::Refused { file, .. } if file == "1_change_things.sql"), "{refused:?}");
        assert_eq!(number(&mut connection, "select count(*) from _sqlx_migrations").await, 0);
    }
    execute(&mut connection, "alter table t drop column b, add column a int").await;
    assert_eq!(applied(&migrate_with(&database, &migrator).await.unwrap()), 1);
}

#[sqlx::test(migrations = false)]
async fn what_was_begun_from_another_file_is_not_taken_for_this_one(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    migrate_with(&database, &first(0)).await.unwrap();
    let mut connection = connect(&database).await;
    execute(&mut connection, "create table t (b varchar(9))").await;
    let migrator = only("alter table t add column b int");
    mark_begun(&mut connection, migrator.iter().next().unwrap(), b"another").await;

    for _ in 0..2 {
        let refused = migrate_with(&database, &migrator).await.unwrap_err();
        assert!(matches!(refused, Error::Interrupted { .. }), "{refused:?}");
        let status = migrate::status(&database, &migrator).await.unwrap();
        assert_eq!(status.entries[0].state, State::CutOff { same: false });
    }
    execute(&mut connection, "alter table t drop column b, add column a int").await;
    assert_eq!(applied(&migrate_with(&database, &migrator).await.unwrap()), 1);
    assert_eq!(migrate_with(&database, &migrator).await.unwrap(), [Step::NothingToDo]);
}

#[sqlx::test(migrations = false)]
async fn a_change_of_rows_happens_with_its_mark_or_not_at_all(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    migrate_with(&database, &first(0)).await.unwrap();
    let mut connection = connect(&database).await;
    execute(&mut connection, "create table t (a int primary key)").await;
    execute(&mut connection, "insert into t values (1)").await;
    let refused = migrate_with(&database, &only("insert into t values (2), (1)")).await.unwrap_err();
    assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
    assert_eq!(number(&mut connection, "select count(*) from t").await, 1);
    assert_eq!(number(&mut connection, "select count(*) from _sqlx_migrations").await, 0);
}
