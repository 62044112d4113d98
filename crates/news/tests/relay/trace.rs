//! News belongs to the trace of what caused it.

use common::events::{self, Cause, Subject};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::json;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::Post;

#[sqlx::test(migrator = "common::db::MIGRATOR")]
async fn a_delivery_is_part_of_the_trace_that_caused_it(_: MySqlPoolOptions, database: MySqlConnectOptions) {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let tracer = SdkTracerProvider::default().tracer("probe");
    let traces = tracing_opentelemetry::layer().with_tracer(tracer);
    let _traced = tracing::subscriber::set_default(tracing_subscriber::registry().with(traces));
    let post = Post::open(database).await;

    let request = tracing::info_span!("request");
    let caused = request.context().span().span_context().clone();
    let new = json!({ "status": "CONFIRMED" });
    let mut connection = post.db.acquire().await.unwrap();
    let cause = Cause::system();
    let recorded = events::record(&mut connection, &cause, Subject::Booking, 17, "confirmed", &(), &new);
    recorded.instrument(request).await.unwrap();
    post.relay.relay_once(1).instrument(tracing::info_span!("job")).await.unwrap();

    let [heard] = post.subscriber.heard().try_into().unwrap();
    let parent: Vec<_> = heard.header("traceparent").split('-').collect();
    assert_eq!(parent[1], caused.trace_id().to_string());
    assert_ne!(parent[2], caused.span_id().to_string(), "the delivery is a span of its own");
}
