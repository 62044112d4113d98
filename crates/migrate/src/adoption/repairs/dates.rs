//! Dates that are none: a server that was not strict stored zeros. Births get no date where they may, and the first
//! day that is accepted where they must.

use super::Source;
use crate::adoption::fix::{Fix, RowId, Rule};

const RULE: Rule =
    Rule { name: "zero-date-replaced", says: "a date of zeros becomes none, or 1900-01-01 where one must be" };
pub(super) const RULES: &[Rule] = &[RULE];

pub(super) async fn find(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let mut fixes = Vec::new();
    for (table, key, new) in [("users", "user_id", None), ("passengers", "passenger_id", Some("1900-01-01"))] {
        let rows: Vec<(i64, String)> = source
            .read(&format!(
                "select {key}, cast(birth_date as char) from {{{table}}}
                 where year(birth_date) = 0 or month(birth_date) = 0 or dayofmonth(birth_date) = 0 order by {key}"
            ))
            .await?;
        for (id, old) in rows {
            fixes.push(RULE.fix((table, RowId::Number(id), "birth_date"), Some(old), new.map(str::to_owned)));
        }
    }
    Ok(fixes)
}
