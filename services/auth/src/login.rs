//! `POST /api/auth/login`: a password for a session.
//!
//! Nobody learns here whether an account exists: an unknown e-mail costs the same work as a wrong password, gets
//! the same answer, and is counted alike.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::NaiveDate;
use common::auth::Role;
use common::error::{ApiError, Chain, Problem};
use common::http::openapi::{BodyRefused, Failures};
use common::http::{Json, wire};
use common::language::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::passwords::{self, Verdict};
use crate::people::{self, EmailAddress, Person};

/// Who says they are who.
// It has no `Debug`, so that no log can show it.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Credentials {
    /// The account's e-mail address, in any case.
    #[schema(example = "user@cloudjet.com")]
    email: Option<String>,
    /// The same under its older name; `email` wins.
    #[schema(example = "user@cloudjet.com")]
    username: Option<String>,
    /// The account's password.
    #[schema(required = true, nullable = false, format = "password", example = "user1234")]
    password: Option<String>,
}

/// A session and whose it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    /// For people: Korean, or English by `Accept-Language`.
    #[schema(example = "로그인되었습니다.")]
    message: &'static str,
    /// To be sent as `Authorization: Bearer <token>`; lasts a day.
    #[schema(example = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9…")]
    token: String,
    user: SessionUser,
}

/// Whose session it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionUser {
    #[schema(example = 7)]
    id: i64,
    #[schema(example = "김하늘")]
    name: String,
    /// As stored, not as typed.
    #[schema(example = "haneul@example.com")]
    email: String,
    #[schema(required = true, example = "010-1234-5678")]
    phone: Option<String>,
    #[schema(required = true, example = "1990-02-03")]
    birth_date: Option<NaiveDate>,
    role: Role,
}

/// Log in.
///
/// Answers a token for `Authorization: Bearer <token>` that lasts a day. Logging out is forgetting it.
#[utoipa::path(
    post, path = "/api/auth/login", operation_id = "log_in", tag = "people",
    request_body(
        content = Credentials,
        example = json!({ "email": "user@cloudjet.com", "password": "user1234" }),
    ),
    responses(
        (status = 200, description = "A session.", body = Session),
        (status = 400, description = "A field is missing or has the wrong type; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`wrong-credentials`: unknown e-mail or wrong password.", body = Problem, content_type = "application/problem+json"),
        BodyRefused,
        (status = 429, description = "`too-many-attempts`: come back after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds."))),
        Failures,
    ),
)]
pub(crate) async fn log_in(
    State(app): State<App>,
    language: Language,
    Json(body): Json<Credentials>,
) -> Result<Json<Session>, ApiError> {
    let (email, password) = body.parse()?;
    let person = authenticate(&app, &email, password).await;
    app.metrics.logged_in(person.as_ref().map(|person| person.id));
    let Person { id, name, email, phone, birth_date, role } = person?;
    let token = app.tokens.issue(id, role)?;
    let message = language.pick("로그인되었습니다.", "You are logged in.");
    Ok(Json(Session { message, token, user: SessionUser { id, name, email, phone, birth_date, role } }))
}

impl Credentials {
    fn parse(self) -> Result<(EmailAddress, String), ApiError> {
        let filled = |text: &String| !text.trim().is_empty();
        let email = wire::required(self.email.filter(filled).or(self.username.filter(filled)), "email")?;
        let password = wire::required(self.password.filter(|p| !p.is_empty()), "password")?;
        Ok((EmailAddress::typed(&email), password))
    }
}

/// Whose e-mail and password these are.
///
/// An attempt is counted before it is checked, so that no crowd of parallel ones gets past the limit, and only when
/// its turn to hash has come, so that a crowd of right ones is not mistaken for one.
async fn authenticate(app: &App, email: &EmailAddress, password: String) -> Result<Person, ApiError> {
    let account = people::find_account(&app.db, email).await?;
    let turn = app.hashing.turn().await?;
    app.throttle.admit(email).await?;
    let stored = account.as_ref().map(|a| a.password_hash.clone());
    let verdict = turn.run(move || passwords::check(&password, stored.as_deref())).await?;
    let (Some(account), Verdict::Right { better }) = (account, verdict) else { return Err(wrong_credentials()) };
    app.throttle.forget(email).await;
    if let Some(better) = better
        && let Err(error) = people::upgrade_password(&app.db, &account, &better).await
    {
        tracing::warn!(user_id = account.person.id, error = %Chain(&error), "old password hash stays, next log-in tries again");
    }
    Ok(account.person)
}

/// 401, the same for an unknown e-mail and a wrong password.
fn wrong_credentials() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "wrong-credentials",
        "이메일 또는 비밀번호가 올바르지 않습니다.",
        "The e-mail address or the password is wrong.",
    )
}
