//! Journeys through the whole system, step by step as the browser client makes them.

use bootpay::simulator::Outcome;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::seed;

use crate::system::{Browser, System};

/// The flight that a search of `day` finds, as the page keeps it.
async fn find(browser: &Browser<'_>, day: chrono::NaiveDate) -> Value {
    let found = browser.get(&format!("/api/flights/search?departure=ICN&arrival=NRT&date={day}")).await.expect(200);
    found["flights"][0].clone()
}

/// What the page sends to begin paying: the id as the text it scraped from the card.
fn payment(flight: &Value, passengers: i64) -> Value {
    json!({
        "scheduleId": flight["schedule_id"].to_string(),
        "amount": flight["price"].as_i64().unwrap() * passengers,
        "orderName": format!("{} {}→{} ({passengers}명)", flight["flightId"], flight["departureAirport"], flight["arrivalAirport"]),
    })
}

/// What the page sends to book: one seat, however many passengers.
fn booking(flight: &Value, passengers: i64, seat: &str) -> Value {
    let people: Vec<Value> = (1..=passengers)
        .map(|n| json!({ "name": format!("승객{n}"), "nameEn": format!("PASSENGER {n}"), "birth": "1990-02-03", "gender": "M" }))
        .collect();
    json!({
        "scheduleId": flight["schedule_id"].to_string(),
        "passengers": people,
        "contactInfo": { "email": "kim@example.com", "phone": "010-1234-5678" },
        "paymentMethod": "card",
        "totalAmount": flight["price"].as_i64().unwrap() * passengers,
        "seats": [seat],
    })
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_person_searches_signs_up_pays_books_and_cancels(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let system = System::start(database).await;
    let day = system.world.day(7);
    let schedule = seed::schedule(day).price(377_725).insert(&system.world.db).await;
    seed::discount(&system.world.db, schedule, 25).await;
    let mut browser = system.browser();

    // The page loads.
    let airports = browser.get("/api/airports").await.expect(200);
    assert!(airports["airports"].as_array().unwrap().iter().any(|a| a["airport_code"] == "ICN"));
    for _ in 0..2 {
        let featured = browser.get("/api/flights/featured").await.expect(200);
        assert_eq!(featured["flights"][0]["price"], 283_294);
    }
    assert_eq!(browser.get("/api/health").await.expect(200)["status"], "healthy");

    // Somebody signs up, logs in and finds a flight.
    let user = browser.sign_in_as("haneul@example.com").await;
    assert_eq!((user["email"].as_str(), user["role"].as_str()), (Some("haneul@example.com"), Some("USER")));
    let flight = find(&browser, day).await;
    assert_eq!((flight["price"].as_i64(), flight["available_seats"].as_i64()), (Some(283_294), Some(180)));

    // Two passengers, one seat on the map.
    let map = format!("/api/bookings/occupied-seats/{}", flight["schedule_id"]);
    assert_eq!(browser.get(&map).await.expect(200)["occupied_seats"], json!([]));
    let begun = browser.post("/api/payments/init", &payment(&flight, 2)).await.expect(200);
    assert_eq!(
        (begun["success"].as_bool(), begun["bootpay"]["application_id"].as_str()),
        (Some(true), Some("web-key"))
    );
    assert_eq!(find(&browser, day).await["available_seats"], 178, "what is being paid for is reserved");
    system.decide(&begun["order_id"], 566_588, Outcome::Approve).await;

    // Paid; the page books and attaches.
    let booked = browser.post("/api/bookings", &booking(&flight, 2, "6D")).await.expect(201);
    assert_eq!((booked["success"].as_bool(), booked["status"].as_str()), (Some(true), Some("CONFIRMED")));
    let pair = json!({ "orderId": begun["order_id"], "bookingId": booked["booking_id"] });
    browser.post("/api/payments/attach-booking", &pair).await.expect(200);

    // My page.
    let mine = browser.get("/api/bookings").await.expect(200)["bookings"][0].clone();
    assert_eq!((mine["status"].as_str(), mine["total_amount"].as_i64()), (Some("CONFIRMED"), Some(566_588)));
    assert_eq!(mine["booking_number"], booked["booking_number"]);
    assert_eq!(
        (&mine["passengers"][0]["seat_number"], &mine["passengers"][1]["seat_number"]),
        (&json!("6D"), &Value::Null)
    );
    assert_eq!(browser.get(&map).await.expect(200)["occupied_seats"], json!(["6D"]));
    assert_eq!(find(&browser, day).await["available_seats"], 178);

    // Plans change: the seats and the money come back.
    let number = booked["booking_number"].as_str().unwrap();
    let cancelled = browser.post_nothing(&format!("/api/bookings/{number}/cancel")).await.expect(200);
    assert_eq!((cancelled["success"].as_bool(), cancelled["booking_number"].as_str()), (Some(true), Some(number)));
    assert_eq!(browser.get("/api/bookings").await.expect(200)["bookings"][0]["status"], "CANCELLED");
    assert_eq!(browser.get(&map).await.expect(200)["occupied_seats"], json!([]));
    assert_eq!(find(&browser, day).await["available_seats"], 180);
    while system.orders.drive_refunds_once(10).await.unwrap() {}
    let receipt = &system.provider.receipts()[0];
    assert_eq!((&receipt["status"], &receipt["cancelled_price"]), (&json!(20), &json!(566_588)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_declined_card_does_not_cost_the_last_seats(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let system = System::start(database).await;
    let day = system.world.day(7);
    seed::schedule(day).seats(2).insert(&system.world.db).await;
    let (mut browser, mut rival) = (system.browser(), system.browser());
    browser.sign_in_as("first@example.com").await;
    rival.sign_in_as("rival@example.com").await;
    let flight = find(&browser, day).await;

    let declined = browser.post("/api/payments/init", &payment(&flight, 2)).await.expect(200);
    let refused = rival.post("/api/payments/init", &payment(&flight, 2)).await.expect(409);
    assert_eq!(refused["code"], "sold-out", "nobody is charged for seats that somebody is paying for");

    // The card is declined, in the window and without a word to us; the person tries at once again.
    let again = browser.post("/api/payments/init", &payment(&flight, 2)).await.expect(200);
    assert_ne!(again["order_id"], declined["order_id"]);
    system.decide(&declined["order_id"], 640_000, Outcome::Decline).await;
    system.decide(&again["order_id"], 640_000, Outcome::Approve).await;
    let booked = browser.post("/api/bookings", &booking(&flight, 2, "1A")).await.expect(201);
    assert_eq!(booked["status"], "CONFIRMED");
    let pair = json!({ "orderId": again["order_id"], "bookingId": booked["booking_id"] });
    browser.post("/api/payments/attach-booking", &pair).await.expect(200);
    rival.post("/api/payments/init", &payment(&flight, 1)).await.expect(409);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn two_tabs_that_pay_at_once_make_one_booking_and_one_payment(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let system = System::start(database).await;
    let day = system.world.day(7);
    seed::schedule(day).insert(&system.world.db).await;
    let mut browser = system.browser();
    browser.sign_in_as("eager@example.com").await;
    let flight = find(&browser, day).await;

    let (one, other) = (payment(&flight, 1), payment(&flight, 1));
    let (left, right) =
        tokio::join!(browser.post("/api/payments/init", &one), browser.post("/api/payments/init", &other));
    let (left, right) = (left.expect(200)["order_id"].clone(), right.expect(200)["order_id"].clone());
    tokio::join!(system.decide(&left, 320_000, Outcome::Approve), system.decide(&right, 320_000, Outcome::Approve));
    let request = booking(&flight, 1, "6D");
    let (first, second) =
        tokio::join!(browser.post("/api/bookings", &request), browser.post("/api/bookings", &request));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 201], "{first:?} {second:?}");
    assert_eq!(first.body["booking_id"], second.body["booking_id"]);

    let booking_id = &first.body["booking_id"];
    let (left_pair, right_pair) =
        (json!({ "orderId": left, "bookingId": booking_id }), json!({ "orderId": right, "bookingId": booking_id }));
    let (left, right) = tokio::join!(
        browser.post("/api/payments/attach-booking", &left_pair),
        browser.post("/api/payments/attach-booking", &right_pair)
    );
    let mut statuses = [left.status, right.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{left:?} {right:?}");

    while system.orders.drive_refunds_once(10).await.unwrap() {}
    let mut returned: Vec<i64> =
        system.provider.receipts().iter().filter_map(|r| r["cancelled_price"].as_i64()).collect();
    returned.sort_unstable();
    assert_eq!(returned, [0, 320_000], "the surplus went back, and nothing else");
    let mine = browser.get("/api/bookings").await.expect(200);
    assert_eq!(mine["bookings"].as_array().unwrap().len(), 1);
    assert_eq!(mine["bookings"][0]["status"], "CONFIRMED");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_administrator_publishes_discounts_and_takes_off_sale(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let system = System::start(database).await;
    seed::airports(&system.world.db).await;
    let day = system.world.day(7);
    let traveller = system.browser();
    let mut admin = system.browser();
    admin.sign_in_as("desk@example.com").await;
    assert_eq!(admin.get("/api/admin/flights").await.status, 403);
    sqlx::query("update users set role = 'ADMIN'").execute(&system.world.db).await.unwrap();

    // The form for a new flight.
    let flight = json!({
        "flight_id": "CJ777", "departure_airport": "ICN", "arrival_airport": "NRT", "departure_time": "06:30",
        "arrival_time": "09:15", "aircraft": "Boeing 737-800", "base_price": 300_000,
    });
    let schedule = json!({ "mode": "single", "date": day.to_string(), "overwrite": false });
    let published = json!({ "flight": flight, "schedule": schedule });
    let answer = admin.post("/api/admin/flights-with-schedules", &published).await.expect(201);
    assert_eq!(answer["result"]["created_schedules"], 1);
    assert_eq!(find(&traveller, day).await["price"], 300_000);

    // The form for a discount offers what is flown.
    let schedules = admin.get("/api/admin/schedules").await.expect(200);
    let id = &schedules["schedules"][0]["schedule_id"];
    let discount = json!({ "schedule_id": id.to_string(), "discount_percentage": 10 });
    let answer = admin.post("/api/admin/discounts", &discount).await.expect(201);
    assert_eq!(find(&traveller, day).await["price"], 270_000);
    let removed = admin.delete(&format!("/api/admin/discounts/{}", answer["discount_id"])).await.expect(200);
    assert_eq!(removed["success"], true);
    assert_eq!(find(&traveller, day).await["price"], 300_000);

    let _ = admin.delete("/api/admin/flights/CJ777").await.expect(200);
    assert_eq!(find(&traveller, day).await, Value::Null);
}
