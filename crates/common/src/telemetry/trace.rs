//! The trace a request belongs to, across processes, as W3C Trace Context has it: taken from the caller's
//! `traceparent`, given to whoever we call, and kept with what is to be done later. A header that makes no sense begins
//! a new trace.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::global;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TraceId};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Instrument, Span};
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

tokio::task_local! {
    /// Where the caller of this request comes from.
    static CALLER: Option<Origin>;
}

/// Lets `work` belong to the current trace in a task of its own, too.
pub fn in_current_trace<W: Future>(work: W) -> impl Future<Output = W::Output> {
    let caller = CALLER.try_with(Clone::clone).ok().flatten();
    CALLER.scope(caller, work).in_current_span()
}

/// The longest `tracestate` that is kept; it may be left away, a part of it may not.
const LONGEST_STATE: usize = 512;

/// Where work comes from: the span that caused it, in the words of the two headers. Rows keep it for what is done later,
/// and elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The `traceparent`.
    pub parent: String,
    /// The `tracestate`, where there is one.
    pub state: Option<String>,
}

impl Origin {
    /// The current span; where nothing is traced here, the caller's. `None` where nobody traces.
    pub fn current() -> Option<Self> {
        Self::of(&Span::current().context()).or_else(|| CALLER.try_with(Clone::clone).ok().flatten())
    }

    /// Where work comes from of which a row keeps the `traceparent` and no more.
    pub fn of_parent(parent: String) -> Self {
        Self { parent, state: None }
    }

    /// Who sends these headers.
    pub(crate) fn of_caller(headers: &HeaderMap) -> Option<Self> {
        Self::of(&TraceContextPropagator::new().extract_with_context(&Context::new(), &Received(headers)))
    }

    /// Does the work of a request for this caller.
    pub(crate) fn scope<W: Future>(caller: Option<Self>, work: W) -> impl Future<Output = W::Output> {
        CALLER.scope(caller, work)
    }

    /// Makes `span` a child of it, where spans are traced.
    pub fn continue_in(&self, span: &Span) {
        let state = self.state.clone().map(|state| ("tracestate".to_owned(), state));
        let headers: HashMap<_, _> =
            state.into_iter().chain([("traceparent".to_owned(), self.parent.clone())]).collect();
        let _ = span.set_parent(TraceContextPropagator::new().extract_with_context(&Context::new(), &headers));
    }

    /// Names it as the parent in the `headers` of a request that is to be sent.
    pub fn pass_on(&self, headers: &mut HeaderMap) {
        ToSend(headers).set("traceparent", self.parent.clone());
        ToSend(headers).set("tracestate", self.state.clone().unwrap_or_default());
    }

    fn of(context: &Context) -> Option<Self> {
        let mut headers = HashMap::new();
        TraceContextPropagator::new().inject_context(context, &mut headers);
        let state = headers.remove("tracestate").filter(|state| (1..=LONGEST_STATE).contains(&state.len()));
        Some(Self { parent: headers.remove("traceparent")?, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_nothing_is_traced_the_caller_is_remembered_and_passed_on() {
        let caller = |state: &str| {
            let mut headers = HeaderMap::new();
            let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned();
            Origin { parent, state: Some(state.to_owned()) }.pass_on(&mut headers);
            headers
        };
        assert_eq!(Origin::current(), None);
        let headers = caller("vendor=1");
        let ask = async { tokio::spawn(in_current_trace(async { Origin::current() })).await.unwrap() };
        let remembered = Origin::scope(Origin::of_caller(&headers), ask).await.unwrap();
        let mut passed_on = HeaderMap::new();
        remembered.pass_on(&mut passed_on);
        assert_eq!(passed_on, headers);
        assert_eq!(Origin::of_caller(&caller(&format!("a={}", "x".repeat(600)))).unwrap().state, None);
        assert_eq!(Origin::of_caller(&HeaderMap::new()), None);
    }

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
