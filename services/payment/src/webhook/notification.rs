//! A message as it came in: its bytes, because the signature is over them, and nothing read yet.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use common::error::ApiError;
use common::http::{body_refused, wrong_media_type};
use serde_json::{Map, Value};

use super::message::Message;

/// Where a signature may stand, the better place first.
const SIGNATURES: [HeaderName; 2] =
    [HeaderName::from_static("bootpay-signature"), HeaderName::from_static("x-bootpay-signature")];

/// A message nobody has read yet.
pub(crate) struct Notification {
    form: Form,
    body: Bytes,
    /// What stands in the signature header, if there is one; empty if that is no text.
    signature: Option<String>,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    UrlEncoded,
}

impl Notification {
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn signature(&self) -> Option<&str> {
        self.signature.as_deref()
    }

    /// Reads the message.
    pub(super) fn read(&self) -> Result<Message, ApiError> {
        let fields: Map<String, Value> = match self.form {
            Form::Json => serde_json::from_slice(&self.body).map_err(|_| malformed())?,
            Form::UrlEncoded => form_urlencoded::parse(&self.body)
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect(),
        };
        Message::new(fields)
    }
}

impl Form {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = content_type.split(';').next()?.trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-www-form-urlencoded" => Some(Self::UrlEncoded),
            "application/json" => Some(Self::Json),
            other if other.starts_with("application/") && other.ends_with("+json") => Some(Self::Json),
            _ => None,
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Notification {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let headers = request.headers();
        let form = Form::of(headers)
            .ok_or_else(|| wrong_media_type("application/json | application/x-www-form-urlencoded"))?;
        let header = SIGNATURES.iter().find_map(|name| headers.get(name));
        let signature = header.map(|value| value.to_str().unwrap_or_default().to_owned());
        let body = Bytes::from_request(request, state).await.map_err(body_refused)?;
        Ok(Self { form, body, signature })
    }
}

/// 400: not what the provider writes.
pub(super) fn malformed() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "malformed-message",
        "웹훅 본문이 올바르지 않습니다.",
        "The message is not a JSON object or a form.",
    )
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn json_and_forms_are_read_whatever_their_parameters() {
        for (content_type, form) in [
            ("application/json", Some(Form::Json)),
            ("Application/JSON; charset=utf-8", Some(Form::Json)),
            ("application/problem+json", Some(Form::Json)),
            ("application/x-www-form-urlencoded;charset=UTF-8", Some(Form::UrlEncoded)),
            ("text/plain", None),
            ("text/json", None),
            ("multipart/form-data; boundary=application/json", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            assert_eq!(Form::of(&headers), form, "{content_type}");
        }
        assert_eq!(Form::of(&HeaderMap::new()), None);
    }
}
