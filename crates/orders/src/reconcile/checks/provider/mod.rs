//! The provider's receipts against our charges. Money moves there, so what it says counts, and is applied as if it had
//! told us itself; what can't be applied is named.
//!
//! The trap is that both sides go on while they are compared. A look-up is compared with what was on file *before* it
//! where the provider can only know more, and with what is on file *after* it where we can.

mod store;

use chrono::TimeDelta;
use common::error::Chain;
use common::events::Cause;
use common::money::Money;

use crate::charges::{Facts, Outcome};
use crate::reconcile::check::{Audit, Found, Rule, Suspect};

use store::{ChargeOnFile, Question};

/// After so many calls in a row that gave no answer, a round asks no more.
const SILENCES: u32 = 3;

/// How long a message of the provider may take before its receipt is one that nobody told us of.
const ON_ITS_WAY: TimeDelta = TimeDelta::minutes(5);

impl Audit<'_> {
    /// Whether there is a provider that can be asked.
    fn asks(&self) -> bool {
        self.orders.provider.is_some() && self.memo().silences < SILENCES
    }

    /// What the provider says of a receipt; `None`: it gave no answer.
    async fn receipt(&self, receipt_id: &str) -> Option<Option<bootpay::Receipt>> {
        let provider = self.orders.provider.as_ref().filter(|_| self.asks())?;
        let id = bootpay::ReceiptId::parse(receipt_id).ok()?;
        self.answer(provider.receipt(&id).await)
    }

    fn answer<T>(&self, answer: Result<T, bootpay::Error>) -> Option<T> {
        let mut memo = self.memo();
        match answer {
            Ok(answer) => {
                memo.silences = 0;
                Some(answer)
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the provider couldn't tell, to be asked again");
                memo.silences += 1;
                memo.receipts.unanswered += 1;
                None
            }
        }
    }
}

/// A charge that may differ from its receipt: each with money on it, to begin with.
pub(in crate::reconcile) struct Unequal(ChargeOnFile);

impl Suspect for Unequal {
    type Key = String;

    const RULE: Rule = Rule {
        code: "receipt-differs",
        means: "The provider's receipt says something else than our charge: cancelled in its console, gone, or of \
                another order or amount.",
        heals: Some("What was cancelled in the console is applied; the booking it paid for is cancelled, too."),
        to_do: "Look the receipt up in the provider's console. If our row is wrong, ask the developers; if the provider's \
                is, ask the provider.",
    };

    async fn find(audit: &Audit<'_>, after: &String) -> sqlx::Result<Vec<Self>> {
        // One page is enough of a routine round: the others' turn comes.
        if !audit.asks() || (!audit.is_thorough() && !after.is_empty()) {
            return Ok(Vec::new());
        }
        let mut connection = audit.connection().await?;
        let page = if audit.is_thorough() {
            store::charges_with_money(&mut connection, audit.scope, after).await?
        } else {
            store::charges_to_compare(&mut connection, audit.orders.terms.reconcile_interval).await?
        };
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> String {
        self.0.receipt_id.clone()
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let file = &self.0;
        if audit.scope.heals && !store::take_charge(&mut *audit.connection().await?, file).await? {
            return Ok(None);
        }
        let Some(answer) = audit.receipt(&file.receipt_id).await else { return Ok(None) };
        let found = |what: String| Some(Found::new("charge", &file.receipt_id, what));
        let Some(receipt) = answer else { return Ok(found("the provider knows no such receipt".to_owned())) };

        let facts = Facts::from(&receipt);
        let promised = store::promised_of(&mut *audit.connection().await?, &file.receipt_id).await?;
        let on_file = file.cancelled.max(promised.min(facts.cancelled));
        audit.memo().receipts.compare(file.amount, on_file, &facts);
        if facts.order_id != file.order_id && !file.order_id.is_empty() {
            return Ok(found(format!("of order {} here, and of {} there", file.order_id, facts.order_id)));
        }
        if facts.amount != file.amount {
            return Ok(found(format!("{} here, and {} there", file.amount, facts.amount)));
        }
        if facts.outcome != Outcome::Paid {
            return Ok(found(format!("paid here, and of status {} there", receipt.status)));
        }
        if facts.cancelled < file.cancelled {
            return Ok(found(format!("{} given back here, and {} there", file.cancelled, facts.cancelled)));
        }
        if facts.cancelled <= on_file {
            return Ok(None);
        }
        if audit.scope.heals {
            audit.orders.apply(&Cause::provider(None), &facts).await?;
        }
        let console = facts.cancelled.less(on_file);
        let found = found(format!("{console} of {} cancelled in the provider's console", file.amount));
        Ok(found.map(|found| found.healed(audit.scope.heals)))
    }
}

/// An order whose receipts may not all be known.
pub(in crate::reconcile) struct Unheard(Question);

impl Suspect for Unheard {
    type Key = i64;

