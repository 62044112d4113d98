//! Whether what everybody was told is true, and whether the books agree: the same for every battle.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::sleep;

use super::crowd::{SEATS, Seen};
use super::ledger::{Booking, Word};
use super::room::Room;
use super::store::{Charge, Row, Seats, Store};
use crate::visit::Receipt;

/// How long what is under way may take to come to its end, once nobody asks for anything.
const PATIENCE: Duration = Duration::from_mins(4);

/// How many faults of a kind are told.
const TOLD: usize = 5;

/// One question, and the answer.
pub(super) struct Verdict {
    pub(super) question: &'static str,
    pub(super) fault: Option<String>,
}

/// What the judge has found.
#[derive(Default)]
pub(super) struct Judgement {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) sold: usize,
    pub(super) cancelled: usize,
    pub(super) refunds: i64,
}

impl Judgement {
    /// Waits until nothing is under way any more, and judges.
    pub(super) async fn of(room: &Room<'_>, seen: &Seen) -> Result<Self> {
        let store = room.store();
        let mut judgement = Self::default();
        judgement.ask("all that was begun has come to its end", came_to_rest(&store).await);
        let seats = store.seats(seen.schedule).await?;
        judgement.ask("exactly 180 seats are sold, and the counter says so", all_sold(seats));
        let miscounted = seen.miscounted.iter().map(|seats| format!("{seats:?}")).collect();
        judgement.ask("free, held and sold seats were 180 at every count", none(miscounted));
        let rows = store.bookings().await?;
        let sold = |row: &&Row| row.schedule == seen.schedule.id && row.status == "CONFIRMED";
        judgement.sold = rows.values().filter(sold).map(|row| row.passengers).sum();
        judgement.cancelled = rows.values().filter(|row| row.status == "CANCELLED").count();
        let passengers = i64::try_from(judgement.sold)?;
        let fault = (passengers != SEATS).then(|| format!("{passengers} passengers have a confirmed booking"));
        judgement.ask("180 passengers may fly", fault);
        judgement.ask("no seat is sold twice", no_seat_twice(rows.values().filter(sold)));
        judgement.ask(
            "every booking was acknowledged to its client, once for each key",
            same_bookings(&rows, &seen.bookings),
        );
        judgement.ask("every acknowledged word is still true", words_are_true(&rows, &seen.bookings));
        judgement.ask("who flies has paid once, and who doesn't has the money back", paid_right(&rows));
        let charges = store.charges().await?;
        let receipts = room.provider.receipts().await?;
        judgement.ask("the provider's ledger is ours, receipt by receipt", same_receipts(&charges, &receipts));
        judgement
            .ask("refunds are what was given back, and never more than was paid", refunds_fit(&charges, &receipts));
        let refunds = store.refunds().await?;
        judgement.refunds = refunds.get("SUCCEEDED").copied().unwrap_or_default();
        judgement.ask("`payment-service reconcile` is settled", room.reconcile().await?.fault());
        let surprises = seen.tally.counts().surprises.clone();
        judgement.ask("no answer but documented ones, and no deadlock told to a client", none(surprises));
        Ok(judgement)
    }

    /// Adds one more question.
    pub(super) fn ask(&mut self, question: &'static str, fault: Option<String>) {
        self.verdicts.push(Verdict { question, fault });
    }

    /// Whether there is no fault.
    pub(super) fn is_good(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.fault.is_none())
    }
}

/// `faults`, if there are any.
fn none(faults: Vec<String>) -> Option<String> {
    let more = faults.len().saturating_sub(TOLD);
    let told = faults.into_iter().take(TOLD).collect::<Vec<_>>().join("; ");
    match (told.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(told),
        (false, more) => Some(format!("{told}; and {more} more")),
    }
}

async fn came_to_rest(store: &Store) -> Option<String> {
    let since = Instant::now();
    loop {
        let last = store.under_way().await;
        match last {
            Ok([0, 0, 0, 0, 0]) => return None,
            last if since.elapsed() > PATIENCE => {
                return Some(match last {
                    Ok([holds, refunds, calls, bookings, messages]) => format!(
                        "{holds} holds, {refunds} refunds, {calls} calls of the provider, {bookings} pending bookings and {messages} messages are left"
                    ),
                    Err(error) => format!("{error:#}"),
                });
            }
            _ => sleep(Duration::from_secs(1)).await,
        }
    }
}

fn all_sold(seats: Seats) -> Option<String> {
    (seats != Seats { free: 0, held: 0, sold: SEATS }).then(|| format!("{seats:?}"))
}

