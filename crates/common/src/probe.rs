//! Asking a running service on this very machine how it is, for those who have nothing else to ask with: an image that
//! holds one program has no shell and no `curl`.
//!
//! It waits longer than a service's own probes take to find out, and no longer: whoever calls it counts seconds.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a connection, and then each part of an answer, may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most of an answer that is read. A readiness has a hundred bytes.
const LONGEST: u64 = 16 << 10;

/// Whether `GET path` on `port` of this machine answers 200.
///
/// # Errors
/// Why not, with what was answered.
pub fn ask(port: u16, path: &str) -> io::Result<()> {
    let told = |what: &'static str| {
        move |error: io::Error| io::Error::new(error.kind(), format!("{what} on port {port}: {error}"))
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE).map_err(told("nobody listens"))?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).map_err(told("nobody reads"))?;
    let mut answer = Vec::new();
    connection.take(LONGEST).read_to_end(&mut answer).map_err(told("nobody answers"))?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        Some(status) => Err(io::Error::other(format!("{path} on port {port} answers {status} {}", body.trim()))),
        None => Err(io::Error::other(format!("what listens on port {port} doesn't speak HTTP"))),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What is said of a server that answers one request with `answer`.
    fn asked(answer: &'static str) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = connection.read(&mut request).unwrap();
            connection.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let said = ask(port, "/readyz");
        assert!(server.join().unwrap().starts_with("GET /readyz HTTP/1.1\r\n"));
        said
    }

    #[test]
    fn only_200_is_ready() {
        asked("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        let starting = asked("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ready\":false}").unwrap_err().to_string();
        assert!(starting.ends_with("answers 503 {\"ready\":false}"), "{starting}");
        assert!(asked("hello").unwrap_err().to_string().contains("doesn't speak HTTP"));
    }

    #[test]
    fn nobody_is_not_ready() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        assert!(ask(port, "/readyz").unwrap_err().to_string().starts_with("nobody listens on port"));
    }
}
