//! Rows for tests to start from, as an operator could have written them by hand.
//!
//! Each panics when the database refuses: a test without its rows has nothing to say.
#![expect(clippy::missing_panics_doc, reason = "said once, for all of them")]

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::NaiveDate;
use sqlx::MySqlPool;

/// An account; its password is unusable. Answers its id.
pub async fn user(db: &MySqlPool) -> i64 {
    account(db, "USER").await
}

/// An administrator. Answers its id.
pub async fn admin(db: &MySqlPool) -> i64 {
    account(db, "ADMIN").await
}

async fn account(db: &MySqlPool, role: &str) -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let id = sqlx::query("insert into users (name, email, password_hash, phone, birth_date, role) values (?, ?, '!', '010-1234-5678', '1990-02-03', ?)")
        .bind(format!("승객{n}"))
        .bind(format!("passenger{n}@example.com"))
        .bind(role)
        .execute(db)
        .await
        .expect("an account")
        .last_insert_id();
    i64::try_from(id).expect("an id")
}

/// Airports ICN, NRT and LAX, if they aren't there yet.
pub async fn airports(db: &MySqlPool) {
    for (code, name, city, country, zone) in [
        ("ICN", "인천국제공항", "서울", "대한민국", "Asia/Seoul"),
        ("NRT", "나리타국제공항", "도쿄", "일본", "Asia/Tokyo"),
        ("LAX", "로스앤젤레스국제공항", "로스앤젤레스", "미국", "America/Los_Angeles"),
    ] {
        sqlx::query(
            "insert into airports (airport_code, airport_name, city, country, time_zone) values (?, ?, ?, ?, ?)
             on duplicate key update airport_name = airport_name",
        )
        .bind(code)
        .bind(name)
        .bind(city)
        .bind(country)
        .bind(zone)
        .execute(db)
        .await
        .expect("an airport");
    }
}

/// A schedule to be sold; what isn't said is ICN→NRT at 06:30, 320,000 won, 180 seats.
#[derive(Clone, Debug)]
pub struct Schedule {
    flight_id: String,
    from: &'static str,
    to: &'static str,
    departs: &'static str,
    date: NaiveDate,
    price: i64,
    seats: i64,
}

/// A schedule on `date`, to be completed and [inserted](Schedule::insert).
pub fn schedule(date: NaiveDate) -> Schedule {
    Schedule {
        flight_id: "CJ101".to_owned(),
        from: "ICN",
        to: "NRT",
        departs: "06:30:00",
        date,
        price: 320_000,
        seats: 180,
    }
}

impl Schedule {
    /// Another flight number.
    #[must_use]
    pub fn flight(mut self, flight_id: &str) -> Self {
        flight_id.clone_into(&mut self.flight_id);
        self
    }

    /// Another route.
    #[must_use]
    pub fn route(mut self, from: &'static str, to: &'static str) -> Self {
        (self.from, self.to) = (from, to);
        self
    }

    /// Another local time of departure, `HH:MM:SS`.
    #[must_use]
    pub fn departs(mut self, time: &'static str) -> Self {
        self.departs = time;
        self
    }

    /// Another price in won.
    #[must_use]
    pub fn price(mut self, won: i64) -> Self {
        self.price = won;
        self
    }

    /// Other free seats.
    #[must_use]
    pub fn seats(mut self, seats: i64) -> Self {
        self.seats = seats;
        self
    }

    /// Writes it, with its flight and airports where they are missing. Answers the schedule's id.
    pub async fn insert(self, db: &MySqlPool) -> i64 {
        airports(db).await;
        sqlx::query(
            "insert into flights (flight_id, departure_airport, arrival_airport, departure_time, arrival_time, duration, aircraft, base_price)
             values (?, ?, ?, ?, '09:15:00', '2시간 45분', 'Boeing 737-800', ?)
             on duplicate key update flight_id = flight_id",
        )
        .bind(&self.flight_id)
        .bind(self.from)
        .bind(self.to)
        .bind(self.departs)
        .bind(self.price)
        .execute(db)
        .await
        .expect("a flight");
        let id = sqlx::query(
            "insert into flight_schedules (flight_id, flight_date, current_price, available_seats) values (?, ?, ?, ?)",
        )
        .bind(&self.flight_id)
        .bind(self.date)
        .bind(self.price)
        .bind(self.seats)
        .execute(db)
        .await
        .expect("a schedule")
        .last_insert_id();
        i64::try_from(id).expect("an id")
    }
}

/// An active discount of `percent` on a schedule.
pub async fn discount(db: &MySqlPool, schedule_id: i64, percent: i64) {
    sqlx::query("insert into flight_discounts (schedule_id, discount_percentage) values (?, ?)")
        .bind(schedule_id)
        .bind(percent)
        .execute(db)
        .await
        .expect("a discount");
}
