//! The key of sessions changes while people are signed in.

use common::auth::Tokens;
use common::config::SecretKey;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Client, World};

use crate::{client, somebody};

const OLD: &str = "the-key-of-yesterday-0123456789-0123";
const NEW: &str = "the-key-of-tomorrow-0123456789-01234";

/// A replica of the service with this SECRET_KEY and these SECRET_KEYS_ACCEPTED.
fn replica(world: &mut World, signing: &str, accepted: Option<&str>) -> Client {
    let keys = SecretKey { secret_key: signing.into(), secret_keys_accepted: accepted.map(Into::into) };
    world.tokens = Tokens::of(&keys, world.clock.clone());
    client(world)
}

async fn sign_up(replica: &Client) {
    assert_eq!(replica.post("/api/auth/signup", &somebody("sky@example.com")).await.status.as_u16(), 201);
}

async fn log_in(replica: &Client) -> String {
    let person = somebody("sky@example.com");
    let body =
        replica.post("/api/auth/login", &json!({"email": person["email"], "password": person["password"]})).await;
    body.expect(200)["token"].as_str().expect("a token").to_owned()
}

async fn status(replica: &Client, token: &str) -> u16 {
    replica.signed_in(token).get("/api/auth/profile").await.status.as_u16()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn nobody_is_signed_out_while_the_key_changes(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut world = World::new(database);
    let before = replica(&mut world, OLD, None);
    sign_up(&before).await;
    let mut tokens = vec![log_in(&before).await];

    // While each step is rolled out, replicas of the step before serve beside those of the next one.
    let steps = [before, replica(&mut world, OLD, Some(NEW)), replica(&mut world, NEW, Some(OLD))];
    for beside in steps.windows(2) {
        for one in beside {
            tokens.push(log_in(one).await);
        }
        for token in &tokens {
            for one in beside {
                assert_eq!(status(one, token).await, 200);
            }
        }
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_key_that_was_dropped_opens_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let mut world = World::new(database);
    let before = replica(&mut world, OLD, None);
    sign_up(&before).await;
    let old = log_in(&before).await;
    let between = replica(&mut world, NEW, Some(OLD));
    let new = log_in(&between).await;
    assert_eq!((status(&between, &old).await, status(&between, &new).await), (200, 200));

    let after = replica(&mut world, NEW, None);
    assert_eq!(
        (status(&after, &old).await, status(&after, &new).await),
        (401, 200),
        "the new key signs from the swap on"
    );
    assert_eq!(status(&before, &new).await, 401, "a replica that was never told of the new key");
}
