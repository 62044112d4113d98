//! Seats that two people can't both have (B-2), that the cabin doesn't have (B-8), or that stand on every passenger of
//! a booking because one was chosen (B-5). The earliest booking keeps a seat, and in it the first passenger; whoever
//! loses one keeps their place on board, and gets a seat at the counter.

use std::collections::BTreeMap;

use super::{IS_SOLD, Source};
use crate::adoption::fix::{Fix, RowId, Rule};

const OUTSIDE: Rule = Rule { name: "seat-outside-cabin", says: "a seat that the cabin doesn't have is unassigned" };
const COPIED: Rule =
    Rule { name: "seat-copied", says: "a seat that stands on several passengers of a booking is the first one's" };
const SOLD_TWICE: Rule = Rule { name: "seat-sold-twice", says: "a seat sold twice stays with the earliest booking" };
const SPELLING: Rule = Rule { name: "seat-respelled", says: "a seat is written as the seat map writes it" };
const ON_BOOKING: Rule = Rule { name: "booking-seat", says: "a booking shows the first seat that its passengers have" };
pub(super) const RULES: &[Rule] = &[OUTSIDE, COPIED, SOLD_TWICE, SPELLING, ON_BOOKING];

/// A sold booking with one of its passengers, if it has any.
#[derive(sqlx::FromRow)]
struct Row {
    booking_id: i64,
    schedule_id: i64,
    on_booking: Option<String>,
    passenger_id: Option<i64>,
    on_passenger: Option<String>,
}

pub(super) async fn find(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let rows: Vec<Row> = source
        .read(&format!(
            "select b.booking_id, b.schedule_id, b.seat_number as on_booking, p.passenger_id, p.seat_number as on_passenger
             from {{bookings}} b left join {{passengers}} p on p.booking_id = b.booking_id
             where {IS_SOLD} order by b.booking_id, p.passenger_id"
        ))
        .await?;
    let (mut fixes, mut holders) = (Vec::new(), BTreeMap::new());
    for booking in rows.chunk_by(|a, b| a.booking_id == b.booking_id) {
        let mut first_seat = None;
        for (position, row) in booking.iter().enumerate() {
            let Some(id) = row.passenger_id else { continue };
            let stored = row.on_passenger.as_deref().or(row
                .on_booking
                .as_deref()
                .filter(|_| position == 0 && booking.iter().all(|other| other.on_passenger.is_none())));
            let Some(stored) = stored else { continue };
            let (seat, why) = match seat(stored) {
                None => (None, OUTSIDE),
                Some(seat) => match holders.get(&(row.schedule_id, seat.clone())) {
                    None => (Some(seat), SPELLING),
                    Some(holder) if *holder == row.booking_id => (None, COPIED),
                    Some(_) => (None, SOLD_TWICE),
                },
            };
            if let Some(seat) = &seat {
                holders.insert((row.schedule_id, seat.clone()), row.booking_id);
                first_seat = first_seat.or_else(|| Some(seat.clone()));
            }
            if seat != row.on_passenger {
                fixes.push(why.fix(("passengers", RowId::Number(id), "seat_number"), row.on_passenger.clone(), seat));
            }
        }
        let Some(row) = booking.first() else { continue };
        if first_seat != row.on_booking {
            let place = ("bookings", RowId::Number(row.booking_id), "seat_number");
            fixes.push(ON_BOOKING.fix(place, row.on_booking.clone(), first_seat));
        }
    }
    Ok(fixes)
}

/// The seat that `stored` means, if it is one of the map that the original's page drew and sold by: rows 1 to 25,
/// letters A to F. History doesn't change with the cabins we sell today.
fn seat(stored: &str) -> Option<String> {
    let text = stored.trim().to_ascii_uppercase();
    let letter = text.chars().next_back().filter(|letter| ('A'..='F').contains(letter))?;
    let digits = text.strip_suffix(letter)?;
    let row: u32 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    (1..=25).contains(&row).then(|| format!("{row}{letter}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_has_one_spelling_and_the_map_an_end() {
        for (stored, read) in [("1A", "1A"), ("25F", "25F"), (" 12c", "12C"), ("06D", "6D")] {
            assert_eq!(seat(stored).as_deref(), Some(read), "{stored}");
        }
        for none in ["", "A", "99Z", "26A", "0A", "1G", "A1", "-1A", "1가", "+1A"] {
            assert_eq!(seat(none), None, "{none}");
        }
    }
}
