//! The original's eight tables, and how to tell its database from ours, from an empty one and from anybody else's.
//!
//! Only columns and their types are compared: its keys have no names of their own to rely on, and what they promise
//! is looked at row by row before anything is changed.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, MySqlConnection};

use super::fix::RowId;
use crate::error::Error;

/// What the original's tables are called while they are adopted.
pub(super) const ASIDE: &str = "original_";

/// A table of the original.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Its primary key.
    pub(super) key: &'static str,
    /// Whether that key is a number the database gives out.
    pub(super) is_numbered: bool,
    /// Its columns and their types. Ids are `int`, and may have been widened already.
    pub(super) columns: &'static [(&'static str, &'static str)],
}

impl Table {
    /// The row whose primary key reads `key`.
    pub(super) fn row(&self, key: String) -> RowId {
        match key.parse() {
            Ok(id) if self.is_numbered => RowId::Number(id),
            _ => RowId::Key(key),
        }
    }
}

/// The table `name`, which is one of [`TABLES`].
pub(super) fn named(name: &str) -> &'static Table {
    TABLES.iter().find(|table| table.name == name).unwrap_or(&TABLES[0])
}

/// In the order in which they refer to each other.
pub(super) const TABLES: [Table; 8] = [
    Table {
        name: "users",
        key: "user_id",
        is_numbered: true,
        columns: &[
            ("user_id", "int"),
            ("name", "varchar(50)"),
            ("email", "varchar(100)"),
            ("password_hash", "varchar(255)"),
            ("phone", "varchar(20)"),
            ("birth_date", "date"),
            ("role", "enum('USER','ADMIN')"),
            ("created_at", "timestamp"),
            ("updated_at", "timestamp"),
        ],
    },
    Table {
        name: "airports",
        key: "airport_code",
        is_numbered: false,
        columns: &[
            ("airport_code", "varchar(3)"),
            ("airport_name", "varchar(100)"),
            ("city", "varchar(50)"),
            ("country", "varchar(50)"),
        ],
    },
    Table {
        name: "flights",
        key: "flight_id",
        is_numbered: false,
        columns: &[
            ("flight_id", "varchar(10)"),
            ("airline", "varchar(50)"),
            ("departure_airport", "varchar(3)"),
            ("arrival_airport", "varchar(3)"),
            ("departure_time", "time"),
            ("arrival_time", "time"),
            ("duration", "varchar(20)"),
            ("aircraft", "varchar(50)"),
            ("base_price", "int"),
            ("total_seats", "int"),
            ("is_active", "tinyint(1)"),
        ],
    },
    Table {
        name: "flight_schedules",
        key: "schedule_id",
        is_numbered: true,
        columns: &[
            ("schedule_id", "int"),
            ("flight_id", "varchar(10)"),
            ("flight_date", "date"),
            ("current_price", "int"),
            ("available_seats", "int"),
            ("status", "enum('ACTIVE','CANCELLED','DELAYED')"),
            ("created_at", "timestamp"),
        ],
    },
    Table {
        name: "bookings",
        key: "booking_id",
        is_numbered: true,
        columns: &[
            ("booking_id", "int"),
            ("booking_number", "varchar(20)"),
            ("user_id", "int"),
            ("schedule_id", "int"),
            ("seat_number", "varchar(5)"),
            ("total_amount", "int"),
            ("contact_email", "varchar(100)"),
            ("contact_phone", "varchar(20)"),
            ("payment_method", "varchar(20)"),
            ("status", "enum('CONFIRMED','CANCELLED','COMPLETED')"),
            ("created_at", "timestamp"),
        ],
    },
    Table {
        name: "passengers",
        key: "passenger_id",
        is_numbered: true,
        columns: &[
            ("passenger_id", "int"),
            ("booking_id", "int"),
            ("name_kor", "varchar(50)"),
            ("name_eng", "varchar(100)"),
            ("birth_date", "date"),
            ("gender", "enum('M','F')"),
            ("seat_number", "varchar(5)"),
        ],
    },
    Table {
        name: "payments",
        key: "payment_id",
        is_numbered: true,
        columns: &[
            ("payment_id", "int"),
            ("booking_id", "int"),
            ("user_id", "int"),
            ("method", "enum('CARD','KAKAO')"),
            ("provider", "enum('NICEPAY','KAKAO')"),
            ("amount", "int"),
            ("currency", "varchar(10)"),
            ("status", "enum('REQUESTED','PAID','FAILED','CANCELLED')"),
            ("bootpay_receipt_id", "varchar(64)"),
            ("order_id", "varchar(64)"),
            ("raw_payload", "json"),
            ("created_at", "timestamp"),
            ("updated_at", "timestamp"),
        ],
    },
    Table {
        name: "flight_discounts",
        key: "discount_id",
        is_numbered: true,
        columns: &[
            ("discount_id", "int"),
            ("schedule_id", "int"),
            ("discount_percentage", "int"),
            ("status", "enum('ACTIVE','INACTIVE','EXPIRED')"),
            ("created_at", "timestamp"),
            ("updated_at", "timestamp"),
        ],
    },
];

