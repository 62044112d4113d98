//! Somebody who asks, and keeps count.
//!
//! A request that couldn't be written, because its idle connection was closed in that moment, is sent a second time, as
//! every client library does; any other without its answer is lost.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::{Context as _, Error, Result};
use hyper::body::Bytes;
use serde::Serialize;

use super::doors::Doors;
use crate::client::{Client, Lost, Request};

/// How much of a reason a table has room for, in characters.
const FIRST_WORDS: usize = 100;

/// What became of somebody's requests.
#[derive(Default, Serialize)]
pub(crate) struct Seen {
    /// Requests that were answered as they should be.
    pub(crate) answered: usize,
    /// Those among them that had to be sent a second time.
    pub(crate) sent_again: usize,
    /// Requests without their answer.
    pub(crate) lost: usize,
    /// Why the first one was.
    pub(crate) reason: Option<String>,
}

impl Seen {
    /// Adds what somebody else has seen.
    pub(crate) fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.sent_again += other.sent_again;
        self.lost += other.lost;
        self.reason = self.reason.take().or(other.reason);
    }

    /// Counts a request that was lost by this `error`, and gives that back.
    pub(crate) fn lose(&mut self, error: Error) -> Error {
        self.lost += 1;
        self.reason.get_or_insert_with(|| format!("{error:#}"));
        error
    }

    /// In a few words.
    pub(crate) fn told(&self) -> String {
        let Self { answered, sent_again, lost, reason } = self;
        let reason = reason.as_deref().map(first_words).unwrap_or_default();
        format!("{answered} answered, {sent_again} of them sent again, {lost} lost{reason}")
    }
}

/// The beginning of a reason, for a table.
pub(crate) fn first_words(reason: &str) -> String {
    format!(", the first: {}…", reason.chars().take(FIRST_WORDS).collect::<String>())
}

/// A client of all services, with a connection to each replica it has met.
pub(crate) struct Visitor {
    doors: Doors,
    connections: HashMap<SocketAddr, Client>,
    turn: usize,
    pub(crate) seen: Seen,
}

impl Visitor {
    /// One whose first request is the `turn`-th: who comes at another turn begins with another replica.
    pub(crate) fn new(doors: &Doors, turn: usize) -> Self {
        Self { doors: doors.clone(), connections: HashMap::new(), turn, seen: Seen::default() }
    }

    /// What `service` answers.
    ///
    /// # Errors
    /// When the request is lost, which is counted.
    pub(crate) async fn ask(&mut self, service: &str, request: &Request) -> Result<Bytes> {
        let mut answer = self.try_asking(service, request).await;
        if matches!(answer, Err(Lost::Unsent)) {
            self.seen.sent_again += 1;
            answer = self.try_asking(service, request).await;
        }
        match answer {
            Ok(answer) => {
                self.seen.answered += 1;
                Ok(answer)
            }
            Err(lost) => Err(self.seen.lose(Error::from(lost).context(format!("{service} is lost")))),
        }
    }

    async fn try_asking(&mut self, service: &str, request: &Request) -> Result<Bytes, Lost> {
        self.turn += 1;
        let address = self.doors.choose(service, self.turn).context("no replica is ready").map_err(Lost::Failed)?;
        self.connections.entry(address).or_insert_with(|| Client::new(address)).ask(request).await
    }
}
