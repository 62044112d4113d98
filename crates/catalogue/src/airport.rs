//! Airports are named by their IATA code.

use std::fmt;
use std::str::FromStr;

/// Three letters, upper-case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AirportCode([u8; 3]);

impl AirportCode {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        // Only ASCII letters ever get in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for AirportCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no airport code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an airport code has three letters")]
pub struct NoAirportCode;

impl FromStr for AirportCode {
    type Err = NoAirportCode;

    /// Accepts any case.
    fn from_str(text: &str) -> Result<Self, NoAirportCode> {
        let bytes: [u8; 3] = text.trim().as_bytes().try_into().map_err(|_| NoAirportCode)?;
        if bytes.iter().all(u8::is_ascii_alphabetic) {
            Ok(Self(bytes.map(|b| b.to_ascii_uppercase())))
        } else {
            Err(NoAirportCode)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn three_letters_of_any_case_name_an_airport() {
        assert_eq!("icn".parse::<AirportCode>().unwrap().as_str(), "ICN");
        for refused in ["", "IC", "ICNN", "I1N", "인천", "I:N"] {
            assert!(refused.parse::<AirportCode>().is_err(), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_what_it_reads_it_writes(text in "\\PC{0,4}|[A-Za-z ]{3,4}") {
            if let Ok(code) = text.parse::<AirportCode>() {
                prop_assert_eq!(code.to_string(), text.trim().to_ascii_uppercase());
            }
        }
    }
}
