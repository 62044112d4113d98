//! What a flight is called: the key of everything that is flown under that name.

use std::fmt;
use std::str::FromStr;

/// One to ten letters and digits, upper-case. Nothing else: the browser client writes it into pages as code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlightNumber(String);

impl FlightNumber {
    /// The number as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FlightNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no flight number.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a flight number has one to ten letters and digits")]
pub struct NoFlightNumber;

impl FromStr for FlightNumber {
    type Err = NoFlightNumber;

    /// Accepts any case, as the database compares.
    fn from_str(text: &str) -> Result<Self, NoFlightNumber> {
        let text = text.trim();
        if (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self(text.to_ascii_uppercase()))
        } else {
            Err(NoFlightNumber)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_digits_of_any_case_name_a_flight() {
        assert_eq!("cj101".parse::<FlightNumber>().unwrap().as_str(), "CJ101");
        assert!("ABCDE12345".parse::<FlightNumber>().is_ok());
        for refused in ["", " ", "CJ 101", "CJ-101", "ABCDE123456", "대한101", "<b>", "CJ101'", "CJ\u{0}"] {
            assert!(refused.parse::<FlightNumber>().is_err(), "{refused}");
        }
    }
}
