//! Demo data: complete, the same everywhere, and never in the way of what people changed.

use chrono::{DateTime, TimeDelta, Utc};
use common::clock::Clock;
use common::password;
use migrate::demo::{Loaded, PASSENGER_PASSWORD};
use migrate::{Plan, Step};
use sqlx::MySqlConnection;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::support::{another, connect, drop_database, execute, number, run, texts};

const DEMO: Plan = Plan { administrator: None, demo: true, hash_plain_passwords: false };

/// Half past midnight in Seoul, while it is still the day before in UTC.
fn midnight() -> Clock {
    Clock::fixed("2026-11-30T15:30:00Z".parse::<DateTime<Utc>>().expect("an instant"))
}

fn loaded(steps: &[Step]) -> Option<Loaded> {
    steps.iter().find_map(|step| if let Step::LoadedDemo(loaded) = step { Some(*loaded) } else { None })
}

async fn schedules(connection: &mut MySqlConnection) -> Vec<String> {
    let all = "select concat_ws(' ', schedule_id, flight_id, flight_date, current_price, available_seats, status)
               from flight_schedules order by schedule_id";
    texts(connection, all).await
}

async fn discounts(connection: &mut MySqlConnection) -> Vec<String> {
    let all = "select concat_ws(' ', discount_id, schedule_id, discount_percentage, status) from flight_discounts
               order by discount_id";
    texts(connection, all).await
}

#[sqlx::test(migrations = false)]
async fn fills_thirty_days_with_flights_both_ways(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let steps = run(&database, &DEMO, &midnight()).await.unwrap();
    let all = Loaded { airports: 8, flights: 14, schedules: 420, discounts: 12, passenger: true };
    assert_eq!(loaded(&steps), Some(all));

    let mut connection = connect(&database).await;
    for (sql, expected) in [
        ("select min(schedule_id) from flight_schedules", 10_000_001),
        ("select max(schedule_id) from flight_schedules", 10_000_420),
        ("select count(*) from flight_schedules where available_seats not between 150 and 179", 0),
        (
            "select count(*) from flight_schedules s join flights f using (flight_id)
             where current_price < floor(base_price * 0.8) or current_price >= base_price * 1.2",
            0,
        ),
        ("select count(distinct flight_date) from flight_schedules", 30),
        ("select count(*) from flight_discounts where discount_percentage not between 5 and 40", 0),
        ("select count(distinct active_schedule_id) from flight_discounts", 12),
        (
            "select count(*) from flights f where not exists (select 1 from flights b
             where b.departure_airport = f.arrival_airport and b.arrival_airport = f.departure_airport)",
            0,
        ),
        ("select count(*) from events where subject = 'USER' and action = 'created'", 1),
    ] {
        assert_eq!(number(&mut connection, sql).await, expected, "{sql}");
    }
    let days =
        texts(&mut connection, "select concat(min(flight_date), ' ', max(flight_date)) from flight_schedules").await;
    assert_eq!(days, ["2026-12-01 2026-12-30"], "from today in Seoul");
    let first_days = texts(
        &mut connection,
        "select concat_ws(' ', flight_date, flight_id) from flight_schedules order by schedule_id limit 15",
    )
    .await;
    assert_eq!(
        (&*first_days[0], &*first_days[13], &*first_days[14]),
        ("2026-12-01 CJ101", "2026-12-01 CJ251", "2026-12-02 CJ101")
    );
    let zones = texts(&mut connection, "select concat_ws(' ', airport_code, time_zone) from airports order by 1").await;
    assert_eq!(zones[..4], ["BKK Asia/Bangkok", "CDG Europe/Paris", "GMP Asia/Seoul", "ICN Asia/Seoul"]);

    let passenger = "select concat_ws(' ', name, email, phone, birth_date, role) from users";
    assert_eq!(texts(&mut connection, passenger).await, ["김여행 user@cloudjet.com 010-1234-5678 1995-05-05 USER"]);
    let stored = texts(&mut connection, "select password_hash from users").await;
    assert!(password::verify(PASSENGER_PASSWORD, &stored[0]));
}

#[sqlx::test(migrations = false)]
async fn is_the_same_everywhere_and_not_loaded_twice(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let elsewhere = another(&database).await;
    run(&database, &DEMO, &midnight()).await.unwrap();
    run(&elsewhere, &DEMO, &midnight()).await.unwrap();
    let (mut here, mut there) = (connect(&database).await, connect(&elsewhere).await);
    let before = (schedules(&mut here).await, discounts(&mut here).await);
    let other = (schedules(&mut there).await, discounts(&mut there).await);
    drop_database(&elsewhere).await;
    assert_eq!(before, other);

    let steps = run(&database, &DEMO, &midnight()).await.unwrap();
    assert_eq!(steps, [Step::NoAdministrator, Step::NothingToDo]);
    assert_eq!((schedules(&mut here).await, discounts(&mut here).await), before);
}

#[sqlx::test(migrations = false)]
async fn leaves_alone_what_people_changed_and_adds_the_days_that_came(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let clock = midnight();
    run(&database, &DEMO, &clock).await.unwrap();
    let mut connection = connect(&database).await;
    for sql in [
        "update flight_schedules set current_price = 1, available_seats = 7 where schedule_id = 10000300",
        "update flight_schedules set status = 'CANCELLED' where schedule_id = 10000301",
        "update flight_discounts set status = 'INACTIVE'",
        "update flights set departure_time = '05:00', base_price = 2 where flight_id = 'CJ101'",
        "update flights set is_active = false where flight_id = 'CJ251'",
        "update airports set city = 'Seoul' where airport_code = 'ICN'",
        "update users set name = '이여행', password_hash = '!'",
        "insert into flights (flight_id, departure_airport, arrival_airport, departure_time, arrival_time, duration, aircraft, base_price, total_seats)
         values ('XX1', 'GMP', 'ICN', '10:00', '11:00', '1시간 0분', 'Small', 50000, 20)",
    ] {
        execute(&mut connection, sql).await;
    }
    let before = (schedules(&mut connection).await, discounts(&mut connection).await);

    clock.advance(TimeDelta::days(2));
    let steps = run(&database, &DEMO, &clock).await.unwrap();
    let added = loaded(&steps).unwrap();
    // Two days of thirteen flights, and thirty of the one that somebody added.
    assert_eq!((added.airports, added.flights, added.schedules, added.passenger), (0, 0, 2 * 13 + 30, false));

    let after = (schedules(&mut connection).await, discounts(&mut connection).await);
    assert_eq!(after.0[..420], before.0);
    assert_eq!(after.1[..12], before.1, "an offer that was ended stays ended");
    assert_eq!(after.1.len() as u64, 12 + added.discounts);
    for (sql, expected) in [
        ("select max(schedule_id) from flight_schedules", 10_000_420 + 56),
        ("select count(*) from flight_schedules where flight_id = 'CJ251'", 30),
        ("select max(available_seats) from flight_schedules where flight_id = 'XX1'", 20),
        ("select count(*) from flights where departure_time = '05:00' and base_price = 2", 1),
        ("select count(*) from airports where city = 'Seoul'", 1),
        ("select count(*) from users where name = '이여행' and password_hash = '!'", 1),
        (
            "select count(*) from flight_discounts d join flight_discounts e using (schedule_id) where d.discount_id <> e.discount_id",
            0,
        ),
    ] {
        assert_eq!(number(&mut connection, sql).await, expected, "{sql}");
    }
}
