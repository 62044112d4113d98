//! `POST /api/auth/signup`

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::World;

use crate::{client, limited, patient, somebody, stored};

const SIGNUP: &str = "/api/auth/signup";

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn creates_an_account_that_can_log_in(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = client(&world);
    let body = client.post(SIGNUP, &somebody("Haneul@Example.com")).await.expect(201);
    assert_eq!(body, json!({"message": "회원가입이 완료되었습니다.", "success": true}));

    let row: (String, String, Option<String>, Option<NaiveDate>, Option<String>) =
        sqlx::query_as("select name, email, phone, birth_date, role from users").fetch_one(&world.db).await.unwrap();
    assert_eq!((row.0.as_str(), row.1.as_str()), ("김하늘", "Haneul@Example.com"));
    assert_eq!(row.2.as_deref(), Some("010-1234-5678"));
    assert_eq!(row.3, NaiveDate::from_ymd_opt(1990, 2, 3));
    assert_eq!(row.4.as_deref(), Some("USER"));
    assert!(stored(&world, "haneul@example.com").await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));

    let credentials = json!({"email": "haneul@example.com", "password": "Passw0rd!"});
    let _ = client.post("/api/auth/login", &credentials).await.expect(200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn answers_in_english_on_request(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database)).in_english();
    let body = client.post(SIGNUP, &somebody("a@example.com")).await.expect(201);
    assert_eq!(body["message"], "Your account has been created.");
    let body = client.post(SIGNUP, &somebody("a@example.com")).await.expect(409);
    assert_eq!(body["message"], "This e-mail address already has an account.");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refuses_a_taken_address_in_any_case(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    let _ = client.post(SIGNUP, &somebody("kim@example.com")).await.expect(201);
    client.post(SIGNUP, &somebody("kim@example.com")).await.refused(409, "email-taken");
    client.post(SIGNUP, &somebody("KIM@Example.COM")).await.refused(409, "email-taken");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refuses_a_taken_address_under_the_originals_key(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    sqlx::query("alter table users drop key uq_users_email, add unique key email (email)")
        .execute(&world.db)
        .await
        .unwrap();
    let client = client(&world);
    let _ = client.post(SIGNUP, &somebody("kim@example.com")).await.expect(201);
    client.post(SIGNUP, &somebody("Kim@example.com")).await.refused(409, "email-taken");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn gives_an_address_to_one_of_twenty_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::with_connections(database, 20);
    let client = limited(&world, &patient());
    let mut crowd = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (client, email) = (client.clone(), if n % 2 == 0 { "one@example.com" } else { "ONE@example.com" });
        crowd.spawn(async move { client.post(SIGNUP, &somebody(email)).await });
    }
    let mut outcomes = BTreeMap::new();
    while let Some(answer) = crowd.join_next().await {
        *outcomes.entry(answer.unwrap().status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!(outcomes, BTreeMap::from([(201, 1), (409, 19)]));
    let rows: i64 = sqlx::query_scalar("select count(*) from users").fetch_one(&world.db).await.unwrap();
    assert_eq!(rows, 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn names_the_first_missing_field(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    let mut body = json!({});
    for field in ["name", "email", "password", "phone", "birthDate"] {
        for missing in [None, Some(Value::Null), Some(json!(""))] {
            match missing {
                None => body.as_object_mut().unwrap().remove(field).map_or((), drop),
                Some(value) => body[field] = value,
            }
            client.post(SIGNUP, &body).await.refused_field(field);
        }
        body[field] = somebody("a@example.com")[field].clone();
    }
    let _ = client.post(SIGNUP, &body).await.expect(201);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refuses_values_that_make_no_account(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = client(&world);
    let tomorrow = world.day(1).to_string();
    for (field, value) in [
        ("name", json!("<b>")),
        ("name", json!("a\u{0}b")),
        ("name", json!("가".repeat(51))),
        ("name", json!(5)),
        ("email", json!("kim")),
        ("email", json!("kim@example")),
        ("email", json!("kim @example.com")),
        ("email", json!(format!("{}@example.com", "k".repeat(89)))),
        ("email", json!(["kim@example.com"])),
        ("password", json!("12345")),
        ("password", json!("x".repeat(1001))),
        ("password", json!(123_456)),
        ("phone", json!("010-123")),
        ("phone", json!("0".repeat(21))),
        ("phone", json!("not a number")),
        ("phone", json!({"number": "010-1234-5678"})),
        ("birthDate", json!("1899-12-31")),
        ("birthDate", json!(tomorrow)),
        ("birthDate", json!("1990-02-30")),
        ("birthDate", json!("19900203")),
        ("birthDate", json!("Sat, 03 Feb 1990 00:00:00 GMT")),
        ("birthDate", json!(true)),
    ] {
        let mut body = somebody("a@example.com");
        body[field] = value;
        client.post(SIGNUP, &body).await.refused_field(field);
    }
    let rows: i64 = sqlx::query_scalar("select count(*) from users").fetch_one(&world.db).await.unwrap();
    assert_eq!(rows, 0);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn accepts_what_the_browser_client_accepts(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = client(&world);
    let today = world.day(0).to_string();
    for (n, (field, value)) in [
        ("name", "가"),
        ("name", &*"가".repeat(50)),
        ("name", "O'Brien-Smith Jr. 3"),
        ("email", "kim+trip@example.co.kr"),
        ("password", "      "),
        ("password", "😀😀😀"),
        ("password", &*"비".repeat(64)),
        ("phone", "+82 (10) 1234-5678"),
        ("birthDate", "1900-01-01"),
        ("birthDate", &*today),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = somebody(&format!("person{n}@example.com"));
        body[field] = json!(value);
        let _ = client.post(SIGNUP, &body).await.expect(201);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn takes_a_password_whole(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    for (n, password) in ["x".repeat(64), "비".repeat(64), " padded ".to_owned(), "x".repeat(1000)].iter().enumerate()
    {
        let email = format!("person{n}@example.com");
        let mut body = somebody(&email);
        body["password"] = json!(password);
        let _ = client.post(SIGNUP, &body).await.expect(201);
        let mut shorter = password.clone();
        shorter.pop();
        for (typed, status) in [(password.as_str(), 200), (&shorter, 401), (&format!("{password}x"), 401)] {
            let credentials = json!({"email": email, "password": typed});
            let _ = client.post("/api/auth/login", &credentials).await.expect(status);
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn makes_nobody_an_administrator(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let mut body = somebody("a@example.com");
    body["role"] = json!("ADMIN");
    let _ = client(&world).post(SIGNUP, &body).await.expect(201);
    let role: Option<String> = sqlx::query_scalar("select role from users").fetch_one(&world.db).await.unwrap();
    assert_eq!(role.as_deref(), Some("USER"));
}
