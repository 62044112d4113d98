//! The SQL of the seats' checks: questions that should find nothing, and the same of one row under its lock.
//!
//! A routine round looks at schedules still to be flown, two days of every zone's clocks included.

use inventory::HoldId;
use sqlx::MySqlConnection;
use uuid::Uuid;

use crate::reconcile::Scope;
use crate::reconcile::check::PAGE;

/// A schedule's seats, as they are counted in three places.
#[derive(Debug)]
pub(super) struct Seating {
    pub(super) schedule_id: i64,
    pub(super) available: i64,
    pub(super) oversold: i64,
    pub(super) claimed: i64,
    /// How many the aircraft has.
    pub(super) total: i64,
    /// How many are for sale in all, by the last word of the history; `None`: it has none.
    pub(super) capacity: Option<i64>,
    /// Whether that word was a publisher's.
    pub(super) is_published: bool,
}

impl Seating {
    /// How many are for sale in all, by the counter and the claims.
    pub(super) fn counted(&self) -> i64 {
        self.available - self.oversold + self.claimed
    }

    pub(super) fn agrees(&self) -> bool {
        self.capacity == Some(self.counted())
    }
}

macro_rules! select_seatings {
    ($connection:expr, $rest:literal, $($argument:expr),*) => {
        sqlx::query!(
            r#"select s.schedule_id, s.available_seats, s.oversold, coalesce(f.total_seats, 180) as "total!: i64",
                      (select cast(coalesce(sum(c.quantity), 0) as signed) from claims c where c.pool_id = s.schedule_id)
                          as "claimed!: i64",
                      cast(coalesce(json_extract(e.detail, '$.new.capacity'),
                                    if(e.action = 'published', json_extract(e.detail, '$.new.available_seats'), null)) as signed)
                          as "capacity?: i64",
                      coalesce(e.action <> 'counted', false) as "is_published!: bool"
               from flight_schedules s
               join flights f on f.flight_id = s.flight_id
               left join events e on e.event_id = (
                   select l.event_id from events l
                   where l.subject = 'SCHEDULE'
                     and l.subject_id = convert(s.schedule_id using utf8mb4) collate utf8mb4_unicode_ci
                     and l.action in ('published', 'published-anew', 'lowered', 'counted')
                   order by l.happened_at desc, l.event_id desc limit 1) "# + $rest,
            $($argument),*
        )
        .fetch_all($connection)
        .await
        .map(|rows| {
            rows.into_iter()
                .map(|row| Seating {
                    schedule_id: row.schedule_id,
                    available: row.available_seats.into(),
                    oversold: row.oversold.into(),
                    claimed: row.claimed,
                    total: row.total,
                    capacity: row.capacity,
                    is_published: row.is_published,
                })
                .collect::<Vec<_>>()
        })
    };
}

pub(super) async fn seatings(connection: &mut MySqlConnection, scope: Scope, after: i64) -> sqlx::Result<Vec<Seating>> {
    select_seatings!(
        connection,
        "where s.schedule_id > ? and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 2 day)
         order by s.schedule_id limit ?",
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE
    )
}

/// The same of one schedule, which is locked.
pub(super) async fn seating(connection: &mut MySqlConnection, schedule_id: i64) -> sqlx::Result<Option<Seating>> {
    Ok(select_seatings!(connection, "where s.schedule_id = ?", schedule_id)?.pop())
}

/// Sets a locked schedule's counter.
pub(super) async fn recount(
    connection: &mut MySqlConnection,
    schedule_id: i64,
    available: i64,
    oversold: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update flight_schedules set available_seats = ?, oversold = ? where schedule_id = ?",
        available,
        oversold,
        schedule_id,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// A claim that never lapses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) id: i64,
    pub(super) schedule_id: i64,
    pub(super) hold: HoldId,
}

