//! `GET /api/admin/bookings/search`: finding somebody's booking by what they remember of it.

use axum::extract::State;
use common::auth::Admin;
use common::error::{ApiError, Problem};
use common::http::openapi::{Failures, NotAdministrator};
use common::http::wire::name;
use common::http::{Json, Query};
use common::page::Page;
use orders::Orders;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Bookings;

/// The longest text that any of the columns searched can hold.
const LONGEST_TERM: usize = 100;

/// How many are found where nothing else is said.
const FOUND: u32 = 100;

/// What is searched for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// A part of a booking number, a flight number, the customer's or a passenger's name, or an e-mail address, in any
    /// case.
    #[param(required, value_type = String, max_length = 100, example = "CJ4K7Q2M9X")]
    term: Option<String>,
}

/// Search everybody's bookings.
///
/// Newest first: the newest 100 that are found, or the page asked for.
#[utoipa::path(
    get,
    path = "/api/admin/bookings/search",
    operation_id = "search_bookings",
    tag = "bookings",
    params(Search, Page),
    responses(
        (status = 200, description = "The bookings found.", body = Bookings),
        (status = 400, description = "The term is missing, blank or too long, or the page makes no sense.", body = Problem, content_type = "application/problem+json"),
        NotAdministrator,
        Failures,
    ),
    security(("bearer" = [])),
)]
pub(crate) async fn search(
    _: Admin,
    State(orders): State<Orders>,
    Query(search): Query<Search>,
    page: Page,
) -> Result<Json<Bookings>, ApiError> {
    let term = name(&search.term.unwrap_or_default(), "term", LONGEST_TERM)?;
    Ok(Json(orders.search_bookings(&term, page.or_at_most(FOUND)).await?.into()))
}
