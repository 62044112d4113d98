//! The capacity and seat engine: who holds or has bought how much of what there is only so much of.
//!
//! It knows no flights. It keeps *claims* on a *pool*: a quantity, optionally of a named *unit* (a seat), held
//! until a time or sold. Claims taken together are a *hold*; its id is never used again, so a late or repeated
//! action on it can't touch anybody else's. How many are free is the vertical's own column: it gives the engine
//! two guarded updates, take and give back, through [`Pool`]. Which units there are, and who sits on which, is the
//! vertical's to know: here a hold has so much of a pool, some of it by name, and may [choose](choose) other names.
//!
//! The one trap is order: the pool's row is locked first, always, and claims after it. [`lock`] also gives back
//! what has lapsed, so an abandoned hold never blocks a buyer; a sweeper only tidies. Time is the database's.

mod store;

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::MySqlConnection;
use uuid::Uuid;

/// A pool of things to sell: the vertical's row that counts what is free.
pub trait Pool: Sync {
    /// What the vertical wants to know of the row once it is locked.
    type Row: Send;

    /// The pool's number: nobody else's whose claims are in the same database, of whatever kind.
    fn id(&self) -> i64;

    /// Locks the row until the transaction ends. `None`: there is no such pool.
    fn lock(&self, connection: &mut MySqlConnection) -> impl Future<Output = sqlx::Result<Option<Self::Row>>> + Send;

