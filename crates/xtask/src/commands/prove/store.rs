//! What is asked of the database. Every question is one statement, so its answer is of one moment.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};

use crate::servers::Console;

/// The accounts of the crowd are numbered from here.
pub(super) const FIRST_ACCOUNT: u64 = 1_000_000;

/// Those whose rows must be the same everywhere.
const TABLES: [&str; 12] = [
    "bookings",
    "passengers",
    "payments",
    "charges",
    "refunds",
    "claims",
    "flight_schedules",
    "idempotency_keys",
    "events",
    "outbox",
    "provider_calls",
    "provider_events",
];

/// A way to a database server.
pub(super) struct Store(Console);

/// A flight on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    pub(super) id: u64,
}

/// How many seats of a schedule are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seats {
    /// Free, as the counter has it.
    pub(super) free: i64,
    pub(super) held: i64,
    pub(super) sold: i64,
}

/// A booking as the database has it, with what was paid for it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) user: u64,
    pub(super) schedule: u64,
    pub(super) status: String,
    pub(super) total: i64,
    pub(super) passengers: usize,
    pub(super) seats: Vec<String>,
    pub(super) charged: i64,
    pub(super) given_back: i64,
}

/// A receipt as the database has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Charge {
    pub(super) amount: i64,
    pub(super) given_back: i64,
    /// What our refunds of it come to, those that were paid.
    pub(super) refunded: i64,
}

impl Store {
    /// The server that `console` leads to.
    pub(super) fn of(console: Console) -> Self {
        Self(console)
    }

    /// The same account's way to the server on another port.
    pub(super) fn at(&self, port: u16) -> Self {
        Self(self.0.at(port))
    }

    /// Makes `count` accounts that nobody can log in to.
    pub(super) async fn open_accounts(&self, count: usize) -> Result<()> {
        let accounts: Vec<String> = (FIRST_ACCOUNT..)
            .take(count)
            .map(|id| format!("({id}, 'Buyer {id}', 'buyer{id}@example.com', '!', '010-0000-0000')"))
            .collect();
        let sql =
            format!("insert into users (user_id, name, email, password_hash, phone) values {}", accounts.join(", "));
        self.0.run(&sql).await
    }

    /// The schedule of a flight on its only day.
    pub(super) async fn schedule(&self, flight: &str) -> Result<Schedule> {
        let sql = format!("select schedule_id from flight_schedules where flight_id = '{flight}'");
        Ok(Schedule { id: self.0.value(&sql).await?.parse()? })
    }

    /// An administrator's account.
    pub(super) async fn administrator(&self) -> Result<u64> {
        Ok(self.0.value("select min(user_id) from users where role = 'ADMIN'").await?.parse()?)
    }

    /// Where the seats of `schedule` are.
    pub(super) async fn seats(&self, schedule: Schedule) -> Result<Seats> {
        let sql = format!(
            "select s.available_seats - s.oversold, coalesce(sum(if(c.state = 'HELD', c.quantity, 0)), 0),
                    coalesce(sum(if(c.state = 'SOLD', c.quantity, 0)), 0)
             from flight_schedules s left join claims c on c.pool_id = s.schedule_id
             where s.schedule_id = {} group by s.schedule_id",
            schedule.id
        );
        let row = self.0.row(&sql).await?;
        Ok(Seats { free: number(&row, 0)?, held: number(&row, 1)?, sold: number(&row, 2)? })
    }

    /// Everything that the crowd has booked, by its number.
    pub(super) async fn bookings(&self) -> Result<BTreeMap<String, Row>> {
        let sql = format!(
            "select b.booking_number, b.user_id, b.schedule_id, b.status, b.total_amount,
                    (select count(*) from passengers p where p.booking_id = b.booking_id),
                    coalesce((select group_concat(p.seat_number) from passengers p where p.booking_id = b.booking_id), ''),
                    coalesce((select sum(c.amount) from charges c join payments m on m.payment_id = c.payment_id
                              where m.booking_id = b.booking_id and c.was_paid), 0),
                    coalesce((select sum(c.cancelled) from charges c join payments m on m.payment_id = c.payment_id
                              where m.booking_id = b.booking_id and c.was_paid), 0)
             from bookings b where b.user_id >= {FIRST_ACCOUNT}"
        );
        let mut bookings = BTreeMap::new();
        for row in self.0.rows(&sql).await? {
            let booking = Row {
                user: number(&row, 1)?.try_into()?,
                schedule: number(&row, 2)?.try_into()?,
                status: text(&row, 3)?.to_owned(),
                total: number(&row, 4)?,
                passengers: number(&row, 5)?.try_into()?,
                seats: text(&row, 6)?.split(',').filter(|seat| !seat.is_empty()).map(str::to_owned).collect(),
                charged: number(&row, 7)?,
                given_back: number(&row, 8)?,
            };
            if bookings.insert(text(&row, 0)?.to_owned(), booking).is_some() {
                bail!("two bookings have the number {}", text(&row, 0)?);
            }
        }
        Ok(bookings)
    }

