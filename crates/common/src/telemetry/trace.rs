//! The trace a request belongs to, across processes, as W3C Trace Context has it: taken from the caller's
//! `traceparent`, and given to whoever we call. A header that makes no sense begins a new trace.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::global;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TraceId};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Makes `span` part of the trace that a request's `headers` name, and answers which trace it is in now. `None` where
/// they name none and nothing is traced here.
pub(crate) fn join(span: &Span, headers: &HeaderMap) -> Option<TraceId> {
    let caller = TraceContextPropagator::new().extract_with_context(&Context::new(), &Received(headers));
    // Without somebody who collects traces there is nothing to set it on.
    let _ = span.set_parent(caller.clone());
    let trace = |context: Context| {
        let context = context.span().span_context().clone();
        context.is_valid().then(|| context.trace_id())
    };
    trace(span.context()).or_else(|| trace(caller))
}

/// Names the current span as the parent in the `headers` of a request that is to be sent. Where nothing is traced,
/// what they say stays.
pub fn pass_on(headers: &mut HeaderMap) {
    global::get_text_map_propagator(|format| format.inject_context(&Span::current().context(), &mut ToSend(headers)));
}

struct Received<'h>(&'h HeaderMap);

impl Extractor for Received<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct ToSend<'h>(&'h mut HeaderMap);

impl Injector for ToSend<'_> {
    fn set(&mut self, key: &str, value: String) {
        let Ok(name) = HeaderName::from_bytes(key.as_bytes()) else { return };
        match HeaderValue::from_str(&value) {
            Ok(value) if !value.is_empty() => drop(self.0.insert(name, value)),
            // An empty `tracestate`, above all: what the caller said of another trace must not go on with ours.
            _ => drop(self.0.remove(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_that_makes_no_sense_names_no_trace() {
        let trace = |value: &'static str| {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static("traceparent"), HeaderValue::from_static(value))]);
            join(&Span::none(), &headers).map(|id| id.to_string())
        };
        assert_eq!(
            trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").as_deref(),
            Some("4bf92f3577b34da6a3ce929d0e0e4736")
        );
        for nonsense in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(trace(nonsense), None, "{nonsense}");
        }
    }
}
