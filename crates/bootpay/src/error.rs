//! What can go wrong with a call to the provider, sorted by what it means for the money.
//!
//! The cases differ in one question: did it happen? [`Error::is_definite`] answers it.

use thiserror::Error as ThisError;

/// Why a call to the provider gave no result.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The provider has been away lately, so it wasn't called: nothing was sent.
    #[error("the payment provider has been away lately and wasn't called")]
    NotTried,

    /// No connection: name resolution, TCP or TLS failed. Nothing was sent.
    #[error("the payment provider can't be reached")]
    Unreachable(#[source] reqwest::Error),

    /// No answer in the time allowed. It may have happened.
    #[error("the payment provider did not answer in time")]
    TimedOut,

    /// The connection broke before the answer was whole. It may have happened.
    #[error("the connection to the payment provider broke before it had answered")]
    AnswerLost(#[source] reqwest::Error),

    /// The provider, or something before it, is overloaded or down (5xx, 408, 429).
    #[error("the payment provider is not available (status {status})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
    },

    /// The provider's definite no (4xx): it didn't happen.
    #[error("the payment provider refused with status {status}, code {}", code.as_deref().unwrap_or("none"))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The provider's `error_code`, like `RC_NOT_FOUND`, if it gave one.
        code: Option<String>,
        /// The provider's `message`: for operators, in Korean, cut to 300 characters, and empty if it gave none.
        message: String,
    },

    /// The provider says that it doesn't know itself, having lost the card company's answer
    /// (`RC_CANCEL_CRITICAL_ERROR`, `RC_CONFIRM_CRITICAL_FAILED`). It may have happened.
    #[error("the payment provider doesn't know the outcome itself (status {status}, code {code})")]
    Undecided {
        /// The HTTP status.
        status: u16,
        /// The provider's `error_code`.
        code: String,
    },

    /// The provider doesn't accept our credentials, or not a token that it has just given us.
    #[error("the payment provider doesn't accept our credentials (status {status}, code {})", code.as_deref().unwrap_or("none"))]
    NotAuthorised {
        /// The HTTP status.
        status: u16,
        /// The provider's `error_code`, like `APP_SK_NOT_MATCHED`, if it gave one.
        code: Option<String>,
    },

    /// An answer that makes no sense. It may have happened.
    #[error("the payment provider's answer makes no sense: {0}")]
    Unreadable(&'static str),

    /// The amount to cancel is not positive. Nothing was sent: to the provider, an amount of nothing may mean all of it.
    #[error("{0} won is not an amount that can be cancelled")]
    NotAnAmount(i64),
}

impl Error {
    /// Whether *this call* certainly had no effect at the provider.
    ///
    /// False after a time-out, for example: the refund may have been made. Then look the receipt up before anything
    /// else. It speaks of this call only: a cancel that is repeated because the first answer was lost may be refused
    /// *because* the first one worked.
    ///
    /// It errs on the side of doubt: an outage while fetching a token counts as indefinite, although the call itself
    /// was never sent.
    pub fn is_definite(&self) -> bool {
        match self {
            Self::NotTried
            | Self::Unreachable(_)
            | Self::Refused { .. }
            | Self::NotAuthorised { .. }
            | Self::NotAnAmount(_) => true,
            Self::Unavailable { status } => *status == 429,
            Self::TimedOut | Self::AnswerLost(_) | Self::Undecided { .. } | Self::Unreadable(_) => false,
        }
    }

    /// Whether the provider was away: nobody was reached, nothing came in time, or something before it answered (5xx).
    ///
    /// A refusal is none, and [`NotTried`](Self::NotTried) is none itself: it only follows from some.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut | Self::AnswerLost(_) => true,
            Self::Unavailable { status } => *status >= 500,
            _ => false,
        }
    }

    /// Whether the card company or bank said no to the buyer (`RC_CONFIRM_FAILED`): another card may do, while any
    /// other refusal is about the call or about us.
    pub fn is_decline(&self) -> bool {
        matches!(self, Self::Refused { code: Some(code), .. } if code == DECLINED)
    }

    /// One word for it, to count by.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotTried => "not_tried",
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed_out",
            Self::AnswerLost(_) => "answer_lost",
            Self::Unavailable { .. } => "unavailable",
            Self::Refused { .. } if self.is_decline() => "declined",
            Self::Refused { .. } if self.says_not_found() => "not_found",
            Self::Refused { .. } | Self::NotAnAmount(_) => "refused",
            Self::Undecided { .. } => "undecided",
            Self::NotAuthorised { .. } => "not_authorised",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// The provider's `error_code`, if it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } | Self::NotAuthorised { code, .. } => code.as_deref(),
            Self::Undecided { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Sorts a failure of the HTTP client. The address is dropped from it: it holds receipt and order ids.
    pub(crate) fn from_http(error: reqwest::Error) -> Self {
        let error = error.without_url();
        // A connection that isn't made in time is both; that nothing was sent is the stronger statement.
        if error.is_connect() {
            Self::Unreachable(error)
        } else if error.is_timeout() {
            Self::TimedOut
        } else {
            Self::AnswerLost(error)
        }
    }

    /// Whether the provider said that what was looked up doesn't exist.
    ///
    /// A bare 404 counts, too: a wrong base address would already have failed at the token.
    pub(crate) fn says_not_found(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => *status == 404 || code.as_deref().is_some_and(is_receipt_not_found),
            _ => false,
        }
    }

    /// Whether another token might help.
    pub(crate) fn refuses_the_token(&self) -> bool {
        match self {
            Self::NotAuthorised { status, code } => *status == 401 || code.as_deref().is_some_and(is_about_the_token),
            _ => false,
        }
    }
}

/// The card company or bank refused: an expired card, a limit, too little on the account.
const DECLINED: &str = "RC_CONFIRM_FAILED";

/// Whether a code says no to what was asked, whatever the HTTP status beside it.
pub(crate) fn is_refusal(code: &str) -> bool {
    const REFUSALS: [&str; 4] = [DECLINED, "RC_NOT_CONFIRM_READY", "RC_CANCEL_SERVER_ERROR", "RC_ALREADY_CANCELLED"];
    is_receipt_not_found(code) || REFUSALS.contains(&code)
}

/// The provider documents `RC_NOT_FOUND`; its own examples also name `RC_PAYMENT_NOT_FOUND`.
fn is_receipt_not_found(code: &str) -> bool {
    code.starts_with("RC_") && code.ends_with("NOT_FOUND")
}

/// `TOKEN_KEY_INVALID` and its like. The provider documents no HTTP status for it.
pub(crate) fn is_about_the_token(code: &str) -> bool {
    code.starts_with("TOKEN_") || code == "RC_TOKEN_EXPIRED"
}
