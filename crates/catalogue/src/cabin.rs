//! Which seats there are: a cabin per type of aircraft.
//!
//! Which cabin a type has is data (the table `cabins`, as `migrations/README.md` says); a type without a row there has the
//! usual one, which is what the browser client draws for every aircraft. The one trap: a cabin may change under seats
//! that are sold. So it is asked which seats can be chosen, and never which are somebody's.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

common::text_enum! {
    /// Where in its row a seat is.
    pub enum Position {
        /// At a wall of the cabin.
        Window = "window",
        /// Between two others.
        Middle = "middle",
        /// Beside an aisle, and at no wall.
        Aisle = "aisle",
    }
}

/// The seats of an aircraft: rows from 1, the same letters in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cabin {
    rows: u8,
    /// From left to right, with a space for each aisle.
    letters: String,
    exits: BTreeSet<u8>,
    blocked: BTreeSet<SeatNumber>,
}

impl Default for Cabin {
    fn default() -> Self {
        Self { rows: 25, letters: "ABC DEF".to_owned(), exits: BTreeSet::new(), blocked: BTreeSet::new() }
    }
}

/// A seat in its cabin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub seat: SeatNumber,
    /// Where in its row it is.
    pub position: Position,
    /// Whether nobody may choose it.
    pub is_blocked: bool,
}

impl Cabin {
    /// An aircraft's row of the table `cabins`, whose constraints say how its texts are written; nulls: it has none.
    pub fn read(
        row_count: Option<i16>,
        letters: Option<String>,
        exits: Option<String>,
        blocked: Option<String>,
    ) -> Self {
        let (Some(rows), Some(letters)) = (row_count, letters) else { return Self::default() };
        let (exits, blocked) = (exits.unwrap_or_default(), blocked.unwrap_or_default());
        Self {
            rows: rows.try_into().unwrap_or_default(),
            letters: letters.to_ascii_uppercase(),
            exits: exits.split(' ').filter_map(|row| row.parse().ok()).collect(),
            blocked: blocked.split(' ').filter_map(|seat| seat.parse().ok()).collect(),
        }
    }

    /// Whether the cabin has this seat, for anybody to choose.
    pub fn offers(&self, seat: SeatNumber) -> bool {
        (1..=self.rows).contains(&seat.row) && self.letters.contains(seat.letter) && !self.blocked.contains(&seat)
    }

    /// The seats that nobody may choose.
    pub fn blocked(&self) -> &BTreeSet<SeatNumber> {
        &self.blocked
    }

    /// The numbers of its rows, from the front.
    pub fn rows(&self) -> RangeInclusive<u8> {
        1..=self.rows
    }

    /// Whether there is an exit at this row.
    pub fn is_exit(&self, row: u8) -> bool {
        self.exits.contains(&row)
    }

    /// The letters of a row from left to right; `None` is an aisle.
    pub fn columns(&self) -> impl Iterator<Item = Option<char>> {
        self.letters.chars().map(|letter| Some(letter).filter(|letter| *letter != ' '))
    }

    /// The seats of a row from left to right.
    pub fn places(&self, row: u8) -> Vec<Place> {
        let columns: Vec<Option<char>> = self.columns().collect();
        let place = |(n, letter): (usize, &Option<char>)| {
            let seat = SeatNumber { row, letter: (*letter)? };
            let position = match (n.checked_sub(1).map(|left| columns[left]), columns.get(n + 1)) {
                (None, _) | (_, None) => Position::Window,
                (Some(None), _) | (_, Some(None)) => Position::Aisle,
                _ => Position::Middle,
            };
            Some(Place { seat, position, is_blocked: self.blocked.contains(&seat) })
        };
        columns.iter().enumerate().filter_map(place).collect()
    }
}

/// A seat: row and letter, written `12A`. Ordered as people count: `2A` before `10A`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SeatNumber {
    row: u8,
    letter: char,
}

impl SeatNumber {
    /// Which seat of its row it is.
    pub fn letter(self) -> char {
        self.letter
    }
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

    fn cabin(rows: i16, letters: &str, exits: &str, blocked: &str) -> Cabin {
        let [letters, exits, blocked] = [letters, exits, blocked].map(|text| Some(text.to_owned()));
        Cabin::read(Some(rows), letters, exits, blocked)
    }

    #[test]
    fn the_usual_cabin_runs_from_1a_to_25f_and_nothing_of_it_is_blocked() {
        let cabin = Cabin::default();
        let places: Vec<Place> = cabin.rows().flat_map(|row| cabin.places(row)).collect();
        assert_eq!(places.len(), 150);
        assert!(places.iter().all(|place| cabin.offers(place.seat) && !place.is_blocked));
        assert_eq!((places[0].seat, places[149].seat), (seat("1A"), seat("25F")));
        assert!(["26A", "1G", "99Z"].iter().all(|beyond| !cabin.offers(seat(beyond))));
        assert!(cabin.rows().all(|row| !cabin.is_exit(row)));
    }

    #[test]
    fn windows_are_at_the_walls_and_aisles_where_a_space_is() {
        let drawn = |letters: &str| -> String {
            cabin(1, letters, "", "").places(1).iter().map(|place| &place.position.as_str()[..1]).collect()
        };
        assert_eq!(drawn("ABC DEF"), "wmaamw");
        assert_eq!(drawn("ABC DEF GHJ"), "wmaamaamw");
        assert_eq!(drawn("AC DF"), "waaw");
        assert_eq!(drawn("A C DF"), "waaw");
        assert_eq!(drawn("A"), "w");
    }

    #[test]
    fn what_is_blocked_is_there_and_not_on_offer() {
        let cabin = cabin(12, "ab cd", "1 12", "1A 12D");
        assert!(!cabin.offers(seat("1A")) && !cabin.offers(seat("12D")) && cabin.offers(seat("1D")));
        let blocked: Vec<_> = cabin.rows().flat_map(|row| cabin.places(row)).filter(|place| place.is_blocked).collect();
        assert_eq!(blocked.iter().map(|place| place.seat).collect::<Vec<_>>(), [seat("1A"), seat("12D")]);
        assert_eq!(cabin.rows().filter(|row| cabin.is_exit(*row)).collect::<Vec<_>>(), [1, 12]);
        assert_eq!(cabin.columns().collect::<Vec<_>>(), [Some('A'), Some('B'), None, Some('C'), Some('D')]);
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