fn no_seat_twice<'a>(rows: impl Iterator<Item = &'a Row>) -> Option<String> {
    let mut taken = BTreeSet::new();
    let seats = rows.flat_map(|row| &row.seats);
    none(seats.filter(|seat| !taken.insert(*seat)).cloned().collect())
}

/// A booking that nobody was told of would be the effect of a key that had another one, or of none.
fn same_bookings(rows: &BTreeMap<String, Row>, told: &[Booking]) -> Option<String> {
    let mut known = BTreeSet::new();
    let mut faults = Vec::new();
    for Booking { number, user, schedule, seats, seat, total, .. } in told {
        if !known.insert(number) {
            faults.push(format!("{number} was acknowledged for two keys"));
        }
        match rows.get(number) {
            None => faults.push(format!("{number} was acknowledged and isn't there")),
            Some(row) => {
                let has_seat = seat.as_ref().is_none_or(|seat| row.seats.contains(seat));
                let same = (row.user, row.schedule, row.passengers, row.total) == (*user, *schedule, *seats, *total);
                if !same || !has_seat {
                    faults.push(format!("{number} is another than was acknowledged"));
                }
            }
        }
    }
    let unknown = rows.keys().filter(|number| !known.contains(number));
    faults.extend(unknown.map(|number| format!("{number} was made and nobody was told")));
    none(faults)
}

fn words_are_true(rows: &BTreeMap<String, Row>, told: &[Booking]) -> Option<String> {
    let broken = told.iter().filter_map(|booking| {
        let row = rows.get(&booking.number)?;
        let confirmed = row.status == "CONFIRMED";
        let kept = match booking.word {
            Word::Confirmed => confirmed,
            Word::Cancelled(refund) => !confirmed && row.given_back >= refund,
            // What nobody agreed to pay for is over by now; the rest was confirmed, or paid back, which is judged for all.
            Word::Pending | Word::Lapsed => booking.agreed || !confirmed,
        };
        let Booking { number, word, .. } = booking;
        (!kept).then(|| {
            format!("{number} was last said to be {word:?} and is {} ({} won went back)", row.status, row.given_back)
        })
    });
    none(broken.collect())
}

fn paid_right(rows: &BTreeMap<String, Row>) -> Option<String> {
    let wrong = rows.iter().filter_map(|(number, row)| {
        let stays = row.charged - row.given_back;
        let due = if row.status == "CONFIRMED" { row.total } else { 0 };
        (stays != due).then(|| format!("{stays} won of {number} stay, which is {} and costs {}", row.status, row.total))
    });
    none(wrong.collect())
}

/// What was agreed to and never taken is no money of theirs; of ours it is money that came and went.
fn was_let_go(id: &str, charge: &Charge, receipts: &BTreeMap<String, Receipt>) -> bool {
    let never_taken = receipts.get(id).is_some_and(|receipt| !receipt.was_paid());
    charge.given_back == charge.amount && charge.refunded == 0 && never_taken
}

fn same_receipts(charges: &BTreeMap<String, Charge>, receipts: &BTreeMap<String, Receipt>) -> Option<String> {
    let paid = receipts.iter().filter(|(_, receipt)| receipt.was_paid());
    let theirs: BTreeMap<_, _> =
        paid.map(|(id, receipt)| (id.as_str(), (receipt.price, receipt.cancelled_price))).collect();
    let kept = charges.iter().filter(|(id, charge)| !was_let_go(id, charge, receipts));
    let ours: BTreeMap<_, _> = kept.map(|(id, charge)| (id.as_str(), (charge.amount, charge.given_back))).collect();
    let all: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
    let differ = all.into_iter().filter(|id| theirs.get(*id) != ours.get(*id));
    none(differ.map(|id| format!("{id}: theirs {:?}, ours {:?}", theirs.get(id), ours.get(id))).collect())
}

