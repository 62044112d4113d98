//! What is done to the system while everybody wants the same seats.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use tokio::time::{sleep, sleep_until, timeout};

use super::databases::Kind;
use super::judge::Judgement;
use super::room::Room;
use super::search::Searches;

/// How long other servers may take to catch up when hardly anything is written any more.
const CATCHING_UP: Duration = Duration::from_mins(1);

/// For how long at most nobody is acknowledged anything when a member of a cluster is lost: the others wait five seconds
/// for one that says nothing, and the rest is for a busy machine.
const SECONDS: Duration = Duration::from_secs(30);

/// A battle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Battle {
    /// Nothing is done but what clients do.
    Plain,
    /// Redis is killed, started empty, and flushed.
    Redis,
    /// The database is killed and started again, twice.
    Database,
    /// Instances of booking and payment are killed and started again, one after the other.
    Services,
    /// A cluster of three, one of which is written to: that one is killed, and joins again.
    Galera,
    /// The same, and all three are written to.
    GaleraMany,
    /// A primary and a replica that flight-service reads: the replica is paused, killed and started again.
    Replica,
}

/// What was done, and when.
#[derive(Default)]
pub(super) struct Log {
    pub(super) lines: Vec<String>,
    since: Option<Instant>,
}

impl Log {
    fn begin(&mut self) -> Instant {
        *self.since.insert(Instant::now())
    }

    fn add(&mut self, what: impl fmt::Display) {
        let at = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        let line = format!("{:>5.1} s: {what}", at.as_secs_f64());
        crate::report::note(format_args!("  {line}"));
        self.lines.push(line);
    }
}

impl Battle {
    /// Its name, as it is chosen.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// In a sentence.
    pub(super) fn description(self) -> String {
        self.to_possible_value().and_then(|value| Some(value.get_help()?.to_string())).unwrap_or_default()
    }

    /// The database it is fought on.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Plain | Self::Redis | Self::Database | Self::Services => Kind::Alone,
            Self::Galera => Kind::OneWriter,
            Self::GaleraMany => Kind::ManyWriters,
            Self::Replica => Kind::Followed,
        }
    }

    /// Does it to `room`, in the course of `fire`.
    pub(super) async fn rage(self, room: &mut Room<'_>, fire: Duration, log: &mut Log) -> Result<()> {
        let since = log.begin();
        let end = since + fire;
        let at = |part: f64| sleep_until((since + fire.mul_f64(part)).into());
        match self {
            Self::Plain => {}
            Self::Redis => {
                at(0.25).await;
                room.cache.kill().await?;
                log.add("Redis is killed");
                at(0.45).await;
                room.cache.start().await?;
                log.add("Redis runs again, empty");
                at(0.7).await;
                room.cache.flush().await?;
                log.add("Redis is flushed");
            }
            Self::Database => {
                for part in [0.3, 0.65] {
                    at(part).await;
                    room.databases.kill(0).await?;
                    log.add("the database is killed");
                    room.databases.start_again(0).await?;
                    log.add("the database takes connections again");
                }
            }
            Self::Services => {
                let turns = room.replicas_of("booking").into_iter().zip(room.replicas_of("payment"));
                let turns: Vec<usize> = turns.flat_map(|(booking, payment)| [booking, payment]).collect();
                sleep(Duration::from_secs(3)).await;
                for replica in turns.into_iter().cycle() {
                    if Instant::now() > end {
                        break;
                    }
                    room.replicas[replica].kill().await?;
                    log.add(format_args!("{} is killed", room.replicas[replica].name));
                    sleep(Duration::from_secs(1)).await;
                    room.start_replica(replica).await?;
                    sleep(Duration::from_secs(2)).await;
                }
            }
            Self::Galera | Self::GaleraMany => {
                at(0.3).await;
                let writer = room.databases.written_to()?;
                room.databases.kill(writer).await?;
                log.add(format_args!(
                    "the member {} is killed, which was written to",
                    room.databases.nodes[writer].name
                ));
                at(0.6).await;
                room.databases.start_again(writer).await?;
                log.add(format_args!("the member {} has joined again", room.databases.nodes[writer].name));
            }
            Self::Replica => {
                let replica = room.databases.stores().into_iter().nth(1).context("there is no replica")?;
                at(0.2).await;
                replica.set_following(false).await?;
                log.add("the replica stands still");
                at(0.45).await;
                replica.set_following(true).await?;
                log.add("the replica goes on");
                at(0.65).await;
                room.databases.kill(1).await?;
                log.add("the replica is killed");
                sleep(Duration::from_secs(3)).await;
                log.add(readiness(room).await);
                at(0.85).await;
                room.databases.start_again(1).await?;
                log.add("the replica runs again");
                sleep(Duration::from_secs(3)).await;
                log.add(readiness(room).await);
            }
        }
        sleep_until(end.into()).await;
        Ok(())
    }

    /// What else is asked of this battle when all is over. `silence` is the longest time without an acknowledged write.
    pub(super) async fn question(
        self,
        room: &Room<'_>,
        silence: Duration,
        searches: &Searches,
        judgement: &mut Judgement,
    ) -> Result<()> {
        match self.kind() {
            Kind::Alone => {}
            Kind::OneWriter | Kind::ManyWriters => {
                judgement.ask("all members of the cluster have the same rows", differ(room).await?);
                let fault =
                    (silence > SECONDS).then(|| format!("nothing was acknowledged for {} s", silence.as_secs()));
                judgement.ask("without the member the cluster served again within seconds", fault);
            }
            Kind::Followed => {
                judgement.ask("the replica catches up, and has the same rows", followed(room).await?);
            }
        }
        judgement.ask("searches are answered, or honestly refused", searches.fault());
        // Who reads a replica may remember for a while what that did not know yet: docs/proof.md.
        if self.kind() != Kind::Followed {
            let fault = (searches.free_at_last != Some(0)).then(|| format!("it says {:?}", searches.free_at_last));
            judgement.ask("a search says that nothing is free when all is sold", fault);
        }
        Ok(())
    }
}

async fn readiness(room: &Room<'_>) -> &'static str {
    if room.is_flight_ready().await { "flight-service is ready" } else { "flight-service is not ready" }
}

/// In which tables the servers differ. What a job writes just now takes a moment to be everywhere.
async fn differ(room: &Room<'_>) -> Result<Option<String>> {
    let since = Instant::now();
    loop {
        let mut sums = Vec::new();
        for store in room.databases.stores() {
            sums.push(store.checksums().await?);
        }
        let tables = sums.iter().flat_map(|sums| sums.keys());
        let differing = tables.filter(|table| sums.windows(2).any(|pair| pair[0].get(*table) != pair[1].get(*table)));
        let differing: BTreeSet<&String> = differing.collect();
        if differing.is_empty() {
            return Ok(None);
        }
        if since.elapsed() > CATCHING_UP {
            return Ok(Some(format!("they differ in {differing:?}")));
        }
        sleep(Duration::from_secs(1)).await;
    }
}

async fn followed(room: &Room<'_>) -> Result<Option<String>> {
    let stores = room.databases.stores();
    let [primary, replica] = &stores[..] else { return Ok(Some("there are no two servers".to_owned())) };
    let caught_up = async {
        loop {
            let ours = replica.position(false).await?;
            if primary.position(true).await? == ours {
                return anyhow::Ok(());
            }
            sleep(Duration::from_millis(300)).await;
        }
    };
    match timeout(CATCHING_UP, caught_up).await {
        Ok(caught_up) => caught_up?,
        Err(_) => return Ok(Some("it doesn't catch up".to_owned())),
    }
    differ(room).await
}
