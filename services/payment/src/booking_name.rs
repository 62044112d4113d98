//! How clients name a booking: by its id, as a number or its digits, or by its booking number. They know both.

use common::http::wire::Id;
use orders::bookings::BookingRef;
use serde::Deserialize;
use utoipa::ToSchema;

/// A booking's id (a number or its digits) or its booking number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum BookingName {
    /// Its id.
    Id(Id),
    /// Its number, in any case.
    Number(String),
}

impl BookingName {
    /// The booking it names; `None` for a blank.
    pub(crate) fn read(self) -> Option<BookingRef> {
        match self {
            Self::Id(id) => Some(BookingRef::Id(id.0)),
            Self::Number(number) if number.trim().is_empty() => None,
            Self::Number(number) => Some(BookingRef::Number(number.trim().to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_an_id_and_all_else_is_a_number() {
        let read = |json: &str| serde_json::from_str::<BookingName>(json).ok().and_then(BookingName::read);
        assert_eq!(read("7"), Some(BookingRef::Id(7)));
        assert_eq!(read("\"7\""), Some(BookingRef::Id(7)));
        assert_eq!(read("\" CJ4K7Q2M9X \""), Some(BookingRef::Number("CJ4K7Q2M9X".to_owned())));
        for refused in ["0", "-7", "7.0", "true", "[7]", "\"\"", "\"  \""] {
            assert_eq!(read(refused), None, "{refused}");
        }
    }
}
