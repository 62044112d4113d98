//! `GET` and `PUT` of the profile, under both of its addresses.

use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{World, seed};

use crate::{account, client};

const ADDRESSES: [&str; 2] = ["/api/auth/profile", "/api/user/profile"];

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn shows_the_caller_to_themselves(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let (id, other) = (seed::admin(&world.db).await, account(&world, "bare@example.com", "!").await);
    let (name, email): (String, String) =
        sqlx::query_as("select name, email from users where user_id = ?").bind(id).fetch_one(&world.db).await.unwrap();
    for address in ADDRESSES {
        let body = client(&world).signed_in(&world.token(id)).get(address).await.expect(200);
        assert_eq!(
            body,
            json!({"user": {"user_id": id, "name": name, "email": email, "phone": "010-1234-5678", "birth_date": "1990-02-03", "role": "ADMIN"}})
        );
        let body = client(&world).signed_in(&world.token(other)).get(address).await.expect(200);
        assert_eq!(
            body,
            json!({"user": {"user_id": other, "name": "박바다", "email": "bare@example.com", "phone": null, "birth_date": null, "role": "USER"}})
        );
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn changes_what_is_sent_and_keeps_the_rest(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    for address in ADDRESSES {
        let id = seed::user(&world.db).await;
        let client = client(&world).signed_in(&world.token(id));
        let mut expected = client.get(address).await.expect(200)["user"].clone();
        for (change, effect) in [
            (json!({"name": " 박바다 "}), json!({"name": "박바다"})),
            (json!({"phone": "010-9999-8888", "name": null}), json!({"phone": "010-9999-8888"})),
            (json!({"name": "이산", "phone": "02-123-4567-8"}), json!({"name": "이산", "phone": "02-123-4567-8"})),
            (json!({"name": "이산", "phone": "02-123-4567-8"}), json!({})),
            (json!({"name": "이산", "email": "x@example.com", "role": "ADMIN", "user_id": 1}), json!({})),
        ] {
            let body = client.put(address, &change).await.expect(200);
            assert_eq!(body, json!({"message": "회원 정보가 수정되었습니다.", "success": true}));
            for (field, value) in effect.as_object().unwrap() {
                expected[field] = value.clone();
            }
            assert_eq!(client.get(address).await.expect(200)["user"], expected, "after {change}");
        }
        let body = client.in_english().put(address, &json!({"name": "이산"})).await.expect(200);
        assert_eq!(body["message"], "Your profile has been updated.");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn changes_nobody_else(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let (mine, theirs) = (seed::user(&world.db).await, seed::user(&world.db).await);
    let client = client(&world);
    let others = client.signed_in(&world.token(theirs));
    let before = others.get(ADDRESSES[0]).await.expect(200);
    let _ = client.signed_in(&world.token(mine)).put(ADDRESSES[0], &json!({"name": "이산"})).await.expect(200);
    assert_eq!(others.get(ADDRESSES[0]).await.expect(200), before);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn refuses_a_change_that_makes_no_sense(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let id = seed::user(&world.db).await;
    let client = client(&world).signed_in(&world.token(id));
    let before = client.get(ADDRESSES[0]).await.expect(200);
    for address in ADDRESSES {
        for nothing in [json!({}), json!({"name": null, "phone": null}), json!({"email": "x@example.com"})] {
            client.put(address, &nothing).await.refused(400, "nothing-to-change");
        }
        for (field, value) in [
            ("name", json!("")),
            ("name", json!("<img>")),
            ("name", json!("가".repeat(51))),
            ("name", json!(1)),
            ("phone", json!("")),
            ("phone", json!("010")),
            ("phone", json!("0".repeat(21))),
            ("phone", json!("<script>alert</")),
            ("phone", json!([])),
        ] {
            let mut change = json!({"name": "이산", "phone": "010-9999-8888"});
            change[field] = value;
            client.put(address, &change).await.refused_field(field);
        }
    }
    assert_eq!(client.get(ADDRESSES[0]).await.expect(200), before);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_account_that_is_gone_has_no_session(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let id = seed::user(&world.db).await;
    let client = client(&world).signed_in(&world.token(id));
    sqlx::query("delete from users").execute(&world.db).await.unwrap();
    for address in ADDRESSES {
        client.get(address).await.refused(401, "unauthorized");
        client.put(address, &json!({"name": "이산"})).await.refused(401, "unauthorized");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_change_of_role_counts_at_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let id = seed::user(&world.db).await;
    let client = client(&world).signed_in(&world.token(id));
    for (role, shown) in [(Some("ADMIN"), "ADMIN"), (None, "USER")] {
        sqlx::query("update users set role = ?").bind(role).execute(&world.db).await.unwrap();
        let body: Value = client.get(ADDRESSES[0]).await.expect(200);
        assert_eq!(body["user"]["role"], shown);
    }
}
