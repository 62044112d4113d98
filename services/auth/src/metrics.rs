//! What is counted of people and their sessions. Lines in the log name an account by its number only, and who isn't
//! known by nothing.

use common::error::ApiError;

common::metrics! {
    /// What is counted of people and their sessions.
    pub struct Metrics {
        /// Log-ins, by outcome: success, or the code they were refused with.
        log_ins: IntCounterVec = "cloudjet_logins_total" by ["outcome"],
        /// Sign-ups, by outcome: success, or the code they were refused with.
        sign_ups: IntCounterVec = "cloudjet_signups_total" by ["outcome"],
    }
}

impl Metrics {
    /// Counts and tells of a log-in by an account, or why there was none.
    pub(crate) fn logged_in(&self, outcome: Result<i64, &ApiError>) {
        self.log_ins.with_label_values(&[word(outcome)]).inc();
        match outcome {
            Ok(user_id) => tracing::info!(user_id, "로그인 성공 - logged in"),
            Err(error) => tracing::info!(code = error.code(), "로그인 실패 - not logged in"),
        }
    }

    /// Counts and tells of a sign-up that made an account, or why none was made.
    pub(crate) fn signed_up(&self, outcome: Result<i64, &ApiError>) {
        self.sign_ups.with_label_values(&[word(outcome)]).inc();
        match outcome {
            Ok(user_id) => tracing::info!(user_id, "회원가입 성공 - signed up"),
            Err(error) => tracing::info!(code = error.code(), "회원가입 실패 - not signed up"),
        }
    }
}

fn word(outcome: Result<i64, &ApiError>) -> &'static str {
    outcome.map_or_else(ApiError::code, |_| "success")
}
