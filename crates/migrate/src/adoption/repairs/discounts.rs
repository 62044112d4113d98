//! Discounts that no price can bear: outside 1 to 99 percent (M-2), and several active ones on one schedule (F-6), of
//! which the newest is what the airline last wanted.

use std::collections::BTreeSet;

use super::Source;
use crate::adoption::fix::{Fix, RowId, Rule};

const PERCENT: Rule = Rule {
    name: "discount-out-of-range",
    says: "a discount outside 1 to 99 percent ends, and is kept as the nearest possible one",
};
const STATUS: Rule =
    Rule { name: "discount-without-status", says: "a discount without a status never applied: it ends" };
const SEVERAL: Rule =
    Rule { name: "discount-superseded", says: "of several active discounts of a schedule, only the newest stays" };
pub(super) const RULES: &[Rule] = &[PERCENT, STATUS, SEVERAL];

pub(super) async fn find(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let discounts: Vec<(i64, i64, i64, Option<String>)> = source
        .read(
            "select discount_id, schedule_id, discount_percentage, cast(status as char) from {flight_discounts}
             order by discount_id desc",
        )
        .await?;
    let (mut fixes, mut discounted) = (Vec::new(), BTreeSet::new());
    for (id, schedule_id, percent, status) in discounts {
        let row = |column| ("flight_discounts", RowId::Number(id), column);
        let end = |rule: Rule| rule.fix(row("status"), status.clone(), Some("INACTIVE".to_owned()));
        let is_active = status.as_deref() == Some("ACTIVE");
        let nearest = percent.clamp(1, 99);
        if nearest != percent {
            let (old, new) = (Some(percent.to_string()), Some(nearest.to_string()));
            fixes.push(PERCENT.fix(row("discount_percentage"), old, new));
        }
        if status.as_deref().is_none_or(str::is_empty) {
            fixes.push(end(STATUS));
        } else if is_active && nearest != percent {
            fixes.push(end(PERCENT));
        } else if is_active && !discounted.insert(schedule_id) {
            fixes.push(end(SEVERAL));
        }
    }
    fixes.reverse();
    Ok(fixes)
}
