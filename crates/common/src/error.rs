//! Errors as clients see them, and as the log sees them.
//!
//! Domain enums know no HTTP; each service maps its cases to an [`ApiError`] once. An `ApiError` is not rendered
//! where it arises: it travels in the response's extensions to the [envelope](crate::http), which knows the
//! request's language and id, writes the problem document (RFC 9457, plus `code` and the `message` the browser
//! client shows) and logs what must be logged, once, with its whole chain of sources.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::language::Language;

/// A text in the two languages we answer in.
#[derive(Clone, Debug)]
struct Text {
    korean: Cow<'static, str>,
    english: Cow<'static, str>,
}

/// One thing wrong with one field of a request.
#[derive(Clone, Debug)]
struct Fault {
    field: Cow<'static, str>,
    text: Text,
}

/// A refusal or a failure, ready to be told to a client. Small to pass around: what it says is behind a pointer.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Refusal>);

#[derive(Clone, Debug)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    text: Text,
    faults: Vec<Fault>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl ApiError {
    /// A refusal with its stable kebab-case `code` and what to say about it in Korean and English.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        korean: impl Into<Cow<'static, str>>,
        english: impl Into<Cow<'static, str>>,
    ) -> Self {
        let text = Text { korean: korean.into(), english: english.into() };
        Self(Box::new(Refusal { status, code, text, faults: Vec::new(), retry_after: None, source: None }))
    }

    /// 400: `field` of the request can't be accepted, for the reason given (a sentence in each language).
    pub fn invalid(
        field: impl Into<Cow<'static, str>>,
        korean: impl Into<Cow<'static, str>>,
        english: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (field, korean, english) = (field.into(), korean.into(), english.into());
        let (in_korean, in_english) = (format!("{field}: {korean}"), format!("{field}: {english}"));
        Self::new(StatusCode::BAD_REQUEST, "invalid-field", in_korean, in_english).naming(field, korean, english)
    }

    /// Names one more field at fault, and what is wrong with it.
    #[must_use]
    pub fn naming(
        mut self,
        field: impl Into<Cow<'static, str>>,
        korean: impl Into<Cow<'static, str>>,
        english: impl Into<Cow<'static, str>>,
    ) -> Self {
        let text = Text { korean: korean.into(), english: english.into() };
        self.0.faults.push(Fault { field: field.into(), text });
        self
    }

    /// 400: `field` is required and missing or empty.
    pub fn missing(field: impl Into<Cow<'static, str>>) -> Self {
        Self::invalid(field, "필수 항목입니다.", "This field is required.")
    }

    /// 401: no valid session.
    pub fn unauthorized(korean: &'static str, english: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", korean, english)
    }

    /// 404 with its own code.
    pub fn not_found(code: &'static str, korean: &'static str, english: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, korean, english)
    }

    /// 409: the request conflicts with the state of things.
    pub fn conflict(code: &'static str, korean: &'static str, english: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, code, korean, english)
    }

    /// 500: our fault; the client learns nothing of `source`, the log everything.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "서버 오류가 발생했습니다. 잠시 후 다시 시도해 주세요.",
            "Something went wrong on our side. Please try again later.",
        )
        .because(source)
    }

    /// 503: something we depend on can't be reached right now.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "지금은 서비스를 이용할 수 없습니다. 잠시 후 다시 시도해 주세요.",
            "The service is temporarily unavailable. Please try again shortly.",
        )
        .retry_after(Duration::from_secs(2))
        .because(source)
    }

    /// 504: what was asked for has happened, or never will, and we can't tell which.
    pub fn outcome_unknown(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "outcome-unknown",
            "요청이 처리되었는지 알 수 없습니다. 결과를 확인한 후 다시 시도해 주세요.",
            "We can't tell whether this was done. Please check the outcome before you try again.",
        )
        .because(source)
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Tells the client when to try again (`Retry-After`).
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable identifier of the case.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// How long a client should wait before it tries again, where that is known.
    pub fn wait(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The body of the answer.
    pub fn problem(&self, language: Language, request_id: &str) -> Problem {
        let say = |text: &Text| language.pick(&text.korean, &text.english).to_owned();
        Problem {
            kind: format!("urn:cloudjet:problem:{}", self.0.code),
            title: self.0.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.0.status.as_u16(),
            code: self.0.code.to_owned(),
            message: say(&self.0.text),
            request_id: request_id.to_owned(),
            errors: self
                .0
                .faults
                .iter()
                .map(|f| FieldError { field: f.field.to_string(), message: say(&f.text) })
                .collect(),
        }
    }
}

