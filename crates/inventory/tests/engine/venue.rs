//! Two kinds of pool, and what a test asks of either.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use inventory::{ChooseError, HoldError, HoldId, Pool, Want};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{MySqlConnection, MySqlPool};
use testkit::{World, seed};

/// Somebody who sells places, some of them by name.
pub(crate) trait Venue: Pool + Copy + Send + 'static {
    /// The column that counts what is free.
    const FREE: &'static str;

    /// Opens one that has `places`.
    fn open(world: &World, places: i64) -> impl Future<Output = Self> + Send;

    /// Names of places, all different.
    fn names() -> Vec<String>;
}

/// A performance in a theatre. The house keeps its own table, of which the engine knows nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Performance(i64);

impl Venue for Performance {
    const FREE: &'static str = "select cast(places_left as signed) from performances where performance_id = ?";

    async fn open(world: &World, places: i64) -> Self {
        sqlx::query(
            "create table if not exists performances (
                 performance_id bigint not null auto_increment primary key,
                 title varchar(100) not null,
                 places_left int not null check (places_left >= 0)
             ) auto_increment = 1",
        )
        .execute(&world.db)
        .await
        .unwrap();
        let insert = sqlx::query("insert into performances (title, places_left) values ('The Cherry Orchard', ?)");
        let id = insert.bind(places).execute(&world.db).await.unwrap().last_insert_id();
        Self(id.try_into().unwrap())
    }

    fn names() -> Vec<String> {
        let stalls = (1..=3).flat_map(|row| (1..=3).map(move |seat| format!("stalls, row {row}, seat {seat}")));
        stalls.chain((1..=3).map(|chair| format!("royal box, chair {chair}"))).collect()
    }
}

impl Pool for Performance {
    type Row = String;

    fn id(&self) -> i64 {
        self.0
    }

    async fn lock(&self, connection: &mut MySqlConnection) -> sqlx::Result<Option<String>> {
        sqlx::query_scalar("select title from performances where performance_id = ? for update")
            .bind(self.0)
            .fetch_optional(connection)
            .await
    }

    async fn take(&self, connection: &mut MySqlConnection, quantity: i64) -> sqlx::Result<bool> {
        let take =
            "update performances set places_left = places_left - ? where performance_id = ? and places_left >= ?";
        let taken = sqlx::query(take).bind(quantity).bind(self.0).bind(quantity).execute(connection).await?;
        Ok(taken.rows_affected() == 1)
    }

    async fn give_back(&self, connection: &mut MySqlConnection, quantity: i64) -> sqlx::Result<()> {
        let give = "update performances set places_left = places_left + ? where performance_id = ?";
        sqlx::query(give).bind(quantity).bind(self.0).execute(connection).await.map(drop)
    }
}

/// A flight on a day, which is what the engine was made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight(i64);

impl Venue for Flight {
    const FREE: &'static str = "select cast(available_seats as signed) from flight_schedules where schedule_id = ?";

    async fn open(world: &World, places: i64) -> Self {
        Self(seed::schedule(world.day(3)).seats(places).insert(&world.db).await)
    }

    fn names() -> Vec<String> {
        ('A'..='F').flat_map(|letter| [1, 2].map(|row| format!("{row}{letter}"))).collect()
    }
}

impl Pool for Flight {
    type Row = ();

    fn id(&self) -> i64 {
        self.0
    }

    async fn lock(&self, connection: &mut MySqlConnection) -> sqlx::Result<Option<()>> {
        let lock = sqlx::query("select 1 from flight_schedules where schedule_id = ? for update").bind(self.0);
        Ok(lock.fetch_optional(connection).await?.map(drop))
    }

    async fn take(&self, connection: &mut MySqlConnection, quantity: i64) -> sqlx::Result<bool> {
        let take = "update flight_schedules set available_seats = available_seats - ?
                    where schedule_id = ? and available_seats >= ?";
        let taken = sqlx::query(take).bind(quantity).bind(self.0).bind(quantity).execute(connection).await?;
        Ok(taken.rows_affected() == 1)
    }

    async fn give_back(&self, connection: &mut MySqlConnection, quantity: i64) -> sqlx::Result<()> {
        let give = "update flight_schedules set available_seats = available_seats + ? where schedule_id = ?";
        sqlx::query(give).bind(quantity).bind(self.0).execute(connection).await.map(drop)
    }
}

/// Where places are sold: each call is a transaction of its own.
#[derive(Clone, Debug)]
pub(crate) struct Counter<V> {
    pub(crate) world: World,
    pub(crate) venue: V,
}