/// What the original's foreign keys promise: the column of the table refers to the table.
const REFERENCES: [(&str, &str, &str); 9] = [
    ("flights", "departure_airport", "airports"),
    ("flights", "arrival_airport", "airports"),
    ("flight_schedules", "flight_id", "flights"),
    ("bookings", "user_id", "users"),
    ("bookings", "schedule_id", "flight_schedules"),
    ("passengers", "booking_id", "bookings"),
    ("payments", "booking_id", "bookings"),
    ("payments", "user_id", "users"),
    ("flight_discounts", "schedule_id", "flight_schedules"),
];

/// What the original's unique keys promise, by our collation.
const UNIQUE: [(&str, &str); 5] = [
    ("users", "email collate utf8mb4_unicode_ci"),
    ("flight_schedules", "concat_ws(' ', flight_id, flight_date) collate utf8mb4_unicode_ci"),
    ("bookings", "booking_number collate utf8mb4_unicode_ci"),
    ("payments", "bootpay_receipt_id collate utf8mb4_unicode_ci"),
    ("payments", "order_id collate utf8mb4_unicode_ci"),
];

/// Whose database it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nobody's yet, or ours.
    Ours,
    /// The original's, as it left it.
    Original,
    /// One whose adoption was begun: the original's tables are set aside.
    SetAside,
    /// One whose adoption is done but for the last of the original's tables.
    Leftovers,
}

/// Looks whose database this is, and refuses one that is nobody's we know.
pub(super) async fn recognise(connection: &mut MySqlConnection) -> Result<Found, Error> {
    let shape = shape(connection).await?;
    let has = |table: &str| shape.contains_key(table);
    let aside = TABLES.iter().filter(|table| has(&format!("{ASIDE}{}", table.name))).count();
    match (has(super::ledger::TABLE), has("_sqlx_migrations")) {
        (true, _) if aside == TABLES.len() => {
            // Somebody put a backup beside what is half adopted.
            let id = shape.get("users").and_then(|columns| columns.get("user_id"));
            if id.is_some_and(|kind| kind == "int") {
                let both = "both users and original_users are the original's; restore a backup into an empty database";
                return Err(Error::Foreign { differences: vec![both.to_owned()] });
            }
            Ok(Found::SetAside)
        }
        (true, true) => Ok(Found::Leftovers),
        (false, true) => Ok(Found::Ours),
        (ledger, false) if shape.len() == usize::from(ledger) => Ok(Found::Ours),
        (_, false) => {
            let differences = differences(&shape);
            if differences.is_empty() { Ok(Found::Original) } else { Err(Error::Foreign { differences }) }
        }
    }
}

type Shape = BTreeMap<String, BTreeMap<String, String>>;

/// The tables of the database, with the types of their columns, spelled alike for both servers.
async fn shape(connection: &mut MySqlConnection) -> sqlx::Result<Shape> {
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "select c.table_name, c.column_name, c.column_type
         from information_schema.columns c
         join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
         where c.table_schema = database() and t.table_type = 'BASE TABLE'",
    )
    .fetch_all(connection)
    .await?;
    let mut shape = Shape::new();
    for (table, column, kind) in columns {
        shape.entry(table).or_default().insert(column.to_lowercase(), spelled(&kind));
    }
    Ok(shape)
}

