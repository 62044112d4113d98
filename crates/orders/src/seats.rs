//! A schedule as the inventory engine's pool: `flight_schedules.available_seats` counts what is free.

use catalogue::schedules::{Schedule, ScheduleStatus};
use chrono::NaiveDate;
use common::money::Money;
use inventory::Pool;
use sqlx::MySqlConnection;

/// The seats of the schedule with this id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seats(pub(crate) i64);

/// What can change about a sale until its row is locked.
pub(crate) struct Sale {
    flight_date: NaiveDate,
    current_price: Money,
    status: ScheduleStatus,
    flight_revision: i32,
}

impl Pool for Seats {
    type Row = Sale;

    fn id(&self) -> i64 {
        self.0
    }

    async fn lock(&self, connection: &mut MySqlConnection) -> sqlx::Result<Option<Sale>> {
        let row = sqlx::query!(
            r#"select flight_date, current_price, status as "status: ScheduleStatus", flight_revision
               from flight_schedules where schedule_id = ? for update"#,
            self.0,
        )
        .fetch_optional(connection)
        .await?;
        Ok(row.map(|row| Sale {
            flight_date: row.flight_date,
            current_price: Money::won(row.current_price.into()),
            status: row.status.unwrap_or_default(),
            flight_revision: row.flight_revision,
        }))
    }

    async fn take(&self, connection: &mut MySqlConnection, quantity: i64) -> sqlx::Result<bool> {
        let taken = sqlx::query!(
            "update flight_schedules set available_seats = available_seats - ? where schedule_id = ? and available_seats >= ?",
            quantity,
            self.0,
            quantity,
        );
        Ok(taken.execute(connection).await?.rows_affected() == 1)
    }

    /// Of a schedule that the original oversold, what comes back covers the surplus first. (The server assigns from
    /// left to right: the seats by what was owed before.)
    async fn give_back(&self, connection: &mut MySqlConnection, quantity: i64) -> sqlx::Result<()> {
        sqlx::query!(
            "update flight_schedules
             set available_seats = available_seats + greatest(0, ? - oversold), oversold = greatest(0, oversold - ?)
             where schedule_id = ?",
            quantity,
            quantity,
            self.0
        )
        .execute(connection)
        .await
        .map(drop)
    }
}

/// Locks a schedule's row until the transaction ends, with what has lapsed in it given back, and tells what a sale
/// has to know. `None`: there is no such schedule.
///
/// The flight's own facts are read before the lock: under it, only what a sale decides by is read again, so that
/// the row is held as shortly as possible. Should the flight have changed meanwhile, it is read once more.
pub(crate) async fn lock(connection: &mut MySqlConnection, schedule_id: i64) -> sqlx::Result<Option<Schedule>> {
    match catalogue::schedules::find(connection, schedule_id).await? {
        Some(schedule) => lock_found(connection, schedule).await,
        None => Ok(None),
    }
}

/// The same, of a schedule that was read already.
pub(crate) async fn lock_found(connection: &mut MySqlConnection, schedule: Schedule) -> sqlx::Result<Option<Schedule>> {
    let schedule_id = schedule.schedule_id;
    let Some(sale) = inventory::lock(connection, &Seats(schedule_id)).await? else { return Ok(None) };
    if sale.flight_revision != schedule.flight_revision {
        return catalogue::schedules::find(connection, schedule_id).await;
    }
    Ok(Some(Schedule {
        flight_date: sale.flight_date,
        current_price: sale.current_price,
        status: sale.status,
        ..schedule
    }))
}

/// Marks a locked schedule as not flown. Answers whether it wasn't before.
pub(crate) async fn ground(connection: &mut MySqlConnection, schedule_id: i64) -> sqlx::Result<bool> {
    let cancelled = sqlx::query!(
        "update flight_schedules set status = 'CANCELLED', cancelled_at = now(6)
         where schedule_id = ? and cancelled_at is null",
        schedule_id,
    );
    Ok(cancelled.execute(connection).await?.rows_affected() == 1)
}
