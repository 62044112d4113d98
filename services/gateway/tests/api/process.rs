//! The gateway as a process: it says what is wrong with its settings before it listens, and takes its leave.

use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process};
use testkit::Port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::{serve, url};

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(arguments)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn bad_settings_are_all_named_and_nothing_starts() {
    let bad = [
        ("BOOKING_SERVICE_URL", "booking:5003"),
        ("PAYMENT_SERVICE_URL", "https://payment"),
        ("GATEWAY_SERVICE_PORT", "tcp://10.0.0.1:5000"),
    ];
    let output = run(&[], &bad);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{said}");
    for (name, _) in bad {
        assert!(said.contains(name), "{name} in {said}");
    }
}

#[test]
fn help_names_every_setting() {
    let help = String::from_utf8(run(&["--help"], &[]).stdout).unwrap();
    for name in ["GATEWAY_SERVICE_PORT", "AUTH_SERVICE_URL", "ADMIN_SERVICE_URL", "UPSTREAM_TIMEOUT_SECONDS"] {
        assert!(help.contains(name), "{name} in {help}");
    }
}

/// A gateway in a process of its own, in front of one service.
struct Process {
    child: Child,
    port: Port,
    /// That of its probes.
    internal: Port,
    client: Client<HttpConnector, Body>,
}

impl Process {
    async fn start(upstream: SocketAddr, more: &[(&str, &str)]) -> Self {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_gateway")), upstream, more).await
    }

    async fn start_as(command: Command, upstream: SocketAddr, more: &[(&str, &str)]) -> Self {
        let [port, internal] = [Port::kept(), Port::kept()];
        let child = tokio::process::Command::from(command)
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .env("GATEWAY_SERVICE_PORT", port.number().to_string())
            .env("INTERNAL_PORT", internal.number().to_string())
            .env("FLIGHT_SERVICE_URL", url(upstream))
            .envs(more.iter().copied())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let process = Self { child, port, internal, client: Client::builder(TokioExecutor::new()).build_http() };
        soon(process.until_ready(200)).await;
        process
    }

    /// Waits until its readiness is `status`; nobody listens yet at first.
    async fn until_ready(&self, status: u16) {
        let ready = || self.client.request(get(self.internal.address(), "/readyz"));
        while !ready().await.is_ok_and(|answer| answer.status() == status) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ask(&self) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        self.client.request(get(self.port.address(), "/api/flights/x")).await
    }

    fn signal(&self) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    async fn exit(mut self) -> ExitStatus {
        soon(self.child.wait()).await.unwrap()
    }
}

fn get(address: SocketAddr, path: &str) -> Request<Body> {
    Request::builder().method(Method::GET).uri(format!("http://{address}{path}")).body(Body::empty()).unwrap()
}

/// What must come to its end, however slow the machine.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), future).await.expect("it should have ended long ago")
}

/// A service that answers as often as it is allowed to, and the permits.
async fn reluctant() -> (SocketAddr, Arc<Semaphore>, Arc<Semaphore>) {
    let (arrived, allowed) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (arrives, allows) = (Arc::clone(&arrived), Arc::clone(&allowed));
    let router = Router::new().fallback(async move || {
        arrives.add_permits(1);
        allows.acquire().await.unwrap().forget();
        "at last"
    });
    (serve(router).await, arrived, allowed)
}

#[tokio::test]
async fn asked_to_stop_under_load_it_loses_no_request() {
    let upstream = Router::new().fallback(async || {
        tokio::time::sleep(Duration::from_millis(5)).await;
        "ok"
    });
    let gateway = Process::start(serve(upstream).await, &[("SHUTDOWN_DELAY_SECONDS", "5")]).await;
    let mut clients = JoinSet::new();
    for _ in 0..16 {
        let address = gateway.port.address();
        clients.spawn(async move {
            // A client of its own, so that it has a connection of its own, which it gives up when it is asked to.
            let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
            let mut answered = 0;
            loop {
                let answer = client.request(get(address, "/api/flights/x")).await.expect("an answer");
                assert_eq!(answer.status(), 200);
                let asked_to_leave = answer.headers().get(CONNECTION).is_some_and(|value| value == "close");
                assert_eq!(answer.into_body().collect().await.expect("all of it").to_bytes(), "ok");
                answered += 1;
                if asked_to_leave {
                    return answered;
                }
            }
        });
    }
    for _ in 0..100 {
        assert_eq!(gateway.ask().await.unwrap().status(), 200);
    }
    gateway.signal();
    while let Some(answered) = soon(clients.join_next()).await {
        assert!(answered.expect("nothing was lost") > 0);
    }
    gateway.until_ready(503).await;
    assert_eq!(gateway.ask().await.unwrap().status(), 200, "who hasn't heard of it is served");
    assert!(gateway.exit().await.success());
}

#[tokio::test]
async fn asked_to_stop_it_answers_what_is_under_way_and_takes_nothing_on() {
    let (upstream, arrived, allowed) = reluctant().await;
    let gateway = Process::start(upstream, &[("CLOUDJET_ENV", "development")]).await;
    let asking = tokio::spawn(gateway.client.request(get(gateway.port.address(), "/api/flights/x")));
    arrived.acquire().await.unwrap().forget();
    let mut beginning = TcpStream::connect(gateway.port.address()).await.unwrap();
    beginning.write_all(b"GET /api/flights/x HTTP/1.1\r\n").await.unwrap();
    gateway.signal();
    soon(async { while TcpStream::connect(gateway.port.address()).await.is_ok() {} }).await;
    gateway.until_ready(503).await;
    beginning.write_all(b"Host: test\r\n\r\n").await.unwrap();
    allowed.add_permits(2);
    let answer = soon(asking).await.unwrap().unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()[CONNECTION]), (200, &"close".parse().unwrap()));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "at last");
    let mut answer = String::new();
    soon(beginning.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("at last"), "{answer}");
    assert!(gateway.exit().await.success());
}

#[tokio::test]
async fn asked_twice_it_stops_at_once() {
    // While it still serves, and while it waits for work.
    for delay in ["300", "0"] {
        let (upstream, arrived, _allowed) = reluctant().await;
        let log = format!("{}/asked-twice-{delay}.log", env!("CARGO_TARGET_TMPDIR"));
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" > \"$1\"", env!("CARGO_BIN_EXE_gateway"), &log]);
        let gateway = Process::start_as(command, upstream, &[("SHUTDOWN_DELAY_SECONDS", delay)]).await;
        let asking = tokio::spawn(gateway.client.request(get(gateway.port.address(), "/api/flights/x")));
        arrived.acquire().await.unwrap().forget();
        gateway.signal();
        soon(gateway.until_ready(503)).await;
        gateway.signal();
        // Its grace is 20 seconds, its delay 300.
        tokio::time::timeout(Duration::from_secs(15), gateway.exit()).await.expect("at once");
        assert!(soon(asking).await.unwrap().is_err());
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(said.contains("asked twice"), "the last words are lost: {said}");
    }
}

#[tokio::test]
async fn out_of_files_it_waits_for_some_and_goes_on() {
    let upstream = serve(Router::new().fallback(async || "ok")).await;
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 40; exec \"$0\"", env!("CARGO_BIN_EXE_gateway")]);
    let gateway = Process::start_as(command, upstream, &[]).await;
    let mut crowd = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(gateway.port.address()).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        crowd.push(stream);
    }
    drop(crowd);
    soon(async { while !gateway.ask().await.is_ok_and(|answer| answer.status() == 200) {} }).await;
    gateway.signal();
    assert!(gateway.exit().await.success());
}
