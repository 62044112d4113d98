//! Columns that the original let be null, or that hold no value of their list, get what they are by default; so does
//! an aircraft without seats. Only a discount without a status gets `INACTIVE`: the original never applied one.

use super::Source;
use crate::adoption::fix::{Fix, Rule};
use crate::adoption::original;

const RULE: Rule = Rule { name: "default-given", says: "a value that is missing gets the column's default" };
pub(super) const RULES: &[Rule] = &[RULE];

/// Table, column, what its condition is, and what it gets.
const DEFAULTS: [(&str, &str, &str, &str); 16] = [
    ("users", "role", "role is null or role = ''", "USER"),
    ("users", "created_at", "created_at is null", EPOCH),
    ("users", "updated_at", "updated_at is null", EPOCH),
    ("flights", "airline", "airline is null", "CloudJet"),
    ("flights", "total_seats", "total_seats is null or total_seats < 1", "180"),
    ("flights", "is_active", "is_active is null", "1"),
    ("flight_schedules", "status", "status is null or status = ''", "ACTIVE"),
    ("flight_schedules", "created_at", "created_at is null", EPOCH),
    ("bookings", "status", "status is null or status = ''", "CONFIRMED"),
    ("bookings", "created_at", "created_at is null", EPOCH),
    ("payments", "status", "status is null or status = ''", "REQUESTED"),
    ("payments", "currency", "currency is null", "KRW"),
    ("payments", "created_at", "created_at is null", EPOCH),
    ("payments", "updated_at", "updated_at is null", EPOCH),
    ("flight_discounts", "created_at", "created_at is null", EPOCH),
    ("flight_discounts", "updated_at", "updated_at is null", EPOCH),
];

/// When what has no time is said to have been: before the original was.
const EPOCH: &str = "2000-01-01 00:00:00";

pub(super) async fn find(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let mut fixes = Vec::new();
    for (table, column, condition, default) in DEFAULTS {
        let key = original::named(table).key;
        let rows: Vec<(String,)> = source
            .read(&format!("select cast({key} as char) from {{{table}}} where {condition} order by {key}"))
            .await?;
        for (row,) in rows {
            let row = original::named(table).row(row);
            fixes.push(RULE.fix((table, row, column), None, Some(default.to_owned())));
        }
    }
    Ok(fixes)
}
