//! Seats: counters against claims, and claims against whom they are for.
//!
//! A schedule's capacity stands in no column. But `available_seats - oversold + claims` only changes when the day is
//! published, so it must be what was published, which the history keeps. A day that was never published here (adopted,
//! written by hand) is counted once, and from then on held against that count; being no more than a count, it names a
//! difference and heals none.

pub(in crate::reconcile) mod store;

use common::db;
use common::events::{self, Cause, Subject};
use inventory::{HoldError, HoldId, Want};
use serde_json::json;
use sqlx::{MySql, Transaction};

use crate::bookings::{self, BookingStatus};
use crate::payments::{self, PaymentStatus};
use crate::reconcile::check::{Audit, Found, Rule, Suspect, take_back};
use crate::seats::{self, Seats};

use store::Seating;

/// A schedule whose counter may be wrong: each of them, to begin with.
pub(in crate::reconcile) struct WrongCount(Seating);

impl Suspect for WrongCount {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "seat-count",
        means: "Free and claimed seats of a schedule together are not as many as were published.",
        heals: Some("The counter of a day that was published here is computed from its claims."),
        to_do: "Find out who changed available_seats by hand, then publish the day anew with the seats it is to have.",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        let page = store::seatings(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0.schedule_id
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        if self.0.agrees() {
            return Ok(None);
        }
        audit.orders.transact(|| self.count(audit)).await
    }
}

impl WrongCount {
    async fn count(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let schedule_id = self.0.schedule_id;
        let mut tx = audit.begin().await?;
        inventory::lock(&mut tx, &Seats(schedule_id)).await?;
        let Some(seating) = store::seating(&mut tx, schedule_id).await? else { return Ok(None) };
        let found = |what| Some(Found::new("schedule", &schedule_id, what).reseating(schedule_id));
        let counted = seating.counted();
        match seating.capacity {
            Some(capacity) if capacity == counted => Ok(None),
            Some(capacity) => {
                let Seating { available, oversold, claimed, .. } = seating;
                let what =
                    format!("{available} free - {oversold} oversold + {claimed} claimed is {counted}, not {capacity}");
                if !seating.is_published {
                    return Ok(found(format!("{what}, as was first counted")));
                }
                self.recount(&mut tx, &seating, capacity).await?;
                audit.heal(tx, Found::new("schedule", &schedule_id, what).reseating(schedule_id)).await
            }
            None if counted > seating.total => {
                Ok(found(format!("{counted} seats are free or claimed, of an aircraft with {}", seating.total)))
            }
            None => {
                if audit.scope.heals {
                    let new = json!({ "capacity": counted });
                    let cause = Cause::system();
                    events::record(&mut tx, &cause, Subject::Schedule, schedule_id, "counted", &(), &new).await?;
                    db::commit(tx).await?;
                }
                Ok(None)
            }
        }
    }

    async fn recount(&self, tx: &mut Transaction<'_, MySql>, wrong: &Seating, capacity: i64) -> sqlx::Result<()> {
        let free = capacity - wrong.claimed;
        let (available, oversold) = (free.max(0), (-free).max(0));
        store::recount(tx, wrong.schedule_id, available, oversold).await?;
        let old = json!({ "available_seats": wrong.available, "oversold": wrong.oversold });
        let new = json!({ "available_seats": available, "oversold": oversold });
        events::record(tx, &Cause::system(), Subject::Schedule, wrong.schedule_id, "recounted", &old, &new).await
    }
}

/// A claim that never lapses, of a hold that no booking and no payment has.
pub(in crate::reconcile) struct Stray(store::Claim);

impl Suspect for Stray {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "stray-seats",
        means: "Seats are taken for a booking or payment that there isn't.",
        heals: Some("They are released."),
        to_do: "",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        let page = store::stray_claims(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0.id
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        audit.orders.transact(|| self.release(audit)).await
    }
}

impl Stray {
    /// Who takes seats writes down whose they are in the same transaction, and holds the schedule's lock meanwhile.
    async fn release(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let store::Claim { hold, schedule_id, .. } = self.0;
        let mut tx = audit.begin().await?;
        inventory::lock(&mut tx, &Seats(schedule_id)).await?;
        if store::is_somebodys(&mut tx, hold).await? {
            return Ok(None);
        }
        let seats = inventory::release(&mut tx, &Seats(schedule_id), hold).await?;
        if seats == 0 {
            return Ok(None);
        }
        let old = json!({ "hold_id": hold.to_string(), "seats": seats });
        events::record(&mut tx, &Cause::system(), Subject::Schedule, schedule_id, "seats-released", &old, &()).await?;
        let what = format!("{seats} claimed for hold {hold}, which no booking and no payment has");
        audit.heal(tx, Found::new("schedule", &schedule_id, what).reseating(schedule_id)).await
    }
}

/// A cancelled booking that has claims.
pub(in crate::reconcile) struct OfOverBooking(i64);

