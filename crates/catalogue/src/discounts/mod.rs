//! Discounts: a percentage off the price of one flight on one day, one at a time.

mod store;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use common::db;
use common::events::{self, Cause, Subject};
use common::idempotency::{Once, Told, Tx};
use common::money::Money;
use common::page::Page;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{Catalogue, departure, schedules};

/// The percentages there are; the database knows them, too.
pub const PERCENTAGES: std::ops::RangeInclusive<i64> = 1..=99;

common::text_enum! {
    /// Whether a discount counts.
    pub enum DiscountStatus {
        /// It does.
        Active = "ACTIVE",
        /// An administrator removed it.
        Inactive = "INACTIVE",
        /// Its flight has left.
        Expired = "EXPIRED",
    }
}

/// A discount that counts, as administrators see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListedDiscount {
    #[schema(example = 1)]
    pub(crate) discount_id: i64,
    #[schema(example = 10_000_001)]
    pub(crate) schedule_id: i64,
    #[schema(example = 25)]
    pub(crate) discount_percentage: u8,
    /// Always `ACTIVE`: others aren't listed.
    pub(crate) status: DiscountStatus,
    pub(crate) created_at: DateTime<Utc>,
    #[schema(example = "CJ101")]
    pub(crate) flight_id: String,
    pub(crate) flight_date: NaiveDate,
    /// The price before the discount.
    pub(crate) current_price: Money,
    /// What one passenger pays.
    pub(crate) discounted_price: Money,
    #[schema(example = "ICN")]
    pub(crate) departure_airport: String,
    #[schema(example = "NRT")]
    pub(crate) arrival_airport: String,
    #[schema(value_type = String, example = "06:30:00")]
    pub(crate) departure_time: NaiveTime,
    #[schema(value_type = String, example = "09:15:00")]
    pub(crate) arrival_time: NaiveTime,
    #[schema(example = "2시간 45분")]
    pub(crate) duration: String,
    #[schema(example = "CloudJet")]
    pub(crate) airline: String,
    #[schema(example = "인천국제공항")]
    pub(crate) departure_name: String,
    #[schema(example = "나리타국제공항")]
    pub(crate) arrival_name: String,
}

/// Why there is no discount. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum DiscountError {
    /// There is no such schedule.
    #[error("there is no such schedule")]
    UnknownSchedule,
    /// It isn't sold: it has left, was cancelled, or its flight is off sale.
    #[error("the schedule is not on sale")]
    NotOnSale,
    /// It has one already.
    #[error("the schedule is discounted already")]
    Already,
    /// The database failed.
    #[error("could not discount the schedule")]
    Database(#[from] sqlx::Error),
}

/// Why a discount can't be removed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// There is no such discount, or it doesn't count any more.
    #[error("there is no such discount")]
    NotFound,
    /// The database failed.
    #[error("could not remove the discount")]
    Database(#[from] sqlx::Error),
}

impl Catalogue {
    /// The discounts that count, newest first.
    pub async fn discounts(&self, page: Page) -> sqlx::Result<Vec<ListedDiscount>> {
        store::list(&self.db, page).await
    }

    /// Discounts a schedule that is on sale by `percentage`, one of [`PERCENTAGES`]. Answers the discount's id. Of
    /// parallel calls for one schedule, exactly one does.
    pub async fn discount(
        &self,
        cause: &Cause,
        schedule_id: i64,
        percentage: u8,
        once: &Once<'_, i64>,
    ) -> Result<Told<i64>, DiscountError> {
        let discount = async |mut tx: Tx<'_, i64>| {
            let schedule = schedules::find(&mut tx, schedule_id).await?.ok_or(DiscountError::UnknownSchedule)?;
            if !schedule.is_on_sale(self.clock.now()) {
                return Err(DiscountError::NotOnSale);
            }
            let id = store::insert(&mut tx, schedule_id, percentage).await?.ok_or(DiscountError::Already)?;
            let new = json!({ "schedule_id": schedule_id, "discount_percentage": percentage });
            events::record(&mut tx, cause, Subject::Discount, id, "created", &Value::Null, &new).await?;
            Ok(tx.commit(id).await?)
        };
        let told = db::retry(|| once.run(&self.db, discount)).await?;
        self.price_changed(schedule_id).await;
        Ok(told)
    }

    /// Removes a discount. Answers whose price that changed. Of parallel calls, exactly one does.
    pub async fn remove_discount(
        &self,
        cause: &Cause,
        discount_id: i64,
        once: &Once<'_, i64>,
    ) -> Result<Told<i64>, RemoveError> {
        let remove = |tx| self.end(tx, cause, discount_id, DiscountStatus::Inactive, "removed");
        let told = db::retry(|| once.run(&self.db, remove)).await?.ok_or(RemoveError::NotFound)?;
        if let Some(schedule_id) = told.done() {
            self.price_changed(*schedule_id).await;
        }
        Ok(told)
    }

    /// Writes down that at most `limit` discounts are over because their flight has left. Answers whether there was
    /// anything to do. Nobody waits for it: what has left isn't sold, discounted or not.
    pub async fn expire_discounts_once(&self, limit: u32) -> sqlx::Result<bool> {
        let (cause, now, once) = (Cause::system(), self.clock.now(), Once::unkeyed());
        let candidates = store::active_before(&self.db, self.clock.today_in_seoul(), limit).await?;
        let mut busy = false;
        for past in candidates.iter().filter(|c| departure(c.flight_date, c.departure_time, &c.time_zone) <= now) {
            let expire = |tx| self.end(tx, &cause, past.discount_id, DiscountStatus::Expired, "expired");
            busy |= db::retry(|| once.run(&self.db, expire)).await?.is_some();
        }
        Ok(busy)
    }

    /// Ends a discount that counts. Answers whose price that changed; `None`: it didn't count.
    async fn end(
        &self,
        mut tx: Tx<'_, i64>,
        cause: &Cause,
        discount_id: i64,
        ended: DiscountStatus,
        action: &'static str,
    ) -> sqlx::Result<Option<Told<i64>>> {
        if !store::end(&mut tx, discount_id, ended).await? {
            return Ok(None);
        }
        let (old, new) = (json!({ "status": DiscountStatus::Active }), json!({ "status": ended }));
        events::record(&mut tx, cause, Subject::Discount, discount_id, action, &old, &new).await?;
        let schedule_id = store::schedule_of(&mut tx, discount_id).await?;
        Ok(Some(tx.commit(schedule_id).await?))
    }

    /// Drops the searches that show a schedule's price. Called after the commit that changed it.
    async fn price_changed(&self, schedule_id: i64) {
        let key = async { schedules::search_key_of(&mut *self.db.acquire().await?, schedule_id).await };
        match key.await {
            Ok(key) => self.forget(key.into_iter().collect()).await,
            Err(error) => tracing::warn!(%error, schedule_id, "a search may show an old price until it expires"),
        }
    }
}
