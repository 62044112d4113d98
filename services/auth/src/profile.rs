//! `GET` and `PUT /api/auth/profile`, and the same at `/api/user/profile`: what somebody told us about themselves.

use axum::extract::State;
use chrono::NaiveDate;
use common::auth::{Role, User};
use common::error::{ApiError, Problem};
use common::http::openapi::{BodyRefused, Failures, NotSignedIn};
use common::http::{Json, wire};
use common::language::Language;
use serde::{Deserialize, Serialize};
use sqlx::MySqlPool;
use utoipa::ToSchema;

use crate::people::{self, ProfileChange, ProfileError};
use crate::signup::Done;

/// A profile.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProfileAnswer {
    user: Profile,
}

/// What is known of the person who asks.
#[derive(Serialize, ToSchema)]
struct Profile {
    #[schema(example = 7)]
    user_id: i64,
    #[schema(example = "김하늘")]
    name: String,
    #[schema(example = "haneul@example.com")]
    email: String,
    #[schema(required = true, example = "010-1234-5678")]
    phone: Option<String>,
    #[schema(required = true, example = "1990-02-03")]
    birth_date: Option<NaiveDate>,
    role: Role,
}

/// Show one's profile.
///
/// What the account that is signed in told about its person.
#[utoipa::path(
    get, path = "/api/auth/profile", operation_id = "show_profile", tag = "people",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The profile.", body = ProfileAnswer),
        NotSignedIn,
        Failures,
    ),
)]
pub(crate) async fn show(user: User, State(db): State<MySqlPool>) -> Result<Json<ProfileAnswer>, ApiError> {
    let person = people::load(&db, user.id).await?;
    let people::Person { id: user_id, name, email, phone, birth_date, role } = person;
    Ok(Json(ProfileAnswer { user: Profile { user_id, name, email, phone, birth_date, role } }))
}

/// What to change. What is absent or null stays; everything else about a person can't be changed here.
#[derive(Deserialize, ToSchema)]
#[schema(as = ProfileChange)]
pub(crate) struct Change {
    /// 1 to 50 printable characters of any script, without `<` and `>`.
    #[schema(min_length = 1, max_length = 50, example = "김하늘")]
    name: Option<String>,
    /// 10 to 20 characters.
    #[schema(min_length = 10, max_length = 20, example = "010-1234-5678")]
    phone: Option<String>,
}

/// Change one's name or phone number.
///
/// What is absent stays as it is. Nothing else about a person can be changed here.
#[utoipa::path(
    put, path = "/api/auth/profile", operation_id = "change_profile", tag = "people",
    request_body(content = Change, example = json!({ "name": "김하늘", "phone": "010-1234-5678" })),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "It is so now, also if it was before.", body = Done),
        (status = 400, description = "`nothing-to-change`, or a field is not acceptable and `errors` names it.", body = Problem, content_type = "application/problem+json"),
        NotSignedIn,
        BodyRefused,
        Failures,
    ),
)]
pub(crate) async fn change(
    user: User,
    State(db): State<MySqlPool>,
    language: Language,
    Json(body): Json<Change>,
) -> Result<Json<Done>, ApiError> {
    people::change_profile(&db, user.id, &body.parse()?).await?;
    let message = language.pick("회원 정보가 수정되었습니다.", "Your profile has been updated.");
    Ok(Json(Done { message, success: true }))
}

impl Change {
    fn parse(self) -> Result<ProfileChange, ApiError> {
        if self.name.is_none() && self.phone.is_none() {
            return Err(ApiError::new(
                axum::http::StatusCode::BAD_REQUEST,
                "nothing-to-change",
                "변경할 항목(name, phone)이 없습니다.",
                "There is nothing to change: send name, phone or both.",
            ));
        }
        Ok(ProfileChange {
            name: self.name.map(|name| wire::name(&name, "name", 50)).transpose()?,
            phone: self.phone.map(|phone| wire::phone(&phone, "phone")).transpose()?,
        })
    }
}

impl From<ProfileError> for ApiError {
    fn from(error: ProfileError) -> Self {
        match error {
            // It was there a moment ago, when the session was checked: the same answer as a moment later.
            ProfileError::Gone => Self::unauthorized(
                "탈퇴했거나 존재하지 않는 계정입니다. 다시 로그인해 주세요.",
                "This account no longer exists. Please log in again.",
            ),
            ProfileError::Database(error) => error.into(),
        }
    }
}
