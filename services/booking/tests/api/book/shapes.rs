//! Requests that aren't in shape: each is refused naming its field, and nothing is stored.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::support::{Service, Traveller, request};

/// A service, a schedule and a buyer whose requests aren't in shape.
struct Desk {
    service: Service,
    schedule: i64,
    buyer: Traveller,
}

impl Desk {
    async fn open(database: MySqlConnectOptions) -> Self {
        let service = Service::start(database);
        Self { schedule: service.schedule(180).await, buyer: service.traveller().await, service }
    }

    fn request(&self) -> Value {
        request(self.schedule, 2, 320_000, &["1A"])
    }

    fn documented(&self) -> Value {
        json!({"schedule_id": self.schedule, "seat_id": "1A", "passengers": [{"name": "김하늘", "birth_date": "1990-02-03"}]})
    }

    #[track_caller]
    fn refuses(&self, request: &Value, field: &str) -> impl Future<Output = ()> {
        let (client, request, field) = ((*self.buyer).clone(), request.clone(), field.to_owned());
        let caller = std::panic::Location::caller();
        async move {
            let answer = client.post("/api/bookings", &request).await;
            let named = (answer.status.as_u16(), answer.body["errors"][0]["field"].as_str());
            assert_eq!(named, (400, Some(field.as_str())), "{} for {request}, asked at {caller}", answer.body);
            answer.refused_field(&field);
        }
    }

    /// Refuses `request` with each of `values` in the place `pointer`.
    async fn refuses_each(&self, request: &Value, pointer: &str, field: &str, values: &[Value]) {
        for value in values {
            let mut request = request.clone();
            *request.pointer_mut(pointer).unwrap() = value.clone();
            self.refuses(&request, field).await;
        }
    }

    async fn nothing_is_stored(&self) {
        assert_eq!(self.service.bookings(self.schedule).await, 0);
        assert_eq!(self.service.seats(self.schedule).await, (180, 0));
        let passengers: i64 = self.service.value("select count(*) + ? from passengers", 0).await;
        let events: i64 = self.service.value("select count(*) + ? from events", 0).await;
        assert_eq!((passengers, events), (0, 0));
    }
}