impl Suspect for OfOverBooking {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "cancelled-with-seats",
        means: "A cancelled booking keeps its seats.",
        heals: Some("They are released."),
        to_do: "",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        let page = store::cancelled_with_claims(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        audit.orders.transact(|| self.release(audit)).await
    }
}

impl OfOverBooking {
    async fn release(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let mut tx = audit.begin().await?;
        let booking = bookings::store::lock(&mut tx, self.0).await?;
        let Some(booking) = booking.filter(|b| b.status == BookingStatus::Cancelled) else { return Ok(None) };
        let Some(hold) = booking.hold_id else { return Ok(None) };
        let pool = Seats(booking.schedule_id);
        inventory::lock(&mut tx, &pool).await?;
        let seats = inventory::release(&mut tx, &pool, hold).await?;
        if seats == 0 {
            return Ok(None);
        }
        let old = json!({ "seats": seats });
        events::record(&mut tx, &Cause::system(), Subject::Booking, self.0, "seats-released", &old, &()).await?;
        let what = format!("{} is cancelled and has {seats} claimed", booking.booking_number);
        audit.heal(tx, Found::new("booking", &self.0, what).reseating(booking.schedule_id)).await
    }
}

/// A payment that is over and has reserved seats for good.
pub(in crate::reconcile) struct OfOverPayment(i64);

impl Suspect for OfOverPayment {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "over-with-seats",
        means: "A payment that was cancelled, or goes back, keeps its reservation.",
        heals: Some("It is released."),
        to_do: "",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        let page = store::over_with_claims(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        audit.orders.transact(|| self.release(audit)).await
    }
}

impl OfOverPayment {
    async fn release(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let mut tx = audit.begin().await?;
        let payment = payments::store::lock(&mut tx, self.0).await?;
        let Some(payment) = payment.filter(|p| p.is_closed || p.status == PaymentStatus::Cancelled) else {
            return Ok(None);
        };
        let (Some(schedule_id), Some(hold)) = (payment.schedule_id, payment.hold_id) else { return Ok(None) };
        inventory::lock(&mut tx, &Seats(schedule_id)).await?;
        let seats = inventory::release(&mut tx, &Seats(schedule_id), hold).await?;
        if seats == 0 {
            return Ok(None);
        }
        let old = json!({ "seats": seats });
        events::record(&mut tx, &Cause::system(), Subject::Payment, self.0, "seats-released", &old, &()).await?;
        let what = format!("it is over and has {seats} reserved");
        audit.heal(tx, Found::new("payment", &self.0, what).reseating(schedule_id)).await
    }
}

/// A confirmed booking whose claims are not its passengers'.
pub(in crate::reconcile) struct Missing(i64);

impl Suspect for Missing {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "confirmed-without-seats",
        means: "A confirmed booking's claims are missing, not sold, or not those of its passengers.",
        heals: Some("Its passengers' own seats are claimed again, where they are free."),
        to_do: "Somebody else has the seat, or the flight is full: give the passengers other seats, or cancel the booking \
                as an administrator.",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        let page = store::confirmed_without_claims(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        audit.orders.transact(|| self.claim_again(audit)).await
    }
}

impl Missing {
    async fn claim_again(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let mut tx = audit.begin().await?;
        let booking = bookings::store::lock(&mut tx, self.0).await?;
        let Some(booking) = booking.filter(|b| b.status == BookingStatus::Confirmed) else { return Ok(None) };
        let Some(schedule) = seats::lock(&mut tx, booking.schedule_id).await? else { return Ok(None) };
        let is_over = schedule.is_grounded || schedule.departs_at() <= audit.orders.clock.now();
        let Some(claims) = store::wrong_claims_of(&mut tx, self.0).await?.filter(|_| !is_over) else { return Ok(None) };

        let what = format!("{}: {} of {} seats sold", booking.booking_number, claims.sold, booking.passengers);
        let found = |what| Found::new("booking", &self.0, what).reseating(booking.schedule_id);
        let (pool, hold) = (Seats(booking.schedule_id), HoldId::new());
        if let Some(old) = booking.hold_id {
            inventory::release(&mut tx, &pool, old).await?;
        }
        let want = Want {
            owner_id: booking.user_id,
            quantity: booking.passengers,
            units: &claims.seats,
            lasts: None,
            yielding: false,
            cap: None,
        };
        match inventory::hold(&mut tx, &pool, hold, &want).await {
            Ok(()) => {
                inventory::sell(&mut tx, hold).await?;
                store::set_hold(&mut tx, self.0, hold).await?;
                let (old, new) = (json!({ "sold": claims.sold }), json!({ "sold": booking.passengers }));
                events::record(&mut tx, &Cause::system(), Subject::Booking, self.0, "seats-claimed", &old, &new)
                    .await?;
                audit.heal(tx, found(what)).await
            }
            Err(HoldError::Database(error)) => Err(error),
            Err(refusal) => {
                take_back(tx).await?;
                Ok(Some(found(format!("{what}, and {refusal}"))))
            }
        }
    }
}
