//! What waits longer than it should: refunds, calls to the provider and its messages, and news. Others work on these;
//! here they are named.
//!
//! Time alone makes them findings, so there is nothing to look at again.

mod store;

use std::marker::PhantomData;

use sqlx::MySqlConnection;
use uuid::Uuid;

use crate::reconcile::Scope;
use crate::reconcile::check::{Audit, Check, Found, Rule, Suspect};

use store::Waiting;

/// Names everything of a kind that waits too long.
pub(super) const fn overdue<W: Wait + 'static>() -> Check {
    Check::of::<Overdue<W>>()
}

/// A kind of what waits.
pub(super) trait Wait: Send + Sync {
    /// What one of it is called.
    const SUBJECT: &'static str;

    const RULE: Rule;

    /// The next page of those that wait too long, in the order of their ids.
    fn page(
        connection: &mut MySqlConnection,
        scope: Scope,
        after: Uuid,
    ) -> impl Future<Output = sqlx::Result<Vec<Waiting>>> + Send;
}

/// Something of the kind `W` that waits too long.
struct Overdue<W>(Waiting, PhantomData<W>);

impl<W: Wait> Suspect for Overdue<W> {
    type Key = Uuid;

    const RULE: Rule = W::RULE;

    async fn find(audit: &Audit<'_>, after: &Uuid) -> sqlx::Result<Vec<Self>> {
        let page = W::page(&mut *audit.connection().await?, audit.scope, *after).await?;
        Ok(page.into_iter().map(|waiting| Self(waiting, PhantomData)).collect())
    }

    fn key(&self) -> Uuid {
        self.0.id
    }

    async fn settle(&self, _: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        Ok(Some(Found::new(W::SUBJECT, &self.0.id, self.0.to_string())))
    }
}

/// A refund that is still tried.
pub(super) struct Refund;

impl Wait for Refund {
    const SUBJECT: &'static str = "refund";

    const RULE: Rule = Rule {
        code: "refund-late",
        means: "A refund was queued over an hour ago and is not paid yet. It is still tried.",
        heals: None,
        to_do: "See whether the payment service runs and the provider answers; last_error of the refund says why it waits.",
    };

    async fn page(connection: &mut MySqlConnection, scope: Scope, after: Uuid) -> sqlx::Result<Vec<Waiting>> {
        store::late_refunds(connection, scope, after).await
    }
}

/// A refund that is not tried any more.
pub(super) struct GivenUpRefund;

impl Wait for GivenUpRefund {
    const SUBJECT: &'static str = "refund";

    const RULE: Rule = Rule {
        code: "refund-needs-operator",
        means: "The provider has refused a refund again and again; it is not tried any more.",
        heals: None,
        to_do: "Look the receipt up in the provider's console, pay the buyer there or by bank, and say so to the refund.",
    };

    async fn page(connection: &mut MySqlConnection, scope: Scope, after: Uuid) -> sqlx::Result<Vec<Waiting>> {
        store::given_up_refunds(connection, scope, after).await
    }
}

/// A message of the provider that nobody could apply.
pub(super) struct Message;

impl Wait for Message {
    const SUBJECT: &'static str = "message";

    const RULE: Rule = Rule {
        code: "message-unapplied",
        means: "A message of the provider was kept two hours ago and could not be applied since.",
        heals: None,
        to_do: "See in the payment service's log why the job `tidy the inbox` fails on it.",
    };

    async fn page(connection: &mut MySqlConnection, scope: Scope, after: Uuid) -> sqlx::Result<Vec<Waiting>> {
        store::unapplied_messages(connection, scope, after).await
    }
}

/// A call to the provider whose outcome isn't known.
pub(super) struct Call;

impl Wait for Call {
    const SUBJECT: &'static str = "call";

    const RULE: Rule = Rule {
        code: "call-open",
        means: "The provider was asked a quarter of an hour ago to take a payment, or to let one go, and what came of it isn't known. It is still found out.",
        heals: None,
        to_do: "See whether the payment service runs and the provider answers; last_error of the call says why it waits. A pinned booking keeps its seats meanwhile.",
    };

    async fn page(connection: &mut MySqlConnection, scope: Scope, after: Uuid) -> sqlx::Result<Vec<Waiting>> {
        store::open_calls(connection, scope, after).await
    }
}

/// News that is not sent any more.
pub(super) struct News;

impl Wait for News {
    const SUBJECT: &'static str = "news";

    const RULE: Rule = Rule {
        code: "news-parked",
        means: "The subscriber has not taken news in three days, or wants no more; it is not sent any more.",
        heals: None,
        to_do: "See why with the subscriber (docs/news.md), then send it again: POST /api/admin/outbox/{id}/retry. After 30 days it is forgotten.",
    };

    async fn page(connection: &mut MySqlConnection, scope: Scope, after: Uuid) -> sqlx::Result<Vec<Waiting>> {
        store::parked_news(connection, scope, after).await
    }
}
