//! An order desk with a payment provider, and rounds of reconciliation.

use std::ops::Deref;

use bootpay::simulator::Day;
use catalogue::Catalogue;
use catalogue::flights::{Plan, Season};
use chrono::{NaiveTime, TimeDelta};
use common::events::Cause;
use common::idempotency::Once;
use common::money::Money;
use orders::bookings::Receipt;
use orders::reconcile::{Report, Round, Scope, State};
use orders::refunds::NewRefund;
use sqlx::mysql::MySqlConnectOptions;
use testkit::desk::{Desk, Sold};
use testkit::{World, seed};

/// What a seat costs.
pub(crate) const PRICE: i64 = 320_000;

/// A thorough round.
pub(crate) const THOROUGH: Scope = Scope { heals: true, is_thorough: true, schedule_id: None };

/// A desk whose books are looked through.
#[derive(Clone, Debug)]
pub(crate) struct Books(pub(crate) Desk);

impl Deref for Books {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.0
    }
}

impl Books {
    pub(crate) async fn open(database: MySqlConnectOptions) -> Self {
        Self(Desk::with_provider(World::with_connections(database, 32)).await)
    }

    /// Somebody.
    pub(crate) async fn buyer(&self) -> i64 {
        seed::user(&self.world.db).await
    }

    /// A schedule in three days that was published with so many seats.
    pub(crate) async fn published(&self, seats: i64) -> i64 {
        seed::airports(&self.world.db).await;
        let at = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
        let plan = Plan {
            flight_id: "CJ101".parse().unwrap(),
            airline: "CloudJet".to_owned(),
            departure_airport: "ICN".parse().unwrap(),
            arrival_airport: "NRT".parse().unwrap(),
            departure_time: at(6, 30),
            arrival_time: at(9, 15),
            duration: None,
            aircraft: "Boeing 737-800".to_owned(),
            base_price: Money::won(PRICE),
            total_seats: 180,
        };
        let day = self.world.day(3);
        let season = Season { first: day, last: day, price: Money::won(PRICE), seats, overwrite: true };
        let World { db, cache, clock, .. } = self.world.clone();
        Catalogue { db, cache, clock }.publish(&Cause::system(), &plan, &season, &Once::unkeyed()).await.unwrap();
        self.value("select max(schedule_id) from flight_schedules where ? = 1", 1).await
    }

    /// A schedule of another flight that nobody published: an operator wrote it by hand.
    pub(crate) async fn by_an_operator(&self, seats: i64) -> i64 {
        seed::schedule(self.world.day(5)).flight("CJ202").seats(seats).insert(&self.world.db).await
    }

    /// Somebody's booking of a seat of a new schedule with nine, confirmed and paid.
    pub(crate) async fn sold(&self) -> (i64, Sold) {
        let schedule = self.published(9).await;
        let buyer = self.buyer().await;
        (schedule, self.sell(buyer, schedule, "1A").await)
    }

    /// Cancels a booking as an administrator.
    pub(crate) async fn cancel(&self, booking: &Receipt) {
        let number = &booking.booking_number;
        self.orders.cancel_any(&Cause::system(), number, &Once::unkeyed()).await.unwrap();
    }

    /// Cancels a booking for its owner.
    pub(crate) async fn cancel_own(&self, owner: i64, booking: &Receipt) {
        let (cause, number) = (Cause::user(owner, None), &booking.booking_number);
        self.orders.cancel_own(&cause, owner, number, &Once::unkeyed()).await.unwrap();
    }

    /// Gives a part of what was paid back, as an administrator.
    pub(crate) async fn give_back(&self, sold: &Sold, won: i64) {
        let part = NewRefund {
            payment_id: sold.payment.payment_id,
            amount: Money::won(won),
            note: "기내식 미제공".to_owned(),
        };
        self.orders.refund_part(&Cause::admin(1, None), &part, &Once::unkeyed()).await.unwrap();
    }

    /// Gives a refund up that nobody has tried yet.
    pub(crate) async fn give_up(&self, sold: &Sold) {
        let given_up = "update refunds set state = 'NEEDS_OPERATOR' where state = 'PENDING' and payment_id = ?";
        self.meddle(given_up, sold.payment.payment_id).await;
    }

    /// Lets an operator pay by bank what is missing of a refund that was given up.
    pub(crate) async fn settle_by_hand(&self, sold: &Sold) {
        self.names("refund-needs-operator").await;
        let refund = "select refund_id from refunds where state = 'NEEDS_OPERATOR' and payment_id = ?";
        let refund_id = self.value(refund, sold.payment.payment_id).await;
        self.orders.settle_by_hand(&Cause::admin(1, None), refund_id, "계좌 이체 완료").await.unwrap();
    }

