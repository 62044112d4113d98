//! One HTTP answer of the provider, sorted into a result or an [`Error`].
//!
//! The provider documents its error codes, but not which HTTP status comes with each: so a known code counts before
//! the status does.

use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::Error;
use crate::error::{is_about_the_token, is_refusal};

/// No sane answer is larger.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Enough of a refusal's message for an operator.
const MOST_MESSAGE: usize = 300;

/// Status and body, read to the end.
pub(crate) struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    /// Reads the body.
    pub(crate) async fn read(mut response: Response) -> Result<Self, Error> {
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Error::from_http)? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(Error::Unreadable("an answer of more than 4 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Self { status, body })
    }

    /// The HTTP status, for the log.
    pub(crate) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The JSON of a success, or what the failure means.
    pub(crate) fn into_json(self) -> Result<Value, Error> {
        let json: Option<Value> = serde_json::from_slice(&self.body).ok();
        if self.status.is_success() {
            return json.ok_or(Error::Unreadable("a success that is no JSON"));
        }
        let said =
            |name: &str| json.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str).unwrap_or_default();
        let code = Some(said("error_code").to_owned()).filter(|code| !code.is_empty());
        let message = said("message").chars().take(MOST_MESSAGE).collect();
        Err(refusal(self.status, code, message))
    }
}

fn refusal(status: StatusCode, code: Option<String>, message: String) -> Error {
    let number = status.as_u16();
    if let Some(code) = code.clone().filter(|code| code.contains("CRITICAL")) {
        return Error::Undecided { status: number, code };
    }
    if code.as_deref().is_some_and(is_refusal) {
        return Error::Refused { status: number, code, message };
    }
    let about_us = code.as_deref().is_some_and(|code| code.starts_with("APP_") || is_about_the_token(code));
    match number {
        408 | 429 | 500.. => Error::Unavailable { status: number },
        401 | 403 => Error::NotAuthorised { status: number, code },
        400..500 if about_us => Error::NotAuthorised { status: number, code },
        400..500 => Error::Refused { status: number, code, message },
        // A redirect is not followed: it would carry the token, and the refund, elsewhere.
        _ => Error::Unreadable("neither a success nor a refusal"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> Result<Value, Error> {
        let status = StatusCode::from_u16(status).unwrap();
        let body = body.as_bytes().to_vec();
        Answer { status, body }.into_json()
    }

    fn coded(status: u16, code: &str) -> Error {
        let body = json!({"error_code": code, "message": "안 돼요"}).to_string();
        answer(status, &body).unwrap_err()
    }

    #[test]
    fn a_success_must_be_json() {
        assert_eq!(answer(200, "[]").unwrap(), json!([]));
        assert!(matches!(answer(200, "<html>"), Err(Error::Unreadable(_))));
        assert!(matches!(answer(302, ""), Err(Error::Unreadable(_))));
    }

    #[test]
    fn a_refusal_keeps_code_and_message() {
        let error = coded(400, "RC_ALREADY_CANCELLED");

        assert!(error.is_definite());
        assert_eq!(error.code(), Some("RC_ALREADY_CANCELLED"));
        let Error::Refused { message, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(message, "안 돼요");
        assert_eq!(error.to_string(), "the payment provider refused with status 400, code RC_ALREADY_CANCELLED");
    }

    #[test]
    fn an_unknown_receipt_is_known_by_code_or_404() {
        assert!(coded(404, "RC_NOT_FOUND").says_not_found());
        assert!(coded(500, "RC_NOT_FOUND").says_not_found());
        assert!(answer(404, "").unwrap_err().says_not_found());
        assert!(!coded(404, "APP_KEY_NOT_FOUND").says_not_found());
        assert!(!coded(400, "RC_CANCEL_SERVER_ERROR").says_not_found());
    }

    #[test]
    fn credentials_and_tokens_are_told_apart() {
        assert!(coded(400, "TOKEN_KEY_INVALID").refuses_the_token());
        assert!(answer(401, "").unwrap_err().refuses_the_token());
        assert!(!coded(400, "APP_SK_NOT_MATCHED").refuses_the_token());
        assert!(matches!(coded(400, "APP_SK_NOT_MATCHED"), Error::NotAuthorised { .. }));
        assert!(matches!(answer(403, ""), Err(Error::NotAuthorised { .. })));
    }

    #[test]
    fn a_decline_is_told_from_other_refusals_whatever_the_status() {
        for status in [400, 402, 500] {
            let error = coded(status, "RC_CONFIRM_FAILED");
            assert!(error.is_decline() && error.is_definite() && !error.is_outage(), "{error:?}");
        }
        assert!(!coded(400, "RC_NOT_CONFIRM_READY").is_decline());
        assert!(!coded(500, "RC_CONFIRM_CRITICAL_FAILED").is_decline());
    }

    #[test]
    fn no_refusal_is_an_outage() {
        for (status, is_outage) in [(500, true), (503, true), (429, false), (408, false), (401, false), (404, false)] {
            assert_eq!(answer(status, "").unwrap_err().is_outage(), is_outage, "{status}");
        }
        assert!(!coded(500, "RC_CANCEL_SERVER_ERROR").is_outage());
        assert!(!coded(500, "RC_CANCEL_CRITICAL_ERROR").is_outage());
    }

    #[test]
    fn doubt_is_never_definite() {
        assert!(!coded(400, "RC_CANCEL_CRITICAL_ERROR").is_definite());
        assert!(!coded(500, "RC_CONFIRM_CRITICAL_FAILED").is_definite());
        assert!(!answer(500, "").unwrap_err().is_definite());
        assert!(!answer(200, "").unwrap_err().is_definite());
        assert!(answer(429, "").unwrap_err().is_definite());
    }
}
