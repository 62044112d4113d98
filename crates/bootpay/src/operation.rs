//! What can be asked of the provider: the names that calls are counted, and troubled, by.

use serde::{Deserialize, Serialize};

/// An operation of the provider's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST request/token`
    Token,
    /// `GET receipt/{receipt_id}`
    Receipt,
    /// `GET lookup/order/{order_id}`
    Order,
    /// `POST confirm`
    Confirm,
    /// `POST cancel`
    Cancel,
}

impl Operation {
    /// Whether it moves money. What doesn't can be asked twice.
    pub fn moves_money(self) -> bool {
        matches!(self, Self::Confirm | Self::Cancel)
    }

    /// Its name: `token`, `receipt`, `order`, `confirm` or `cancel`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Receipt => "receipt",
            Self::Order => "order",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
        }
    }
}
