//! What cancelling pays back: rules are data (`refund_rules`, `refund_tiers`), and one pure function reads them. The
//! quote and the cancel both ask it, so what was promised is what is paid.
//!
//! A booking is judged by the rule it was sold under. Of a rule's tiers that are still open the best one counts: so
//! whatever an operator writes, waiting never pays.

pub(crate) mod store;

use std::cmp::Reverse;

use chrono::TimeDelta;
use common::money::Money;

/// A version of the airline's terms of cancelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its number.
    pub version: i32,
    /// Its steps, the longest before departure first. None: nothing is paid back.
    pub tiers: Vec<Tier>,
}

/// A step of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Open until so many hours before departure, and then closed; in any case until departure.
    pub hours: u16,
    /// How much of a passenger's price is paid back.
    pub percent: u8,
    /// What of that the airline keeps, for each passenger.
    pub fee: Money,
}

/// What a rule is asked about.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What was paid for each passenger.
    pub prices: Vec<Money>,
    /// How much of all that went back before, or is on its way.
    pub refunded: Money,
    /// How long it is until departure.
    pub until_departure: TimeDelta,
}

/// What cancelling pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// For each passenger, in the order of the prices.
    pub lines: Vec<Line>,
    /// What is taken off their sum, because it went back before.
    pub deducted: Money,
    /// The sum of the lines less what is deducted.
    pub amount: Money,
    /// For how long from now this is so: until the tier closes, or departure.
    pub lasts: TimeDelta,
}

/// What cancelling pays for one passenger: the price is what the airline keeps and what it pays back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// What was paid.
    pub price: Money,
    /// What of it the airline keeps.
    pub kept: Money,
    /// What of it goes back.
    pub back: Money,
}

impl Tier {
    fn is_open(self, until_departure: TimeDelta) -> bool {
        until_departure > TimeDelta::zero() && until_departure >= TimeDelta::hours(self.hours.into())
    }

    /// Percents are rounded half up to the won, as everywhere; the fee is taken after that, as far as there is something
    /// to take it from.
    fn line(self, price: Money) -> Line {
        let back = price.less_percent(100 - self.percent.min(100)).less(self.fee);
        Line { price, kept: price.less(back), back }
    }
}

/// What cancelling pays by `rule`: never less than nothing, and together with what went back before never more than
/// what was paid.
pub fn quote(rule: &Rule, facts: &Facts) -> Quote {
    let by = |tier: Tier| -> Vec<Line> { facts.prices.iter().map(|price| tier.line(*price)).collect() };
    let open = rule.tiers.iter().filter(|tier| tier.is_open(facts.until_departure));
    // Of tiers that pay the same, the one that stays open longest says until when.
    let best = open.map(|tier| (by(*tier), tier.hours)).max_by_key(|(lines, hours)| (sum(lines), Reverse(*hours)));
    let (lines, hours) = best.unwrap_or_else(|| (by(Tier { hours: 0, percent: 0, fee: Money::ZERO }), 0));
    let earned = sum(&lines);
    Quote {
        deducted: facts.refunded.min(earned),
        amount: earned.less(facts.refunded),
        lasts: facts.until_departure - TimeDelta::hours(hours.into()),
        lines,
    }
}

fn sum(lines: &[Line]) -> Money {
    Money::won(lines.iter().map(|line| line.back.as_won()).sum())
}

