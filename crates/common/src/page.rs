//! A part of a list, where the whole would be too much: `limit` and `offset` of a query.
//!
//! Nobody has to ask for a part. What a list answers without either is all of it, as clients have always known it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::http::Query;

/// The most rows one page has.
const LONGEST: u32 = 100;

/// A part of a list: `offset` rows are skipped, then at most `limit` are listed.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// At most so many; when absent, all of them, or as many as is said there.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
    /// After so many.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 4_294_967_295_i64, example = 0)]
    offset: u32,
}

impl Page {
    /// How many rows at most, as SQL's `limit` wants to know it.
    pub fn limit(self) -> i64 {
        self.limit.map_or(i64::MAX, i64::from)
    }

    /// The same part; where it would be all that is left, at most `limit` of that.
    #[must_use]
    pub fn or_at_most(self, limit: u32) -> Self {
        Self { limit: self.limit.or(Some(limit)), ..self }
    }

    /// Whether it ends only where the list does.
    pub fn is_open(self) -> bool {
        self.limit.is_none()
    }

    /// How many rows are skipped.
    pub fn offset(self) -> u32 {
        self.offset
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(page) = Query::<Self>::from_request_parts(parts, state).await?;
        if page.limit.is_some_and(|limit| !(1..=LONGEST).contains(&limit)) {
            return Err(ApiError::invalid("limit", "1부터 100까지여야 합니다.", "Must be from 1 to 100."));
        }
        Ok(page)
    }
}
