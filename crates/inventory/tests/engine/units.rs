//! Choosing units once a hold is there: what it is of stays, and what it can't have changes nothing.

use futures_util::future::join_all;
use inventory::{ChooseError, HoldId};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

use crate::venue::{Counter, Performance, uuid};

type House = Counter<Performance>;

/// What is refused, in words.
fn why(refused: Result<(), ChooseError>) -> String {
    refused.map_or_else(|error| error.to_string(), |()| "nothing is".to_owned())
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_hold_has_the_units_it_chose_and_is_else_what_it_was(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let house = House::open(database, 20).await;
    let id = house.hold(1, 3, &["A1"]).await.unwrap();
    let (_, _, standing) = house.claims(id).await;
    for sold in [false, true] {
        let standing = if sold {
            assert_eq!(house.sell(id).await, 3);
            vec!["SOLD 0 1".to_owned()]
        } else {
            standing.clone()
        };
        for units in [&["A1", "A2"][..], &["A2", "A1"], &["A2", "A3", "A4"], &[], &["A1", "A2", "A3"], &["A3", "A4"]] {
            house.choose(id, units).await.unwrap();
            let mut named: Vec<&str> = units.to_vec();
            named.sort_unstable();
            let (has, quantity, stands) = house.claims(id).await;
            assert_eq!((has, quantity, stands), (named.iter().map(ToString::to_string).collect(), 3, standing.clone()));
            let taken: Vec<_> = named.iter().map(|unit| ((*unit).to_owned(), sold)).collect();
            assert_eq!((house.taken().await, house.count().await), (taken, (17, 3)));
        }
    }
    assert_eq!((house.release(id).await, house.count().await), (3, (20, 0)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn the_same_choice_twice_touches_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let house = House::open(database, 20).await;
    let id = house.hold(1, 3, &["A1", "A2"]).await.unwrap();
    let ids = async || -> Vec<i64> {
        let claims = sqlx::query_scalar("select claim_id from claims where hold_id = ? order by claim_id");
        claims.bind(uuid(id)).fetch_all(house.db()).await.unwrap()
    };
    let before = ids().await;
    house.choose(id, &["A2", "A1"]).await.unwrap();
    assert_eq!(ids().await, before);
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn what_a_hold_cannot_have_changes_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let house = House::open(database, 20).await;
    let rival = house.hold(2, 2, &["B1", "B2"]).await.unwrap();
    let id = house.hold(1, 3, &["A1"]).await.unwrap();
    let all = || async { (house.claims(id).await, house.claims(rival).await, house.count().await) };
    let before = all().await;
    assert_eq!(why(house.choose(id, &["A2", "B2", "B1"]).await), "units B1, B2 are taken");
    assert_eq!(why(house.choose(id, &["A1", "B1"]).await), "units B1 are taken");
    assert_eq!(why(house.choose(id, &["A1", "A2", "A3", "A4"]).await), "the hold is too small");
    assert_eq!(why(house.choose(HoldId::new(), &["A2"]).await), "there is no such hold");
    assert_eq!(all().await, before);
    // What the rival gave up is free at once.
    house.choose(rival, &[]).await.unwrap();
    house.choose(id, &["A2", "B2", "B1"]).await.unwrap();
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_refused_choice_spoils_nothing_else_of_its_transaction(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let house = House::open(database, 20).await;
    house.hold(2, 1, &["B1"]).await.unwrap();
    let id = house.hold(1, 2, &["A1"]).await.unwrap();
    let mut tx = house.db().begin().await.unwrap();
    inventory::lock(&mut tx, &house.venue).await.unwrap().unwrap();
    let choice = ["A2", "B1"].map(str::to_owned).into();
    assert_eq!(why(inventory::choose(&mut tx, &house.venue, id, &choice).await), "units B1 are taken");
    common::db::commit(tx).await.unwrap();
    assert_eq!((house.claims(id).await.0, house.claims(id).await.1), (vec!["A1".to_owned()], 2));
    assert_eq!(house.count().await, (17, 3));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_hold_that_has_lapsed_chooses_nothing(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let house = House::open(database, 20).await;
    let id = house.hold(1, 2, &["A1"]).await.unwrap();
    house.world.pass(chrono::TimeDelta::minutes(16));
    assert_eq!(why(house.choose(id, &["A2"]).await), "there is no such hold");
    let next = house.hold(2, 1, &[]).await.unwrap();
    house.choose(next, &["A1"]).await.unwrap();
    assert_eq!(house.count().await, (19, 1));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn of_many_who_choose_the_same_unit_one_gets_it_and_all_keep_theirs(
    _: MySqlPoolOptions,
    database: MySqlConnectOptions,
) {
    let house = House::open(database, 40).await;
    let mut guests = Vec::new();
    for n in 0..20 {
        guests.push(house.hold(n, 1, &[&format!("A{n}")]).await.unwrap());
    }
    let outcomes = join_all(guests.iter().map(async |id| why(house.choose(*id, &["R1"]).await))).await;
    let mut lucky = 0;
    for (n, id) in guests.iter().enumerate() {
        let (has, quantity, _) = house.claims(*id).await;
        let got = outcomes[n] == "nothing is";
        lucky += usize::from(got);
        assert_eq!((has, quantity), (vec![if got { "R1".to_owned() } else { format!("A{n}") }], 1), "{outcomes:?}");
    }
    assert_eq!((lucky, house.count().await), (1, (20, 20)));
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn two_who_want_each_others_units_both_keep_their_own(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let house = House::open(database, 10).await;
    let (one, other) = (house.hold(1, 1, &["A1"]).await.unwrap(), house.hold(2, 1, &["B1"]).await.unwrap());
    for _ in 0..20 {
        let (first, second) = tokio::join!(house.choose(one, &["B1"]), house.choose(other, &["A1"]));
        assert_eq!((why(first), why(second)), ("units B1 are taken".to_owned(), "units A1 are taken".to_owned()));
    }
    assert_eq!(
        (house.claims(one).await.0, house.claims(other).await.0),
        (vec!["A1".to_owned()], vec!["B1".to_owned()])
    );
}

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_hold_that_is_sold_while_it_chooses_is_sold_whole(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let house = House::open(database, 90).await;
    for n in 0..30 {
        let names = [1, 2, 3].map(|seat| format!("{n}-{seat}"));
        let [a, b, c] = names.each_ref().map(String::as_str);
        let id = house.hold(n, 3, &[a]).await.unwrap();
        let choice = [b, c];
        let (chosen, sold) = tokio::join!(house.choose(id, &choice), house.sell(id));
        assert_eq!((why(chosen), sold), ("nothing is".to_owned(), 3), "round {n}");
        let expected = (vec![names[1].clone(), names[2].clone()], 3, vec![format!("SOLD 0 {n}")]);
        assert_eq!(house.claims(id).await, expected, "round {n}");
    }
    assert_eq!(house.count().await, (0, 90));
}
