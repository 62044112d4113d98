//! The contender: the service, asked over HTTP as its clients ask it.
//!
//! It is asked in two ways. As fast as it answers, each client its next booking: that is its rate. And at a pace of
//! ours, whatever it answers: then a time counts from when the booking was due, so that a slow answer can't hide that
//! others waited behind it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::clock::Lap;
use crate::processes::Processes;
use crate::stage::{PRICE, Sale, Sales};

/// Where the system answers.
pub(crate) struct Service {
    booking: SocketAddr,
    payment: SocketAddr,
    simulator: SocketAddr,
}

impl Service {
    /// The one at these addresses.
    pub(crate) fn at(booking: SocketAddr, payment: SocketAddr, simulator: SocketAddr) -> Self {
        Self { booking, payment, simulator }
    }

    /// Makes one booking.
    pub(crate) async fn book(&self, sale: Sale<'_>) -> Result<()> {
        book(&mut Client::connect(self.booking).await?, sale).await.map(drop)
    }

    /// A turn of `clients`, each of which books again as soon as it is answered.
    pub(crate) async fn book_all_the_time(
        &self,
        sales: &Sales<'_>,
        clients: u16,
        turn: Duration,
        processes: &Processes,
    ) -> Result<Lap> {
        let clients = connect(self.booking, clients).await?;
        let work = |end| {
            let one = move |mut client: Client| {
                again_and_again(end, Instant::now, async move || book(&mut client, sales.next()).await.map(drop))
            };
            clients.into_iter().map(one).collect()
        };
        lap(turn, processes, work).await
    }

    /// A turn of `rate` bookings a second, made by whichever of `clients` is free.
    pub(crate) async fn book_at(
        &self,
        sales: &Sales<'_>,
        rate: f64,
        clients: u16,
        turn: Duration,
        processes: &Processes,
    ) -> Result<Lap> {
        let clients = connect(self.booking, clients).await?;
        let (first, pause, ticket) = (Instant::now(), Duration::from_secs_f64(1.0 / rate), AtomicU32::new(0));
        let next = || first + pause * ticket.fetch_add(1, Ordering::Relaxed);
        let work = |end| {
            let one = |mut client: Client| {
                again_and_again(end, next, async move || book(&mut client, sales.next()).await.map(drop))
            };
            clients.into_iter().map(one).collect()
        };
        lap(turn, processes, work).await
    }

    /// A turn of `travellers`, each of whom books, pays, and sees the booking confirmed, again and again.
    pub(crate) async fn travel(
        &self,
        sales: &Sales<'_>,
        travellers: u16,
        turn: Duration,
        processes: &Processes,
    ) -> Result<Lap> {
        let booking = connect(self.booking, travellers).await?;
        let payment = connect(self.payment, travellers).await?;
        let simulator = connect(self.simulator, travellers).await?;
        let work = |end| {
            let one = |((mut booking, mut payment), mut simulator): ((Client, Client), Client)| {
                let travel = async move || buy(&mut booking, &mut payment, &mut simulator, sales.next()).await;
                again_and_again(end, Instant::now, travel)
            };
            booking.into_iter().zip(payment).zip(simulator).map(one).collect()
        };
        lap(turn, processes, work).await
    }
}

/// What comes of the work that many do at once until the turn's end.
async fn lap<W>(turn: Duration, processes: &Processes, work: impl FnOnce(Instant) -> Vec<W>) -> Result<Lap>
where
    W: Future<Output = Result<Vec<Duration>>>,
{
    let (before, started) = (processes.used(), Instant::now());
    let latencies = try_join_all(work(started + turn)).await?;
    Ok(Lap::new(latencies.concat(), started.elapsed(), processes.used_since(&before)))
}

/// Makes the next sale when it is `due`, until the `end`, and tells how long after that each was made.
async fn again_and_again(
    end: Instant,
    due: impl Fn() -> Instant,
    mut sell: impl AsyncFnMut() -> Result<()>,
) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    loop {
        let due = due();
        if due >= end {
            return Ok(latencies);
        }
        sleep_until(due).await;
        sell().await?;
        latencies.push(due.elapsed());
    }
}

/// Books one seat, and answers the booking's number.
async fn book(client: &mut Client, sale: Sale<'_>) -> Result<String> {
    let passenger = json!({ "name": "김승객", "birth_date": "1990-02-03", "gender": "M", "phone": "010-1234-5678" });
    let wanted = json!({ "schedule_id": sale.schedule_id, "passengers": [passenger] });
    let made = client.post("/api/bookings", sale, &wanted, StatusCode::CREATED).await?;
    Ok(made["booking_number"].as_str().context("a booking without its number")?.to_owned())
}

/// Books and pays, and makes sure that it is confirmed.
async fn buy(booking: &mut Client, payment: &mut Client, simulator: &mut Client, sale: Sale<'_>) -> Result<()> {
    let number = book(booking, sale).await?;
    let wanted = json!({ "bookingId": number, "amount": PRICE });
    let begun = payment.post("/api/payments/init", sale, &wanted, StatusCode::OK).await?;
    let paid = json!({ "order_id": begun["order_id"], "price": PRICE });
    simulator.post("/simulator/payments", sale, &paid, StatusCode::OK).await?;
    let seen = booking.ask(Method::GET, &format!("/api/bookings/{number}"), sale, None, StatusCode::OK).await?;
    ensure!(seen["booking"]["status"] == "CONFIRMED", "{number} was paid and is not confirmed: {seen}");
    Ok(())
}

/// A connection that is kept from request to request.
struct Client(SendRequest<Full<Bytes>>);

async fn connect(server: SocketAddr, clients: u16) -> Result<Vec<Client>> {
    try_join_all((0..clients).map(|_| Client::connect(server))).await
}

impl Client {
    async fn connect(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).await.with_context(|| format!("nobody answers at {server}"))?;
        stream.set_nodelay(true)?;
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // What goes wrong there is also told to the request.
        tokio::spawn(connection);
        Ok(Self(requests))
    }

    async fn post(&mut self, path: &str, sale: Sale<'_>, body: &Value, expected: StatusCode) -> Result<Value> {
        self.ask(Method::POST, path, sale, Some(body), expected).await
    }

    /// Any other answer than `expected` ends the run: what is refused is not done, and would be counted as if it were.
    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        sale: Sale<'_>,
        body: Option<&Value>,
        expected: StatusCode,
    ) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "cloudjet.localhost")
            .header(AUTHORIZATION, &sale.buyer.token)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body.map(Value::to_string).unwrap_or_default()))?;
        self.0.ready().await?;
        let (head, body) =
            self.0.send_request(request).await.with_context(|| format!("{path} is not answered"))?.into_parts();
        let body = body.collect().await?.to_bytes();
        ensure!(head.status == expected, "{path} answers {}: {}", head.status, String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }
}
