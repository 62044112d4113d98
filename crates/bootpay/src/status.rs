//! Where a payment stands, in the provider's numbers.
//!
//! The trap: 20 is "cancelled" in full *or in part*; only the receipt's amounts tell which.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The provider's status of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "i32", into = "i32")]
pub enum Status {
    /// 0: the buyer hasn't decided.
    Waiting,
    /// 1: paid.
    Paid,
    /// 2: the buyer agreed; waits for our `confirm`.
    AwaitingApproval,
    /// 3: is being approved.
    Approving,
    /// 5: a virtual account was issued; nothing is paid yet.
    AccountIssued,
    /// 11: a billing key was issued.
    BillingKeyIssued,
    /// 12: an identity check was made.
    IdentityChecked,
    /// 20: cancelled, in full or in part.
    Cancelled,
    /// −1: failed before approval.
    Failed,
    /// −2: the approval failed.
    ApprovalFailed,
    /// −3: the virtual account's issue was cancelled.
    AccountCancelled,
    /// −11: the billing key was cancelled.
    BillingKeyCancelled,
    /// −20: a cancel failed. The buyer's money is still taken.
    CancelFailed,
    /// −30: is being cancelled.
    Cancelling,
    /// A number that the provider hasn't documented.
    Other(i32),
}

impl Status {
    /// The status of a number. Every number is one.
    pub fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Waiting,
            1 => Self::Paid,
            2 => Self::AwaitingApproval,
            3 => Self::Approving,
            5 => Self::AccountIssued,
            11 => Self::BillingKeyIssued,
            12 => Self::IdentityChecked,
            20 => Self::Cancelled,
            -1 => Self::Failed,
            -2 => Self::ApprovalFailed,
            -3 => Self::AccountCancelled,
            -11 => Self::BillingKeyCancelled,
            -20 => Self::CancelFailed,
            -30 => Self::Cancelling,
            other => Self::Other(other),
        }
    }

    /// The number of a status.
    pub fn code(self) -> i32 {
        match self {
            Self::Waiting => 0,
            Self::Paid => 1,
            Self::AwaitingApproval => 2,
            Self::Approving => 3,
            Self::AccountIssued => 5,
            Self::BillingKeyIssued => 11,
            Self::IdentityChecked => 12,
            Self::Cancelled => 20,
            Self::Failed => -1,
            Self::ApprovalFailed => -2,
            Self::AccountCancelled => -3,
            Self::BillingKeyCancelled => -11,
            Self::CancelFailed => -20,
            Self::Cancelling => -30,
            Self::Other(code) => code,
        }
    }

    /// Whether the price is paid and nothing of it cancelled.
    pub fn is_paid(self) -> bool {
        self == Self::Paid
    }

    /// Whether it was cancelled, in full or in part.
    pub fn is_cancelled(self) -> bool {
        self == Self::Cancelled
    }

    /// Whether the payment failed, so that no money was taken.
    ///
    /// Not so [`CancelFailed`](Self::CancelFailed) and [`Cancelling`](Self::Cancelling): they are negative, but of
    /// payments that were made.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::ApprovalFailed | Self::AccountCancelled | Self::BillingKeyCancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code())
    }
}

impl From<i32> for Status {
    fn from(code: i32) -> Self {
        Self::from_code(code)
    }
}

impl From<Status> for i32 {
    fn from(status: Status) -> Self {
        status.code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_the_round_trip() {
        for code in (-40..40).chain([i32::MIN, i32::MAX]) {
            assert_eq!(Status::from_code(code).code(), code);
        }
    }

    #[test]
    fn a_failed_cancel_is_no_failed_payment() {
        assert!(!Status::CancelFailed.is_failure());
        assert!(!Status::Cancelling.is_failure());
        assert!(Status::ApprovalFailed.is_failure());
    }
}
