//! The SQL of claims. What locks names its index: a locking read locks whatever it passes, and left to itself the
//! server may read a small table in another order, through the claims of other pools.

use chrono::{DateTime, Utc};
use sqlx::{MySqlConnection, QueryBuilder};
use uuid::Uuid;

use crate::{ChooseError, End, HoldError, HoldId, TakenUnit, Want};

/// The key that lets a unit be claimed once.
const ONE_CLAIM_PER_UNIT: &str = "uq_claims_pool_id_unit";

/// A claim that this transaction has locked.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) claim_id: i64,
    pub(crate) quantity: i64,
}

/// A claim that this transaction has locked, with all that another one for the same would say.
#[derive(Debug)]
pub(crate) struct UnitClaim {
    pub(crate) claim_id: i64,
    pub(crate) unit: Option<String>,
    pub(crate) quantity: i64,
    owner_id: i64,
    is_sold: bool,
    held_until: Option<DateTime<Utc>>,
    yielding: bool,
}

pub(crate) async fn lapsed_in(connection: &mut MySqlConnection, pool_id: i64) -> sqlx::Result<Vec<Claim>> {
    sqlx::query_as!(
        Claim,
        r#"select claim_id, quantity as "quantity: i64" from claims
           force index (ix_claims_pool_id_held_until)
           where pool_id = ? and held_until <= now(6)
           order by claim_id for update"#,
        pool_id,
    )
    .fetch_all(connection)
    .await
}

pub(crate) async fn of_hold(connection: &mut MySqlConnection, pool_id: i64, id: HoldId) -> sqlx::Result<Vec<Claim>> {
    sqlx::query_as!(
        Claim,
        r#"select claim_id, quantity as "quantity: i64" from claims
           force index (ix_claims_hold_id)
           where hold_id = ? and pool_id = ?
           order by claim_id for update"#,
        Uuid::from(id),
        pool_id,
    )
    .fetch_all(connection)
    .await
}

pub(crate) async fn units_of_hold(
    connection: &mut MySqlConnection,
    pool_id: i64,
    id: HoldId,
) -> sqlx::Result<Vec<UnitClaim>> {
    sqlx::query_as!(
        UnitClaim,
        r#"select claim_id, unit, quantity as "quantity: i64", owner_id, (state = 'SOLD') as "is_sold: bool",
                  held_until as "held_until: DateTime<Utc>", yielding as "yielding: bool"
           from claims
           force index (ix_claims_hold_id)
           where hold_id = ? and pool_id = ?
           order by claim_id for update"#,
        Uuid::from(id),
        pool_id,
    )
    .fetch_all(connection)
    .await
}

pub(crate) async fn yielding_of(
    connection: &mut MySqlConnection,
    pool_id: i64,
    owner_id: i64,
) -> sqlx::Result<Vec<Claim>> {
    sqlx::query_as!(
        Claim,
        r#"select claim_id, quantity as "quantity: i64" from claims
           force index (ix_claims_pool_id_owner_id)
           where pool_id = ? and owner_id = ? and state = 'HELD' and yielding and held_until is not null
           order by claim_id desc for update"#,
        pool_id,
        owner_id,
    )
    .fetch_all(connection)
    .await
}

pub(crate) async fn may_give_way(connection: &mut MySqlConnection, pool_id: i64, owner_id: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select (exists (select 1 from claims where pool_id = ? and held_until <= now(6))
                   or exists (select 1 from claims where pool_id = ? and owner_id = ? and state = 'HELD' and yielding))
                  as "may!: bool""#,
        pool_id,
        pool_id,
        owner_id,
    )
    .fetch_one(connection)
    .await
}

pub(crate) async fn held_for_a_time(
    connection: &mut MySqlConnection,
    pool_id: i64,
    owner_id: i64,
) -> sqlx::Result<i64> {
    let held = sqlx::query_scalar!(
        r#"select cast(sum(quantity) as signed) from claims
           where pool_id = ? and owner_id = ? and state = 'HELD' and held_until > now(6)"#,
        pool_id,
        owner_id,
    )
    .fetch_one(connection)
    .await?;
    Ok(held.unwrap_or_default())
}

