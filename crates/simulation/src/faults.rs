//! Faults to be planted: each takes one of the things away that keep seats and money right. A simulation that doesn't find
//! them would find nothing else either.
//!
//! The program has no switches for them. A fault changes statements on their way to the database, or the schema, so what
//! runs is what is shipped. The one trap is a statement that is worded anew: then nothing is planted any more, and
//! [`Planted::took_root`] says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::statement::flat;

/// Something that could be wrong.
#[derive(Debug)]
pub struct Fault {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is missing.
    pub what: &'static str,
    /// What it breaks: one of these [rules](crate::rules).
    pub breaks: &'static [&'static str],
    /// Within how many seeds it must be found.
    pub seeds: u64,
    /// What statements say, and what they are made to say; blanks count once.
    swaps: &'static [(&'static str, &'static str)],
    /// What is taken from the schema.
    pub(crate) schema: &'static [&'static str],
}

/// All of them.
pub const FAULTS: &[Fault] = &[
    Fault {
        name: "no-guard",
        what: "seats are taken whether or not so many are free",
        breaks: &["seats-add-up"],
        seeds: 20,
        swaps: &[(
            "set available_seats = available_seats - ? where schedule_id = ? and available_seats >= ?",
            "set available_seats = greatest(0, available_seats - ?) where schedule_id = ? and available_seats + 1000000 >= ?",
        )],
        schema: &[],
    },
    Fault {
        name: "no-pin",
        what: "a hold goes on lapsing while the provider decides about its money",
        breaks: &["pins-hold"],
        seeds: 60,
        swaps: &[
            (
                "update bookings set payment_due_at = null where booking_id = ?",
                "update bookings set payment_due_at = payment_due_at where booking_id = ?",
            ),
            (
                "update claims force index (ix_claims_hold_id) set held_until = null where hold_id = ?",
                "update claims force index (ix_claims_hold_id) set held_until = held_until where hold_id = ?",
            ),
        ],
        schema: &[],
    },
    Fault {
        name: "no-dedupe",
        what: "the answer under a key isn't kept, so a repeated request is done again",
        breaks: &["one-effect-per-key", "answers-repeat"],
        seeds: 20,
        swaps: &[(
            "update idempotency_keys set status = ?, body = ?, leased_until = null where scope = ?",
            "update idempotency_keys set leased_until = null where coalesce(?, ?, 1) is not null and scope = ?",
        )],
        schema: &[],
    },
    Fault {
        name: "wrong-lock-order",
        what: "whoever hears of money locks the payment before its booking",
        breaks: &["no-deadlock"],
        seeds: 60,
        swaps: &[(
            "bootpay_receipt_id as receipt_id from payments where order_id = ?",
            "bootpay_receipt_id as receipt_id from payments where order_id = ? for update",
        )],
        schema: &[],
    },
    Fault {
        name: "unlocked-booking",
        what: "a booking isn't locked by who changes it",
        breaks: &["one-effect-per-key", "seats-add-up", "claims-are-owned", "confirmed-is-paid", "paid-is-booked-or-back"],
        seeds: 80,
        swaps: &[("from bookings where booking_id = ? for update", "from bookings where booking_id = ?")],
        schema: &[],
    },
    Fault {
        name: "no-seat-key",
        what: "nothing keeps a seat from being claimed twice",
        breaks: &["one-claim-per-seat"],
        seeds: 40,
        swaps: &[],
        schema: &["alter table claims drop index uq_claims_pool_id_unit"],
    },
    Fault {
        name: "endless-hold",
        what: "a hold lasts for days",
        breaks: &["nothing-is-left-open"],
        seeds: 10,
        swaps: &[("'HELD', now(6) + interval ? second", "'HELD', now(6) + interval 1000 * ? second")],
        schema: &[],
    },
    Fault {
        name: "confirmed-unsold",
        what: "a booking is confirmed and its seats go on being held",
        breaks: &["claims-are-owned"],
        seeds: 10,
        swaps: &[(
            "set state = 'SOLD', held_until = null, yielding = false where hold_id = ?",
            "set yielding = false where hold_id = ?",
        )],
        schema: &[],
    },
    Fault {
        name: "unreserved-refund",
        what: "what was promised back isn't counted when more is",
        breaks: &["refunds-within-charges", "books-agree"],
        seeds: 20,
        swaps: &[(
            "set refund_reserved = refund_reserved + ?, in_console = ?",
            "set refund_reserved = refund_reserved + 0 * ?, in_console = ?",
        )],
        schema: &[],
    },
    Fault {
        name: "lost-news",
        what: "confirmations don't get into the outbox",
        breaks: &["news-is-told"],
        seeds: 10,
        swaps: &[(
            "insert into outbox (news_id, subject, subject_id, topic, data, traceparent, tracestate) values (?, ?, ?, ?, ?, ?, ?)",
            "insert into outbox (news_id, subject, subject_id, topic, data, traceparent, tracestate)
             select * from (select ? as a, ? as b, ? as c, ? as d, ? as e, ? as f, ? as g) news where d <> 'booking.confirmed'",
        )],
        schema: &[],
    },
];

impl Fault {
    /// The fault of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FAULTS.iter().find(|fault| fault.name == name)
    }
}

/// A fault where it is planted, or none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planted {
    pub(crate) fault: Option<&'static Fault>,
    took_root: Arc<AtomicBool>,
}

impl Planted {
    pub(crate) fn new(fault: Option<&'static Fault>) -> Self {
        let took_root = Arc::new(AtomicBool::new(fault.is_none_or(|fault| fault.swaps.is_empty())));
        Self { fault, took_root }
    }

    /// Whether there was anything to change.
    pub(crate) fn took_root(&self) -> bool {
        self.took_root.load(Ordering::SeqCst)
    }

    /// A statement as it is asked.
    pub(crate) fn change(&self, statement: String) -> String {
        let Some(fault) = self.fault else { return statement };
        let mut changed = flat(&statement);
        for (said, instead) in fault.swaps {
            if changed.contains(said) {
                self.took_root.store(true, Ordering::SeqCst);
                changed = changed.replace(said, instead);
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_planted_where_its_statement_is_asked_and_nowhere_else() {
        let planted = Planted::new(Fault::named("unlocked-booking"));
        assert_eq!(planted.change("select 1".to_owned()), "select 1");
        assert!(!planted.took_root());
        let asked = "select *\n   from bookings where booking_id = ? for update".to_owned();
        assert_eq!(planted.change(asked), "select * from bookings where booking_id = ?");
        assert!(planted.took_root());
    }

    #[test]
    fn every_fault_has_a_name_of_its_own_and_breaks_rules_that_exist() {
        for (at, fault) in FAULTS.iter().enumerate() {
            assert!(FAULTS.iter().skip(at + 1).all(|other| other.name != fault.name), "{}", fault.name);
            for rule in fault.breaks {
                assert!(crate::rules::names().any(|name| name == *rule), "{rule}");
            }
        }
    }
}
