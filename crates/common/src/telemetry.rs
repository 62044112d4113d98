//! What a process tells about itself: log lines, and traces when somebody collects them.
//!
//! Never in a log: names, phones, e-mails, passwords, tokens, payloads.

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{LogFormat, Telemetry};

/// Flushes what is still to be sent when dropped; hold it as long as the process works.
#[must_use]
#[derive(Debug)]
pub struct Guard(Option<SdkTracerProvider>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last traces may be lost");
        }
    }
}

/// Starts logging, and exporting traces if `settings` say where to. Call it inside the runtime.
///
/// # Errors
/// When the trace exporter can't be built.
pub fn start(service: &'static str, settings: &Telemetry) -> Result<Guard, opentelemetry_otlp::ExporterBuildError> {
    let lines = match settings.log_format {
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
        LogFormat::Human => fmt::layer().with_target(false).compact().boxed(),
    };
    let provider = match settings.otlp_endpoint.as_deref().filter(|e| !e.is_empty()) {
        None => None,
        Some(endpoint) => {
            let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
            let resource = Resource::builder()
                .with_service_name(service)
                .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
                .build();
            Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
        }
    };
    let traces = provider.as_ref().map(|p| tracing_opentelemetry::layer().with_tracer(p.tracer(service)));
    tracing_subscriber::registry().with(lines).with(traces).with(settings.log_level.clone()).init();
    Ok(Guard(provider))
}
