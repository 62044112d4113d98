//! An evening at a theatre: seats by name, standing room without, and a crowd at the door.

use futures_util::future::join_all;
use inventory::{HoldError, Pool as _};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use testkit::{World, seed};

use crate::venue::{Counter, Flight, Performance, Venue as _};

type House = Counter<Performance>;

const ROYAL: &str = "royal box, chair 1";

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn seats_are_sold_by_name_and_standing_room_without(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let house = House::open(database, 10).await;
    let seated = house.hold(1, 2, &["stalls, row 1, seat 1", "stalls, row 1, seat 2"]).await.unwrap();
    let standing = house.hold(2, 5, &[]).await.unwrap();
    assert_eq!((house.sell(seated).await, house.sell(standing).await), (2, 5));
    assert_eq!(house.count().await, (3, 7));
    let sold = |seat: u8| (format!("stalls, row 1, seat {seat}"), true);
    assert_eq!(house.taken().await, [sold(1), sold(2)]);
    assert!(matches!(house.hold(3, 4, &[]).await, Err(HoldError::NotEnough)));
    let taken = house.hold(3, 1, &["stalls, row 1, seat 2"]).await;
    assert!(matches!(taken, Err(HoldError::UnitTaken(seat)) if seat == "stalls, row 1, seat 2"));
    assert_eq!(house.release(seated).await, 2);
    assert_eq!((house.count().await, house.taken().await), ((5, 5), vec![]));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_crowd_at_the_door_gets_what_there_is_and_no_more(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let house = House::open(database, 7).await;
    let guest = async |guest| house.hold(guest, 1, if guest % 2 == 0 { &[ROYAL] } else { &[] }).await;
    let let_in = join_all((0..40).map(guest)).await.into_iter().flatten().count();
    assert_eq!((let_in, house.count().await), (7, (0, 7)));
    assert!(house.taken().await.len() <= 1, "a chair is one chair");
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_place_that_nobody_paid_for_is_the_next_ones(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let house = House::open(database, 1).await;
    let hesitant = house.hold(1, 1, &[ROYAL]).await.unwrap();
    assert!(matches!(house.hold(2, 1, &[ROYAL]).await, Err(HoldError::NotEnough)));
    house.world.pass(chrono::TimeDelta::minutes(16));
    assert_eq!(house.taken().await, []);
    let quick = house.hold(2, 1, &[ROYAL]).await.unwrap();
    assert_eq!((house.sell(hesitant).await, house.sell(quick).await), (0, 1));
    assert_eq!((house.count().await, house.taken().await), ((0, 1), vec![(ROYAL.to_owned(), true)]));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn an_airline_next_door_sells_its_own(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let world = World::new(database);
    // Of another kind, under the same name, at the same time.
    let house = Counter { venue: Performance::open(&world, 5).await, world: world.clone() };
    let matinee = Counter { venue: Performance::open(&world, 5).await, world: world.clone() };
    let flight = Counter { venue: Flight::open(&world, 5).await, world: world.clone() };
    assert_ne!(house.venue.id(), flight.venue.id());
    let owner = seed::user(&world.db).await;
    house.hold(owner, 1, &["1A"]).await.unwrap();
    flight.hold(owner, 2, &["1A"]).await.unwrap();
    let released = matinee.hold(owner, 3, &["1A"]).await.unwrap();
    assert_eq!(matinee.release(released).await, 3);
    assert_eq!((house.count().await, matinee.count().await, flight.count().await), ((4, 1), (5, 0), (3, 2)));
    world.pass(chrono::TimeDelta::minutes(16));
    house.tidy().await;
    assert_eq!((house.count().await, flight.count().await), ((5, 0), (3, 2)));
    let left = inventory::pools_to_sweep(&mut world.db.acquire().await.unwrap(), 9).await.unwrap();
    assert_eq!(left, [flight.venue.id()]);
}
