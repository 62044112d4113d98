//! What the service tells about itself: what it counts, and that its lines in the log name nobody.

use auth_service::Metrics;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::Log;

use super::*;

fn counting(world: &World) -> Client {
    let metrics = Metrics::new(&world.metrics).expect("metrics");
    let World { db, cache, tokens, clock, .. } = world.clone();
    let app = App::new(db, cache, tokens, clock, &patient(), metrics);
    let envelope = Envelope { service: "auth-service", timeout: Duration::from_mins(5), trusted_proxy_hops: 0 };
    Client::anonymous(wrap(auth_service::router(app), envelope))
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn log_ins_and_sign_ups_are_counted_by_outcome(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = counting(&world);
    for (email, status) in [("kim@example.com", 201), ("KIM@example.com", 409)] {
        let _ = client.post("/api/auth/signup", &somebody(email)).await.expect(status);
    }
    for (password, status) in [("Passw0rd!", 200), ("wrong", 401), ("wrong", 401)] {
        let body = json!({"email": "kim@example.com", "password": password});
        let _ = client.post("/api/auth/login", &body).await.expect(status);
    }
    for (series, count) in [
        ("cloudjet_signups_total{outcome=\"success\"}", 1),
        ("cloudjet_signups_total{outcome=\"email-taken\"}", 1),
        ("cloudjet_logins_total{outcome=\"success\"}", 1),
        ("cloudjet_logins_total{outcome=\"wrong-credentials\"}", 2),
    ] {
        assert!((world.counted(series) - f64::from(count)).abs() < 0.1, "{series}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_log_says_what_happened_and_not_to_whom(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    let client = counting(&world);
    let log = Log::kept();

    let _ = client.post("/api/auth/signup?email=kim@example.com", &somebody("kim@example.com")).await.expect(201);
    let login = json!({"email": "kim@example.com", "password": "Passw0rd!"});
    let token = client.post("/api/auth/login", &login).await.expect(200)["token"].as_str().expect("a token").to_owned();
    let _ = client.signed_in(&token).get("/api/auth/profile").await.expect(200);
    let wrong = json!({"email": "kim@example.com", "password": "Gu3ssed!"});
    let _ = client.post("/api/auth/login", &wrong).await.expect(401);
    let _ = client.get("/api/auth/health").await.expect(200);

    let personal = ["kim", "example.com", "Passw0rd", "Gu3ssed", "010-1234", "김하늘", "1990-02-03"];
    log.assert_tells_nothing_of(&personal);
    log.assert_tells_nothing_of(&[&token]);
    let of = |message: &str| log.line(message);
    let request = of("[AUTH-SERVICE] POST /api/auth/login - Client IP: 0.0.0.0").expect("the request's line");
    assert_eq!((&request["route"], &request["method"]), (&json!("/api/auth/login"), &json!("POST")));
    assert_eq!((&request["status"], &request["client"]), (&json!(200), &json!("0.0.0.0")));
    assert!(request["duration_us"].as_u64().is_some_and(|us| us > 0), "{request}");
    let told = of("로그인 성공").expect("the log-in's line");
    assert_eq!(told["span"]["request_id"], request["request_id"], "{told}");
    let profile = of("GET /api/auth/profile").expect("the request's line");
    assert_eq!(profile["user_id"], told["user_id"]);
    assert_eq!(of("로그인 실패").expect("a line")["code"], "wrong-credentials");
    assert!(of("회원가입 성공").is_some() && of("/health").is_none(), "{}", log.text());
}
