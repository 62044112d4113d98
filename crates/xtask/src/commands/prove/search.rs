//! Somebody who searches all the time: whether flight-service answers, and how far behind what is true it is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::store::Schedule;
use crate::client::{Client, Request};

use crate::welcome::tomorrow;

/// How often is searched, and how long an answer may take.
const SEARCHING: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of the searches.
#[derive(Debug, Default)]
pub(super) struct Searches {
    pub(super) answered: u32,
    /// Honest refusals: 503 and 504.
    pub(super) refused: u32,
    /// No answer, or another one.
    pub(super) failed: u32,
    /// The longest time in which none was answered.
    pub(super) silence: Duration,
    /// What an answer said is free on the flight that everybody wants, when all was sold and over.
    pub(super) free_at_last: Option<i64>,
    first_failure: Option<String>,
}

impl Searches {
    /// Searches until it is `over`.
    pub(super) async fn until(over: &AtomicBool, gateway: SocketAddr) -> Self {
        let mut searches = Self::default();
        let mut client = Client::new(gateway);
        let request = search();
        let mut last = Instant::now();
        while !over.load(Ordering::Relaxed) {
            match timeout(PATIENCE, client.send(&request)).await {
                Ok(Ok(answer)) if answer.status.as_u16() == 200 => {
                    searches.answered += 1;
                    searches.silence = searches.silence.max(last.elapsed());
                    last = Instant::now();
                }
                Ok(Ok(answer)) if [502, 503, 504].contains(&answer.status.as_u16()) => searches.refused += 1,
                Ok(Ok(answer)) => searches.fail(format!("it is answered {}", answer.status)),
                Ok(Err(_)) => searches.fail("the connection is lost".to_owned()),
                Err(_) => searches.fail("there is no answer in time".to_owned()),
            }
            sleep(SEARCHING).await;
        }
        searches
    }

    /// Searches once more.
    pub(super) async fn look_again(&mut self, gateway: SocketAddr, schedule: Schedule) {
        let answer = timeout(PATIENCE, Client::new(gateway).send(&search())).await;
        self.free_at_last = answer.ok().and_then(Result::ok).and_then(|answer| free(&answer.body, schedule));
    }

    fn fail(&mut self, why: String) {
        self.failed += 1;
        self.first_failure.get_or_insert(why);
    }

    /// What is wrong with them.
    pub(super) fn fault(&self) -> Option<String> {
        if self.answered == 0 {
            return Some("none was answered".to_owned());
        }
        self.first_failure.as_ref().map(|why| format!("{} searches failed: {why}", self.failed))
    }
}

fn search() -> Request {
    Request::get(format!("/api/flights/search?departure=ICN&arrival=NRT&date={}", tomorrow()))
}

/// How many seats of `schedule` the answer says are free; none if it isn't for sale any more.
fn free(body: &[u8], schedule: Schedule) -> Option<i64> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let flights = answer["flights"].as_array()?;
    let flight = flights.iter().find(|flight| flight["schedule_id"].as_u64() == Some(schedule.id));
    Some(flight.map_or(0, |flight| flight["available_seats"].as_i64().unwrap_or_default()))
}
