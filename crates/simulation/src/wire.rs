//! The line between a process and the database: every statement waits on it for its turn.
//!
//! It reads what the process asks the server, lets each statement go when the [`Conductor`] says so, and tells the server
//! what time it is in the simulation. A [planted fault](crate::faults) is planted here: a statement is changed on its way,
//! so the program under test is the one that is shipped.
//!
//! The one trap is an answer of the server to a question of ours: it must be read off before the program's own question
//! goes out. That works because the driver never asks twice without an answer in between.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;

use sqlx::mysql::MySqlConnectOptions;
use testkit::protocol::{offer_no_tls, packet, thread_of};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::conductor::{Conductor, LineId, Verdict};
use crate::faults::Planted;

const QUERY: u8 = 3;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;

/// Where one process finds its database. Nobody finds it there any more once it is dropped.
#[derive(Debug)]
pub(crate) struct Wire {
    port: u16,
    listening: JoinHandle<()>,
}

impl Wire {
    /// A wire for the process numbered `process`.
    pub(crate) async fn to(
        database: &MySqlConnectOptions,
        process: usize,
        conductor: &Conductor,
        planted: &Planted,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let far = format!("{}:{}", database.get_host(), database.get_port());
        let (conductor, planted) = (conductor.clone(), planted.clone());
        let listening = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (far, conductor, planted) = (far.clone(), conductor.clone(), planted.clone());
                tokio::spawn(async move { Line::carry(near, &far, process, conductor, planted).await });
            }
        });
        Ok(Self { port, listening })
    }

    /// Where its near end is, on this machine.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// One connection, and what is known of it from what was said on it.
struct Line {
    id: LineId,
    conductor: Conductor,
    planted: Planted,
    /// The statement whose number the server is about to tell.
    preparing: Option<String>,
    prepared: HashMap<[u8; 4], String>,
    /// The instant the server was last told, in microseconds.
    told: i64,
    is_asking: bool,
}

impl Line {
    /// Carries a connection until one side ends it, or the conductor breaks it.
    async fn carry(
        mut near: TcpStream,
        far: &str,
        process: usize,
        conductor: Conductor,
        planted: Planted,
    ) -> io::Result<()> {
        let mut far = TcpStream::connect(far).await?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let mut greeting = Vec::new();
        while greeting.len() < 4 || packet(&mut greeting.clone()).is_none() {
            if far.read_buf(&mut greeting).await? == 0 {
                return Ok(());
            }
        }
        let thread = thread_of(&greeting);
        offer_no_tls(&mut greeting);
        near.write_all(&greeting).await?;
        let id = conductor.connected(process, thread);
        let mut line = Self {
            id,
            conductor: conductor.clone(),
            planted,
            preparing: None,
            prepared: HashMap::new(),
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
        // A command is the first packet of its kind; what answers the server's greeting isn't.
        let [_, _, _, 0, command, ..] = said[..] else {
            far.write_all(&said).await?;
            return Ok(true);
        };
        let text = || String::from_utf8_lossy(said.get(5..).unwrap_or_default()).trim().to_owned();
        let statement = match command {
            PREPARE => {
                let sql = self.planted.change(text());
                said = command_packet(PREPARE, &sql);
                self.preparing = Some(sql);
                None
            }
            QUERY => Some(text()),
            EXECUTE => said.get(5..9).and_then(|number| self.prepared.get(number)).cloned(),
            _ => None,
        };
        let Some(statement) = statement else {
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
            far.write_all(&command_packet(QUERY, &statement)).await?;
            let mut answer = Vec::new();
            while packet(&mut answer).is_none() {
                if far.read_buf(&mut answer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        Ok(())
    }

    /// Understands what the server says.
    fn hear(&mut self, framed: &mut Vec<u8>) {
        const ERROR: u8 = 0xff;
        let (mut error, mut is_heard) = (None, false);
        while let Some(said) = packet(framed) {
            is_heard = true;
            match said[..] {
                [_, _, _, 1, 0, a, b, c, d, ..] => {
                    if let Some(statement) = self.preparing.take() {
                        self.prepared.insert([a, b, c, d], statement);
                    }
                }
                [_, _, _, _, ERROR, low, high, ..] => {
                    self.preparing = None;
                    error = Some(u16::from_le_bytes([low, high]));
                }
                _ => {}
            }
        }
        // What came may be the beginning of a packet only.
        if is_heard && (std::mem::take(&mut self.is_asking) || error.is_some()) {
            self.conductor.answered(self.id, error);
        }
    }
}

/// A command with a text.
fn command_packet(command: u8, text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len() + 1).unwrap_or(u32::MAX).to_le_bytes();
    [&length[..3], &[0, command], text.as_bytes()].concat()
}
