//! `POST /api/auth/login`

use std::time::{Duration, Instant};

use auth_service::Limits;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, World};

use crate::{account, client, limited, patient, somebody, stored, vectors};

const LOGIN: &str = "/api/auth/login";

/// `Passw0rd!` in a format that costs nothing.
const CHEAP: &str = "md5$SaltSalt12345678$f3191a8cc1bc4fc46fc6714feb3d178c";

async fn signed_up(client: &Client, email: &str) {
    let _ = client.post("/api/auth/signup", &somebody(email)).await.expect(201);
}

fn credentials(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password})
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn opens_a_session(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = client(&world);
    signed_up(&client, "Haneul@example.com").await;
    let body = client.post(LOGIN, &credentials("haneul@EXAMPLE.com", "Passw0rd!")).await.expect(200);
    let id: i64 = sqlx::query_scalar("select user_id from users").fetch_one(&world.db).await.unwrap();
    assert_eq!(
        body["user"],
        json!({"id": id, "name": "김하늘", "email": "Haneul@example.com", "phone": "010-1234-5678", "birthDate": "1990-02-03", "role": "USER"})
    );
    assert_eq!(body["message"], "로그인되었습니다.");
    let token = body["token"].as_str().unwrap();
    let profile = client.signed_in(token).get("/api/auth/profile").await.expect(200);
    assert_eq!(profile["user"]["user_id"], id);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn knows_an_address_by_either_name_and_email_wins(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    signed_up(&client, "kim@example.com").await;
    for (email, username, status) in [
        (Value::Null, json!("kim@example.com"), 200),
        (json!(""), json!("kim@example.com"), 200),
        (json!("kim@example.com"), json!("park@example.com"), 200),
        (json!(" kim@example.com "), Value::Null, 200),
        (json!("park@example.com"), json!("kim@example.com"), 401),
    ] {
        let body = json!({"email": email, "username": username, "password": "Passw0rd!"});
        let _ = client.post(LOGIN, &body).await.expect(status);
    }
    let body = json!({"username": "kim@example.com", "password": "Passw0rd!"});
    let _ = client.post(LOGIN, &body).await.expect(200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn says_the_same_of_an_unknown_address_and_a_wrong_password(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    signed_up(&client, "kim@example.com").await;
    let mut answers = Vec::new();
    for email in ["kim@example.com", "nobody@example.com", "not an address", &"k".repeat(5000)] {
        let answer = client.post(LOGIN, &credentials(email, "Passw0rd?")).await;
        let mut body = answer.body.clone();
        answer.refused(401, "wrong-credentials");
        body["request_id"] = Value::Null;
        answers.push(body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0]["message"], "이메일 또는 비밀번호가 올바르지 않습니다.");
    let english = client.in_english().post(LOGIN, &credentials("kim@example.com", "x")).await.expect(401);
    assert_eq!(english["message"], "The e-mail address or the password is wrong.");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn takes_as_long_for_whatever_is_no_log_in(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = client(&world);
    signed_up(&client, "kim@example.com").await;
    account(&world, "plain@example.com", "Passw0rd?").await;
    account(&world, "old@example.com", CHEAP).await;
    let emails = ["kim@example.com", "nobody@example.com", "plain@example.com", "old@example.com"];
    let mut fastest = [Duration::MAX; 4];
    // In turn, so that other work on the machine meets each of them alike.
    for _ in 0..12 {
        for (email, best) in emails.iter().zip(&mut fastest) {
            let started = Instant::now();
            client.post(LOGIN, &credentials(email, "Passw0rd?")).await.refused(401, "wrong-credentials");
            *best = started.elapsed().min(*best);
        }
    }
    let (least, most) = (fastest.iter().min().unwrap(), fastest.iter().max().unwrap());
    assert!(*most < *least * 3, "{fastest:?}");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn names_a_missing_credential(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    for body in
        [json!({}), json!({"email": "", "password": "x"}), json!({"email": null, "username": " ", "password": "x"})]
    {
        client.post(LOGIN, &body).await.refused_field("email");
    }
    for body in [json!({"email": "a@b.c"}), json!({"username": "a@b.c", "password": ""})] {
        client.post(LOGIN, &body).await.refused_field("password");
    }
    client.post(LOGIN, &json!({"email": 5, "password": "x"})).await.refused_field("email");
    client.post(LOGIN, &json!({"username": ["a"], "password": "x"})).await.refused_field("username");
    client.post(LOGIN, &json!({"email": "a@b.c", "password": {}})).await.refused_field("password");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn opens_by_every_old_format_once_and_then_by_ours(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = limited(&world, &patient());
    for (n, (name, old)) in vectors::accepted().into_iter().enumerate() {
        let email = format!("person{n}@example.com");
        account(&world, &email, &old).await;
        client.post(LOGIN, &credentials(&email, &old)).await.refused(401, "wrong-credentials");
        client.post(LOGIN, &credentials(&email, "Passw0rd!x")).await.refused(401, "wrong-credentials");
        assert_eq!(stored(&world, &email).await, old, "{name}: a refusal changes nothing");
        let _ = client.post(LOGIN, &credentials(&email, vectors::PASSWORD)).await.expect(200);
        let new = stored(&world, &email).await;
        assert!(new.starts_with("$argon2id$"), "{name}: {new}");
        let _ = client.post(LOGIN, &credentials(&email, vectors::PASSWORD)).await.expect(200);
        client.post(LOGIN, &credentials(&email, "Passw0rd!x")).await.refused(401, "wrong-credentials");
        assert_eq!(stored(&world, &email).await, new, "{name}: replaced once");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn opens_by_nothing_else_that_is_stored(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = limited(&world, &patient());
    for (n, old) in vectors::REFUSED.iter().enumerate() {
        let email = format!("person{n}@example.com");
        account(&world, &email, old).await;
        for typed in ["Passw0rd!", old].into_iter().filter(|t| !t.is_empty()) {
            client.post(LOGIN, &credentials(&email, typed)).await.refused(401, "wrong-credentials");
        }
        assert_eq!(stored(&world, &email).await, **old);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_hash_that_can_not_be_replaced_still_opens(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    account(&world, "old@example.com", CHEAP).await;
    sqlx::query("alter table users add constraint ck_no_argon check (password_hash not like '$argon2id$%')")
        .execute(&world.db)
        .await
        .unwrap();
    let _ = client(&world).post(LOGIN, &credentials("old@example.com", "Passw0rd!")).await.expect(200);
    assert_eq!(stored(&world, "old@example.com").await, CHEAP);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_old_hash_survives_ten_log_ins_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    account(&world, "old@example.com", CHEAP).await;
    let client = limited(&world, &patient());
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let client = client.clone();
        crowd.spawn(async move { client.post(LOGIN, &credentials("old@example.com", "Passw0rd!")).await });
    }
    while let Some(answer) = crowd.join_next().await {
        let _ = answer.unwrap().expect(200);
    }
    let _ = client.post(LOGIN, &credentials("old@example.com", "Passw0rd!")).await.expect(200);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_account_of_bare_columns_is_a_user(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let id = account(&world, "bare@example.com", CHEAP).await;
    sqlx::query("update users set role = null").execute(&world.db).await.unwrap();
    let client = client(&world);
    let body = client.post(LOGIN, &credentials("bare@example.com", "Passw0rd!")).await.expect(200);
    assert_eq!(
        body["user"],
        json!({"id": id, "name": "박바다", "email": "bare@example.com", "phone": null, "birthDate": null, "role": "USER"})
    );
    sqlx::query("update users set role = 'ADMIN'").execute(&world.db).await.unwrap();
    let body = client.post(LOGIN, &credentials("bare@example.com", "Passw0rd!")).await.expect(200);
    assert_eq!(body["user"]["role"], "ADMIN");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_look_alike_address_opens_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    signed_up(&client, "kim@example.com").await;
    for alike in ["kím@example.com", "ｋim@example.com", "kim@éxample.com", "kim@example.com\u{0}"] {
        client.post(LOGIN, &credentials(alike, "Passw0rd!")).await.refused(401, "wrong-credentials");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nothing_typed_is_an_error_of_ours(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let client = client(&World::new(database));
    signed_up(&client, "kim@example.com").await;
    for typed in ["\u{0}", "'; drop table users; --", "😀", "\u{202e}", "%", "$argon2id$", &"x".repeat(500_000)] {
        client.post(LOGIN, &credentials(typed, "x")).await.refused(401, "wrong-credentials");
        client.post(LOGIN, &credentials("kim@example.com", typed)).await.refused(401, "wrong-credentials");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn sends_away_whom_it_can_not_serve_in_time(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = limited(&world, &Limits { hashing_concurrency: 1, hashing_wait_ms: 1, ..Limits::default() });
    signed_up(&client, "kim@example.com").await;
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let client = client.clone();
        crowd.spawn(async move { client.post(LOGIN, &credentials("kim@example.com", "Passw0rd!")).await });
    }
    let (mut served, mut sent_away) = (0, 0);
    while let Some(answer) = crowd.join_next().await {
        let answer = answer.unwrap();
        if answer.status == 200 {
            served += 1;
        } else {
            assert!(answer.headers.contains_key("retry-after"));
            answer.refused(503, "overloaded");
            sent_away += 1;
        }
    }
    assert!(served >= 1 && sent_away >= 1, "{served} served, {sent_away} sent away");
}