fn refunds_fit(charges: &BTreeMap<String, Charge>, receipts: &BTreeMap<String, Receipt>) -> Option<String> {
    let wrong = charges.iter().filter(|(id, charge)| {
        (charge.refunded != charge.given_back && !was_let_go(id, charge, receipts)) || charge.refunded > charge.amount
    });
    none(wrong.map(|(id, charge)| format!("{id}: {charge:?}")).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(status: &str, charged: i64, given_back: i64) -> Row {
        let seats = vec!["1A".to_owned()];
        Row { user: 1, schedule: 2, status: status.to_owned(), total: 100, passengers: 1, seats, charged, given_back }
    }

    fn told(number: &str, word: Word, agreed: bool) -> Booking {
        let number = number.to_owned();
        Booking { user: 1, schedule: 2, number, seats: 1, seat: Some("1A".to_owned()), total: 100, word, agreed }
    }

    /// A receipt over 100 won, of which so much went back.
    fn receipt(id: &str, cancelled: i64, purchased_at: Option<&str>) -> Receipt {
        let receipt = json!({
            "receipt_id": id, "status": 1, "price": 100, "cancelled_price": cancelled, "purchased_at": purchased_at,
        });
        serde_json::from_value(receipt).unwrap()
    }

    fn rows(rows: impl IntoIterator<Item = (&'static str, Row)>) -> BTreeMap<String, Row> {
        rows.into_iter().map(|(number, row)| (number.to_owned(), row)).collect()
    }

    #[test]
    fn a_lost_booking_and_one_that_nobody_asked_for_are_found() {
        let there = rows([("A", row("CONFIRMED", 100, 0)), ("B", row("CANCELLED", 0, 0))]);
        let fault =
            same_bookings(&there, &[told("A", Word::Confirmed, true), told("C", Word::Pending, false)]).unwrap();
        assert!(
            fault.contains("C was acknowledged and isn't there") && fault.contains("B was made and nobody"),
            "{fault}"
        );
        assert_eq!(same_bookings(&there, &[told("A", Word::Confirmed, true), told("B", Word::Lapsed, false)]), None);
    }

    #[test]
    fn one_booking_for_two_keys_is_found() {
        let there = rows([("A", row("CONFIRMED", 100, 0))]);
        let twice = [told("A", Word::Confirmed, true), told("A", Word::Confirmed, true)];
        assert!(same_bookings(&there, &twice).unwrap().contains("two keys"));
    }

    #[test]
    fn broken_words_are_found() {
        let there = rows([("A", row("CANCELLED", 100, 100)), ("B", row("CONFIRMED", 0, 0))]);
        assert!(words_are_true(&there, &[told("A", Word::Confirmed, true)]).is_some());
        assert!(words_are_true(&there, &[told("B", Word::Cancelled(0), false)]).is_some());
        assert!(words_are_true(&there, &[told("B", Word::Pending, false)]).is_some());
        assert_eq!(words_are_true(&there, &[told("A", Word::Cancelled(100), true)]), None);
    }

    #[test]
    fn money_that_stays_or_is_missing_is_found() {
        assert_eq!(paid_right(&rows([("A", row("CONFIRMED", 100, 0)), ("B", row("CANCELLED", 100, 100))])), None);
        assert!(paid_right(&rows([("A", row("CONFIRMED", 0, 0))])).is_some());
        assert!(paid_right(&rows([("A", row("CANCELLED", 100, 40))])).is_some());
        assert!(paid_right(&rows([("A", row("CONFIRMED", 200, 0))])).is_some());
    }

    #[test]
    fn a_receipt_that_only_one_side_has_is_found() {
        let charge = Charge { amount: 100, given_back: 0, refunded: 0 };
        let charges = BTreeMap::from([("R".to_owned(), charge)]);
        let receipts = |ids: &[&str]| {
            let paid = |id: &&str| ((*id).to_owned(), receipt(id, 0, Some("2026-11-22")));
            ids.iter().map(paid).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(same_receipts(&charges, &receipts(&["R"])), None);
        assert!(same_receipts(&charges, &receipts(&[])).is_some());
        assert!(same_receipts(&charges, &receipts(&["R", "S"])).is_some());
    }

    #[test]
    fn an_approval_that_was_let_go_moved_no_money() {
        let charge = |refunded| Charge { amount: 100, given_back: 100, refunded };
        let let_go = BTreeMap::from([("R".to_owned(), receipt("R", 100, None))]);
        let charges = BTreeMap::from([("R".to_owned(), charge(0))]);
        assert_eq!(same_receipts(&charges, &let_go), None);
        assert!(refunds_fit(&charges, &BTreeMap::new()).is_some());
        assert_eq!(refunds_fit(&BTreeMap::from([("R".to_owned(), charge(100))]), &BTreeMap::new()), None);
    }

    #[test]
    fn a_seat_of_two_bookings_is_found() {
        let (one, other) = (row("CONFIRMED", 100, 0), row("CONFIRMED", 100, 0));
        assert_eq!(no_seat_twice([&one].into_iter()), None);
        assert_eq!(no_seat_twice([&one, &other].into_iter()).as_deref(), Some("1A"));
    }
}