pub(crate) async fn insert(
    connection: &mut MySqlConnection,
    pool_id: i64,
    id: HoldId,
    want: &Want<'_>,
) -> Result<(), HoldError> {
    let named = i64::try_from(want.units.len()).unwrap_or(i64::MAX);
    let unnamed = want.quantity - named;
    let rows = want.units.iter().map(|unit| (Some(unit), 1)).chain((unnamed > 0).then_some((None, unnamed)));
    let mut insert = QueryBuilder::new(
        "insert into claims (hold_id, pool_id, owner_id, unit, quantity, state, held_until, yielding) ",
    );
    insert.push_values(rows, |mut row, (unit, quantity)| {
        row.push_bind(Uuid::from(id)).push_bind(pool_id).push_bind(want.owner_id).push_bind(unit).push_bind(quantity);
        row.push("'HELD'");
        match want.lasts {
            Some(lasts) => {
                row.push("now(6) + interval ").push_bind_unseparated(lasts.num_seconds()).push_unseparated(" second")
            }
            None => row.push("null"),
        };
        row.push_bind(want.yielding);
    });
    match insert.build().execute(&mut *connection).await {
        Ok(_) => Ok(()),
        Err(error) if common::db::violated_constraint(&error) == Some(ONE_CLAIM_PER_UNIT) => {
            // Also one that has lapsed since the pool was locked: nobody has given it back yet.
            for unit in want.units {
                if holder_of(connection, pool_id, unit).await?.is_some() {
                    return Err(HoldError::UnitTaken(unit.clone()));
                }
            }
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Claims `units` and an `unnamed` quantity for a hold, as it has `like`: all of it, or nothing.
pub(crate) async fn insert_like(
    connection: &mut MySqlConnection,
    pool_id: i64,
    id: HoldId,
    like: &UnitClaim,
    units: &[&String],
    unnamed: Option<i64>,
) -> Result<(), ChooseError> {
    let rows = units.iter().map(|unit| (Some(*unit), 1)).chain(unnamed.map(|quantity| (None, quantity)));
    let mut insert = QueryBuilder::new(
        "insert into claims (hold_id, pool_id, owner_id, unit, quantity, state, held_until, yielding) ",
    );
    insert.push_values(rows, |mut row, (unit, quantity)| {
        row.push_bind(Uuid::from(id)).push_bind(pool_id).push_bind(like.owner_id).push_bind(unit).push_bind(quantity);
        row.push(if like.is_sold { "'SOLD'" } else { "'HELD'" });
        row.push_bind(like.held_until).push_bind(like.yielding);
    });
    match insert.build().execute(&mut *connection).await {
        Ok(_) => Ok(()),
        Err(error) if common::db::violated_constraint(&error) == Some(ONE_CLAIM_PER_UNIT) => {
            // Also one that has lapsed since the pool was locked: nobody has given it back yet.
            let taken = claimed_of(connection, pool_id, units).await?;
            Err(if taken.is_empty() { error.into() } else { ChooseError::UnitsTaken(taken) })
        }
        Err(error) => Err(error.into()),
    }
}

/// Which of `units` somebody has claimed, in their order.
async fn claimed_of(connection: &mut MySqlConnection, pool_id: i64, units: &[&String]) -> sqlx::Result<Vec<String>> {
    let mut select = QueryBuilder::new("select unit from claims where pool_id = ");
    select.push_bind(pool_id).push(" and unit in (");
    let mut names = select.separated(", ");
    for unit in units {
        names.push_bind(*unit);
    }
    select.push(") order by unit");
    select.build_query_scalar().fetch_all(connection).await
}

/// Sells what is held and hasn't lapsed; answers how much that was.
pub(crate) async fn sell(connection: &mut MySqlConnection, id: HoldId) -> sqlx::Result<i64> {
    let held = sqlx::query_as!(
        Claim,
        r#"select claim_id, quantity as "quantity: i64" from claims
           force index (ix_claims_hold_id)
           where hold_id = ? and state = 'HELD' and (held_until is null or held_until > now(6))
           order by claim_id for update"#,
        Uuid::from(id),
    )
    .fetch_all(&mut *connection)
    .await?;
    if held.is_empty() {
        return Ok(0);
    }
    // The claims of a hold end together: all of them are locked now.
    sqlx::query!(
        "update claims force index (ix_claims_hold_id) set state = 'SOLD', held_until = null, yielding = false
         where hold_id = ? and state = 'HELD'",
        Uuid::from(id),
    )
    .execute(connection)
    .await?;
    Ok(held.iter().map(|claim| claim.quantity).sum())
}

pub(crate) async fn set_end(connection: &mut MySqlConnection, id: HoldId, end: End) -> sqlx::Result<bool> {
    let hold = Uuid::from(id);
    let done = match end {
        End::Never => sqlx::query!(
            "update claims force index (ix_claims_hold_id) set held_until = null where hold_id = ? and state = 'HELD'",
            hold,
        ),
        End::In(lasts) => sqlx::query!(
            "update claims force index (ix_claims_hold_id) set held_until = now(6) + interval ? second
             where hold_id = ? and state = 'HELD'",
            lasts.num_seconds(),
            hold,
        ),
        End::NotBefore(lasts) => sqlx::query!(
            "update claims force index (ix_claims_hold_id) set held_until = greatest(held_until, now(6) + interval ? second)
             where hold_id = ? and state = 'HELD'",
            lasts.num_seconds(),
            hold,
        ),
        End::At(end) => sqlx::query!(
            "update claims force index (ix_claims_hold_id) set held_until = ? where hold_id = ? and state = 'HELD'",
            end,
            hold,
        ),
    };
    Ok(done.execute(connection).await?.rows_affected() > 0)
}

pub(crate) async fn end_of(connection: &mut MySqlConnection, id: HoldId) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"select min(held_until) as "end: DateTime<Utc>" from claims where hold_id = ? and state = 'HELD'"#,
        Uuid::from(id),
    )
    .fetch_one(connection)
    .await
}

pub(crate) async fn is_live(connection: &mut MySqlConnection, id: HoldId) -> sqlx::Result<bool> {
    let live = sqlx::query_scalar!(
        r#"select count(*) from claims where hold_id = ? and (held_until is null or held_until > now(6))"#,
        Uuid::from(id),
    )
    .fetch_one(connection)
    .await?;
    Ok(live > 0)
}

pub(crate) async fn taken_units(connection: &mut MySqlConnection, pool_id: i64) -> sqlx::Result<Vec<TakenUnit>> {
    sqlx::query_as!(
        TakenUnit,
        r#"select unit as "unit!", (state = 'SOLD') as "is_sold: bool" from claims
           where pool_id = ? and unit is not null and (held_until is null or held_until > now(6))"#,
        pool_id,
    )
    .fetch_all(connection)
    .await
}

pub(crate) async fn holder_of(
    connection: &mut MySqlConnection,
    pool_id: i64,
    unit: &str,
) -> sqlx::Result<Option<HoldId>> {
    let id = sqlx::query_scalar!(
        r#"select hold_id as "hold_id: Uuid" from claims where pool_id = ? and unit = ?"#,
        pool_id,
        unit
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(HoldId::from))
}

pub(crate) async fn held(connection: &mut MySqlConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select cast(coalesce(sum(quantity), 0) as signed) as "held!: i64" from claims where held_until > now(6)"#
    )
    .fetch_one(connection)
    .await
}

pub(crate) async fn pools_with_lapsed(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "select distinct pool_id from claims where held_until <= now(6) order by pool_id limit ?",
        limit
    )
    .fetch_all(connection)
    .await
}

pub(crate) async fn delete(
    connection: &mut MySqlConnection,
    claims: impl IntoIterator<Item = i64>,
) -> sqlx::Result<()> {
    let mut delete = QueryBuilder::new("delete from claims where claim_id in (");
    let mut ids = delete.separated(", ");
    for claim_id in claims {
        ids.push_bind(claim_id);
    }
    delete.push(")");
    delete.build().execute(connection).await.map(drop)
}
