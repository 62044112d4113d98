//! Traces, as a collector gets them: one test, because a process has one log and one exporter.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests do")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::get;
use clap::Parser;
use common::cache::Cache;
use common::config::{Redis, Telemetry};
use common::http::{Envelope, wrap};
use common::metrics::Registry;
use common::telemetry::{self, trace};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use sqlx::MySqlPool;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use tower::ServiceExt;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A collector of traces.
#[derive(Clone, Debug, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let resources = request.into_inner().resource_spans;
        let spans = resources.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans);
        self.0.lock().unwrap().extend(spans);
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Listens on a free port of this machine, and answers with its address.
    async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let calls = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(calls));
        address
    }
}

#[derive(Debug, Parser)]
struct Settings {
    #[command(flatten)]
    telemetry: Telemetry,
    #[command(flatten)]
    redis: Redis,
}

/// Reads a row, asks the cache, and answers with the headers it would send on.
async fn work(State((db, cache)): State<(MySqlPool, Cache)>) -> String {
    sqlx::query_scalar::<_, i64>("select count(*) from probes where secret = ?")
        .bind("hush")
        .fetch_one(&db)
        .await
        .unwrap();
    let _ = cache.read::<String>("probe:1").await;
    let mut headers = HeaderMap::new();
    trace::pass_on(&mut headers);
    headers["traceparent"].to_str().unwrap().to_owned()
}

async fn get_path(service: &Router, path: &str, traceparent: &str) -> (StatusCode, String) {
    let request = Request::get(path).header("traceparent", traceparent).header("tracestate", "vendor=1");
    let answer = service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    (parts.status, String::from_utf8(axum::body::to_bytes(body, 1 << 20).await.unwrap().into()).unwrap())
}

fn hex(id: &[u8]) -> String {
    use std::fmt::Write as _;
    id.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    match span.attributes.iter().find(|a| a.key == key)?.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

// The runtime of `sqlx::test` has one thread, and stopping waits for the exporter's own calls to be sent.
#[sqlx::test(migrations = false)]
async fn a_request_is_one_trace_from_its_caller_to_its_statements(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    let variables = common::config::environment();
    let redis = |name: &str, or: &str| variables.get(name).cloned().unwrap_or_else(|| or.to_owned());
    let redis = [redis("REDIS_HOST", "127.0.0.1"), redis("REDIS_PORT", "6379")];
    let work = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(trace_requests(database, &redis));
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

async fn trace_requests(database: MySqlConnectOptions, [host, port]: &[String; 2]) {
    let collector = Collector::default();
    let arguments = [
        "probe",
        "--log-level=error",
        &format!("--otlp-endpoint={}", collector.listen().await),
        &format!("--redis-host={host}"),
        &format!("--redis-port={port}"),
    ];
    let settings = Settings::try_parse_from(arguments).unwrap();
    let telemetry = telemetry::start("probe-service", &settings.telemetry, &Registry::default()).unwrap();
    let db = common::db::pool_options().connect_lazy_with(database);
    sqlx::query("create table probes (secret varchar(20))").execute(&db).await.unwrap();
    let router = Router::new()
        .route("/probes/{id}", get(work))
        .route("/broken", get(async || common::error::ApiError::internal("broken")))
        .with_state((db, Cache::new(&settings.redis).unwrap()));
    let envelope = Envelope { service: "probe-service", timeout: Duration::from_secs(20), trusted_proxy_hops: 0 };
    let service = wrap(router, envelope);

    let (status, passed_on) = get_path(&service, "/probes/7", &format!("00-{TRACE}-{CALLER}-01")).await;
    assert_eq!(status, 200);
    let (_, anew) = get_path(&service, "/probes/8", "00-nonsense-01").await;
    let (_, unsampled) = get_path(&service, "/probes/9", &format!("00-{}-{CALLER}-00", "9".repeat(32))).await;
    assert_eq!(get_path(&service, "/broken", &format!("00-{}-{CALLER}-01", "b".repeat(32))).await.0, 500);
    tokio::task::spawn_blocking(|| drop(telemetry)).await.unwrap();

    let spans = collector.0.lock().unwrap().clone();
    let in_trace = |id: &str| spans.iter().filter(|s| hex(&s.trace_id) == id).collect::<Vec<_>>();
    let ours = in_trace(TRACE);
    let server = ours.iter().find(|s| s.name == "GET /probes/{id}").unwrap();
    assert_eq!((hex(&server.parent_span_id).as_str(), server.kind()), (CALLER, SpanKind::Server));
    assert_eq!(attribute(server, "http.route").as_deref(), Some("/probes/{id}"));
    assert_eq!(attribute(server, "http.response.status_code").as_deref(), Some("200"));
    assert_eq!(server.trace_state, "vendor=1");
    assert_eq!(passed_on, format!("00-{TRACE}-{}-01", hex(&server.span_id)));

    for (name, system) in [("select probes", "mysql"), ("redis read", "redis")] {
        let child = ours.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("{name} in {ours:?}"));
        assert_eq!((&child.parent_span_id, child.kind()), (&server.span_id, SpanKind::Client), "{name}");
        assert_eq!(attribute(child, "db.system.name").as_deref(), Some(system));
        assert!(server.start_time_unix_nano <= child.start_time_unix_nano, "{name}");
        assert!(child.end_time_unix_nano <= server.end_time_unix_nano, "{name}");
    }
    let select = ours.iter().find(|s| s.name == "select probes").unwrap();
    assert_eq!(attribute(select, "db.query.text").as_deref(), Some("select count(*) from probes where secret = ?"));
    assert!(!format!("{spans:?}").contains("hush"));

    let begun_here = anew.split('-').nth(1).unwrap();
    assert!(in_trace(begun_here).iter().any(|s| s.parent_span_id.is_empty() && s.trace_state.is_empty()), "{anew}");
    assert!(unsampled.starts_with(&format!("00-{}", "9".repeat(32))) && unsampled.ends_with("-00"), "{unsampled}");
    assert!(in_trace(&"9".repeat(32)).is_empty(), "its caller doesn't want it traced");
    let broken = in_trace(&"b".repeat(32));
    assert_eq!(broken[0].status.clone().unwrap().code, 2, "a failure of ours is an error");
}
