//! A port of this machine that is kept for whoever is about to listen there, or for nobody at all.
//!
//! One that is only found to be free may be somebody else's a moment later: tests run side by side, and each wants some.
//! The one trap: whoever is to listen there must let the address be reused, as tokio and Redis do.
#![expect(clippy::missing_panics_doc, reason = "a test without its port has nothing to say")]

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// A port that is taken and refuses connections until somebody who was told of it listens. It is free when dropped.
#[derive(Debug)]
pub struct Port(TcpSocket);

impl Port {
    /// Any that is free.
    pub fn kept() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
        Self(socket)
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.address().port()
    }

    /// Listens there, as long as the listener lives; afterwards connections are refused again.
    pub async fn listen(&self) -> TcpListener {
        TcpListener::bind(self.address()).await.expect("a listener")
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn nobody_else_is_given_a_kept_port_and_whoever_is_told_of_it_may_listen() {
        let port = Port::kept();
        let reached = || TcpStream::connect(port.address());
        for _ in 0..2 {
            assert!(reached().await.is_err());
            let listener = port.listen().await;
            assert!(reached().await.is_ok());
            drop(listener);
        }
        let others: Vec<_> = (0..500).map(|_| Port::kept()).collect();
        assert!(others.iter().all(|other| other.number() != port.number()));
    }
}