    const RULE: Rule = Rule {
        code: "receipt-unheard",
        means: "The provider has a paid receipt for an order of ours that nobody told us of: a webhook was lost.",
        heals: Some("It is applied: it pays, confirms, or goes back, as if it had been told in time."),
        to_do: "",
    };

    async fn find(audit: &Audit<'_>, after: &i64) -> sqlx::Result<Vec<Self>> {
        if !audit.asks() || (!audit.is_thorough() && *after != 0) {
            return Ok(Vec::new());
        }
        let mut connection = audit.connection().await?;
        let page = if audit.is_thorough() {
            store::young_payments(&mut connection, audit.scope, *after).await?
        } else {
            store::payments_to_compare(&mut connection, audit.orders.terms.reconcile_interval).await?
        };
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> i64 {
        self.0.payment_id
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let Question { payment_id, order_id, .. } = &self.0;
        if audit.scope.heals && !store::take_question(&mut *audit.connection().await?, &self.0).await? {
            return Ok(None);
        }
        let Some(provider) = audit.orders.provider.as_ref().filter(|_| audit.asks()) else { return Ok(None) };
        let Some(receipts) = audit.answer(provider.order(order_id).await) else { return Ok(None) };
        let mut found = None;
        for receipt in &receipts {
            let facts = Facts::from(receipt);
            let known = store::is_noted(&mut *audit.connection().await?, &facts).await?;
            if known || facts.outcome == Outcome::Open {
                continue;
            }
            if audit.scope.heals {
                audit.orders.apply(&Cause::provider(None), &facts).await?;
            }
            let is_on_its_way = receipt.purchased_at.is_some_and(|at| audit.orders.clock.now() < at + ON_ITS_WAY);
            if facts.outcome == Outcome::Paid && !is_on_its_way {
                let what = format!("receipt {} over {} was not known", facts.receipt_id, facts.amount);
                found = Some(Found::new("payment", payment_id, what).healed(audit.scope.heals));
            }
        }
        Ok(found)
    }
}

/// A charge of which our refunds say that more went back than the provider ever told.
pub(in crate::reconcile) struct Unreturned(String);

impl Suspect for Unreturned {
    type Key = String;

    const RULE: Rule = Rule {
        code: "refund-unseen",
        means: "Refunds have succeeded, and the provider has given back less.",
        heals: Some("Where the provider has given it back meanwhile, that is applied."),
        to_do: "The buyer may not have the money: look the receipt up in the provider's console and give back what is \
                missing.",
    };

    async fn find(audit: &Audit<'_>, after: &String) -> sqlx::Result<Vec<Self>> {
        let page =
            super::charges::store::charges_given_back_less(&mut *audit.connection().await?, audit.scope, after).await?;
        Ok(page.into_iter().map(Self).collect())
    }

    fn key(&self) -> String {
        self.0.clone()
    }

    async fn settle(&self, audit: &Audit<'_>) -> sqlx::Result<Option<Found>> {
        let Some((succeeded, cancelled)) = self.difference(audit).await? else { return Ok(None) };
        let what = format!("{succeeded} refunded by our books, and {cancelled} by the provider's");
        let found = Some(Found::new("charge", &self.0, what));
        let Some(Some(receipt)) = audit.receipt(&self.0).await else { return Ok(found) };
        let facts = Facts::from(&receipt);
        if facts.cancelled < succeeded {
            return Ok(found);
        }
        if audit.scope.heals {
            audit.orders.apply(&Cause::provider(None), &facts).await?;
        }
        Ok(found.map(|found| found.healed(audit.scope.heals)))
    }
}

impl Unreturned {
    async fn difference(&self, audit: &Audit<'_>) -> sqlx::Result<Option<(Money, Money)>> {
        let returned = store::returned_of(&mut *audit.connection().await?, &self.0).await?;
        Ok(returned.filter(|(succeeded, cancelled)| cancelled < succeeded))
    }
}