impl<V: Venue> Counter<V> {
    pub(crate) async fn open(database: MySqlConnectOptions, places: i64) -> Self {
        let world = World::with_connections(database, 24);
        Self { venue: V::open(&world, places).await, world }
    }

    pub(crate) fn db(&self) -> &MySqlPool {
        &self.world.db
    }

    /// Holds `quantity` places for a quarter of an hour, these `units` among them.
    pub(crate) async fn hold(&self, owner_id: i64, quantity: i64, units: &[&str]) -> Result<HoldId, HoldError> {
        let units: Vec<String> = units.iter().map(|&unit| unit.to_owned()).collect();
        let lasts = Some(TimeDelta::minutes(15));
        let want = Want { owner_id, quantity, units: &units, lasts, yielding: false, cap: None };
        self.locked(async |tx| {
            let id = HoldId::new();
            inventory::hold(tx, &self.venue, id, &want).await.map(|()| id)
        })
        .await
    }

    /// Lets a hold have these `units` and no others.
    pub(crate) async fn choose(&self, id: HoldId, units: &[&str]) -> Result<(), ChooseError> {
        let units: BTreeSet<String> = units.iter().map(|&unit| unit.to_owned()).collect();
        self.locked(async |tx| inventory::choose(tx, &self.venue, id, &units).await).await
    }

    /// Sells a hold, and answers how much was sold. The pool isn't locked for it: a payment is told of at any time.
    pub(crate) async fn sell(&self, id: HoldId) -> i64 {
        self.transact(async |tx| inventory::sell(tx, id).await).await.unwrap()
    }

    /// Releases a hold, and answers how much came back.
    pub(crate) async fn release(&self, id: HoldId) -> i64 {
        self.locked(async |tx| inventory::release(tx, &self.venue, id).await).await.unwrap()
    }

    /// Gives back what has lapsed.
    pub(crate) async fn tidy(&self) {
        self.locked(async |_| Ok::<_, sqlx::Error>(())).await.unwrap();
    }

    /// Works in a transaction that has locked the pool.
    async fn locked<T, E>(&self, work: impl AsyncFn(&mut MySqlConnection) -> Result<T, E>) -> Result<T, E>
    where
        E: std::error::Error + From<sqlx::Error> + 'static,
    {
        self.transact(async |tx| {
            inventory::lock(tx, &self.venue).await?.unwrap();
            work(tx).await
        })
        .await
    }

    async fn transact<T, E>(&self, work: impl AsyncFn(&mut MySqlConnection) -> Result<T, E>) -> Result<T, E>
    where
        E: std::error::Error + From<sqlx::Error> + 'static,
    {
        let work = &work;
        common::db::retry(|| async move {
            let mut tx = self.db().begin().await?;
            let done = work(&mut tx).await?;
            common::db::commit(tx).await?;
            Ok(done)
        })
        .await
    }

    /// How many places are free by the venue's own count, and how many are claimed.
    pub(crate) async fn count(&self) -> (i64, i64) {
        let claimed = "select cast(coalesce(sum(quantity), 0) as signed) from claims where pool_id = ?";
        let count = async |query| sqlx::query_scalar(query).bind(self.venue.id()).fetch_one(self.db()).await.unwrap();
        (count(V::FREE).await, count(claimed).await)
    }

    /// The claims of a hold: units in their order, how many places it is of, and how all of them stand, which is alike.
    pub(crate) async fn claims(&self, id: HoldId) -> (Vec<String>, i64, Vec<String>) {
        let of = |query| sqlx::query_as(query).bind(uuid(id)).fetch_all(self.db());
        let rows: Vec<(Option<String>, i64, String)> =
            of("select unit, cast(quantity as signed), concat_ws(' ', state, held_until, yielding, owner_id)
             from claims where hold_id = ? order by unit")
            .await
            .unwrap();
        let standing: BTreeSet<String> = rows.iter().map(|(_, _, standing)| standing.clone()).collect();
        let quantity = rows.iter().map(|(_, quantity, _)| quantity).sum();
        (rows.into_iter().filter_map(|(unit, _, _)| unit).collect(), quantity, standing.into_iter().collect())
    }

    /// The units that are somebody's, in their order, and whether each is sold.
    pub(crate) async fn taken(&self) -> Vec<(String, bool)> {
        let taken = inventory::taken_units(&mut self.db().acquire().await.unwrap(), self.venue.id()).await.unwrap();
        let mut taken: Vec<(String, bool)> = taken.into_iter().map(|taken| (taken.unit, taken.is_sold)).collect();
        taken.sort();
        taken
    }
}

pub(crate) fn uuid(id: HoldId) -> uuid::Uuid {
    id.into()
}
