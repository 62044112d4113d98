//! As much of the database's protocol as one needs to listen in: packets, the server's greeting, and which statement it is
//! that the server is asked to run.
//!
//! The one trap: what is encrypted can't be read. So a greeting is [handed on](greet) without its offer of TLS.

use std::collections::HashMap;
use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const QUERY: u8 = 3;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;

/// Takes the first whole packet off `bytes`, its head of four bytes included.
pub fn packet(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let [a, b, c, _] = *bytes.first_chunk()?;
    let end = 4 + usize::try_from(u32::from_le_bytes([a, b, c, 0])).ok()?;
    (bytes.len() >= end).then(|| bytes.drain(..end).collect())
}

/// Waits for a packet, where no more than one can come.
///
/// # Errors
/// If the connection breaks or ends before it is whole.
pub async fn read_packet(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(packet) = packet(&mut bytes) {
            return Ok(packet);
        }
        if from.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Hands the server's greeting on, without its offer of TLS. Answers the number by which the server knows the connection.
///
/// # Errors
/// If either connection breaks.
pub async fn greet(near: &mut TcpStream, far: &mut TcpStream) -> io::Result<u32> {
    let mut greeting = read_packet(far).await?;
    offer_no_tls(&mut greeting);
    near.write_all(&greeting).await?;
    Ok(thread_of(&greeting))
}

fn offer_no_tls(greeting: &mut [u8]) {
    const TLS: u8 = 8;
    if let Some(capabilities) = end_of_version(greeting).and_then(|end| greeting.get_mut(end + 4 + 8 + 1 + 1)) {
        *capabilities &= !TLS;
    }
}

fn thread_of(greeting: &[u8]) -> u32 {
    let number = end_of_version(greeting).and_then(|end| greeting.get(end..)?.first_chunk());
    number.copied().map_or(0, u32::from_le_bytes)
}

/// A greeting is its head of four bytes, its version, the server's version up to a zero (whose end this finds), the
/// connection's number, eight bytes of a challenge, a zero, and then what the server is capable of.
fn end_of_version(greeting: &[u8]) -> Option<usize> {
    greeting.iter().skip(5).position(|byte| *byte == 0).map(|end| 5 + end + 1)
}

/// The packet that has the server run `statement`.
pub fn query(statement: &str) -> Vec<u8> {
    command(QUERY, statement)
}

/// The packet that has the server prepare `statement`.
pub fn prepare(statement: &str) -> Vec<u8> {
    command(PREPARE, statement)
}

fn command(command: u8, text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len() + 1).unwrap_or(u32::MAX).to_le_bytes();
    [&length[..3], &[0, command], text.as_bytes()].concat()
}

/// The statement that the server is to prepare, if that is what a packet of the client's says.
pub fn to_prepare(packet: &[u8]) -> Option<String> {
    match said(packet)? {
        (PREPARE, statement) => Some(text(statement)),
        _ => None,
    }
}

/// A command, and what it says. It is the first packet of its kind; what answers the server's greeting isn't.
fn said(packet: &[u8]) -> Option<(u8, &[u8])> {
    let [_, _, _, 0, command, said @ ..] = packet else { return None };
    Some((*command, said))
}

fn text(said: &[u8]) -> String {
    String::from_utf8_lossy(said).trim().to_owned()
}

/// The statements that are prepared on a connection, learnt from what is said on it.
#[derive(Debug, Default)]
pub struct Statements {
    /// The one whose number the server is about to tell.
    preparing: Option<String>,
    prepared: HashMap<[u8; 4], String>,
}

impl Statements {
    /// Understands a packet of the client's. Answers the statement that the server is to run, if it is.
    pub fn asked(&mut self, packet: &[u8]) -> Option<String> {
        match said(packet)? {
            (QUERY, statement) => Some(text(statement)),
            (EXECUTE, said) => self.prepared.get(said.first_chunk()?).cloned(),
            (PREPARE, statement) => {
                self.preparing = Some(text(statement));
                None
            }
            _ => None,
        }
    }

    /// Understands a packet of the server's. Answers the number of its refusal, if it is one.
    pub fn answered(&mut self, packet: &[u8]) -> Option<u16> {
        const ERROR: u8 = 0xff;
        match *packet {
            [_, _, _, 1, 0, a, b, c, d, ..] => {
                if let Some(statement) = self.preparing.take() {
                    self.prepared.insert([a, b, c, d], statement);
                }
                None
            }
            [_, _, _, _, ERROR, low, high, ..] => {
                self.preparing = None;
                Some(u16::from_le_bytes([low, high]))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_taken_when_it_is_whole() {
        let asked = query("select 1");
        let mut bytes = asked[..6].to_vec();
        assert_eq!(packet(&mut bytes), None);
        bytes.extend_from_slice(&asked[6..]);
        bytes.extend_from_slice(&[9, 0, 0]);
        assert_eq!(packet(&mut bytes), Some(asked));
        assert_eq!(bytes, [9, 0, 0]);
    }

    #[test]
    fn what_is_prepared_is_known_again_by_the_number_it_was_given() {
        const RUN: [u8; 14] = [10, 0, 0, 0, EXECUTE, 7, 0, 0, 0, 0, 1, 0, 0, 0];
        let mut statements = Statements::default();
        assert_eq!(to_prepare(&prepare("select 1")).as_deref(), Some("select 1"));
        assert_eq!(statements.asked(&prepare("select 1")), None);
        assert_eq!(statements.asked(&RUN), None);
        assert_eq!(statements.answered(&[12, 0, 0, 1, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(statements.asked(&RUN).as_deref(), Some("select 1"));
        assert_eq!(statements.asked(&query(" commit ")).as_deref(), Some("commit"));
    }

    #[test]
    fn what_is_refused_has_no_number() {
        let mut statements = Statements::default();
        assert_eq!(statements.asked(&prepare("selekt 1")), None);
        assert_eq!(
            statements.answered(&[9, 0, 0, 1, 0xff, 0x28, 0x04, b'#', b'4', b'2', b'0', b'0', b'0']),
            Some(1064)
        );
        assert_eq!(statements.answered(&[7, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]), None);
        assert_eq!(statements.asked(&[10, 0, 0, 0, EXECUTE, 1, 0, 0, 0, 0, 1, 0, 0, 0]), None);
    }
}
