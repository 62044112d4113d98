//! Free seats that are fewer than none (B-1), or more than the aircraft has left (M-3). What was sold beyond the end
//! is remembered in `oversold`: the next seats that come back cover it.

use super::{IS_SOLD, Source};
use crate::adoption::fix::{Fix, RowId, Rule};

const FREE: Rule =
    Rule { name: "availability-mended", says: "free seats are at least none, and at most what the aircraft has left" };
const OVERSOLD: Rule =
    Rule { name: "oversold", says: "more was sold than there is: what comes back covers that first" };
pub(super) const RULES: &[Rule] = &[FREE, OVERSOLD];

pub(super) async fn find(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let rows: Vec<(i64, i64, i64)> = source
        .read(&format!(
            "select s.schedule_id, s.available_seats, cast(if(f.total_seats >= 1, f.total_seats, 180) - coalesce(sold.seats, 0) as signed)
             from {{flight_schedules}} s
             join {{flights}} f on f.flight_id = s.flight_id
             left join (select b.schedule_id, count(*) as seats
                        from {{bookings}} b join {{passengers}} p on p.booking_id = b.booking_id
                        where {IS_SOLD} group by b.schedule_id) sold on sold.schedule_id = s.schedule_id
             order by s.schedule_id"
        ))
        .await?;
    let mut fixes = Vec::new();
    for (id, available, left) in rows {
        let free = available.min(left);
        let row = |column| ("flight_schedules", RowId::Number(id), column);
        if available != free.max(0) {
            fixes.push(FREE.fix(row("available_seats"), Some(available.to_string()), Some(free.max(0).to_string())));
        }
        if free < 0 {
            fixes.push(OVERSOLD.fix(row("oversold"), Some("0".to_owned()), Some((-free).to_string())));
        }
    }
    Ok(fixes)
}