    /// Takes `quantity` if that much is free: a guarded update. Answers whether it was.
    fn take(&self, connection: &mut MySqlConnection, quantity: i64) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Gives `quantity` back.
    fn give_back(
        &self,
        connection: &mut MySqlConnection,
        quantity: i64,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

/// The claims that were taken together, and the fence around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct HoldId(Uuid);

impl HoldId {
    /// An id that nobody has used and nobody will.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for HoldId {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Uuid> for HoldId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<HoldId> for Uuid {
    fn from(id: HoldId) -> Self {
        id.0
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A unit that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenUnit {
    /// Its name.
    pub unit: String,
    /// Whether it is sold; else it is held, and may come back.
    pub is_sold: bool,
}

/// When a hold lapses by itself.
#[derive(Clone, Copy, Debug)]
enum End {
    Never,
    In(TimeDelta),
    NotBefore(TimeDelta),
    At(DateTime<Utc>),
}

/// What somebody wants to hold.
#[derive(Clone, Debug)]
pub struct Want<'u> {
    /// For whom.
    pub owner_id: i64,
    /// How much in all, named units included.
    pub quantity: i64,
    /// The units that must be among it.
    pub units: &'u [String],
    /// How long, by the database's clock; `None`: until told otherwise.
    pub lasts: Option<TimeDelta>,
    /// Whether its owner may take it over for another hold.
    pub yielding: bool,
    /// How much the owner may hold in this pool for a limited time, this included. `None`: no cap.
    pub cap: Option<i64>,
}

/// Why something can't be held.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// Not that much is free.
    #[error("not enough is free")]
    NotEnough,
    /// A unit is somebody's already.
    #[error("unit {0} is taken")]
    UnitTaken(String),
    /// The owner holds too much already.
    #[error("the owner holds as much as allowed")]
    CapReached,
    /// The database failed.
    #[error("could not keep the claims")]
    Database(#[from] sqlx::Error),
}

/// Why a hold can't have the units it wants. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// It is released, or has lapsed.
    #[error("there is no such hold")]
    Gone,
    /// It isn't of so much.
    #[error("the hold is too small")]
    TooMany,
    /// These are others' already: all that are, in their order.
    #[error("units {} are taken", .0.join(", "))]
    UnitsTaken(Vec<String>),
    /// The database failed.
    #[error("could not keep the claims")]
    Database(#[from] sqlx::Error),
}

/// Locks a pool until the transaction ends, and gives back what has lapsed in it. `None`: there is no such pool.
pub async fn lock<P: Pool>(connection: &mut MySqlConnection, pool: &P) -> sqlx::Result<Option<P::Row>> {
    let Some(row) = pool.lock(connection).await? else { return Ok(None) };
    let lapsed = store::lapsed_in(connection, pool.id()).await?;
    if !lapsed.is_empty() {
        drop_claims(connection, pool, &lapsed).await?;
    }
    Ok(Some(row))
}

/// Whether more may be free for `owner_id` than a pool counts, once it is [locked](lock): something in it has lapsed, or
/// the owner has what would give way. Locks nothing.
pub async fn may_give_way(connection: &mut MySqlConnection, pool_id: i64, owner_id: i64) -> sqlx::Result<bool> {
    store::may_give_way(connection, pool_id, owner_id).await
}

/// Holds what is wanted, in a pool that this transaction has [locked](lock).
///
/// Where capacity or the cap doesn't suffice, the owner's own yielding holds give way first.
pub async fn hold<P: Pool>(
    connection: &mut MySqlConnection,
    pool: &P,
    id: HoldId,
    want: &Want<'_>,
) -> Result<(), HoldError> {
    if let Some(cap) = want.cap {
        let held = store::held_for_a_time(connection, pool.id(), want.owner_id).await?;
        let over = held + want.quantity - cap;
        if over > 0 && !make_way(connection, pool, want.owner_id, over).await? {
            return Err(HoldError::CapReached);
        }
    }
    while !pool.take(connection, want.quantity).await? {
        if !make_way(connection, pool, want.owner_id, 1).await? {
            return Err(HoldError::NotEnough);
        }
    }
    let claimed = store::insert(connection, pool.id(), id, want).await;
    if let Err(HoldError::UnitTaken(_)) = claimed {
        pool.give_back(connection, want.quantity).await?;
    }
    claimed
}

/// Makes the owner's yielding holds give way, newest first, until at least `quantity` is free again. Answers
/// whether that much could be.
async fn make_way<P: Pool>(
    connection: &mut MySqlConnection,
    pool: &P,
    owner_id: i64,
    quantity: i64,
) -> sqlx::Result<bool> {
    let mut freed = 0;
    let mut giving_way = Vec::new();
    for claim in store::yielding_of(connection, pool.id(), owner_id).await? {
        if freed >= quantity {
            break;
        }
        freed += claim.quantity;
        giving_way.push(claim);
    }
    if freed < quantity {
        return Ok(false);
    }
    drop_claims(connection, pool, &giving_way).await?;
    Ok(true)
}

/// Lets a hold, held or sold, have these `units` and no others, in a pool that this transaction has [locked](lock); the
/// rest of its quantity has no names then. How much it is of, whether it is sold and when it lapses stay as they are.
///
/// New units are claimed before old ones are freed. What the hold has already it keeps, so the same choice twice is one.
pub async fn choose<P: Pool>(
    connection: &mut MySqlConnection,
    pool: &P,
    id: HoldId,
    units: &BTreeSet<String>,
) -> Result<(), ChooseError> {
    let claims = store::units_of_hold(connection, pool.id(), id).await?;
    let had: BTreeSet<&String> = claims.iter().filter_map(|claim| claim.unit.as_ref()).collect();
    let quantity: i64 = claims.iter().map(|claim| claim.quantity).sum();
    let unnamed = quantity - i64::try_from(units.len()).unwrap_or(i64::MAX);
    let Some(like) = claims.first() else { return Err(ChooseError::Gone) };
    if unnamed < 0 {
        return Err(ChooseError::TooMany);
    }
    // What is unnamed is one claim: of another size, it is another claim.
    let resized = had.len() != units.len();
    let gone = |claim: &&store::UnitClaim| claim.unit.as_ref().map_or(resized, |unit| !units.contains(unit));
    let gone: Vec<i64> = claims.iter().filter(gone).map(|claim| claim.claim_id).collect();
    let new: Vec<&String> = units.iter().filter(|unit| !had.contains(unit)).collect();
    let unnamed = Some(unnamed).filter(|unnamed| resized && *unnamed > 0);
    if !new.is_empty() || unnamed.is_some() {
        store::insert_like(connection, pool.id(), id, like, &new, unnamed).await?;
    }
    if !gone.is_empty() {
        store::delete(connection, gone).await?;
    }
    Ok(())
}

/// Sells a hold, whoever's turn it is to call: its claims no longer lapse. Answers how much was sold: 0 if the hold
/// has lapsed, also if nobody has given it back yet, or is sold already.
pub async fn sell(connection: &mut MySqlConnection, id: HoldId) -> sqlx::Result<i64> {
    store::sell(connection, id).await
}

/// Lets a hold last until told otherwise. Answers whether it still was there.
pub async fn keep(connection: &mut MySqlConnection, id: HoldId) -> sqlx::Result<bool> {
    store::set_end(connection, id, End::Never).await
}

/// Lets a hold last `lasts` from now, however long it was to last. Answers whether it still was there.
pub async fn renew(connection: &mut MySqlConnection, id: HoldId, lasts: TimeDelta) -> sqlx::Result<bool> {
    store::set_end(connection, id, End::In(lasts)).await
}

/// Lets a hold last at least `lasts` from now. Answers whether it still was there.
pub async fn extend(connection: &mut MySqlConnection, id: HoldId, lasts: TimeDelta) -> sqlx::Result<bool> {
    store::set_end(connection, id, End::NotBefore(lasts)).await
}

/// Lets a hold last until `end`, however long it was to last: back to what [`end_of`] said. Answers whether it still
/// was there.
pub async fn end_at(connection: &mut MySqlConnection, id: HoldId, end: DateTime<Utc>) -> sqlx::Result<bool> {
    store::set_end(connection, id, End::At(end)).await
}

/// When a hold lapses by itself; `None` if it doesn't, or isn't there.
pub async fn end_of(connection: &mut MySqlConnection, id: HoldId) -> sqlx::Result<Option<DateTime<Utc>>> {
    store::end_of(connection, id).await
}

/// Releases a hold, held or sold, in a pool that this transaction has [locked](lock). Answers how much came back:
/// 0 if it was released or had lapsed before.
pub async fn release<P: Pool>(connection: &mut MySqlConnection, pool: &P, id: HoldId) -> sqlx::Result<i64> {
    let claims = store::of_hold(connection, pool.id(), id).await?;
    drop_claims(connection, pool, &claims).await
}

/// Whether a hold still has claims that have not lapsed.
pub async fn is_live(connection: &mut MySqlConnection, id: HoldId) -> sqlx::Result<bool> {
    store::is_live(connection, id).await
}

/// The units of a pool that are held or sold, in no order.
pub async fn taken_units(connection: &mut MySqlConnection, pool_id: i64) -> sqlx::Result<Vec<TakenUnit>> {
    store::taken_units(connection, pool_id).await
}

/// The hold that has `unit`, if anybody's does.
pub async fn holder_of(connection: &mut MySqlConnection, pool_id: i64, unit: &str) -> sqlx::Result<Option<HoldId>> {
    store::holder_of(connection, pool_id, unit).await
}

/// How much is held in all pools together, by whoever hasn't bought it yet.
pub async fn held(connection: &mut MySqlConnection) -> sqlx::Result<i64> {
    store::held(connection).await
}

/// The pools in which something has lapsed, at most `limit` of them, of whatever kind: to be [locked](lock), which tidies
/// them.
pub async fn pools_to_sweep(connection: &mut MySqlConnection, limit: u32) -> sqlx::Result<Vec<i64>> {
    store::pools_with_lapsed(connection, limit).await
}

/// Deletes claims that this transaction has locked and gives their quantity back.
async fn drop_claims<P: Pool>(
    connection: &mut MySqlConnection,
    pool: &P,
    claims: &[store::Claim],
) -> sqlx::Result<i64> {
    let quantity = claims.iter().map(|c| c.quantity).sum();
    if quantity > 0 {
        store::delete(connection, claims.iter().map(|claim| claim.claim_id)).await?;
        pool.give_back(connection, quantity).await?;
    }
    Ok(quantity)
}
