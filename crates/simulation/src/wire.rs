//! The line between a process and the database: every statement waits on it for its turn.
//!
//! It reads what the process asks the server, lets each statement go when the [`Conductor`] says so, and tells the server
//! what time it is in the simulation. A [planted fault](crate::faults) is planted here: a statement is changed on its way,
//! so the program under test is the one that is shipped.
//!
//! The one trap is an answer of the server to a question of ours: it must be read off before the program's own question
//! goes out. That works because the driver never asks twice without an answer in between.

use std::io;

use sqlx::mysql::MySqlConnectOptions;
use testkit::NearEnd;
use testkit::protocol::{self, Statements, greet, packet, read_packet};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::conductor::{Conductor, LineId, Verdict};
use crate::faults::Planted;

/// The end of a wire at which the process numbered `process` finds its database.
pub(crate) async fn lay(
    database: &MySqlConnectOptions,
    process: usize,
    conductor: &Conductor,
    planted: &Planted,
) -> io::Result<NearEnd> {
    let (conductor, planted) = (conductor.clone(), planted.clone());
    NearEnd::of(database, move |near, far| Line::carry(near, far, process, conductor.clone(), planted.clone())).await
}

/// One connection, and what is known of it from what was said on it.
struct Line {
    id: LineId,
    conductor: Conductor,
    planted: Planted,
    statements: Statements,
    /// The instant the server was last told, in microseconds.
    told: i64,
    is_asking: bool,
}

impl Line {
    /// Carries a connection until one side ends it, or the conductor breaks it.
    async fn carry(
        mut near: TcpStream,
        mut far: TcpStream,
        process: usize,
        conductor: Conductor,
        planted: Planted,
    ) -> io::Result<()> {
        let thread = greet(&mut near, &mut far).await?;
        let id = conductor.connected(process, thread);
        let mut line = Self {
            id,
            conductor: conductor.clone(),
            planted,
            statements: Statements::default(),
            told: 0,
            is_asking: false,
        };
        let carried = line.talk(&mut near, &mut far).await;
        drop(far);
        conductor.disconnected(id);
        carried
    }

    async fn talk(&mut self, near: &mut TcpStream, far: &mut TcpStream) -> io::Result<()> {
        let (mut asked, mut answered, mut framed) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            tokio::select! {
                read = near.read_buf(&mut asked) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    while let Some(said) = packet(&mut asked) {
                        framed.clear();
                        if !self.ask(said, far).await? {
                            return Ok(());
                        }
                    }
                }
                read = far.read_buf(&mut answered) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    framed.extend_from_slice(&answered);
                    near.write_all(&answered).await?;
                    answered.clear();
                    self.hear(&mut framed);
                }
            }
        }
    }

    /// Hands on what the process asks, when it is its turn. False: the line is broken.
    async fn ask(&mut self, mut said: Vec<u8>, far: &mut TcpStream) -> io::Result<bool> {
        if let Some(statement) = protocol::to_prepare(&said) {
            said = protocol::prepare(&self.planted.change(statement));
        }
        let Some(statement) = self.statements.asked(&said) else {
            far.write_all(&said).await?;
            return Ok(true);
        };
        let verdict = self.conductor.arrive(self.id, &statement).await;
        if verdict == Verdict::Break {
            return Ok(false);
        }
        self.tell_time(far).await?;
        self.conductor.asks(self.id, &statement);
        self.is_asking = true;
        far.write_all(&said).await?;
        if verdict == Verdict::GoAndBreak {
            far.peek(&mut [0]).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Lets the server's clock be the simulation's.
    async fn tell_time(&mut self, far: &mut TcpStream) -> io::Result<()> {
        let now = self.conductor.micros();
        if self.told != now {
            self.told = now;
            let statement = format!("set timestamp = {}.{:06}", now / 1_000_000, now % 1_000_000);
            far.write_all(&protocol::query(&statement)).await?;
            read_packet(far).await?;
        }
        Ok(())
    }

    /// Understands what the server says.
    fn hear(&mut self, framed: &mut Vec<u8>) {
        let (mut error, mut is_heard) = (None, false);
        while let Some(said) = packet(framed) {
            is_heard = true;
            error = self.statements.answered(&said).or(error);
        }
        // What came may be the beginning of a packet only.
        if is_heard && (std::mem::take(&mut self.is_asking) || error.is_some()) {
            self.conductor.answered(self.id, error);
        }
    }
}