    /// Lets bookings be sold from now on under a rule that gives so much back until departure, less a fee.
    pub(crate) async fn refund_rule(&self, version: i64, percent: i64, fee: i64) {
        self.by_hand("insert into refund_rules (version, valid_from) values (?, '2001-01-01')", version).await;
        sqlx::query("insert into refund_tiers (version, hours, percent, fee) values (?, 0, ?, ?)")
            .bind(version)
            .bind(percent)
            .bind(fee)
            .execute(&self.world.db)
            .await
            .unwrap();
    }

    /// Asserts what was charged and given back in all by the money report, that it is what the provider says, but for
    /// what operators paid by other means, and that as much stays by the counters.
    pub(crate) async fn assert_moved(&self, charged: i64, refunded: i64) {
        let totals = self.provider().totals();
        let sum = |of: fn(&Day) -> i64| totals.iter().map(of).sum::<i64>();
        let outside: i64 = sqlx::query_scalar("select cast(coalesce(sum(paid_outside), 0) as signed) from refunds")
            .fetch_one(&self.world.db)
            .await
            .unwrap();
        assert_eq!((charged, refunded), (sum(|day| day.charged), sum(|day| day.cancelled) + outside));
        let money = self.orders.money(self.world.day(-1), self.world.day(1)).await.unwrap();
        assert_eq!(
            (money.charged.as_won(), money.refunded.as_won(), money.net),
            (charged, refunded, charged - refunded)
        );
        assert_eq!(
            self.counted("charged") - self.counted("refunded") - self.counted("cancelled_in_console"),
            money.net
        );
    }

    /// Won that have gone this way so far, as they were counted.
    pub(crate) fn counted(&self, way: &str) -> i64 {
        self.world.counted(&format!("cloudjet_won_{way}_total")).to_string().parse().unwrap()
    }

    /// Makes a round.
    pub(crate) async fn report(&self, scope: Scope) -> Report {
        let mut round = Round::new(scope);
        while self.orders.reconcile_next(&mut round, &|_| {}).await.unwrap() {}
        round.report()
    }

    /// Makes a thorough round, and tells what it found: the check, and whether it is healed.
    pub(crate) async fn reconcile(&self) -> Vec<(&'static str, bool)> {
        let report = self.report(THOROUGH).await;
        report.findings.iter().map(|f| (f.check, f.state == State::Healed)).collect()
    }

    /// Makes a round that finds this and heals it, and one that finds nothing.
    pub(crate) async fn heals(&self, checks: &[&'static str]) {
        let expected: Vec<_> = checks.iter().map(|check| (*check, true)).collect();
        assert_eq!(self.reconcile().await, expected);
        assert_eq!(self.reconcile().await, []);
    }

    /// Makes two rounds that find this, and change nothing.
    pub(crate) async fn names(&self, check: &'static str) {
        for _ in 0..2 {
            assert_eq!(self.reconcile().await, [(check, false)]);
        }
    }

    /// Changes something as nobody should.
    pub(crate) async fn meddle(&self, statement: &'static str, id: impl Into<Key>) {
        let query = sqlx::query(statement);
        let query = match id.into() {
            Key::Number(id) => query.bind(id),
            Key::Text(id) => query.bind(id),
        };
        let done = query.execute(&self.world.db).await.unwrap();
        assert!(done.rows_affected() > 0, "{statement}");
    }

    pub(crate) fn minutes(&self, minutes: i64) {
        self.world.pass(TimeDelta::minutes(minutes));
    }

    /// Refunds as `amount reason state`.
    pub(crate) async fn going_back(&self) -> Vec<String> {
        self.refunds().await.into_iter().map(|(won, reason, state)| format!("{won} {reason} {state}")).collect()
    }

    /// Lets jobs run until nothing is left to do, and then a round find nothing.
    pub(crate) async fn all_is_well(&self) {
        self.run_jobs().await;
        assert_eq!(self.reconcile().await, []);
    }
}

/// What a row is called by.
pub(crate) enum Key {
    Number(i64),
    Text(String),
}

impl From<i64> for Key {
    fn from(id: i64) -> Self {
        Self::Number(id)
    }
}

impl From<&bootpay::ReceiptId> for Key {
    fn from(id: &bootpay::ReceiptId) -> Self {
        Self::Text(id.to_string())
    }
}