fn without(request: &Value, pointer: &str, key: &str) -> Value {
    let mut request = request.clone();
    request.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key);
    request
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_first_field_that_is_missing_is_named(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    desk.refuses(&json!({}), "scheduleId").await;
    for (missing, field) in [("scheduleId", "scheduleId"), ("passengers", "passengers"), ("contactInfo", "contactInfo")]
    {
        desk.refuses(&without(&desk.request(), "", missing), field).await;
        let mut null = desk.request();
        null[missing] = Value::Null;
        desk.refuses(&null, field).await;
    }
    for (missing, field) in [
        ("name", "passengers[1].name"),
        ("nameEn", "passengers[1].nameEn"),
        ("birth", "passengers[1].birth"),
        ("gender", "passengers[1].gender"),
    ] {
        desk.refuses(&without(&desk.request(), "/passengers/1", missing), field).await;
    }
    for (missing, field) in [("email", "contactInfo.email"), ("phone", "contactInfo.phone")] {
        desk.refuses(&without(&desk.request(), "/contactInfo", missing), field).await;
    }
    // All at once: in this order.
    desk.refuses(&json!({"scheduleId": "1", "seats": ["99Z"]}), "passengers").await;
    desk.refuses(&json!({"scheduleId": "1", "passengers": [{}]}), "passengers[0].name").await;

    desk.refuses(&without(&desk.documented(), "", "passengers"), "passengers").await;
    desk.refuses(&without(&desk.documented(), "/passengers/0", "name"), "passengers[0].name").await;
    desk.refuses(&without(&desk.documented(), "/passengers/0", "birth_date"), "passengers[0].birth_date").await;
    desk.nothing_is_stored().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_value_of_the_wrong_type_is_refused_where_it_stands(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    let browsers = desk.request();
    for value in [
        json!("CJ101"),
        json!("-1"),
        json!(""),
        json!(0),
        json!(1.5),
        json!(true),
        json!([1]),
        json!({}),
        json!("99999999999999999999"),
    ] {
        desk.refuses_each(&browsers, "/scheduleId", "scheduleId", std::slice::from_ref(&value)).await;
        desk.refuses_each(&desk.documented(), "/schedule_id", "schedule_id", &[value]).await;
    }
    desk.refuses_each(&browsers, "/passengers", "passengers", &[json!("two"), json!({}), json!(2)]).await;
    desk.refuses_each(&browsers, "/passengers/1", "passengers[1]", &[json!("Kim"), json!(7), Value::Null]).await;
    desk.refuses_each(&browsers, "/passengers/0/name", "passengers[0].name", &[json!(7), json!([]), json!({})]).await;
    desk.refuses_each(&browsers, "/passengers/0/nameEn", "passengers[0].nameEn", &[json!(7), json!(false)]).await;
    desk.refuses_each(&browsers, "/passengers/0/birth", "passengers[0].birth", &[json!(19_900_203)]).await;
    desk.refuses_each(&browsers, "/contactInfo", "contactInfo", &[json!("kim@example.com"), json!(7)]).await;
    desk.refuses_each(&browsers, "/contactInfo/email", "contactInfo.email", &[json!(7), json!({})]).await;
    desk.refuses_each(&browsers, "/contactInfo/phone", "contactInfo.phone", &[json!(1_012_345_678)]).await;
    desk.refuses_each(&browsers, "/paymentMethod", "paymentMethod", &[json!(7), json!(["card"])]).await;
    desk.refuses_each(&browsers, "/seats", "seats", &[json!("1A"), json!(7), json!({})]).await;
    desk.refuses_each(&browsers, "/seats/0", "seats[0]", &[json!(7), Value::Null]).await;
    desk.refuses_each(&browsers, "/totalAmount", "totalAmount", &[json!("640000"), json!(640_000.5), json!(true)])
        .await;
    desk.refuses_each(&desk.documented(), "/seat_id", "seat_id", &[json!(12), json!(["1A"])]).await;
    desk.nothing_is_stored().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn one_to_nine_people_fly_on_a_booking(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    for passengers in [0, 10, 500] {
        desk.refuses(&request(desk.schedule, passengers, 320_000, &[]), "passengers").await;
    }
    desk.refuses(&json!({"schedule_id": desk.schedule, "passengers": []}), "passengers").await;
    desk.nothing_is_stored().await;
    for passengers in [1, 9] {
        desk.buyer.books(201, &request(desk.schedule, passengers, 320_000, &[])).await;
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn texts_that_could_harm_a_page_or_a_column_are_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    let browsers = desk.request();
    let harm = |longest: usize| {
        vec![
            json!(""),
            json!("   "),
            json!("<b>"),
            json!("김>"),
            json!("a\u{0}b"),
            json!("a\nb"),
            json!("a\u{7f}"),
            json!("a\u{2028}b"),
            json!("가".repeat(longest + 1)),
        ]
    };
    desk.refuses_each(&browsers, "/passengers/1/name", "passengers[1].name", &harm(50)).await;
    desk.refuses_each(&browsers, "/passengers/1/nameEn", "passengers[1].nameEn", &harm(100)).await;
    desk.refuses_each(&browsers, "/contactInfo/email", "contactInfo.email", &harm(100)).await;
    desk.refuses_each(&browsers, "/contactInfo/phone", "contactInfo.phone", &harm(20)).await;
    desk.refuses_each(&browsers, "/paymentMethod", "paymentMethod", &harm(20)).await;
    // They end up inside attributes.
    desk.refuses_each(&browsers, "/contactInfo/email", "contactInfo.email", &[json!("\" onmouseover=\"x@y.z")]).await;
    let mut documented = desk.documented();
    documented["passengers"][0]["phone"] = json!("");
    desk.refuses_each(&documented, "/passengers/0/phone", "passengers[0].phone", &harm(20)).await;
    desk.nothing_is_stored().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn dates_of_birth_are_days_from_1900_to_today(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    let impossible: Vec<Value> = [
        "",
        " ",
        "1990-2-3",
        "1990/02/03",
        "03-02-1990",
        "1990-02-30",
        "1990-13-01",
        "2023-02-29",
        "1899-12-31",
        "0000-00-00",
        "19900203",
        "1990-02-03T00:00:00",
        "９９９９-01-01",
        "1990-02-0３",
    ]
    .into_iter()
    .map(Value::from)
    .chain([json!(desk.service.world.day(1).to_string())])
    .collect();
    desk.refuses_each(&desk.request(), "/passengers/1/birth", "passengers[1].birth", &impossible).await;
    desk.refuses_each(&desk.documented(), "/passengers/0/birth_date", "passengers[0].birth_date", &impossible).await;
    desk.nothing_is_stored().await;
    let mut oldest_and_youngest = desk.request();
    oldest_and_youngest["passengers"][0]["birth"] = "1900-01-01".into();
    oldest_and_youngest["passengers"][1]["birth"] = desk.service.world.day(0).to_string().into();
    desk.buyer.books(201, &oldest_and_youngest).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn genders_are_the_two_the_client_knows(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    let unknown: Vec<Value> = ["", "f", "m", "X", "MALE", "여"].into_iter().map(Value::from).collect();
    desk.refuses_each(&desk.request(), "/passengers/0/gender", "passengers[0].gender", &unknown).await;
    let mut documented = desk.documented();
    documented["passengers"][0]["gender"] = json!("F");
    desk.refuses_each(&documented, "/passengers/0/gender", "passengers[0].gender", &unknown).await;
    for no_text in [json!(1), json!(true), json!(["F"])] {
        documented["passengers"][0]["gender"] = no_text;
        assert_eq!(desk.buyer.post("/api/bookings", &documented).await.status, 400);
    }
    desk.nothing_is_stored().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn seats_are_in_the_cabin_one_each_and_chosen_once(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    for seats in [
        json!(["1A", "1B", "1C"]),
        json!(["1A", "1A"]),
        json!(["1A", "1a"]),
        json!(["1A", " 1A "]),
        json!(["26A"]),
        json!(["0A"]),
        json!(["99Z"]),
        json!(["1G"]),
        json!(["01A"]),
        json!([""]),
        json!(["A1"]),
        json!(["12"]),
        json!(["창가"]),
        json!(["１A"]),
        json!(["1A", "26F"]),
        json!(["1A'--"]),
    ] {
        desk.refuses_each(&desk.request(), "/seats", "seats", &[seats]).await;
    }
    let labels: Vec<Value> = ["", "26A", "0A", "창가", "1A,1B"].into_iter().map(Value::from).collect();
    desk.refuses_each(&desk.documented(), "/seat_id", "seat_id", &labels).await;
    desk.nothing_is_stored().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_total_that_is_not_what_it_costs_is_refused_before_anything_is_stored(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let desk = Desk::open(database).await;
    seed::discount(&desk.service.world.db, desk.schedule, 10).await;
    for total in [0, 1, -576_000, 575_999, 576_001, 640_000, 288_000, i64::MAX, i64::MIN] {
        desk.refuses_each(&desk.request(), "/totalAmount", "totalAmount", &[json!(total)]).await;
    }
    let mut documented = desk.documented();
    documented["total_amount"] = json!(1);
    let answer = desk.buyer.post("/api/bookings", &documented).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    desk.nothing_is_stored().await;
    desk.buyer.books(201, &request(desk.schedule, 2, 288_000, &["1A"])).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_price_that_changed_since_the_search_is_told(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    let statement = "update flight_schedules set current_price = 333000 where schedule_id = ?";
    desk.service.by_hand(statement, desk.schedule).await;
    let answer = desk.buyer.in_english().post("/api/bookings", &desk.request()).await;
    assert!(answer.body["message"].as_str().is_some_and(|m| m.contains("666000 KRW")), "{}", answer.body);
    answer.refused_field("totalAmount");
    desk.nothing_is_stored().await;
    // Who names no total pays what it costs.
    let made = desk.buyer.books(201, &without(&desk.request(), "", "totalAmount")).await;
    assert_eq!(made["total_amount"], 666_000);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_body_that_is_no_json_object_is_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    for body in ["", "null", "[]", "[{}]", "\"text\"", "5", "{", "{\"scheduleId\": }", "{} {}", "\u{feff}{}", "a=b"] {
        let answer = desk.buyer.send(Method::POST, "/api/bookings", Some("application/json"), Body::from(body)).await;
        answer.refused(400, "malformed-json");
    }
    let bytes = Body::from(&b"{\"scheduleId\": \"\xff\"}"[..]);
    assert_eq!(desk.buyer.send(Method::POST, "/api/bookings", Some("application/json"), bytes).await.status, 400);
    // Deeper than any parser should follow.
    let deep = format!("{{\"unknown\": {}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let answer = desk.buyer.send(Method::POST, "/api/bookings", Some("application/json"), Body::from(deep)).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    desk.nothing_is_stored().await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn only_json_is_read_whatever_its_parameters(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    let body = desk.request().to_string();
    for content_type in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data")]
    {
        let answer = desk.buyer.send(Method::POST, "/api/bookings", content_type, Body::from(body.clone())).await;
        answer.refused(415, "unsupported-media-type");
    }
    desk.nothing_is_stored().await;
    for (n, content_type) in ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8"].iter().enumerate() {
        let body = request(desk.schedule, 1, 320_000, &[&format!("{}A", n + 1)]).to_string();
        let answer = desk.buyer.send(Method::POST, "/api/bookings", Some(content_type), Body::from(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_large_body_is_read_and_a_huge_one_refused(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    let mut large = desk.request();
    large["unknown"] = "x".repeat(128 << 10).into();
    desk.buyer.books(201, &large).await;
    large["unknown"] = "x".repeat(11 << 20).into();
    desk.buyer.post("/api/bookings", &large).await.refused(413, "body-too-large");
    // Also while it streams, without saying how long it is.
    let chunk = axum::body::Bytes::from("x".repeat(64 << 10));
    let stream = futures_util::stream::iter((0..200).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    let body = Body::from_stream(stream);
    desk.buyer.send(Method::POST, "/api/bookings", Some("application/json"), body).await.refused(413, "body-too-large");
    assert_eq!(desk.service.bookings(desk.schedule).await, 1);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_is_asking_is_settled_before_what_is_asked(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let desk = Desk::open(database).await;
    for body in [json!({}), desk.request()] {
        desk.service.client.post("/api/bookings", &body).await.refused(401, "unauthorized");
    }
    desk.nothing_is_stored().await;
}
