//! `GET /api/admin/events`: what happened, to whom, by whom.

mod store;

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::events::{ActorKind, Subject};
use common::http::openapi::{Failures, NotAdministrator};
use common::http::wire::Id;
use common::http::{Json, Query};
use orders::bookings::BookingRef;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::MySqlPool;
use sqlx::types::Json as Stored;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The most events one page has.
const LONGEST_PAGE: u32 = 200;

/// How many are told where nothing is said.
const USUAL_PAGE: u32 = 50;

/// Which events: those that fit all that is said.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Of this booking (its number or id), its payments and its refunds.
    #[param(example = "CJ4K7Q2M9X")]
    booking: Option<String>,
    /// Of this flight, its schedules and their discounts.
    #[param(example = "CJ101")]
    flight: Option<String>,
    /// About this account, and by it.
    user: Option<Id>,
    /// At most so many; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Only what happened before this event: the last one of the page before.
    before: Option<Uuid>,
}

/// Events, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Events {
    events: Vec<Event>,
}

/// Something that happened.
#[derive(Debug, Serialize, sqlx::FromRow, ToSchema)]
pub(crate) struct Event {
    #[serde(rename = "event_id")]
    #[sqlx(rename = "event_id")]
    id: Uuid,
    happened_at: DateTime<Utc>,
    actor: ActorKind,
    /// The account that acted, where one did.
    #[schema(required)]
    user_id: Option<i64>,
    /// The request it came by, where one did.
    #[schema(required)]
    request_id: Option<String>,
    /// What it happened to.
    subject: Subject,
    /// Which of them: a number, a flight number, or a refund's UUID.
    #[schema(example = "1")]
    subject_id: String,
    /// What happened, in a word.
    #[schema(example = "cancelled")]
    action: String,
    /// What was changed.
    #[schema(value_type = Change)]
    detail: Stored<Value>,
}

/// Facts before and after; null where there were none.
#[derive(Debug, ToSchema)]
#[schema(as = EventDetail)]
#[expect(dead_code, reason = "describes what is stored as it is")]
pub(crate) struct Change {
    old: Value,
    new: Value,
}

/// List what happened.
///
/// Newest first. Persons are in it by their ids only.
#[utoipa::path(
    get,
    path = "/api/admin/events",
    operation_id = "list_events",
    tag = "events",
    params(Wanted),
    responses(
        (status = 200, description = "The events.", body = Events),
        (status = 400, description = "A parameter makes no sense; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn list(
    _: Admin,
    State(db): State<MySqlPool>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Events>, ApiError> {
    let page = wanted.page()?;
    let mut connection = db.acquire().await?;
    let mut about = Vec::new();
    if let Some(booking) = wanted.booking()? {
        about.push(store::of_booking(&mut connection, &booking).await?);
    }
    if let Some(flight_id) = wanted.flight()? {
        about.push(store::of_flight(&mut connection, flight_id).await?);
    }
    let events = store::newest(&mut connection, &about, wanted.user.map(|id| id.0), page).await?;
    Ok(Json(Events { events }))
}

impl Wanted {
    fn page(&self) -> Result<store::Page, ApiError> {
        let limit = self.limit.unwrap_or(USUAL_PAGE);
        if !(1..=LONGEST_PAGE).contains(&limit) {
            return Err(ApiError::invalid("limit", "1부터 200까지여야 합니다.", "Must be from 1 to 200."));
        }
        Ok(store::Page { before: self.before, limit })
    }

    fn booking(&self) -> Result<Option<BookingRef>, ApiError> {
        self.booking.as_deref().map(booking_named).transpose()
    }

    fn flight(&self) -> Result<Option<&str>, ApiError> {
        let Some(text) = &self.flight else { return Ok(None) };
        if !is_code(text, 10) {
            return Err(ApiError::invalid("flight", "항공편 번호여야 합니다.", "Must be a flight number."));
        }
        Ok(Some(text))
    }
}

/// The booking that the parameter `booking` names: by its number or its id.
pub(crate) fn booking_named(text: &str) -> Result<BookingRef, ApiError> {
    if !is_code(text, 20) {
        return Err(ApiError::invalid(
            "booking",
            "예약 번호 또는 예약 ID여야 합니다.",
            "Must be a booking's number or id.",
        ));
    }
    Ok(text.parse().map_or_else(|_| BookingRef::Number(text.to_owned()), BookingRef::Id))
}

/// What happened to a payment and its refunds, the newest first, as far as one page goes.
pub(crate) async fn of_payment(db: &MySqlPool, payment_id: i64, refunds: &[Uuid]) -> sqlx::Result<Vec<Event>> {
    let refunds = refunds.iter().map(Uuid::to_string).collect();
    let about = vec![(Subject::Payment, vec![payment_id.to_string()]), (Subject::Refund, refunds)];
    let page = store::Page { before: None, limit: LONGEST_PAGE };
    store::newest(&mut *db.acquire().await?, &[about], None, page).await
}

/// Whether a text is made of 1 to `longest` letters and digits.
fn is_code(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}
