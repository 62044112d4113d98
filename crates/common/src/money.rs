//! Money: whole won, and only the operations that make sense on them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount in won. The won has no smaller unit, so an amount is an integer everywhere: column, JSON and code.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = i64, example = 320_000)]
pub struct Money(i64);

impl Money {
    /// No money at all.
    pub const ZERO: Self = Self(0);

    /// The currency of every amount here (ISO 4217).
    pub const CURRENCY: &str = "KRW";

    /// `won` won.
    pub const fn won(won: i64) -> Self {
        Self(won)
    }

    /// How many won.
    pub const fn as_won(self) -> i64 {
        self.0
    }

    /// The price after `percent` off, rounded half up to the won: the one rounding rule of searches, offers and bills.
    ///
    /// 377,725 at 25 % is 283,293.75, so 283,294.
    #[must_use]
    pub fn less_percent(self, percent: u8) -> Self {
        let kept = i128::from(100 - percent.min(100));
        let won = (i128::from(self.0) * kept + 50).div_euclid(100);
        Self(i64::try_from(won).unwrap_or(i64::MAX))
    }

    /// This amount `count` times, or `None` beyond what an amount can hold.
    #[must_use]
    pub fn times(self, count: u32) -> Option<Self> {
        self.0.checked_mul(i64::from(count)).map(Self)
    }

    /// What is left after taking `other` away; never below zero.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }
}

/// A column's won.
impl From<i32> for Money {
    fn from(won: i32) -> Self {
        Self(won.into())
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, Self::CURRENCY)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_round_up() {
        assert_eq!(Money::won(377_725).less_percent(25), Money::won(283_294));
        assert_eq!(Money::won(50).less_percent(1), Money::won(50));
        assert_eq!(Money::won(150).less_percent(1), Money::won(149));
    }

    proptest! {
        #[test]
        fn a_discount_is_within_half_a_won_of_the_exact_price(won in 0i64..=9_999_999, percent in 0u8..=100) {
            let exact = won * i64::from(100 - percent);
            let rounded = Money::won(won).less_percent(percent).as_won() * 100;
            prop_assert!((rounded - exact).abs() <= 50);
            prop_assert!(rounded > exact || exact - rounded < 50);
        }
    }
}
