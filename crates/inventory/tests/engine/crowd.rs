//! A crowd that holds, chooses, buys, gives back and lets lapse, at random and all at once; and what is true of the claims
//! whatever it did, of whichever kind of pool.
//!
//! The steps of each are drawn from a fixed seed; how they meet is up to the machine.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::TimeDelta;
use common::chance::Chance;
use futures_util::future::join_all;
use inventory::{ChooseError, HoldError, HoldId};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::venue::{Counter, Flight, Performance, Venue, uuid};

const SEED: u64 = 20_261_201;
const PEOPLE: u64 = 8;
const STEPS: usize = 60;
/// Fewer than there are names.
const PLACES: i64 = 9;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn no_place_of_a_theatre_is_sold_twice_whatever_they_do(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    no_place_is_sold_twice_whatever_they_do::<Performance>(database).await;
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn no_seat_of_a_flight_is_sold_twice_whatever_they_do(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    no_place_is_sold_twice_whatever_they_do::<Flight>(database).await;
}

async fn no_place_is_sold_twice_whatever_they_do<V: Venue>(database: MySqlConnectOptions) {
    let counter = Counter::<V>::open(database, PLACES).await;
    let known = Mutex::default();
    let person = async |n: u64| {
        let person = Person { owner_id: n.try_into().unwrap(), dice: Chance::seeded(SEED + n), known: &known };
        for _ in 0..STEPS {
            person.step(&counter).await;
        }
    };
    join_all((0..PEOPLE).map(person)).await;
    let known = known.into_inner().unwrap();
    counter.books_are_kept(&known).await;
    assert!(known.len() > 9, "a run in which nothing happens says nothing");

    counter.world.pass(TimeDelta::minutes(16));
    counter.tidy().await;
    let sold = counter.books_are_kept(&known).await;
    assert_eq!(counter.count().await, (PLACES - sold, sold), "what isn't sold is free in the end");
    for (id, _) in &known {
        counter.release(*id).await;
    }
    assert_eq!(counter.count().await, (PLACES, 0));
}

/// Somebody in the crowd, and what all of them know: holds, and how much each is of.
struct Person<'k> {
    owner_id: i64,
    dice: Chance,
    known: &'k Mutex<Vec<(HoldId, i64)>>,
}

impl Person<'_> {
    async fn step<V: Venue>(&self, counter: &Counter<V>) {
        match self.below(12) {
            0..4 => self.hold(counter).await,
            4..8 => self.choose(counter).await,
            8 => drop(self.sell(counter).await),
            9..11 => drop(self.release(counter).await),
            _ => counter.world.pass(TimeDelta::minutes(2)),
        }
    }

    async fn hold<V: Venue>(&self, counter: &Counter<V>) {
        let quantity = 1 + self.below(3);
        let names = self.names::<V>(self.below(quantity + 1));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let quantity = quantity.try_into().unwrap();
        match counter.hold(self.owner_id, quantity, &names).await {
            Ok(id) => self.known.lock().unwrap().push((id, quantity)),
            Err(HoldError::NotEnough | HoldError::UnitTaken(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn choose<V: Venue>(&self, counter: &Counter<V>) {
        let Some((id, quantity)) = self.any() else { return };
        let names = self.names::<V>(self.below(4));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match counter.choose(id, &names).await {
            Ok(()) => assert!(names.len() <= usize::try_from(quantity).unwrap()),
            Err(ChooseError::TooMany) => assert!(names.len() > usize::try_from(quantity).unwrap()),
            Err(ChooseError::Gone | ChooseError::UnitsTaken(_)) => {}
            Err(error @ ChooseError::Database(_)) => panic!("{error:?}"),
        }
    }

    /// All of a hold is sold, or nothing.
    async fn sell<V: Venue>(&self, counter: &Counter<V>) -> Option<()> {
        let (id, quantity) = self.any()?;
        let sold = counter.sell(id).await;
        assert!(sold == 0 || sold == quantity, "{sold} sold of {quantity}");
        Some(())
    }

    /// All of a hold comes back, or nothing.
    async fn release<V: Venue>(&self, counter: &Counter<V>) -> Option<()> {
        let (id, quantity) = self.any()?;
        let released = counter.release(id).await;
        assert!(released == 0 || released == quantity, "{released} released of {quantity}");
        Some(())
    }

    fn any(&self) -> Option<(HoldId, i64)> {
        let known = self.known.lock().unwrap();
        // The newest are those that most is done with.
        known.len().checked_sub(1 + self.below(6)).map(|n| known[n])
    }

    /// `n` different names.
    fn names<V: Venue>(&self, n: usize) -> Vec<String> {
        let mut names = V::names();
        (0..n).map(|_| names.swap_remove(self.below(names.len()))).collect()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
    fn below(&self, n: usize) -> usize {
        (self.dice.fraction() * n as f64) as usize
    }
}

impl<V: Venue> Counter<V> {
    /// What is true whenever nobody is in the middle of something. Answers how much is sold.
    async fn books_are_kept(&self, known: &[(HoldId, i64)]) -> i64 {
        let (free, claimed) = self.count().await;
        assert_eq!(free + claimed, PLACES, "{free} free, {claimed} claimed");
        let mut owners = BTreeMap::new();
        let (mut sum, mut sold) = (0, 0);
        for (id, held) in known {
            let (units, quantity, standing) = self.claims(*id).await;
            assert!(quantity == 0 || quantity == *held, "{id}: {quantity} of {held}");
            assert!(standing.len() <= 1, "{id} stands in several ways: {standing:?}");
            assert!(i64::try_from(units.len()).unwrap() <= quantity);
            for unit in units {
                assert!(owners.insert(unit.clone(), uuid(*id)).is_none(), "{unit} is two people's");
            }
            sum += quantity;
            sold += if standing.iter().any(|standing| standing.starts_with("SOLD")) { quantity } else { 0 };
        }
        assert_eq!(sum, claimed, "every claim is somebody's");
        sold
    }
}
