//! What waits longer than it should: refunds, and messages of the provider. Others work on these; here they are named.
//!
//! Time alone makes them findings, so there is nothing to look at again.

use uuid::Uuid;

use crate::reconcile::check::{Audit, Found, Rule, Suspect};
use crate::reconcile::store::{self, Waiting};

/// A refund that is still tried.
pub(in crate::reconcile) struct Refund(Waiting);

impl Suspect for Refund {
    type Key = Uuid;

    const RULE: Rule = Rule {
        code: "refund-late",
        means: "A refund was queued over an hour ago and is not paid yet. It is still tried.",
        heals: None,
        to_do: "See whether the payment service runs and the provider answers; last_error of the refund says why it waits.",
    };

    async fn find(audit: &Audit<'_>, after: &Uuid) -> sqlx::Result<Vec<Self>> {
        let page = store::late_refunds(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> Uuid {
        self.0.id
    }

    async fn settle(&self, _: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        Ok(Some(Found::new("refund", &self.0.id, self.0.to_string())))
    }
}

/// A refund that is not tried any more.
pub(in crate::reconcile) struct GivenUpRefund(Waiting);

impl Suspect for GivenUpRefund {
    type Key = Uuid;

    const RULE: Rule = Rule {
        code: "refund-needs-operator",
        means: "The provider has refused a refund again and again; it is not tried any more.",
        heals: None,
        to_do: "Look the receipt up in the provider's console, pay the buyer there or by bank, and say so to the refund.",
    };

    async fn find(audit: &Audit<'_>, after: &Uuid) -> sqlx::Result<Vec<Self>> {
        let page = store::given_up_refunds(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> Uuid {
        self.0.id
    }

    async fn settle(&self, _: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        Ok(Some(Found::new("refund", &self.0.id, self.0.to_string())))
    }
}

/// A message of the provider that nobody could apply.
pub(in crate::reconcile) struct Message(Waiting);

impl Suspect for Message {
    type Key = Uuid;

    const RULE: Rule = Rule {
        code: "message-unapplied",
        means: "A message of the provider was kept two hours ago and could not be applied since.",
        heals: None,
        to_do: "See in the payment service's log why the job `tidy the inbox` fails on it.",
    };

    async fn find(audit: &Audit<'_>, after: &Uuid) -> sqlx::Result<Vec<Self>> {
        let page = store::unapplied_messages(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> Uuid {
        self.0.id
    }

    async fn settle(&self, _: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        Ok(Some(Found::new("message", &self.0.id, self.0.to_string())))
    }
}
