//! Which seats there are: one definition of a cabin per type of aircraft.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The seats of an aircraft that can be chosen: rows from 1, the same letters in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cabin {
    /// How many rows there are.
    pub rows: u8,
    /// The letters of a row, from left to right.
    pub letters: &'static str,
}

/// The browser client draws this map for every aircraft, and sells nothing beyond it.
const SINGLE_AISLE: Cabin = Cabin { rows: 25, letters: "ABCDEF" };

impl Cabin {
    /// The cabin of `aircraft`. All types we fly are sold by the same map today; a type with another one is
    /// another line here.
    pub fn of(_aircraft: &str) -> Self {
        SINGLE_AISLE
    }

    /// Whether the cabin has this seat.
    pub fn has(&self, seat: SeatNumber) -> bool {
        (1..=self.rows).contains(&seat.row) && self.letters.contains(seat.letter)
    }
}

/// A seat: row and letter, written `12A`. Ordered as people count: `2A` before `10A`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SeatNumber {
    row: u8,
    letter: char,
}

/// A text that is no seat.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a seat is a row and a letter, such as 12A")]
pub struct NoSeat;

impl FromStr for SeatNumber {
    type Err = NoSeat;

    fn from_str(text: &str) -> Result<Self, NoSeat> {
        let text = text.trim();
        let letter = text.chars().next_back().filter(char::is_ascii_alphabetic).ok_or(NoSeat)?;
        let digits = &text[..text.len() - 1];
        let sound =
            matches!(digits.len(), 1 | 2) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        let row = sound.then(|| digits.parse().ok()).flatten().ok_or(NoSeat)?;
        Ok(Self { row, letter: letter.to_ascii_uppercase() })
    }
}

impl fmt::Display for SeatNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.row, self.letter)
    }
}

impl TryFrom<String> for SeatNumber {
    type Error = NoSeat;

    fn try_from(text: String) -> Result<Self, NoSeat> {
        text.parse()
    }
}

impl From<SeatNumber> for String {
    fn from(seat: SeatNumber) -> Self {
        seat.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seat(text: &str) -> SeatNumber {
        text.parse().unwrap()
    }

    #[test]
    fn the_cabin_runs_from_1a_to_25f() {
        let cabin = Cabin::of("Boeing 737-800");
        assert!(cabin.has(seat("1A")) && cabin.has(seat("25F")));
        assert!(!cabin.has(seat("26A")) && !cabin.has(seat("1G")) && !cabin.has(seat("99Z")));
    }

    #[test]
    fn rows_are_counted_and_not_spelled() {
        let mut seats = [seat("10A"), seat("2B"), seat("2A"), seat("1F")];
        seats.sort();
        assert_eq!(seats.map(|s| s.to_string()), ["1F", "2A", "2B", "10A"]);
        for refused in ["", "A", "0A", "01A", "100A", "1", "A1", "1가", "1AA", "-1A", "+1A"] {
            assert!(refused.parse::<SeatNumber>().is_err(), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_what_it_reads_it_writes(text in "\\PC{0,6}") {
            if let Ok(seat) = text.parse::<SeatNumber>() {
                prop_assert_eq!(seat.to_string(), text.trim().to_ascii_uppercase());
            }
        }
    }
}
