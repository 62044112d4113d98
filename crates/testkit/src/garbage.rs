//! What must hold of every operation, whatever comes in: requests that are sound but for one thing, and worse.
//!
//! A request begins as a [`Sample`], one that the service accepts, and is spoiled by chance. What doesn't hold is told
//! with the request it doesn't hold for, and then it is a test to be written down.

use axum::body::Body;
use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION};
use axum::http::{HeaderName, HeaderValue, Method};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use sqlx::MySqlPool;

use crate::{Answer, Client};

/// A request that is accepted.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// Its body, where it has one.
    pub body: Option<Value>,
}

/// A request of which nothing is certain.
#[derive(Clone, Debug)]
pub struct Request {
    /// The sample's method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// One header more.
    pub header: Option<(HeaderName, HeaderValue)>,
    /// Its media type.
    pub content_type: Option<&'static str>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Request {
    /// Sends it.
    pub async fn by(self, client: &Client) -> Answer {
        let client = self.header.map_or(client.clone(), |(name, value)| client.with_bytes(name, value));
        client.send(self.method, &self.path, self.content_type, Body::from(self.body)).await
    }
}

/// Sends every sample, spoiled in `cases` ways, and asserts that it is answered, in JSON and never with 5xx; that a
/// refusal says something, and a 400 and the like leaves no trace in the database. `PROPTEST_CASES`, 256 if it isn't
/// set, asks for more.
///
/// # Panics
/// When it isn't so.
pub async fn assert_survived(db: &MySqlPool, samples: &[Sample], cases: u32, send: impl AsyncFn(Request) -> Answer) {
    let mut chance = TestRunner::default();
    let cases = cases * chance.config().cases / 256;
    let mut rows = traces(db).await;
    for sample in samples {
        let spoiled = spoiled(sample);
        for _ in 0..cases {
            let request = spoiled.new_tree(&mut chance).expect("a request").current();
            let answer = send(request.clone()).await;
            let status = answer.status.as_u16();
            assert!(status < 500, "{status} {}\n{}", answer.body, told(&request));
            if status >= 400 {
                assert!(
                    answer.body["message"].as_str().is_some_and(|m| !m.is_empty()),
                    "{status} {}\n{}",
                    answer.body,
                    told(&request)
                );
                assert_eq!(answer.headers["x-request-id"], answer.body["request_id"].as_str().unwrap_or_default());
            }
            let rows_now = traces(db).await;
            if matches!(status, 400 | 401 | 403 | 405 | 413 | 415) {
                assert_eq!(rows, rows_now, "{status} {}\n{}", answer.body, told(&request));
            }
            rows = rows_now;
        }
    }
}

fn told(request: &Request) -> String {
    let body = String::from_utf8_lossy(&request.body);
    format!("{request:?}\n{}", body.chars().take(2000).collect::<String>())
}

/// How many rows there are, of whatever is written by requests.
async fn traces(db: &MySqlPool) -> i64 {
    sqlx::query_scalar(
        "select (select count(*) from users) + (select count(*) from bookings) + (select count(*) from claims)
              + (select count(*) from payments) + (select count(*) from charges) + (select count(*) from events)",
    )
    .fetch_one(db)
    .await
    .expect("a count")
}

/// What a sample becomes.
fn spoiled(sample: &Sample) -> BoxedStrategy<Request> {
    let sound = Request {
        method: sample.method.clone(),
        path: sample.path.clone(),
        header: None,
        content_type: sample.body.as_ref().map(|_| "application/json"),
        body: sample.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default(),
    };
    let (by_path, by_header) = (sound.clone(), sound.clone());
    let path = path(&sample.path).prop_map(move |path| Request { path, ..by_path.clone() });
    let header = header().prop_map(move |header| Request { header: Some(header), ..by_header.clone() });
    let Some(body) = sample.body.clone() else { return prop_oneof![path, header].boxed() };
    let content_types =
        vec!["application/json", "application/x-www-form-urlencoded", "application/json; charset=latin1", "text/plain"];
    let (by_value, by_json) = (sound.clone(), sound.clone());
    let bytes = (vec(any::<u8>(), 0..200), select(content_types)).prop_map(move |(body, content_type)| Request {
        body,
        content_type: Some(content_type),
        ..sound.clone()
    });
    let other = json().prop_map(move |body| Request { body: body.to_string().into_bytes(), ..by_json.clone() });
    let value = (any::<Index>(), json(), any::<bool>()).prop_map(move |(place, value, instead)| {
        let mut body = body.clone();
        let mut places = 0;
        visit(&mut body, &mut |_| places += 1);
        let mut left = place.index(places);
        visit(&mut body, &mut |old| {
            if left == 0 {
                *old = if instead { value.clone() } else { Value::Null };
            }
            left = left.wrapping_sub(1);
        });
        Request { body: body.to_string().into_bytes(), ..by_value.clone() }
    });
    prop_oneof![1 => path, 1 => header, 1 => bytes, 1 => other, 6 => value].boxed()
}