/// What was paid for each passenger, of `paid` in all: their fares, if they add up to it; else alike, and the won that
/// are left over go to the first.
pub fn shares(paid: Money, fares: &[Option<Money>]) -> Vec<Money> {
    let known: Option<Vec<Money>> = fares.iter().copied().collect();
    if let Some(known) = known.filter(|known| known.iter().map(|fare| fare.as_won()).sum::<i64>() == paid.as_won()) {
        return known;
    }
    let passengers = i64::try_from(fares.len()).unwrap_or(i64::MAX).max(1);
    let (each, left) = (paid.as_won() / passengers, paid.as_won() % passengers);
    (0..passengers).map(|n| Money::won(each + i64::from(n < left))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(tiers: &[(u16, u8, i64)]) -> Rule {
        let tier = |&(hours, percent, fee)| Tier { hours, percent, fee: Money::won(fee) };
        Rule { version: 2, tiers: tiers.iter().map(tier).collect() }
    }

    fn paid(prices: &[i64], refunded: i64, hours: i64) -> Facts {
        Facts {
            prices: prices.iter().copied().map(Money::won).collect(),
            refunded: Money::won(refunded),
            until_departure: TimeDelta::hours(hours),
        }
    }

    #[test]
    fn each_tier_pays_until_it_closes() {
        let rule = rule(&[(72, 100, 0), (24, 50, 10_000), (0, 10, 0)]);
        let amounts = [100, 72, 71, 24, 23, 1, 0].map(|hours| quote(&rule, &paid(&[100_001; 2], 0, hours)).amount);
        assert_eq!(amounts.map(Money::as_won), [200_002, 200_002, 80_002, 80_002, 20_000, 20_000, 0]);
        assert_eq!(quote(&rule, &paid(&[100_001; 2], 0, 30)).lasts, TimeDelta::hours(6));
        assert_eq!(quote(&rule, &paid(&[100_001; 2], 0, 20)).lasts, TimeDelta::hours(20));
    }

    #[test]
    fn what_went_back_before_is_deducted_and_never_asked_back() {
        let rule = rule(&[(0, 50, 0)]);
        let deducted = |refunded| {
            let quote = quote(&rule, &paid(&[100_000], refunded, 9));
            (quote.deducted.as_won(), quote.amount.as_won())
        };
        assert_eq!(
            [0, 20_000, 50_000, 80_000].map(deducted),
            [(0, 50_000), (20_000, 30_000), (50_000, 0), (50_000, 0)]
        );
    }

    #[test]
    fn where_no_tier_is_open_nothing_is_paid() {
        for rule in [rule(&[]), rule(&[(24, 100, 0)])] {
            let quote = quote(&rule, &paid(&[100_000], 0, 5));
            assert_eq!((quote.amount, quote.lines[0].kept), (Money::ZERO, Money::won(100_000)));
            assert_eq!(quote.lasts, TimeDelta::hours(5));
        }
    }

    #[test]
    fn fares_that_do_not_add_up_are_shared_alike() {
        let shared = |paid, fares: &[Option<i64>]| -> Vec<i64> {
            let fares: Vec<_> = fares.iter().map(|fare| fare.map(Money::won)).collect();
            shares(Money::won(paid), &fares).into_iter().map(Money::as_won).collect()
        };
        assert_eq!(shared(300, &[Some(100), Some(200)]), [100, 200]);
        assert_eq!(shared(301, &[Some(100), Some(200)]), [151, 150]);
        assert_eq!(shared(8, &[None, Some(4), None]), [3, 3, 2]);
    }

    fn tiers() -> impl Strategy<Value = Rule> {
        prop::collection::vec((0u16..200, 0u8..=100, 0i64..50_000), 0..5).prop_map(|tiers| rule(&tiers))
    }

    fn facts() -> impl Strategy<Value = Facts> {
        (prop::collection::vec(0i64..2_000_000, 1..=9), 0i64..5_000_000, 0i64..300)
            .prop_map(|(prices, refunded, hours)| paid(&prices, refunded, hours))
    }

    proptest! {
        #[test]
        fn lines_add_up_and_nobody_loses_or_gains(rule in tiers(), facts in facts()) {
            let quote = quote(&rule, &facts);
            let (paid, back) = (facts.prices.iter().map(|p| p.as_won()).sum::<i64>(), sum(&quote.lines).as_won());
            prop_assert_eq!(quote.lines.len(), facts.prices.len());
            for (line, price) in quote.lines.iter().zip(&facts.prices) {
                prop_assert_eq!(line.price, *price);
                prop_assert_eq!(line.kept.as_won() + line.back.as_won(), price.as_won());
                prop_assert!(line.kept >= Money::ZERO && line.back >= Money::ZERO);
            }
            prop_assert_eq!(back - quote.deducted.as_won(), quote.amount.as_won());
            prop_assert!(quote.amount >= Money::ZERO);
            prop_assert!(quote.amount.as_won() <= (paid - facts.refunded.as_won()).max(0));
        }

        #[test]
        fn waiting_never_pays(rule in tiers(), facts in facts(), wait in 0i64..300) {
            let later = Facts { until_departure: facts.until_departure - TimeDelta::hours(wait), ..facts.clone() };
            prop_assert!(quote(&rule, &later).amount <= quote(&rule, &facts).amount);
        }

        #[test]
        fn a_quote_holds_for_as_long_as_it_says(rule in tiers(), facts in facts(), part in 0.0..1.0f64) {
            let now = quote(&rule, &facts);
            prop_assert!(now.lasts >= TimeDelta::zero() && now.lasts <= facts.until_departure);
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a part of some days")]
            let wait = TimeDelta::seconds((now.lasts.num_seconds() as f64 * part) as i64);
            let then = Facts { until_departure: facts.until_departure - wait, ..facts };
            prop_assert_eq!(quote(&rule, &then).amount, now.amount);
        }

        #[test]
        fn a_partial_refund_before_changes_only_when_it_is_paid(rule in tiers(), facts in facts()) {
            let untouched = quote(&rule, &Facts { refunded: Money::ZERO, ..facts.clone() });
            let all = quote(&rule, &facts).amount.as_won() + facts.refunded.as_won();
            prop_assert_eq!(all, untouched.amount.as_won().max(facts.refunded.as_won()));
        }

        #[test]
        fn shares_add_up(paid in 0i64..90_000_000, fares in prop::collection::vec(prop::option::of(0i64..9_000_000), 1..=9)) {
            let fares: Vec<_> = fares.into_iter().map(|fare| fare.map(Money::won)).collect();
            let shares = shares(Money::won(paid), &fares);
            prop_assert_eq!(shares.len(), fares.len());
            prop_assert_eq!(shares.iter().map(|share| share.as_won()).sum::<i64>(), paid);
        }
    }
}
