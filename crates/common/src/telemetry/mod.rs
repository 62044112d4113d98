//! What a process tells about itself while it works: log lines always, and traces where somebody collects them.
//!
//! Lines are written by a thread of their own, those of a moment at once. When whoever reads standard output stalls,
//! requests go on and up to [`LINES`] lines wait; what comes after is dropped, and `cloudjet_log_lines_dropped` says how
//! many.
//!
//! Never in a log or a trace: names, phones, e-mails, passwords, tokens, payloads. Statements of SQL stand there with
//! `?` for every value.

mod paced;
mod sql;
pub mod trace;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{LogFormat, Telemetry, TracesSampler};
use crate::metrics::Registry;
use crate::pool;
use crate::service::StartError;
use paced::Paced;

/// How many lines may wait to be written: a few megabytes.
const LINES: usize = 10_000;

/// How long stopping may wait for whoever collects traces.
const FAREWELL: Duration = Duration::from_secs(2);

/// Flushes what is still to be told when dropped; hold it as long as the process works.
#[must_use]
#[derive(Debug)]
pub struct Guard {
    traces: Option<SdkTracerProvider>,
    _lines: WorkerGuard,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.traces.take().map(|traces| traces.shutdown_with_timeout(FAREWELL)) {
            tracing::warn!(%error, "the last traces may be lost");
        }
    }
}

/// Starts logging, and exporting traces if `settings` say where to. Call it inside the runtime.
///
/// # Errors
/// When the trace exporter can't be built. A collector that doesn't answer is no error, now or later.
pub fn start(service: &'static str, settings: &Telemetry, metrics: &Registry) -> Result<Guard, StartError> {
    let (lines, worker) =
        NonBlockingBuilder::default().buffered_lines_limit(LINES).finish(Paced::new(std::io::stdout()));
    let dropped = lines.error_counter();
    metrics.ask(
        "cloudjet_log_lines_dropped",
        "Log lines dropped since the start because standard output stalled.",
        move || f64::from(u32::try_from(dropped.dropped_lines()).unwrap_or(u32::MAX)),
    )?;
    let traces = exporter(service, settings)?;
    let tracer = traces.as_ref().map(|provider| provider.tracer(service));
    if traces.is_some() {
        // Clients of other services pass the current trace on by it.
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    }
    let layer = tracing_opentelemetry::layer()
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    tracing_subscriber::registry()
        .with(self::lines(settings, lines))
        .with(pool::Waits::new(metrics)?.layer())
        .with(tracer.clone().map(|tracer| layer.with_tracer(tracer).with_filter(filter_fn(is_told_of))))
        .with(sql::Statements::layer(tracer))
        .init();
    Ok(Guard { traces, _lines: worker })
}

/// Starts logging to standard error, for a command whose output is its own.
pub fn to_stderr(settings: &Telemetry) {
    tracing_subscriber::registry().with(lines(settings, std::io::stderr)).init();
}

/// Writes log lines to `writer` as `settings` ask for. Of spans it only knows those that say whose line it is: the
/// request and the job.
pub fn lines<S, W>(settings: &Telemetry, writer: W) -> impl Layer<S> + use<S, W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Not "is an event": sqlx first asks whether its line would be read, which is neither a span nor an event.
    let wanted = filter_fn(|what| !what.is_span() || matches!(what.name(), "request" | "job"))
        .with_max_level_hint(LevelFilter::TRACE);
    let lines = fmt::layer().with_writer(writer);
    let lines = match settings.log_format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Human => lines.with_target(false).compact().boxed(),
    };
    lines.with_filter(settings.log_level.clone().and(wanted))
}

/// Whether something belongs into a trace: our spans; what is said in them is in the log.
fn is_told_of(what: &Metadata<'_>) -> bool {
    what.is_span() && *what.level() <= tracing::Level::INFO
}

/// What sends traces to where `settings` say, if they do.
fn exporter(
    service: &'static str,
    settings: &Telemetry,
) -> Result<Option<SdkTracerProvider>, opentelemetry_otlp::ExporterBuildError> {
    let Some(endpoint) = settings.otlp_endpoint.as_deref().filter(|e| !e.is_empty()) else { return Ok(None) };
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(FAREWELL).build()?;
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let ratio = Sampler::TraceIdRatioBased(settings.traces_sampler_arg);
    let sampler = match settings.traces_sampler {
        TracesSampler::AlwaysOn => Sampler::AlwaysOn,
        TracesSampler::AlwaysOff => Sampler::AlwaysOff,
        TracesSampler::TraceIdRatio => ratio,
        TracesSampler::ParentBasedAlwaysOn => Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
        TracesSampler::ParentBasedAlwaysOff => Sampler::ParentBased(Box::new(Sampler::AlwaysOff)),
        TracesSampler::ParentBasedTraceIdRatio => Sampler::ParentBased(Box::new(ratio)),
    };
    let traces = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource);
    Ok(Some(traces.with_sampler(sampler).build()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use opentelemetry::trace::{Span as _, Tracer as _};

    use super::*;

    #[derive(Debug, Parser)]
    struct Probe {
        #[command(flatten)]
        telemetry: Telemetry,
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_that_never_answers_is_left_behind() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        for address in [silent.local_addr().unwrap().to_string(), "127.0.0.1:1".to_owned()] {
            let endpoint = format!("--otlp-endpoint=http://{address}");
            let settings = Probe::try_parse_from(["probe", &endpoint]).unwrap().telemetry;
            let traces = exporter("probe-service", &settings).unwrap().unwrap();
            traces.tracer("probe-service").start("nobody hears of it").end();
            let worker = NonBlockingBuilder::default().finish(std::io::sink()).1;
            let stop = tokio::task::spawn_blocking(|| drop(Guard { traces: Some(traces), _lines: worker }));
            // A stop that waits for the collector takes its ten seconds and more.
            tokio::time::timeout(FAREWELL * 4, stop).await.unwrap().unwrap();
        }
    }
}