/// Shows every value within `value`.
fn visit(value: &mut Value, look: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| visit(value, look)),
        Value::Object(fields) => fields.values_mut().for_each(|value| visit(value, look)),
        _ => {}
    }
    look(value);
}

/// Texts of every kind, above all those that somebody once stumbled over.
fn text() -> impl Strategy<Value = String> {
    const NASTY: [&str; 24] = [
        "",
        " ",
        "\0",
        "\u{1}\u{7f}",
        "\u{feff}",
        "\u{202e}abc",
        "\u{200d}",
        "\u{2028}",
        "👨‍👩‍👧",
        "İ",
        "ﬃ",
        "e\u{301}\u{301}",
        "２０２６-１２-０１",
        "0000-00-00",
        "9999-12-31",
        "-1",
        "1e400",
        "NaN",
        "0x1f",
        "18446744073709551616",
        "' or 1=1 --",
        "%00",
        "../../etc/passwd",
        "<script>",
    ];
    prop_oneof![
        4 => select(&NASTY[..]).prop_map(str::to_owned),
        4 => any::<String>(),
        2 => "[ -~]{0,120}",
        2 => "[0-9]{1,25}",
        1 => (select(vec!["가", "a", "😀", "\u{300}"]), 1_usize..3000).prop_map(|(one, times)| one.repeat(times)),
    ]
}

/// JSON of every shape.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        8 => text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..12).prop_map(Value::from),
            hash_map(text(), inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// `path` with one of its parts, or its query's values, in another's place, or with any query behind it.
fn path(path: &str) -> BoxedStrategy<String> {
    let (path, query) =
        path.split_once('?').map_or((path.to_owned(), None), |(p, q)| (p.to_owned(), Some(q.to_owned())));
    let parts: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
    let names: Vec<String> = match &query {
        Some(query) => query.split('&').filter_map(|pair| pair.split('=').next()).map(str::to_owned).collect(),
        None => vec!["limit".to_owned(), "offset".to_owned(), "page".to_owned()],
    };
    let part = (any::<Index>(), escaped()).prop_map({
        let query = query.clone();
        move |(place, text)| {
            let mut parts = parts.clone();
            // The last part is most likely a parameter.
            let last = parts.len() - 1;
            let at = last - place.index(parts.len()).min(last) / 2;
            parts[at] = text;
            let query = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
            format!("/{}{query}", parts.join("/"))
        }
    });
    let pairs = vec((select(names), escaped()), 0..4).prop_map({
        let path = path.clone();
        move |pairs| {
            let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{path}?{}", pairs.join("&"))
        }
    });
    let anything = escaped().prop_map(move |text| format!("{path}?{text}"));
    prop_oneof![2 => part, 4 => pairs, 1 => anything].boxed()
}

/// Text or bytes as an address can carry them.
fn escaped() -> impl Strategy<Value = String> {
    let bytes = prop_oneof![text().prop_map(String::into_bytes), vec(any::<u8>(), 0..40)];
    bytes.prop_map(|bytes| {
        bytes
            .iter()
            .take(3000)
            .map(|b| if b.is_ascii_alphanumeric() { char::from(*b).to_string() } else { format!("%{b:02X}") })
            .collect()
    })
}

/// A header that is read somewhere, with anything in it.
fn header() -> impl Strategy<Value = (HeaderName, HeaderValue)> {
    const READ: [HeaderName; 8] = [
        AUTHORIZATION,
        ACCEPT_LANGUAGE,
        HeaderName::from_static("x-forwarded-for"),
        HeaderName::from_static("x-request-id"),
        HeaderName::from_static("traceparent"),
        HeaderName::from_static("bootpay-signature"),
        HeaderName::from_static("x-bootpay-signature"),
        HeaderName::from_static("origin"),
    ];
    let values = prop_oneof![
        vec(any::<u8>(), 0..80),
        "(Bearer|bearer|Basic|Bearer  )? ?[A-Za-z0-9_.-]{0,80}".prop_map(String::into_bytes),
        "[a-z]{2}(-[A-Z]{2})?(;q=[0-9.]{0,5})?(, ?[a-z*]{1,3};q=[0-9.]{1,3}){0,4}".prop_map(String::into_bytes),
        "[0-9a-f:., ]{0,60}".prop_map(String::into_bytes),
    ];
    let values = values.prop_filter_map("no header's value", |value| HeaderValue::from_bytes(&value).ok());
    (select(READ.to_vec()), values)
}
