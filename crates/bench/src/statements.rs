//! The statements of one booking, as the service sends them: not a copy of them kept here, but overheard.
//!
//! The server's general log tells each statement's text; what stands here is only which values go into it. A statement
//! that nobody here knows ends the run, so the yardstick can't fall behind the service. The one trap is what the
//! services' jobs ask in between: what belongs to a booking is what was heard at each of several.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{FutureExt as _, TryFutureExt as _};
use sqlx::Row as _;
use tokio::time::sleep;
use uuid::Uuid;

use crate::processes::Processes;
use crate::service::Service;
use crate::stage::{PRICE, Sale, Sales, Stage};

/// How many bookings are listened to.
const BOOKINGS: usize = 8;

/// How long nothing may be heard before it is listened to bookings, and how often that is tried.
const A_WHILE: Duration = Duration::from_millis(300);
const PATIENCE: usize = 200;

/// How many clients book at first, so that all of the service's connections have prepared what they need.
const WARMING: u16 = 32;

/// How the statement begins that makes a booking's row.
const MAKES_BOOKING: &str = "insert into bookings";

/// How long unpaid seats are held, in seconds.
const HOLD: i64 = 900;

/// A value of a statement's parameter.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A booking on its way, bare.
pub(crate) struct Draft<'a> {
    sale: Sale<'a>,
    hold: Uuid,
    event: Uuid,
    number: String,
    /// What the database called the booking, once it is there.
    pub(crate) booking_id: i64,
}

impl<'a> Draft<'a> {
    /// A new one.
    pub(crate) fn of(sale: Sale<'a>) -> Self {
        let (hold, event) = (Uuid::now_v7(), Uuid::now_v7());
        Self { sale, hold, event, number: number(hold), booking_id: 0 }
    }
}

/// A booking's number of ten characters, as the service draws them: forty bits of chance, which the id's last ones are.
fn number(id: Uuid) -> String {
    const LETTERS: &[u8; 32] = b"23456789ABCDEFGHIJKLMNOPQRSTUVWX";
    let bits = id.as_u128();
    let letters = (0..8).map(|n| char::from(LETTERS[usize::try_from(bits >> (5 * n) & 31).unwrap_or_default()]));
    std::iter::once("CJ".to_owned()).chain(letters.map(String::from)).collect()
}

/// One statement of a booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    Begin,
    Commit,
    /// One that takes values.
    Run {
        text: String,
        known: usize,
    },
}

impl Statement {
    /// The values that it takes for `draft`.
    pub(crate) fn values(known: usize, draft: &Draft<'_>) -> Vec<Value> {
        KNOWN[known].1(draft)
    }

    /// Whether it makes the booking's row.
    pub(crate) fn makes_booking(&self) -> bool {
        matches!(self, Self::Run { text, .. } if text.starts_with(MAKES_BOOKING))
    }
}