/// Claims of holds that no booking and no payment has.
pub(super) async fn stray_claims(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<Claim>> {
    let rows = sqlx::query!(
        r#"select c.claim_id, c.pool_id, c.hold_id as "hold_id: Uuid"
           from flight_schedules s join claims c on c.pool_id = s.schedule_id
           where c.claim_id > ? and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 2 day)
             and c.held_until is null and c.created_at <= now(6) - interval 1 minute
             and not exists (select 1 from bookings b where b.hold_id = c.hold_id)
             and not exists (select 1 from payments p where p.hold_id = c.hold_id)
           order by c.claim_id limit ?"#,
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await?;
    let claims =
        rows.into_iter().map(|row| Claim { id: row.claim_id, schedule_id: row.pool_id, hold: row.hold_id.into() });
    Ok(claims.collect())
}

/// Whether a booking or a payment has this hold: one statement, so that it can't pass from one to the other unseen.
pub(super) async fn is_somebodys(connection: &mut MySqlConnection, hold: HoldId) -> sqlx::Result<bool> {
    let hold = Uuid::from(hold);
    sqlx::query_scalar!(
        r#"select (exists (select 1 from bookings where hold_id = ?) or exists (select 1 from payments where hold_id = ?))
               as "is_somebodys: bool""#,
        hold,
        hold,
    )
    .fetch_one(connection)
    .await
}

/// Cancelled bookings with claims.
pub(super) async fn cancelled_with_claims(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select b.booking_id
         from flight_schedules s join bookings b on b.schedule_id = s.schedule_id
         where b.booking_id > ? and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 2 day)
           and b.status = 'CANCELLED'
           and exists (select 1 from claims c where c.hold_id = b.hold_id and c.held_until is null)
         order by b.booking_id limit ?",
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// Payments that are over, with claims.
pub(super) async fn over_with_claims(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select p.payment_id
         from flight_schedules s
         join claims c on c.pool_id = s.schedule_id
         join payments p on p.hold_id = c.hold_id
         where p.payment_id > ? and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 2 day)
           and c.held_until is null and (p.closed_at is not null or p.status = 'CANCELLED')
         group by p.payment_id order by p.payment_id limit ?",
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// Confirmed bookings whose claims are not their passengers'.
pub(super) async fn confirmed_without_claims(
    connection: &mut MySqlConnection,
    scope: Scope,
    after: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select b.booking_id
         from flight_schedules s join bookings b on b.schedule_id = s.schedule_id
         where b.booking_id > ? and (s.schedule_id = ? or ? is null and s.flight_date >= current_date - interval 2 day)
           and s.cancelled_at is null and b.status = 'CONFIRMED'
           and ((select count(*) from passengers p where p.booking_id = b.booking_id)
                  <> (select coalesce(sum(c.quantity), 0) from claims c
                      where c.hold_id = b.hold_id and c.pool_id = b.schedule_id and c.state = 'SOLD')
                or exists (select 1 from passengers p
                           where p.booking_id = b.booking_id and p.seat_number is not null
                             and not exists (select 1 from claims c
                                             where c.hold_id = b.hold_id and c.pool_id = b.schedule_id
                                               and c.unit = p.seat_number and c.state = 'SOLD')))
         order by b.booking_id limit ?",
        after,
        scope.schedule_id,
        scope.schedule_id,
        PAGE,
    )
    .fetch_all(connection)
    .await
}

/// What a booking has, and should have.
#[derive(Debug)]
pub(in crate::reconcile) struct Claims {
    pub(in crate::reconcile) sold: i64,
    /// The seats of its passengers.
    pub(in crate::reconcile) seats: Vec<String>,
}

/// What is wrong with the claims of a booking, which is locked, as is its schedule; `None`: nothing.
pub(in crate::reconcile) async fn wrong_claims_of(
    connection: &mut MySqlConnection,
    booking_id: i64,
) -> sqlx::Result<Option<Claims>> {
    let passengers = sqlx::query!(
        r#"select p.seat_number,
                  exists (select 1 from claims c
                          where c.hold_id = b.hold_id and c.pool_id = b.schedule_id
                            and c.unit = p.seat_number and c.state = 'SOLD') as "is_claimed: bool"
           from bookings b join passengers p on p.booking_id = b.booking_id where b.booking_id = ?"#,
        booking_id,
    )
    .fetch_all(&mut *connection)
    .await?;
    let sold = sqlx::query_scalar!(
        r#"select cast(coalesce(sum(c.quantity), 0) as signed) as "sold!: i64"
           from bookings b join claims c on c.hold_id = b.hold_id and c.pool_id = b.schedule_id
           where b.booking_id = ? and c.state = 'SOLD'"#,
        booking_id,
    )
    .fetch_one(connection)
    .await?;
    let is_whole = usize::try_from(sold) == Ok(passengers.len())
        && passengers.iter().all(|p| p.seat_number.is_none() || p.is_claimed);
    let seats = passengers.into_iter().filter_map(|p| p.seat_number).collect();
    Ok((!is_whole).then_some(Claims { sold, seats }))
}

/// Lets a locked booking have another hold.
pub(super) async fn set_hold(connection: &mut MySqlConnection, booking_id: i64, hold: HoldId) -> sqlx::Result<()> {
    sqlx::query!("update bookings set hold_id = ? where booking_id = ?", Uuid::from(hold), booking_id)
        .execute(connection)
        .await
        .map(drop)
}
