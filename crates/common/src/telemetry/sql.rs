//! Statements of SQL as spans, made from what the driver says after each: its text and how long it took. So no
//! `store.rs` knows of tracing, and where nothing is traced the driver says nothing.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanKind, TraceContextExt, Tracer};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::dispatcher::WeakDispatch;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::is_told_of;
use crate::db::STATEMENTS;

/// Makes spans of statements.
pub(super) struct Statements {
    tracer: Option<SdkTracer>,
    /// Where the spans are that statements belong to.
    dispatch: OnceLock<WeakDispatch>,
}

impl Statements {
    /// The layer that makes spans of statements with `tracer`, or lets the driver keep silent where there is none.
    // No `Option` of a layer: it would not be told where it is registered.
    pub(super) fn layer<S: Subscriber + for<'s> LookupSpan<'s>>(tracer: Option<SdkTracer>) -> impl Layer<S> {
        let traced = tracer.is_some();
        let wanted = filter_fn(move |what| traced && (what.target() == STATEMENTS || is_told_of(what)));
        let most = if traced { LevelFilter::DEBUG } else { LevelFilter::OFF };
        Self { tracer, dispatch: OnceLock::new() }.with_filter(wanted.with_max_level_hint(most))
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Statements {
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _ = self.dispatch.set(dispatch.downgrade());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let (Some(tracer), Some(span), Some(dispatch)) =
            (&self.tracer, context.event_span(event), self.dispatch.get().and_then(WeakDispatch::upgrade))
        else {
            return;
        };
        let Some(parent) = tracing_opentelemetry::get_otel_context(&span.id(), &dispatch)
            .filter(|parent| parent.span().span_context().is_sampled())
        else {
            return;
        };
        let mut statement = Statement::default();
        event.record(&mut statement);
        let (ended, text) = (SystemTime::now(), statement.text());
        let summary = summary(text);
        let attributes = [
            KeyValue::new("db.system.name", "mysql"),
            KeyValue::new("db.query.text", text.to_owned()),
            KeyValue::new("db.query.summary", summary.clone()),
            KeyValue::new("db.response.returned_rows", i64::try_from(statement.returned).unwrap_or(i64::MAX)),
        ];
        tracer
            .span_builder(summary)
            .with_kind(SpanKind::Client)
            .with_start_time(ended - statement.took)
            .with_attributes(attributes)
            .start_with_context(tracer, &parent)
            .end_with_timestamp(ended);
    }
}

/// What the driver says of a statement.
#[derive(Default)]
struct Statement {
    /// Its first words.
    beginning: String,
    /// All of it, unless the first words are.
    whole: String,
    took: Duration,
    returned: u64,
}

impl Statement {
    fn text(&self) -> &str {
        let whole = self.whole.trim();
        if whole.is_empty() { &self.beginning } else { whole }
    }
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.beginning),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.took = Duration::try_from_secs_f64(value).unwrap_or_default();
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "rows_returned" {
            self.returned = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// A statement's verb and, where it names one, its first table: `select bookings`.
fn summary(statement: &str) -> String {
    let mut words = statement.split_whitespace();
    let verb = words.next().unwrap_or("sql").to_ascii_lowercase();
    let table = match verb.as_str() {
        "update" => words.next(),
        "select" | "delete" | "insert" => {
            words.find(|word| ["from", "into"].iter().any(|w| word.eq_ignore_ascii_case(w))).and_then(|_| words.next())
        }
        _ => None,
    };
    let table = table.map(|t| t.trim_matches(|c: char| !c.is_alphanumeric() && c != '_')).filter(|t| !t.is_empty());
    table.map_or(verb.clone(), |table| format!("{verb} {table}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_called_by_its_verb_and_table() {
        for (statement, expected) in [
            ("select a, b\n from bookings where c = ?", "select bookings"),
            ("SELECT 1", "select"),
            ("insert into events (event_id) values (?)", "insert events"),
            ("update refunds\n set state = 'SENT'", "update refunds"),
            ("delete from `claims` where claim_id in (?)", "delete claims"),
            ("select x from (select 1) t", "select select"),
            ("COMMIT", "commit"),
            ("", "sql"),
        ] {
            assert_eq!(summary(statement), expected, "{statement}");
        }
    }
}