type Values = fn(&Draft<'_>) -> Vec<Value>;

/// How each statement begins, and the values that it takes.
const KNOWN: [(&str, Values); 13] = [
    ("select role from users", |draft| vec![Value::Int(draft.sale.buyer.user_id)]),
    ("select email, phone from users", |draft| vec![Value::Int(draft.sale.buyer.user_id)]),
    ("select payment_id, order_id, booking_id", |draft| {
        vec![Value::Int(HOLD), buyer(draft), schedule(draft), Value::Int(1)]
    }),
    ("select s.schedule_id, s.flight_id", |draft| vec![schedule(draft)]),
    ("select flight_date, current_price", |draft| vec![schedule(draft)]),
    ("select claim_id", |draft| vec![schedule(draft)]),
    ("select cast(sum(quantity)", |draft| vec![schedule(draft), buyer(draft)]),
    ("update flight_schedules", |draft| vec![Value::Int(1), schedule(draft), Value::Int(1)]),
    ("insert into claims", |draft| {
        vec![hold(draft), schedule(draft), buyer(draft), Value::Null, Value::Int(1), Value::Int(HOLD), Value::Int(0)]
    }),
    (MAKES_BOOKING, booking),
    ("insert into passengers", |draft| {
        let [name, sex, phone] = ["김승객", "M", "010-1234-5678"].map(Value::from);
        vec![
            Value::Int(draft.booking_id),
            name,
            Value::Null,
            "1990-02-03".into(),
            sex,
            phone,
            Value::Null,
            Value::Int(PRICE),
        ]
    }),
    ("insert into events", |draft| {
        let [actor, subject, action] = ["USER", "BOOKING", "booked"].map(Value::from);
        let detail = format!(r#"{{"new":{{"payment_id":null,"status":"PENDING","total":{PRICE}}},"old":null}}"#);
        let request = Value::Text(draft.event.to_string());
        let id = Value::Text(draft.booking_id.to_string());
        vec![Value::Bytes(draft.event.into()), actor, buyer(draft), request, subject, id, action, Value::Text(detail)]
    }),
    ("select payment_due_at", |draft| vec![Value::Int(draft.booking_id)]),
];

fn buyer(draft: &Draft<'_>) -> Value {
    Value::Int(draft.sale.buyer.user_id)
}

fn schedule(draft: &Draft<'_>) -> Value {
    Value::Int(draft.sale.schedule_id)
}

fn hold(draft: &Draft<'_>) -> Value {
    Value::Bytes(draft.hold.into())
}

fn booking(draft: &Draft<'_>) -> Vec<Value> {
    let mut values = vec![Value::Text(draft.number.clone()), buyer(draft), schedule(draft), Value::Null];
    values.extend([Value::Int(PRICE), "passenger@example.com".into(), "010-1234-5678".into(), "card".into()]);
    values.extend(["PENDING".into(), hold(draft), Value::Int(1), Value::Int(HOLD), Value::Int(1)]);
    let flight = ["BN000", "CloudJet", "ICN", "NRT", "10:00:00", "12:30:00", "2h 30m", "Boeing 737-800"];
    values.extend(flight.map(Value::from));
    values.extend([Value::Int(PRICE), Value::Null]);
    values
}

/// Listens to what the service sends for one booking.
pub(crate) async fn learn(stage: &Stage, service: &Service) -> Result<Vec<Statement>> {
    // What is prepared while the log is on would be told with its values instead of question marks.
    let sales = Sales::spread(stage);
    service.book_all_the_time(&sales, WARMING, A_WHILE * 3, &Processes::watch(&[])).await?;
    until_quiet(stage).await?;
    let sale = sales.next();
    let mut last = Vec::new();
    let mut always: Option<BTreeSet<String>> = None;
    for _ in 0..BOOKINGS {
        last = overhear(stage, service.book(sale).map_ok(drop)).await?;
        let heard: BTreeSet<_> = last.iter().map(|heard| heard.text.clone()).collect();
        always = Some(always.map_or_else(|| heard.clone(), |always| always.intersection(&heard).cloned().collect()));
    }
    let always = always.unwrap_or_default();
    let books = |heard: &&Heard| heard.text.starts_with(MAKES_BOOKING);
    let connection = last.iter().find(books).context("no booking was overheard")?.connection;
    let of_booking = last.iter().filter(|heard| {
        let is_control = ["BEGIN", "COMMIT"].contains(&heard.text.as_str());
        always.contains(&heard.text) && (!is_control || heard.connection == connection)
    });
    let statements = of_booking.map(|heard| recognise(&heard.text)).collect::<Result<Vec<_>>>()?;
    let whole = last.iter().filter(|heard| heard.connection == connection).all(|heard| always.contains(&heard.text));
    let transactions = statements.iter().filter(|statement| **statement == Statement::Begin).count();
    ensure!(whole && transactions == 1, "a booking was not overheard whole, or something besides: try again");
    Ok(statements)
}

/// Waits until the services are done with what they do when flights are new.
async fn until_quiet(stage: &Stage) -> Result<()> {
    for _ in 0..PATIENCE {
        if overhear(stage, sleep(A_WHILE).map(Ok)).await?.is_empty() {
            return Ok(());
        }
    }
    bail!("the services' jobs leave the database no rest")
}

/// A statement that the database was asked.
struct Heard {
    connection: i64,
    text: String,
}

/// What the database was asked during `work`, by whomever.
async fn overhear(stage: &Stage, work: impl Future<Output = Result<()>>) -> Result<Vec<Heard>> {
    let mut listener = stage.db.acquire().await?;
    for order in ["set global log_output = 'TABLE'", "truncate mysql.general_log", "set global general_log = on"] {
        sqlx::raw_sql(order).execute(&mut *listener).await.context("the database's general log can't be used")?;
    }
    let worked = work.await;
    sqlx::raw_sql("set global general_log = off").execute(&mut *listener).await?;
    worked?;
    let heard = "select cast(thread_id as signed) as connection, convert(argument using utf8mb4) as text
                 from mysql.general_log
                 where command_type in ('Execute', 'Query') and argument not like 'set global%'";
    let rows = sqlx::raw_sql(heard).fetch_all(&mut *listener).await?;
    rows.iter().map(|row| Ok(Heard { connection: row.try_get("connection")?, text: row.try_get("text")? })).collect()
}

fn recognise(text: &str) -> Result<Statement> {
    match text {
        "BEGIN" => return Ok(Statement::Begin),
        "COMMIT" => return Ok(Statement::Commit),
        _ => {}
    }
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let known = KNOWN.iter().position(|(start, _)| words.starts_with(start));
    let known = known.with_context(|| format!("a booking runs what bench::statements does not know: {words}"))?;
    let takes = text.matches('?').count();
    let nobody = crate::stage::Buyer { user_id: 0, token: String::new() };
    let given = Statement::values(known, &Draft::of(Sale { schedule_id: 0, buyer: &nobody })).len();
    ensure!(takes == given, "bench::statements gives {given} values to what takes {takes}: {words}");
    Ok(Statement::Run { text: text.to_owned(), known })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_known_or_the_run_ends() {
        assert_eq!(recognise("BEGIN").unwrap(), Statement::Begin);
        assert!(recognise("select role\n  from users where user_id = ?").is_ok());
        let error = recognise("select role from users where user_id = ? and born > ?").unwrap_err().to_string();
        assert!(error.contains("gives 1 values to what takes 2"), "{error}");
        let error = recognise("delete from bookings").unwrap_err().to_string();
        assert!(error.contains("delete from bookings"), "{error}");
    }
}