/// An error body (RFC 9457 problem details with CloudJet's additions).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A URI that identifies the case: `urn:cloudjet:problem:<code>`.
    #[serde(rename = "type")]
    #[schema(example = "urn:cloudjet:problem:invalid-field")]
    pub kind: String,
    /// The status in words.
    #[schema(example = "Bad Request")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 400)]
    pub status: u16,
    /// What happened, for programs: stable, kebab-case.
    #[schema(example = "invalid-field")]
    pub code: String,
    /// What happened, for people: Korean, or English by `Accept-Language`.
    #[schema(example = "email: 이메일 주소를 확인해 주세요.")]
    pub message: String,
    /// Quote it when asking for help; also in the `X-Request-Id` header.
    #[schema(example = "019aa5f0-6f3c-7c1e-9d43-5b1d0e7c2a11")]
    pub request_id: String,
    /// The fields that were refused, where the request had any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// One refused field of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// Where it stands in the request, e.g. `passengers[0].name`.
    #[schema(example = "email")]
    pub field: String,
    /// What is wrong with it.
    #[schema(example = "이메일 주소를 확인해 주세요.")]
    pub message: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code)
    }
}

impl StdError for ApiError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|s| &**s as &(dyn StdError + 'static))
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        crate::pool::tell(&error);
        if crate::db::is_outcome_unknown(&error) {
            Self::outcome_unknown(error)
        } else if crate::db::is_outage(&error) || crate::db::is_conflict(&error) {
            // A conflict is here after several attempts: nothing has happened, and there is a crowd.
            Self::unavailable(error)
        } else {
            Self::internal(error)
        }
    }
}

/// Writes an error and all its sources on one line: `a: b: c`. What the database refused is told by its number and
/// constraint, because its own words quote values, and those may be somebody's.
pub struct Chain<'e>(pub &'e (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in std::iter::successors(Some(self.0), |&e| e.source()).enumerate() {
            f.write_str(if i == 0 { "" } else { ": " })?;
            match error.downcast_ref::<sqlx::Error>() {
                Some(refused @ sqlx::Error::Database(_)) => {
                    let constraint = crate::db::violated_constraint(refused).unwrap_or("-");
                    return write!(
                        f,
                        "database error {}, {constraint}",
                        crate::db::number(refused).unwrap_or_default()
                    );
                }
                _ => write!(f, "{error}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

    use super::*;

    #[sqlx::test(migrations = false)]
    async fn what_the_database_refused_is_told_without_the_value(
        pool: MySqlPoolOptions,
        database: MySqlConnectOptions,
    ) {
        let db = pool.connect_with(database).await.unwrap();
        let unique = "create table people (email varchar(50) not null, constraint uq_people_email unique (email))";
        sqlx::query(unique).execute(&db).await.unwrap();
        let insert = || sqlx::query("insert into people values (?)").bind("kim@example.com").execute(&db);
        insert().await.unwrap();
        let error = ApiError::from(insert().await.unwrap_err());
        assert_eq!(Chain(&error).to_string(), "internal: database error 1062, uq_people_email");
    }

    #[sqlx::test(migrations = false)]
    async fn a_conflict_that_is_still_lost_after_all_attempts_is_a_reason_to_come_back(
        pool: MySqlPoolOptions,
        database: MySqlConnectOptions,
    ) {
        let db = pool.connect_with(database).await.unwrap();
        sqlx::query("create table counts (n int primary key)").execute(&db).await.unwrap();
        sqlx::query("insert into counts values (1)").execute(&db).await.unwrap();
        let mut first = db.begin().await.unwrap();
        let update = "update counts set n = 2";
        sqlx::query(update).execute(&mut *first).await.unwrap();
        let mut second = db.begin().await.unwrap();
        sqlx::query("set session innodb_lock_wait_timeout = 1").execute(&mut *second).await.unwrap();
        let error = ApiError::from(sqlx::query(update).execute(&mut *second).await.unwrap_err());
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn any_other_error_is_told_with_all_its_causes() {
        let io = std::io::Error::other("the cable was cut");
        assert_eq!(Chain(&ApiError::unavailable(io)).to_string(), "unavailable: the cable was cut");
    }
}
