//! `PUT /api/bookings/{booking_number}/seats`

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{Answer, seed};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Service, Shop, Traveller, id, minutes, number, request};

const PRICE: i64 = 320_000;

/// A booking whose passengers are seated anew.
#[derive(Clone)]
struct Party {
    buyer: Traveller,
    booking_id: i64,
    number: String,
    /// The passengers' ids, in their order.
    people: Vec<i64>,
}

impl Party {
    /// Books for `passengers`, the first of whom get `seats`.
    async fn book(service: &Service, schedule: i64, passengers: usize, seats: &[&str]) -> Self {
        let buyer = service.traveller().await;
        let made = buyer.books(201, &request(schedule, passengers, PRICE, seats)).await;
        let people = buyer.newest().await["passengers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["passenger_id"].as_i64().unwrap())
            .collect();
        Self { booking_id: id(&made), number: number(&made).to_owned(), buyer, people }
    }

    /// Books 1A and pays for it.
    async fn paid(shop: &Shop, schedule: i64) -> Self {
        let party = Self::book(shop, schedule, 1, &["1A"]).await;
        let payment = shop.begin_for(&party.buyer, party.booking_id, PRICE).await;
        shop.hear_paid(&payment, PRICE).await;
        party
    }

    fn path(&self) -> String {
        format!("/api/bookings/{}/seats", self.number)
    }

    /// What is asked for to seat passengers, counted from 0; an empty text gives a seat up.
    fn wish(&self, seats: &[(usize, &str)]) -> Value {
        let seat = |(n, seat): &(usize, &str)| json!({ "passenger_id": self.people[*n], "seat_id": Some(seat).filter(|seat| !seat.is_empty()) });
        json!({ "seats": seats.iter().map(seat).collect::<Vec<_>>() })
    }

    async fn seat(&self, seats: &[(usize, &str)]) -> Answer {
        self.buyer.put(&self.path(), &self.wish(seats)).await
    }

    /// Who sits where, by the booking; an empty text: nowhere.
    async fn seats(&self) -> Vec<String> {
        let shown = self.buyer.get(&format!("/api/bookings/{}", self.number)).await.expect(200);
        let seat = |p: &Value| p["seat_number"].as_str().unwrap_or_default().to_owned();
        shown["booking"]["passengers"].as_array().unwrap().iter().map(seat).collect()
    }
}

/// The claims of a schedule: seat, state, and whether it ends. The unnamed come first, by their number.
async fn claims(service: &Service, schedule: i64) -> Vec<String> {
    sqlx::query_scalar(
        "select concat_ws(' ', coalesce(unit, quantity), state, if(held_until is null, null, 'ends')) from claims
         where pool_id = ? order by unit is not null, unit",
    )
    .bind(schedule)
    .fetch_all(&service.world.db)
    .await
    .unwrap()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_seat_is_chosen_changed_and_given_up(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let party = Party::book(&service, schedule, 3, &["1A"]).await;
    for (wish, seats, claimed) in [
        (vec![(1, "12C")], ["1A", "12C", ""], vec!["1 HELD ends", "12C HELD ends", "1A HELD ends"]),
        (vec![(1, "12D"), (0, "")], ["", "12D", ""], vec!["2 HELD ends", "12D HELD ends"]),
        (vec![(0, "2a"), (2, "2B")], ["2A", "12D", "2B"], vec!["12D HELD ends", "2A HELD ends", "2B HELD ends"]),
        (vec![(2, ""), (1, ""), (0, "")], ["", "", ""], vec!["3 HELD ends"]),
    ] {
        let answer = party.seat(&wish).await.expect(200);
        let shown = party.buyer.get(&format!("/api/bookings/{}", party.number)).await.expect(200);
        let message = "좌석을 변경했습니다.";
        assert_eq!(answer, json!({ "message": message, "success": true, "booking": shown["booking"] }));
        assert_eq!(
            (party.seats().await, claims(&service, schedule).await),
            (seats.map(str::to_owned).into(), claimed.iter().map(ToString::to_string).collect())
        );
        let first = seats.iter().find(|seat| !seat.is_empty());
        assert_eq!(shown["booking"]["seat_number"], json!(first));
        assert_eq!(service.seats(schedule).await, (177, 3));
    }
    assert_eq!(
        service.history("BOOKING", party.booking_id).await,
        ["booked", "seats-changed", "seats-changed", "seats-changed", "seats-changed"]
    );
    let detail: String = service
        .value(
            "select detail from events where subject_id = ? and action = 'seats-changed' order by event_id limit 1",
            party.booking_id,
        )
        .await;
    let [_, second, _] = party.people[..] else { panic!("three passengers") };
    let told = |seat: Value| json!({ "status": "PENDING", "seats": { second.to_string(): seat } });
    assert_eq!(
        serde_json::from_str::<Value>(&detail).unwrap(),
        json!({ "old": told(json!(null)), "new": told(json!("12C")) })
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_is_paid_stays_sold_and_what_is_not_is_held_as_long_as_before(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let (paid, due) = (Party::paid(&shop, schedule).await, Party::book(&shop, schedule, 2, &["2A"]).await);
    let deadline = "select cast(min(held_until) as char) from claims where pool_id = ?";
    let before: String = shop.value(deadline, schedule).await;
    shop.world.pass(minutes(10));
    let _ = paid.seat(&[(0, "1B")]).await.expect(200);
    let _ = due.seat(&[(0, "2B"), (1, "2C")]).await.expect(200);
    assert_eq!(claims(&shop, schedule).await, ["1B SOLD", "2B HELD ends", "2C HELD ends"]);
    assert_eq!(shop.value::<String>(deadline, schedule).await, before);
    // The outside hears of it where the seats are sold.
    let told: Vec<(String, i64)> = sqlx::query_as("select topic, cast(json_value(data, '$.booking_id') as signed) from outbox where subject = 'BOOKING' order by position")
        .fetch_all(&shop.world.db)
        .await
        .unwrap();
    let news = |topic: &str| (topic.to_owned(), paid.booking_id);
    assert_eq!(told, [news("booking.confirmed"), news("booking.seats_changed")]);
    shop.world.pass(minutes(6));
    due.seat(&[(0, "2D")]).await.refused(409, "booking-not-changeable");
    let rival = Party::book(&shop, schedule, 2, &["2B", "2C"]).await;
    assert_eq!(rival.seats().await, ["2B", "2C"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn passengers_of_a_booking_may_swap(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let party = Party::book(&service, schedule, 4, &["1A", "1B", "1C"]).await;
    let _ = party.seat(&[(0, "1B"), (1, "1A")]).await.expect(200);
    assert_eq!(party.seats().await, ["1B", "1A", "1C", ""]);
    // In a ring, and one of them to somebody who had none.
    let _ = party.seat(&[(0, "1C"), (2, "1A"), (1, ""), (3, "1B")]).await.expect(200);
    assert_eq!(party.seats().await, ["1C", "", "1A", "1B"]);
    assert_eq!(claims(&service, schedule).await, ["1 HELD ends", "1A HELD ends", "1B HELD ends", "1C HELD ends"]);
    // A neighbour's seat is the neighbour's, on the same booking, too.
    let refused = party.seat(&[(0, "1A")]).await;
    assert_eq!(refused.body["errors"][0]["field"], "seats[0].seat_id");
    refused.refused(409, "seat-taken");
    assert_eq!(party.seats().await, ["1C", "", "1A", "1B"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn asked_again_it_changes_nothing_more(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let party = Party::book(&service, schedule, 2, &["1A"]).await;
    let wish = [(0, "3A"), (1, "3B")];
    let first = party.seat(&wish).await;
    let again = party.seat(&wish).await;
    assert_eq!((first.status.as_u16(), &first.bytes), (again.status.as_u16(), &again.bytes));
    assert_eq!(service.history("BOOKING", party.booking_id).await, ["booked", "seats-changed"]);

    let keyed = party.buyer.keyed("c0ffee");
    let named = keyed.put(&party.path(), &party.wish(&[(0, "4A")])).await;
    assert_eq!(named.status, 200);
    let _ = party.seat(&[(0, "5A")]).await.expect(200);
    // The answer of then; the seats of now.
    keyed.put(&party.path(), &party.wish(&[(0, "4A")])).await.repeats(&named);
    assert_eq!(party.seats().await, ["5A", "3B"]);
    keyed.put(&party.path(), &party.wish(&[(0, "4B")])).await.refused(422, "idempotency-key-reused");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_change_that_is_refused_changes_nothing_and_names_the_seats(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    Party::book(&service, schedule, 2, &["9A", "9B"]).await;
    let party = Party::book(&service, schedule, 3, &["1A", "1B"]).await;
    let before = claims(&service, schedule).await;
    let wish = party.wish(&[(0, "9B"), (1, "2A"), (2, "9A")]);
    let refused = party.buyer.in_english().put(&party.path(), &wish).await;
    assert_eq!(refused.body["message"], "Taken already: 9A, 9B. Please choose another seat.");
    let fields: Vec<&Value> = refused.body["errors"].as_array().unwrap().iter().map(|e| &e["field"]).collect();
    assert_eq!(fields, ["seats[0].seat_id", "seats[2].seat_id"]);
    refused.refused(409, "seat-taken");
    assert_eq!(
        (party.seats().await, claims(&service, schedule).await),
        (["1A", "1B", ""].map(str::to_owned).into(), before)
    );
    assert_eq!(service.history("BOOKING", party.booking_id).await, ["booked"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_cannot_be_read_is_refused_by_its_field(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let party = Party::book(&service, schedule, 2, &["1A"]).await;
    let other = Party::book(&service, schedule, 1, &["1F"]).await;
    let [one, two] = party.people[..] else { panic!("two passengers") };
    let seat = |passenger: i64, seat: &str| json!({ "passenger_id": passenger, "seat_id": seat });
    for (body, field) in [
        (json!({}), "seats"),
        (json!({ "seats": [] }), "seats"),
        (json!({ "seats": vec![seat(one, "2A"); 10] }), "seats"),
        (json!({ "seats": "2A" }), "seats"),
        (json!({ "seats": [{ "seat_id": "2A" }] }), "seats[0].passenger_id"),
        (json!({ "seats": [seat(one, "2A"), seat(one, "2B")] }), "seats[1].passenger_id"),
        (json!({ "seats": [seat(one, "2A"), seat(other.people[0], "2B")] }), "seats[1].passenger_id"),
        (json!({ "seats": [seat(one, "2A"), seat(two, "2a")] }), "seats[1].seat_id"),
        (json!({ "seats": [seat(one, "")] }), "seats[0].seat_id"),
        (json!({ "seats": [seat(one, "A2")] }), "seats[0].seat_id"),
        (json!({ "seats": [seat(one, "2B"), seat(two, "26A")] }), "seats[1].seat_id"),
        (json!({ "seats": [seat(one, "1G")] }), "seats[0].seat_id"),
        (json!({ "seats": [{ "passenger_id": one, "seat_id": 12 }] }), "seats[0].seat_id"),
        (json!({ "seats": [{ "passenger_id": one, "seatId": "2A" }] }), "seats[0].seatId"),
    ] {
        party.buyer.put(&party.path(), &body).await.refused_field(field);
    }
    assert_eq!(
        (party.seats().await, service.history("BOOKING", party.booking_id).await),
        (vec!["1A".to_owned(), String::new()], vec!["booked".to_owned()])
    );
    // Ids may be their digits, and nothing at all is none.
    let spelled = json!({ "seats": [{ "passenger_id": one.to_string() }, { "passenger_id": two, "seat_id": " 1a " }] });
    let _ = party.buyer.put(&party.path(), &spelled).await.expect(200);
    assert_eq!(party.seats().await, ["", "1A"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn only_the_owner_changes_a_booking_that_is_live(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let party = Party::book(&service, schedule, 1, &["1A"]).await;
    let (stranger, admin) = (service.traveller().await, service.signed_in(seed::admin(&service.world.db).await));
    for client in [&*stranger, &admin] {
        client.put(&party.path(), &party.wish(&[(0, "2A")])).await.refused(404, "booking-not-found");
    }
    let nowhere = "/api/bookings/CJ00000000/seats";
    party.buyer.put(nowhere, &party.wish(&[(0, "2A")])).await.refused(404, "booking-not-found");
    service.client.put(&party.path(), &party.wish(&[(0, "2A")])).await.refused(401, "unauthorized");
    party
        .buyer
        .send(Method::GET, &party.path(), None, axum::body::Body::empty())
        .await
        .refused(405, "method-not-allowed");

    assert_eq!(party.buyer.cancel(&party.number).await, 200);
    party.seat(&[(0, "2A")]).await.refused(409, "booking-not-changeable");
    let grounded = Party::book(&service, schedule, 1, &["1A"]).await;
    service
        .by_hand(
            "update flight_schedules set status = 'CANCELLED', cancelled_at = now(6) where schedule_id = ?",
            schedule,
        )
        .await;
    grounded.seat(&[(0, "2A")]).await.refused(409, "booking-not-changeable");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn seats_change_until_the_flight_departs(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let party = Party::paid(&shop, schedule).await;
    // Sales have ended, and the flight is flown.
    shop.by_hand("update flight_schedules set status = 'DELAYED' where schedule_id = ?", schedule).await;
    let _ = party.seat(&[(0, "1B")]).await.expect(200);
    shop.world.pass(minutes(6 * 24 * 60));
    let late = shop.signed_in(party.buyer.id);
    late.put(&party.path(), &party.wish(&[(0, "1C")])).await.refused(409, "flight-departed");
    while shop.orders.complete_departed_once(10).await.unwrap() {}
    assert_eq!(shop.booking(party.booking_id).await.0, "COMPLETED");
    late.put(&party.path(), &party.wish(&[(0, "1C")])).await.refused(409, "flight-departed");
    assert_eq!(claims(&shop, schedule).await, ["1B SOLD"]);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn who_sits_where_a_seat_was_blocked_stays_and_comes_back_to_none(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let party = Party::book(&service, schedule, 2, &["1A"]).await;
    let block =
        "insert into cabins (aircraft, row_count, letters, blocked) values ('Boeing 737-800', ?, 'ABC DEF', '1A')";
    service.by_hand(block, 25).await;
    let _ = party.seat(&[(0, "1A"), (1, "1B")]).await.expect(200);
    let _ = party.seat(&[(0, "1C")]).await.expect(200);
    party.seat(&[(0, "1A")]).await.refused_field("seats[0].seat_id");
    assert_eq!(party.seats().await, ["1C", "1B"]);
}

/// Runs all at once, and answers with the statuses they end with, in their order.
async fn at_once(tasks: Vec<impl Future<Output = u16> + Send + 'static>) -> Vec<u16> {
    let barrier = Arc::new(Barrier::new(tasks.len()));
    let mut running = JoinSet::new();
    for (n, task) in tasks.into_iter().enumerate() {
        let barrier = Arc::clone(&barrier);
        running.spawn(async move {
            barrier.wait().await;
            (n, task.await)
        });
    }
    let mut ended = running.join_all().await;
    ended.sort_unstable();
    ended.into_iter().map(|(_, status)| status).collect()
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn of_thirty_who_change_to_one_seat_one_does_and_nobody_loses_theirs(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    let mut parties = Vec::new();
    for n in 1..=30 {
        let seat = format!("{n}A");
        let seats = [seat.as_str()];
        // The last five have none.
        parties.push(Party::book(&service, schedule, 1, if n <= 25 { &seats } else { &[] }).await);
    }
    let tasks = parties.iter().cloned().map(|party| async move { party.seat(&[(0, "13D")]).await.status.as_u16() });
    let statuses = at_once(tasks.collect()).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    for (n, (party, status)) in parties.iter().zip(&statuses).enumerate() {
        let had = if n < 25 { format!("{}A", n + 1) } else { String::new() };
        let expected = if *status == 200 { "13D".to_owned() } else { had };
        assert_eq!((party.seats().await, [200, 409].contains(status)), (vec![expected], true));
    }
    assert_eq!(service.seats(schedule).await, (150, 30));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_change_beside_a_booking_call_for_the_same_seat_leaves_one_with_it(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    for round in 1..=12 {
        let seat = format!("{round}F");
        let (party, rival) = (Party::book(&service, schedule, 1, &[]).await, service.traveller().await);
        let (changing, booking) = (party.clone(), request(schedule, 1, PRICE, &[&seat]));
        let wanted = seat.clone();
        let (changed, booked) = tokio::join!(
            tokio::spawn(async move { changing.seat(&[(0, &wanted)]).await.status.as_u16() }),
            tokio::spawn(async move { rival.post("/api/bookings", &booking).await.status.as_u16() }),
        );
        let outcome = (changed.unwrap(), booked.unwrap());
        assert!([(200, 409), (409, 201)].contains(&outcome), "round {round}: {outcome:?}");
        assert_eq!(party.seats().await, [if outcome.0 == 200 { seat } else { String::new() }], "round {round}");
    }
    let (available, claimed) = service.seats(schedule).await;
    assert_eq!(available + claimed, 180);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_change_beside_a_cancel_or_the_end_of_its_time_leaves_no_seat_behind(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let service = Service::start(database);
    let schedule = service.schedule(180).await;
    for round in 0..12 {
        let party = Party::book(&service, schedule, 2, &["1A"]).await;
        let expires = round % 2 == 1;
        if expires {
            service.world.pass(minutes(16));
        }
        let client = service.signed_in(party.buyer.id);
        let (changing, wish, path) = (client.clone(), party.wish(&[(0, "2A"), (1, "2B")]), party.path());
        let change = tokio::spawn(async move { changing.put(&path, &wish).await });
        let (ending, number) = (service.clone(), party.number.clone());
        let end = tokio::spawn(async move {
            if expires {
                ending.orders.expire_bookings_once(10).await.unwrap();
                ending.orders.sweep_seats_once(10).await.unwrap();
            } else {
                let _ = client.post(&format!("/api/bookings/{number}/cancel"), &Value::Null).await.expect(200);
            }
        });
        let changed = change.await.unwrap();
        end.await.unwrap();
        if expires || changed.status != 200 {
            changed.refused(409, "booking-not-changeable");
        }
        assert_eq!(service.booking(party.booking_id).await.0, "CANCELLED", "round {round}");
        assert_eq!(service.seats(schedule).await, (180, 0), "round {round}");
    }
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_change_beside_its_payment_ends_confirmed_in_the_new_seats(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let shop = Arc::new(Shop::open(database).await);
    let schedule = shop.schedule(180).await;
    for round in 1..=12 {
        let seats = [format!("{round}A"), format!("{round}B"), format!("{round}C")];
        let party = Party::book(&shop, schedule, 2, &[&seats[0]]).await;
        let payment = shop.begin_for(&party.buyer, party.booking_id, 2 * PRICE).await;
        let receipt = shop.pay(&payment, 2 * PRICE).await;
        let (hearing, changing, to) = (Arc::clone(&shop), party.clone(), seats.clone());
        let (_, changed) = tokio::join!(
            tokio::spawn(async move { hearing.hear_of(&receipt).await }),
            tokio::spawn(async move { changing.seat(&[(0, &to[1]), (1, &to[2])]).await.expect(200) }),
        );
        changed.unwrap();
        assert_eq!(shop.booking(party.booking_id).await.0, "CONFIRMED", "round {round}");
        assert_eq!(party.seats().await, seats[1..], "round {round}");
    }
    let held = "select count(*) from claims where pool_id = ? and (state <> 'SOLD' or unit is null)";
    assert_eq!((shop.value::<i64>(held, schedule).await, shop.seats(schedule).await), (0, (156, 24)));
    assert_eq!(shop.refunds().await, []);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn late_money_finds_the_seats_that_were_chosen_last(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let shop = Shop::open(database).await;
    let schedule = shop.schedule(180).await;
    let party = Party::book(&shop, schedule, 1, &["1A"]).await;
    let payment = shop.begin_for(&party.buyer, party.booking_id, PRICE).await;
    let _ = party.seat(&[(0, "7C")]).await.expect(200);
    shop.world.pass(minutes(125));
    shop.run_jobs().await;
    assert_eq!(claims(&shop, schedule).await, Vec::<String>::new());
    shop.hear_paid(&payment, PRICE).await;
    assert_eq!(shop.booking(party.booking_id).await.0, "CONFIRMED");
    assert_eq!(claims(&shop, schedule).await, ["7C SOLD"]);
}