/// A type as [`TABLES`] spells it: MariaDB tells how wide a number is shown, and keeps JSON as text.
fn spelled(kind: &str) -> String {
    match kind {
        "longtext" => "json".to_owned(),
        _ if kind.starts_with("int(") => "int".to_owned(),
        _ if kind.starts_with("bigint(") => "bigint".to_owned(),
        _ => kind.to_owned(),
    }
}

fn differences(shape: &Shape) -> Vec<String> {
    let mut differences = Vec::new();
    for Table { name, columns, .. } in &TABLES {
        let Some(found) = shape.get(*name) else {
            differences.push(format!("table {name} is missing"));
            continue;
        };
        for (column, kind) in *columns {
            match found.get(*column) {
                None => differences.push(format!("{name}.{column} is missing")),
                Some(other) if other == kind || (column.ends_with("_id") && *kind == "int" && other == "bigint") => {}
                Some(other) => differences.push(format!("{name}.{column} is {other}, not {kind}")),
            }
        }
        let known: BTreeSet<&str> = columns.iter().map(|(column, _)| *column).collect();
        let unknown = found.keys().filter(|column| !known.contains(column.as_str()));
        differences.extend(unknown.map(|column| format!("{name}.{column} isn't the original's")));
    }
    let aside = TABLES.iter().map(|table| format!("{ASIDE}{}", table.name));
    let in_the_way = [
        "charges",
        "claims",
        "events",
        "idempotency_keys",
        "outbox",
        "provider_calls",
        "provider_events",
        "refund_rules",
        "refund_tiers",
        "refunds",
    ]
    .map(str::to_owned);
    for table in in_the_way.into_iter().chain(aside).filter(|table| shape.contains_key(table)) {
        differences.push(format!("table {table} is in the way"));
    }
    differences
}

/// Refuses what could not be adopted whole: rows that break a promise of the original's own keys, and what others
/// have tied to its tables, which would be lost.
pub(super) async fn check(connection: &mut MySqlConnection) -> Result<(), Error> {
    let mut differences = Vec::new();
    let mut ask = async |sql: String| -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *connection).await
    };
    for (table, column, other) in REFERENCES {
        let other_key = named(other).key;
        let orphans = ask(format!(
            "select cast(count(*) as char) from {table} t left join {other} o on o.{other_key} = t.{column}
             where t.{column} is not null and o.{other_key} is null having count(*) > 0"
        ));
        differences.extend(orphans.await?.iter().map(|n| format!("{n} rows of {table} have a {column} of no {other}")));
    }
    for (table, expression) in UNIQUE {
        let twice = ask(format!(
            "select cast(count(*) as char) from (select 1 from {table} where {expression} is not null
                                                  group by {expression} having count(*) > 1) d having count(*) > 0"
        ));
        let column = expression.trim_end_matches(" collate utf8mb4_unicode_ci");
        differences.extend(twice.await?.iter().map(|n| format!("{n} values of {column} in {table} are not unique")));
    }
    let is_originals = |name: &str| TABLES.iter().any(|table| table.name == name);
    let triggers =
        ask("select event_object_table from information_schema.triggers where trigger_schema = database()".to_owned());
    let watched = triggers.await?;
    differences.extend(
        watched.iter().filter(|t| is_originals(t)).map(|t| format!("table {t} has a trigger, which would be lost")),
    );
    let references =
        ask("select concat(table_name, ' ', referenced_table_name) from information_schema.referential_constraints
                          where constraint_schema = database()"
            .to_owned());
    for pair in references.await? {
        if let Some((from, to)) = pair.split_once(' ')
            && is_originals(to)
            && !is_originals(from)
        {
            differences.push(format!("table {from}, which isn't the original's, refers to {to}"));
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(Error::Foreign { differences }) }
}
