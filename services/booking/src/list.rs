//! `GET /api/bookings`: the caller's bookings.

use axum::extract::State;
use common::auth::User;
use common::error::{ApiError, Problem};
use common::http::Json;
use common::http::openapi::{Failures, NotSignedIn};
use common::page::Page;
use orders::Orders;
use orders::bookings::Booking;
use serde::Serialize;
use utoipa::ToSchema;

/// The caller's bookings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bookings {
    bookings: Vec<Booking>,
}

/// List one's bookings.
///
/// Newest first, all of them, or the part that `limit` and `offset` name.
#[utoipa::path(
    get,
    path = "/api/bookings",
    operation_id = "list_bookings",
    tag = "bookings",
    params(Page),
    responses(
        (status = 200, description = "The bookings.", body = Bookings),
        (status = 400, description = "The part of the list makes no sense.", body = Problem, content_type = "application/problem+json"),
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn list(user: User, State(orders): State<Orders>, page: Page) -> Result<Json<Bookings>, ApiError> {
    let bookings = orders.bookings_of(user.id, page).await?;
    Ok(Json(Bookings { bookings }))
}
