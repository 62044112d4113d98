//! What waits longer than it should: refunds, calls to the provider and its messages, and news. Others work on these;
//! here they are named.
//!
//! Time alone makes them findings, so there is nothing to look at again.

mod store;

use uuid::Uuid;

use crate::reconcile::check::{Audit, Found, Rule, Suspect};

use store::Waiting;

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

/// A call to the provider whose outcome isn't known.
pub(in crate::reconcile) struct Call(Waiting);

impl Suspect for Call {
    type Key = Uuid;

    const RULE: Rule = Rule {
        code: "call-open",
        means: "The provider was asked a quarter of an hour ago to take a payment, or to let one go, and what came of it isn't known. It is still found out.",
        heals: None,
        to_do: "See whether the payment service runs and the provider answers; last_error of the call says why it waits. A pinned booking keeps its seats meanwhile.",
    };

    async fn find(audit: &Audit<'_>, after: &Uuid) -> sqlx::Result<Vec<Self>> {
        let page = store::open_calls(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> Uuid {
        self.0.id
    }

    async fn settle(&self, _: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        Ok(Some(Found::new("call", &self.0.id, self.0.to_string())))
    }
}

/// News that is not sent any more.
pub(in crate::reconcile) struct News(Waiting);

impl Suspect for News {
    type Key = Uuid;

    const RULE: Rule = Rule {
        code: "news-parked",
        means: "The subscriber has not taken news in three days, or wants no more; it is not sent any more.",
        heals: None,
        to_do: "See why with the subscriber (docs/news.md), then send it again: POST /api/admin/outbox/{id}/retry. After 30 days it is forgotten.",
    };

    async fn find(audit: &Audit<'_>, after: &Uuid) -> sqlx::Result<Vec<Self>> {
        let page = store::parked_news(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> Uuid {
        self.0.id
    }

    async fn settle(&self, _: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        Ok(Some(Found::new("news", &self.0.id, self.0.to_string())))
    }
}
