//! The current trace goes with a request to the provider, as its `traceparent`: in the format that the process has set
//! for all, and not at all where it traces nothing.

use opentelemetry::global;
use opentelemetry::propagation::Injector;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The headers that name the current span as the parent.
pub(crate) fn headers() -> HeaderMap {
    let mut headers = ToSend(HeaderMap::new());
    global::get_text_map_propagator(|format| format.inject_context(&Span::current().context(), &mut headers));
    headers.0
}

struct ToSend(HeaderMap);

impl Injector for ToSend {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(key.as_bytes()), HeaderValue::from_str(&value))
            && !value.is_empty()
        {
            self.0.insert(name, value);
        }
    }
}
