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
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::http::request;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::clock::Lap;
use crate::processes::Processes;
use crate::stage::{PRICE, Sale, Sales};

/// Where the system answers, and the connections to it, which are kept.
pub(crate) struct Service {
    client: Client<HttpConnector, Full<Bytes>>,
    booking: SocketAddr,
    payment: SocketAddr,
    simulator: SocketAddr,
}

impl Service {
    /// The one at these addresses.
    pub(crate) fn at(booking: SocketAddr, payment: SocketAddr, simulator: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), booking, payment, simulator }
    }

    /// A turn of `clients`, each of which books again as soon as it is answered.
    pub(crate) async fn book_all_the_time(
        &self,
        sales: &Sales<'_>,
        clients: u16,
        turn: Duration,
        processes: &Processes,
    ) -> Result<Lap> {
        let one = |end| again_and_again(end, Instant::now, async || self.book(sales.next()).await.map(drop));
        lap(clients, turn, processes, one).await
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
        let (first, pause, ticket) = (Instant::now(), Duration::from_secs_f64(1.0 / rate), AtomicU32::new(0));
        let next = || first + pause * ticket.fetch_add(1, Ordering::Relaxed);
        let one = |end| again_and_again(end, next, async || self.book(sales.next()).await.map(drop));
        lap(clients, turn, processes, one).await
    }

    /// A turn of `travellers`, each of whom books, pays, and sees the booking confirmed, again and again.
    pub(crate) async fn travel(
        &self,
        sales: &Sales<'_>,
        travellers: u16,
        turn: Duration,
        processes: &Processes,
    ) -> Result<Lap> {
        let one = |end| again_and_again(end, Instant::now, async || self.buy(sales.next()).await);
        lap(travellers, turn, processes, one).await
    }

    /// Books one seat, and answers what is said of it.
    pub(crate) async fn book(&self, sale: Sale<'_>) -> Result<Bytes> {
        let passenger =
            json!({ "name": "김승객", "birth_date": "1990-02-03", "gender": "M", "phone": "010-1234-5678" });
        let wanted = json!({ "schedule_id": sale.schedule_id, "passengers": [passenger] });
        let uri = format!("http://{}/api/bookings", self.booking);
        self.post(&uri, sale, &wanted, StatusCode::CREATED).await
    }

    /// Books and pays, and makes sure that it is confirmed.
    async fn buy(&self, sale: Sale<'_>) -> Result<()> {
        let made: Value = serde_json::from_slice(&self.book(sale).await?)?;
        let number = made["booking_number"].as_str().context("a booking without its number")?;
        let wanted = json!({ "bookingId": number, "amount": PRICE });
        let uri = format!("http://{}/api/payments/init", self.payment);
        let begun: Value = serde_json::from_slice(&self.post(&uri, sale, &wanted, StatusCode::OK).await?)?;
        let paid = json!({ "order_id": begun["order_id"], "price": PRICE });
        let uri = format!("http://{}/simulator/payments", self.simulator);
        self.post(&uri, sale, &paid, StatusCode::OK).await?;
        let uri = format!("http://{}/api/bookings/{number}", self.booking);
        let seen = self.ask(Request::get(&uri), sale, String::new(), StatusCode::OK).await.context(uri)?;
        let seen: Value = serde_json::from_slice(&seen)?;
        ensure!(seen["booking"]["status"] == "CONFIRMED", "{number} was paid and is not confirmed: {seen}");
        Ok(())
    }

    async fn post(&self, uri: &str, sale: Sale<'_>, body: &Value, expected: StatusCode) -> Result<Bytes> {
        let request = Request::post(uri).header(CONTENT_TYPE, "application/json");
        self.ask(request, sale, body.to_string(), expected).await.with_context(|| uri.to_owned())
    }

    /// Any other answer than `expected` ends the run: what is refused is not done, and would be counted as if it were.
    async fn ask(
        &self,
        request: request::Builder,
        sale: Sale<'_>,
        body: String,
        expected: StatusCode,
    ) -> Result<Bytes> {
        let request = request.header(AUTHORIZATION, &sale.buyer.token).body(body.into())?;
        let (head, body) = self.client.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        ensure!(head.status == expected, "it answers {}: {}", head.status, String::from_utf8_lossy(&body));
        Ok(body)
    }
}

/// What comes of a turn in which so many `clients` do what `one` does until its end.
async fn lap<W>(clients: u16, turn: Duration, processes: &Processes, one: impl Fn(Instant) -> W) -> Result<Lap>
where
    W: Future<Output = Result<Vec<Duration>>>,
{
    let (before, started) = (processes.used(), Instant::now());
    let latencies = try_join_all((0..clients).map(|_| one(started + turn))).await?;
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
