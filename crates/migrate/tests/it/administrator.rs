//! The administrator's account.

use common::clock::Clock;
use common::password;
use migrate::{Administrator, Error, Plan, Step};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{connect, execute, migrate, number, run, texts};

fn plan(password: &str) -> Plan {
    Plan {
        administrator: Some(Administrator { email: "boss@cloudjet.com".to_owned(), password: password.into() }),
        ..Plan::default()
    }
}

/// The history. MySQL keeps JSON with a blank after colons and commas, MariaDB as it was sent.
const EVENTS: &str = "select concat_ws(' ', actor, subject, subject_id, action,
                                       replace(replace(detail, ': ', ':'), ', ', ','))
                      from events order by event_id";
const ACCOUNT: &str = "select concat_ws(' ', user_id, email, password_hash, role, created_at, updated_at) from users";

#[sqlx::test(migrations = false)]
async fn is_made_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let steps = run(&database, &plan("Passw0rd!"), &Clock::system()).await.unwrap();
    assert_eq!(steps.last(), Some(&Step::CreatedAdministrator));
    let mut connection = connect(&database).await;
    let made = texts(&mut connection, ACCOUNT).await;
    let stored = texts(&mut connection, "select password_hash from users where role = 'ADMIN'").await;
    assert!(password::verify("Passw0rd!", &stored[0]), "{stored:?}");
    assert_eq!(
        texts(&mut connection, EVENTS).await,
        [r#"SYSTEM USER 1 created {"new":"ADMIN","old":null}"#],
        "the history has the account, and no secret"
    );

    let steps = run(&database, &plan("Passw0rd!"), &Clock::system()).await.unwrap();
    assert_eq!(steps, [Step::NothingToDo]);
    assert_eq!(texts(&mut connection, ACCOUNT).await, made);
    assert_eq!(number(&mut connection, "select count(*) from events").await, 1);
}

#[sqlx::test(migrations = false)]
async fn is_set_right_by_the_settings(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    migrate(&database).await.unwrap();
    let mut connection = connect(&database).await;
    execute(
        &mut connection,
        "insert into users (name, email, password_hash) values ('박대표', 'Boss@CloudJet.com', 'Passw0rd!')",
    )
    .await;

    let steps = run(&database, &plan("Passw0rd!"), &Clock::system()).await.unwrap();
    assert_eq!(steps, [Step::PromotedAdministrator, Step::ReplacedPassword], "a stored plain text is no hash of it");
    let steps = run(&database, &plan("An0ther!!"), &Clock::system()).await.unwrap();
    assert_eq!(steps, [Step::ReplacedPassword]);

    let account = texts(&mut connection, "select concat_ws(' ', user_id, name, email, role) from users").await;
    assert_eq!(account, ["1 박대표 Boss@CloudJet.com ADMIN"]);
    let stored = texts(&mut connection, "select password_hash from users").await;
    assert!(password::verify("An0ther!!", &stored[0]));
    assert_eq!(
        texts(&mut connection, EVENTS).await,
        [
            r#"SYSTEM USER 1 promoted {"new":"ADMIN","old":"USER"}"#,
            r#"SYSTEM USER 1 password-replaced {"new":null,"old":null}"#,
            r#"SYSTEM USER 1 password-replaced {"new":null,"old":null}"#,
        ]
    );
}

#[sqlx::test(migrations = false)]
async fn is_nobody_who_only_looks_like_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    migrate(&database).await.unwrap();
    let mut connection = connect(&database).await;
    execute(&mut connection, "insert into users (name, email, password_hash) values ('x', 'bóss@cloudjet.com', '!')")
        .await;
    let refused = run(&database, &plan("Passw0rd!"), &Clock::system()).await.unwrap_err();
    assert!(matches!(refused, Error::LookAlike { user_id: 1 }), "{refused:?}");
    assert_eq!(texts(&mut connection, "select role from users").await, ["USER"]);
}
