//! `POST /api/auth/signup`: a new account, with the role every account begins with.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::NaiveDate;
use common::error::{ApiError, Problem};
use common::http::openapi::{BodyRefused, Failures};
use common::http::{Json, wire};
use common::language::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::passwords;
use crate::people::{self, NewPerson, SignUpError};

/// Who wants an account.
// It has no `Debug`, so that no log can show it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignUp {
    /// 1 to 50 printable characters of any script, without `<` and `>`.
    #[schema(required = true, nullable = false, min_length = 1, max_length = 50, example = "김하늘")]
    name: Option<String>,
    /// Unique, whatever its case.
    #[schema(required = true, nullable = false, format = "email", max_length = 100, example = "haneul@example.com")]
    email: Option<String>,
    /// Any 6 or more characters, taken whole; at most 1,000 bytes.
    #[schema(required = true, nullable = false, format = "password", min_length = 6, example = "Passw0rd!")]
    password: Option<String>,
    /// 10 to 20 characters.
    #[schema(required = true, nullable = false, min_length = 10, max_length = 20, example = "010-1234-5678")]
    phone: Option<String>,
    /// From 1900 to today in Seoul.
    #[schema(required = true, nullable = false, format = "date", example = "1990-02-03")]
    birth_date: Option<String>,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    /// For people: Korean, or English by `Accept-Language`.
    #[schema(example = "회원가입이 완료되었습니다.")]
    pub(crate) message: &'static str,
    /// Always true.
    #[schema(example = true)]
    pub(crate) success: bool,
}

/// Open an account.
///
/// It doesn't log in. Everybody begins as a passenger; addresses are unique, whatever their case.
#[utoipa::path(
    post, path = "/api/auth/signup", operation_id = "sign_up", tag = "people",
    request_body(
        content = SignUp,
        example = json!({
            "name": "김하늘",
            "email": "haneul@example.com",
            "password": "Passw0rd!",
            "phone": "010-1234-5678",
            "birthDate": "1990-02-03",
        }),
    ),
    responses(
        (status = 201, description = "The account exists.", body = Done),
        (status = 400, description = "A field is missing or not acceptable; `errors` names it.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`email-taken`: the address has an account.", body = Problem, content_type = "application/problem+json"),
        BodyRefused,
        Failures,
    ),
)]
pub(crate) async fn sign_up(
    State(app): State<App>,
    language: Language,
    Json(body): Json<SignUp>,
) -> Result<(StatusCode, Json<Done>), ApiError> {
    let (person, password) = body.parse(app.clock.today_in_seoul())?;
    let hash = app.hashing.turn().await?.run(move || passwords::hash(&password)).await??;
    let signed_up = people::sign_up(&app.db, &person, &hash).await.map_err(ApiError::from);
    app.metrics.signed_up(signed_up.as_ref().copied());
    signed_up?;
    let message = language.pick("회원가입이 완료되었습니다.", "Your account has been created.");
    Ok((StatusCode::CREATED, Json(Done { message, success: true })))
}

impl SignUp {
    fn parse(self, today: NaiveDate) -> Result<(NewPerson, String), ApiError> {
        let name = wire::name(&wire::required_text(self.name, "name")?, "name", 50)?;
        let email = wire::email(&wire::required_text(self.email, "email")?, "email")?;
        let password = password(wire::required(self.password.filter(|p| !p.is_empty()), "password")?)?;
        let phone = wire::phone(&wire::required_text(self.phone, "phone")?, "phone")?;
        let birth_date = wire::required_text(self.birth_date, "birthDate")?;
        let birth_date = wire::birth_date(&birth_date, "birthDate", today)?;
        Ok((NewPerson { name, email, phone, birth_date }, password))
    }
}

/// A password fit for a new account: 6 characters as a browser counts them (UTF-16 units), and no more bytes than
/// anybody types, because hashing reads them all.
fn password(text: String) -> Result<String, ApiError> {
    const SHORTEST: usize = 6;
    const MOST_BYTES: usize = 1000;
    if text.encode_utf16().count() < SHORTEST {
        return Err(ApiError::invalid("password", "6자 이상이어야 합니다.", "Must be at least 6 characters."));
    }
    if text.len() > MOST_BYTES {
        return Err(ApiError::invalid(
            "password",
            "너무 깁니다 (최대 1,000바이트).",
            "Is too long (at most 1,000 bytes).",
        ));
    }
    Ok(text)
}

impl From<SignUpError> for ApiError {
    fn from(error: SignUpError) -> Self {
        match error {
            SignUpError::EmailTaken => Self::conflict(
                "email-taken",
                "이미 사용 중인 이메일입니다.",
                "This e-mail address already has an account.",
            ),
            SignUpError::Database(error) => error.into(),
        }
    }
}
