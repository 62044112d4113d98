//! Charges: the payment stands where they say, what isn't its own goes back, and what refunds promise is reserved.

pub(in crate::reconcile) mod store;

use common::events::{self, Cause, Subject};
use serde_json::json;

use crate::charges::Charge;
use crate::payments::{self, Derived, PaymentStatus, derive, set_right};
use crate::reconcile::check::{Audit, Found, Rule, Suspect};
use crate::refunds::{self, Purpose, reason};

/// A payment that doesn't stand where its charges say.
pub(in crate::reconcile) struct WrongStatus(i64);

impl Suspect for WrongStatus {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "payment-status",
        means: "A payment's status is not what its charges say.",
        heals: Some("It is computed anew, and what follows from it for the booking is done."),
        to_do: "The charge names no order of ours: correct its order_id.",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        let page = store::payments_with_wrong_status(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0
    }

    /// Facts that are on file are applied once more: that does all that follows. But a payment that was called cancelled
    /// stays so, whatever is applied; then what follows is left to the checks of bookings.
    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let Some((found, derived)) = audit.orders.transact(|| self.look(audit)).await? else { return Ok(None) };
        let Some(derived) = derived.filter(|_| audit.scope.heals) else { return Ok(Some(found)) };
        let charge = derived.own.as_deref().or(derived.charges.first().map(|c| c.receipt_id.as_str()));
        let facts = store::facts_on_file(&mut *audit.connection().await?, charge.unwrap_or_default()).await?;
        if let Some(facts) = facts {
            audit.orders.apply(&Cause::system(), &facts).await?;
        }
        let stands = audit.orders.transact(|| self.look(audit)).await?.is_none();
        Ok(Some(if stands { found.healed(true) } else { found }))
    }
}

impl WrongStatus {
    /// The finding, and what is to be applied for it; nothing, where it is set right here.
    async fn look(&self, audit: &Audit<'_>) -> sqlx::Result<Option<(Found, Option<Derived>)>> {
        let mut tx = audit.begin().await?;
        let Some(payment) = payments::store::lock(&mut tx, self.0).await? else { return Ok(None) };
        let Some(derived) = derive(&mut tx, &payment).await?.filter(|d| d.status != payment.status) else {
            return Ok(None);
        };
        let found =
            Found::new("payment", &self.0, format!("it is {}, and its charges say {}", payment.status, derived.status));
        if payment.status == PaymentStatus::Cancelled {
            set_right(&mut tx, &Cause::system(), &payment, &derived).await?;
            return Ok(audit.heal(tx, found).await?.map(|found| (found, None)));
        }
        Ok(Some((found.healed(audit.scope.heals), Some(derived))))
    }
}

/// A charge with money on it that pays for nothing.
pub(in crate::reconcile) struct Surplus(String);

impl Suspect for Surplus {
    type Key = String;

    const RULE: Rule = Rule {
        code: "surplus-charge",
        means: "A charge is not its payment's own: a second receipt, another amount, or of no order of ours. Nothing of \
                it goes back.",
        heals: Some("All of it goes back."),
        to_do: "",
    };

    async fn find(audit: &Audit<'_>, after: &String) -> sqlx::Result<Vec<Self>> {
        let page = store::charges_of_nobody(&mut *audit.connection().await?, audit.scope, after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> String {
        self.0.clone()
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        audit.orders.transact(|| self.give_back(audit)).await
    }
}

impl Surplus {
    async fn give_back(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let mut tx = audit.begin().await?;
        let Some(payment_id) = store::payment_of_charge(&mut tx, &self.0).await? else { return Ok(None) };
        let (charge, reason) = match payment_id {
            Some(payment_id) => {
                let Some(payment) = payments::store::lock(&mut tx, payment_id).await? else { return Ok(None) };
                let Some(derived) = derive(&mut tx, &payment).await? else { return Ok(None) };
                let charge = derived.charges.into_iter().find(|c| c.receipt_id == self.0);
                let charge = charge.filter(|c| c.is_live() && Some(&c.receipt_id) != derived.own.as_ref());
                let Some(charge) = charge else { return Ok(None) };
                let reason = if charge.amount == payment.amount { reason::SURPLUS } else { reason::WRONG_AMOUNT };
                (charge, reason)
            }
            None => match store::charge(&mut tx, &self.0).await?.filter(Charge::is_live) {
                Some(charge) => (charge, reason::UNKNOWN_ORDER),
                None => return Ok(None),
            },
        };
        if store::has_refunds(&mut tx, &self.0).await? {
            return Ok(None);
        }
        let purpose = Purpose { payment_id, booking_id: None, reason };
        refunds::queue(&mut tx, &Cause::system(), &self.0, purpose).await?;
        let what = format!("{} was charged beside what was to be paid ({reason})", charge.amount);
        audit.heal(tx, Found::new("charge", &self.0, what)).await
    }
}

/// A charge whose refunds are not what is reserved for them.
pub(in crate::reconcile) struct WrongReserve(String);

impl Suspect for WrongReserve {
    type Key = String;

    const RULE: Rule = Rule {
        code: "refund-reserve",
        means: "What is reserved for a charge's refunds is not their sum, so that too much could go back, or too little.",
        heals: Some("Too small a reserve is set to their sum."),
        to_do: "More is reserved than there are refunds for: look for a refund's row that was deleted, or set \
                refund_reserved of the charge to the sum of its refunds.",
    };

    async fn find(audit: &Audit<'_>, after: &String) -> sqlx::Result<Vec<Self>> {
        let page = store::charges_with_wrong_reserve(&mut *audit.connection().await?, audit.scope, after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> String {
        self.0.clone()
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        audit.orders.transact(|| self.correct(audit)).await
    }
}

impl WrongReserve {
    async fn correct(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let mut tx = audit.begin().await?;
        let Some(payment_id) = store::payment_of_charge(&mut tx, &self.0).await? else { return Ok(None) };
        if let Some(payment_id) = payment_id {
            payments::store::lock(&mut tx, payment_id).await?;
        }
        let Some(reserve) = store::lock_reserve(&mut tx, &self.0).await? else { return Ok(None) };
        let store::Reserve { amount, reserved, refunds } = reserve;
        if reserved == refunds {
            return Ok(None);
        }
        let found = Found::new("charge", &self.0, format!("{reserved} of {amount} reserved for refunds of {refunds}"));
        if reserved > refunds || refunds > amount {
            return Ok(Some(found));
        }
        store::reserve(&mut tx, &self.0, refunds).await?;
        if let Some(payment_id) = payment_id {
            let old = json!({ "receipt_id": self.0, "refund_reserved": reserved });
            let new = json!({ "receipt_id": self.0, "refund_reserved": refunds });
            events::record(&mut tx, &Cause::system(), Subject::Payment, payment_id, "reserve-corrected", &old, &new)
                .await?;
        }
        audit.heal(tx, found).await
    }
}
