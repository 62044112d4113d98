//! The provider hears which trace a call belongs to.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use bootpay::{Client, Config, ReceiptId};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

#[tokio::test]
async fn every_call_carries_the_current_trace() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&heard);
    let provider = Router::new().fallback(async move |headers: HeaderMap| {
        hear.lock().unwrap().push(headers["traceparent"].to_str().unwrap().to_owned());
        r#"{"access_token":"t","expires_in":1800}"#
    });
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/v2", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, provider).await });

    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let tracer = SdkTracerProvider::default().tracer("probe");
    let traces = tracing_opentelemetry::layer().with_tracer(tracer);
    let _traced = tracing::subscriber::set_default(tracing_subscriber::registry().with(traces));

    let client = Client::new(Config::new(url, "id", "key".into())).unwrap();
    let span = tracing::info_span!("request");
    let trace_id = span.context().span().span_context().trace_id().to_string();
    let receipt = ReceiptId::parse("624c1c5c1fc19202e4746ce5").unwrap();
    assert!(client.receipt(&receipt).instrument(span).await.is_err(), "such an answer is no receipt");

    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 2, "the token, and the call: {heard:?}");
    assert!(heard.iter().all(|parent| parent.split('-').nth(1) == Some(&trace_id)), "{trace_id} in {heard:?}");
}
