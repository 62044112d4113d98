//! Flights that nobody could check before they were stored (M-8): from an airport to itself, at a negative price, at
//! a time no clock shows, under a number that is markup. What can't be flown or has no price is taken off sale;
//! bookings on it stay.

use std::collections::BTreeSet;

use super::Source;
use crate::adoption::fix::{Fix, RowId, Rule};

const NOWHERE: Rule =
    Rule { name: "flight-withdrawn", says: "a flight to where it leaves, or without a price, is not sold" };
const PRICE: Rule = Rule {
    name: "price-mended",
    says: "a negative price becomes the flight's own, or nothing where that is negative, too",
};
const TIME: Rule = Rule { name: "time-mended", says: "a time beyond the day becomes the time that clocks show then" };
const NUMBER: Rule =
    Rule { name: "flight-renamed", says: "a flight number with anything but letters, digits, - and _ loses it" };
pub(super) const RULES: &[Rule] = &[NOWHERE, PRICE, TIME, NUMBER];

pub(super) async fn find(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    Ok([withdrawn(source).await?, prices(source).await?, times(source).await?, numbers(source).await?].concat())
}

async fn withdrawn(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let rows: Vec<(String,)> = source
        .read(
            "select flight_id from {flights}
             where (departure_airport = arrival_airport or base_price < 0) and (is_active or is_active is null)
             order by flight_id",
        )
        .await?;
    let fix = |(id,)| NOWHERE.fix(("flights", RowId::Key(id), "is_active"), Some("1".into()), Some("0".into()));
    Ok(rows.into_iter().map(fix).collect())
}

async fn prices(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let flights: Vec<(String, i64)> =
        source.read("select flight_id, base_price from {flights} where base_price < 0 order by flight_id").await?;
    let schedules: Vec<(i64, i64, i64)> = source
        .read(
            "select s.schedule_id, s.current_price, greatest(f.base_price, 0) from {flight_schedules} s
             join {flights} f on f.flight_id = s.flight_id
             where s.current_price < 0 order by s.schedule_id",
        )
        .await?;
    let fix = |row, old: i64, new: i64| PRICE.fix(row, Some(old.to_string()), Some(new.to_string()));
    let flights = flights.into_iter().map(|(id, old)| fix(("flights", RowId::Key(id), "base_price"), old, 0));
    let schedules = schedules
        .into_iter()
        .map(|(id, old, new)| fix(("flight_schedules", RowId::Number(id), "current_price"), old, new));
    Ok(flights.chain(schedules).collect())
}

async fn times(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let mut fixes = Vec::new();
    for column in ["departure_time", "arrival_time"] {
        let rows: Vec<(String, String, i64)> = source
            .read(&format!(
                "select flight_id, cast({column} as char), cast(time_to_sec({column}) as signed) from {{flights}}
                 where time_to_sec({column}) not between 0 and 86399 order by flight_id"
            ))
            .await?;
        for (id, old, seconds) in rows {
            let second = seconds.rem_euclid(86_400);
            let new = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
            fixes.push(TIME.fix(("flights", RowId::Key(id), column), Some(old), Some(new)));
        }
    }
    Ok(fixes)
}

async fn numbers(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let all: Vec<(String,)> = source.read("select flight_id from {flights} order by flight_id").await?;
    let is_sound = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let mut taken: BTreeSet<String> = all.iter().map(|(id,)| id.to_uppercase()).collect();
    let mut fixes = Vec::new();
    for (old,) in all.iter().filter(|(id,)| !is_sound(id)) {
        let left: String = old.chars().filter(|c| is_sound(&c.to_string())).collect();
        let numbered = (1..).map(|n: u32| format!("X{n}"));
        let free = |id: &String| is_sound(id) && !taken.contains(&id.to_uppercase());
        let Some(new) = std::iter::once(left).chain(numbered).find(free) else { continue };
        taken.insert(new.to_uppercase());
        let schedules: Vec<(i64, String)> =
            source.read("select schedule_id, flight_id from {flight_schedules} order by schedule_id").await?;
        let of_it = schedules.into_iter().filter(|(_, id)| id == old);
        let row = |table, row| (table, row, "flight_id");
        fixes.push(NUMBER.fix(row("flights", RowId::Key(old.clone())), Some(old.clone()), Some(new.clone())));
        fixes.extend(of_it.map(|(schedule, _)| {
            NUMBER.fix(row("flight_schedules", RowId::Number(schedule)), Some(old.clone()), Some(new.clone()))
        }));
    }
    Ok(fixes)
}
