//! History: every change of a booking, payment, refund, flight, schedule, discount or role appends a row to `events`,
//! in the transaction that makes the change. Rows are never changed or deleted. What the outside is told of it goes to
//! the [outbox](crate::outbox) in the same breath.

use std::cell::RefCell;

use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{MySqlConnection, QueryBuilder};
use uuid::Uuid;

use crate::outbox;

crate::text_enum! {
    /// Who made a change.
    pub enum ActorKind {
        /// A signed-in account, for itself.
        User = "USER",
        /// An administrator.
        Admin = "ADMIN",
        /// The payment provider, through a webhook or a look-up.
        Provider = "PROVIDER",
        /// A job of ours.
        System = "SYSTEM",
    }
}

crate::text_enum! {
    /// What was changed.
    pub enum Subject {
        /// `bookings`
        Booking = "BOOKING",
        /// `payments`
        Payment = "PAYMENT",
        /// `refunds`
        Refund = "REFUND",
        /// `flights`
        Flight = "FLIGHT",
        /// `flight_schedules`
        Schedule = "SCHEDULE",
        /// `flight_discounts`
        Discount = "DISCOUNT",
        /// `users`
        User = "USER",
    }
}

/// Who or what caused a change, and through which request.
#[derive(Clone, Debug)]
pub struct Cause {
    /// Who.
    pub actor: ActorKind,
    /// Which account, where one acted.
    pub user_id: Option<i64>,
    /// The request it came by, where one did.
    pub request_id: Option<String>,
}

impl Cause {
    /// A job of ours.
    pub fn system() -> Self {
        Self { actor: ActorKind::System, user_id: None, request_id: None }
    }

    /// The payment provider, through the request `request_id` where there was one.
    pub fn provider(request_id: Option<String>) -> Self {
        Self { actor: ActorKind::Provider, user_id: None, request_id }
    }

    /// A signed-in account.
    pub fn user(user_id: i64, request_id: impl Into<Option<String>>) -> Self {
        Self { actor: ActorKind::User, user_id: Some(user_id), request_id: request_id.into() }
    }

    /// An administrator.
    pub fn admin(user_id: i64, request_id: impl Into<Option<String>>) -> Self {
        Self { actor: ActorKind::Admin, user_id: Some(user_id), request_id: request_id.into() }
    }
}

/// How many events one statement appends: each number is a prepared statement of its own.
const AT_ONCE: usize = 16;

/// Appends an event for each of `changes` (its id, what it was, what it is), as [`record`] does, in fewer statements.
pub async fn record_all(
    connection: &mut MySqlConnection,
    cause: &Cause,
    subject: Subject,
    action: &'static str,
    changes: &[(i64, Value, Value)],
) -> sqlx::Result<()> {
    let changes: Vec<_> = changes.iter().map(|change| (Uuid::now_v7(), change)).collect();
    for changes in changes.chunks(AT_ONCE) {
        let mut insert = QueryBuilder::new(
            "insert into events (event_id, actor, user_id, request_id, subject, subject_id, action, detail) ",
        );
        insert.push_values(changes, |mut row, (event_id, (id, old, new))| {
            row.push_bind(*event_id)
                .push_bind(cause.actor)
                .push_bind(cause.user_id)
                .push_bind(cause.request_id.as_deref())
                .push_bind(subject)
                .push_bind(id.to_string())
                .push_bind(action)
                .push_bind(json!({ "old": old, "new": new }).to_string());
        });
        insert.build().execute(&mut *connection).await?;
        for (event_id, (id, old, new)) in changes {
            if let Some(topic) = outbox::topic_of(subject, action, old, new) {
                outbox::append(connection, *event_id, topic, subject, &id.to_string(), new).await?;
            }
        }
    }
    Ok(())
}

/// A change that was recorded.
#[derive(Clone, Debug)]
pub struct Change {
    /// What was changed.
    pub subject: Subject,
    /// Which one.
    pub id: String,
    /// How: a past-tense word.
    pub action: &'static str,
    /// What it was before.
    pub old: Value,
    /// What it is now.
    pub new: Value,
}

tokio::task_local! {
    /// What the transaction under way in this task has recorded.
    static RECORDED: RefCell<Vec<Change>>;
}

/// Runs a transaction and answers, beside its result, with the changes it recorded: for those who count and tell of
/// changes, which they must not before the commit. A transaction that fails has changed nothing; one that succeeds
/// without a commit has to [take back](take_back) what it recorded.
pub async fn collect<T, E>(transaction: impl Future<Output = Result<T, E>>) -> Result<(T, Vec<Change>), E> {
    let run = async { Ok((transaction.await?, RECORDED.with(RefCell::take))) };
    RECORDED.scope(RefCell::default(), run).await
}

/// Takes back what was recorded, because the transaction is rolled back though nothing failed.
pub fn take_back() {
    let _ = RECORDED.try_with(RefCell::take);
}

/// Appends an event: `subject` number `id` changed by `action` (a past-tense word such as `confirmed`), from `old`
/// to `new`.
pub async fn record(
    connection: &mut MySqlConnection,
    cause: &Cause,
    subject: Subject,
    id: impl ToString,
    action: &'static str,
    old: &(impl Serialize + Sync),
    new: &(impl Serialize + Sync),
) -> sqlx::Result<()> {
    let change = Change { subject, id: id.to_string(), action, old: json!(old), new: json!(new) };
    let detail = json!({ "old": change.old, "new": change.new }).to_string();
    let event_id = Uuid::now_v7();
    // No macro: crates/migrate needs this crate before there is a database that a macro could ask.
    sqlx::query(
        "insert into events (event_id, actor, user_id, request_id, subject, subject_id, action, detail)
         values (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(event_id)
    .bind(cause.actor)
    .bind(cause.user_id)
    .bind(cause.request_id.as_deref())
    .bind(subject)
    .bind(&change.id)
    .bind(action)
    .bind(detail)
    .execute(&mut *connection)
    .await?;
    if let Some(topic) = outbox::topic_of(subject, action, &change.old, &change.new) {
        outbox::append(connection, event_id, topic, subject, &change.id, &change.new).await?;
    }
    let _ = RECORDED.try_with(|recorded| recorded.borrow_mut().push(change));
    Ok(())
}
