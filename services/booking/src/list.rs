//! `GET /api/bookings`: the caller's bookings.

use axum::extract::State;
use common::auth::User;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotSignedIn};
use common::http::{Json, Query};
use orders::Orders;
use orders::bookings::Page;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::shape::BookingShape;

/// The most bookings one page has.
const LONGEST_PAGE: u32 = 100;

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// At most so many; all of them when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// After so many.
    #[serde(default)]
    #[param(minimum = 0)]
    offset: u32,
}

impl TryFrom<Part> for Page {
    type Error = ApiError;

    fn try_from(part: Part) -> Result<Self, ApiError> {
        if part.limit.is_some_and(|limit| !(1..=LONGEST_PAGE).contains(&limit)) {
            return Err(ApiError::invalid("limit", "1부터 100까지여야 합니다.", "Must be from 1 to 100."));
        }
        Ok(Self { limit: part.limit, offset: part.offset })
    }
}

/// The caller's bookings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bookings {
    bookings: Vec<BookingShape>,
}

/// List the caller's bookings, newest first.
#[utoipa::path(
    get,
    path = "/api/bookings",
    operation_id = "list_bookings",
    tag = "bookings",
    params(Part),
    responses(
        (status = 200, description = "The bookings.", body = Bookings),
        (status = 400, description = "The part of the list makes no sense.", body = Problem, content_type = "application/problem+json"),
        NotSignedIn,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn list(
    user: User,
    State(orders): State<Orders>,
    Query(part): Query<Part>,
) -> Result<Json<Bookings>, ApiError> {
    let bookings = orders.bookings_of(user.id, part.try_into()?).await?;
    Ok(Json(Bookings { bookings: bookings.into_iter().map(BookingShape::from).collect() }))
}