    /// Every receipt that was paid, by its name at the provider.
    pub(super) async fn charges(&self) -> Result<BTreeMap<String, Charge>> {
        let sql = "select c.receipt_id, c.amount, c.cancelled,
                          coalesce((select sum(r.amount) from refunds r
                                    where r.receipt_id = c.receipt_id and r.state = 'SUCCEEDED'), 0)
                   from charges c where c.was_paid";
        let rows = self.0.rows(sql).await?;
        rows.iter()
            .map(|row| {
                let charge = Charge { amount: number(row, 1)?, given_back: number(row, 2)?, refunded: number(row, 3)? };
                Ok((text(row, 0)?.to_owned(), charge))
            })
            .collect()
    }

    /// How much is still under way: holds, refunds that aren't paid, calls whose outcome isn't known, bookings that
    /// wait, messages that aren't applied.
    pub(super) async fn under_way(&self) -> Result<[i64; 5]> {
        let sql = "select (select count(*) from claims where state = 'HELD'),
                          (select count(*) from refunds where state <> 'SUCCEEDED'),
                          (select count(*) from provider_calls where state = 'STARTED'),
                          (select count(*) from bookings where status = 'PENDING'),
                          (select count(*) from provider_events where applied_at is null)";
        let row = self.0.row(sql).await?;
        Ok([number(&row, 0)?, number(&row, 1)?, number(&row, 2)?, number(&row, 3)?, number(&row, 4)?])
    }

    /// Refunds by state.
    pub(super) async fn refunds(&self) -> Result<BTreeMap<String, i64>> {
        let rows = self.0.rows("select state, count(*) from refunds group by state").await?;
        rows.iter().map(|row| Ok((text(row, 0)?.to_owned(), number(row, 1)?))).collect()
    }

    /// What each of [`TABLES`] comes to, which is the same on every server that has the same rows. (`checksum table` also
    /// reads what the server computes for itself, and differs where rows don't.)
    pub(super) async fn checksums(&self) -> Result<BTreeMap<String, String>> {
        let named = TABLES.map(|table| format!("'{table}'")).join(", ");
        let sql = format!(
            "select table_name, group_concat(concat('coalesce(hex(', column_name, '), 0)') order by ordinal_position)
             from information_schema.columns
             where table_schema = database() and table_name in ({named}) and is_generated = 'NEVER'
             group by table_name"
        );
        let mut sums = BTreeMap::new();
        for row in self.0.rows(&format!("set session group_concat_max_len = 65535; {sql}")).await? {
            let (table, columns) = (text(&row, 0)?, text(&row, 1)?);
            let sql = format!("select count(*), bit_xor(crc32(concat_ws(',', {columns}))) from {table}");
            sums.insert(table.to_owned(), self.0.row(&sql).await?.join(" "));
        }
        Ok(sums)
    }

    /// Whether the server takes part in its cluster, and may be written to.
    pub(super) async fn is_synced(&self) -> bool {
        let synced = "show status where variable_name in ('wsrep_ready', 'wsrep_local_state_comment')";
        let Ok(rows) = self.0.rows(synced).await else { return false };
        let values: Vec<_> = rows.iter().filter_map(|row| row.get(1)).map(String::as_str).collect();
        values.contains(&"ON") && values.contains(&"Synced")
    }

    /// A figure that the server keeps of itself.
    pub(super) async fn status(&self, name: &str) -> Result<i64> {
        number(&self.0.row(&format!("show global status where variable_name = '{name}'")).await?, 1)
    }

    /// Lets the server follow the primary on `port`, from its first write on.
    pub(super) async fn follow(&self, port: u16, password: &str) -> Result<()> {
        let sql = format!(
            "change master to master_host = '127.0.0.1', master_port = {port}, master_user = 'cloudjet',
                master_password = '{password}', master_use_gtid = slave_pos, master_connect_retry = 1;
             start slave"
        );
        self.0.run(&sql).await
    }

    /// Pauses or goes on with what it follows.
    pub(super) async fn set_following(&self, on: bool) -> Result<()> {
        self.0.run(if on { "start slave" } else { "stop slave" }).await
    }

    /// How far it has come: what it wrote or applied last.
    pub(super) async fn position(&self, is_primary: bool) -> Result<String> {
        let variable = if is_primary { "gtid_binlog_pos" } else { "gtid_slave_pos" };
        self.0.value(&format!("select @@global.{variable}")).await
    }
}

fn text(row: &[String], column: usize) -> Result<&str> {
    row.get(column).map(String::as_str).context("a row is too short")
}

fn number(row: &[String], column: usize) -> Result<i64> {
    text(row, column)?.parse().with_context(|| format!("{row:?} has no number in column {column}"))
}
