//! Metrics: what a process counts and measures, for Prometheus to fetch from `/metrics` on the internal port.
//!
//! A [`Registry`] is made once per process and handed to whatever counts; there is no global one, so tests count by
//! themselves. Each metric is declared once, with [`metrics!`](crate::metrics!), in the crate that owns the fact it
//! counts; its doc comment is its help text, too.
//!
//! The one trap is labels: every combination of their values is a time series of its own, for ever. So values are
//! names we chose (a route's template, a state, a job), never what a client sent. And a series that begins at 1 is not
//! seen to have grown: where a first time matters, its values are declared, too, and count from nought.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use prometheus::core::Collector;
use prometheus::proto::MetricType;
use prometheus::{HistogramOpts, Opts, PullingGauge, TEXT_FORMAT, TextEncoder};
use serde::Serialize;

pub use prometheus::{
    Error, Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
};

/// Bounds, in seconds, between which everything that takes time is counted: a search from memory takes less than a
/// millisecond, and 200 ms are what nineteen of twenty requests are promised.
pub const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 1.0, 2.5, 5.0, 10.0];

/// What a process counts; clones are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    collectors: prometheus::Registry,
    declared: Arc<Mutex<Vec<Declared>>>,
}

/// A metric as its documentation shows it, whether or not it has counted anything yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What tells its series apart.
    pub labels: Vec<String>,
    /// What it says.
    pub help: String,
}

impl Registry {
    /// A registry that tells which `service` this is and, on Linux, what its process takes of the machine.
    ///
    /// # Errors
    /// Never but for a fault in the declarations, as with everything here.
    pub fn of_process(service: &str) -> Result<Self, Error> {
        let registry = Self::default();
        Build::new(&registry)?.info.with_label_values(&[service, env!("CARGO_PKG_VERSION")]).set(1);
        #[cfg(target_os = "linux")]
        registry.add(prometheus::process_collector::ProcessCollector::for_self())?;
        Ok(registry)
    }

    /// Declares a metric. Only [`metrics!`](crate::metrics!) calls it.
    #[doc(hidden)]
    pub fn declare<M: Metric>(&self, name: &str, help: &str, labels: &[&str]) -> Result<M, Error> {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        let metric = M::declare(Opts::new(name, help.trim_start()).variable_labels(labels))?;
        self.add(metric.clone())?;
        Ok(metric)
    }

    /// Declares a gauge whose value is asked for whenever somebody fetches it. `ask` must not wait for anything.
    pub fn ask(&self, name: &str, help: &str, ask: impl Fn() -> f64 + Send + Sync + 'static) -> Result<(), Error> {
        self.add(PullingGauge::new(name, help, Box::new(ask))?)
    }

    fn add(&self, collector: impl Collector + 'static) -> Result<(), Error> {
        let kinds = collector.collect();
        let declared: Vec<_> = collector
            .desc()
            .into_iter()
            .map(|desc| Declared {
                name: desc.fq_name.clone(),
                kind: kinds
                    .iter()
                    .find(|family| family.name() == desc.fq_name)
                    .map_or("untyped", |f| word(f.get_field_type())),
                labels: desc.variable_labels.clone(),
                help: desc.help.clone(),
            })
            .collect();
        self.collectors.register(Box::new(collector))?;
        self.declared.lock().unwrap_or_else(PoisonError::into_inner).extend(declared);
        Ok(())
    }

    /// Everything that is declared, by name.
    pub fn declared(&self) -> Vec<Declared> {
        let mut declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        declared.sort_by(|a, b| a.name.cmp(&b.name));
        declared
    }

    /// All series as they stand, in Prometheus' text format.
    ///
    /// # Errors
    /// When a series can't be written, which is our fault.
    pub fn text(&self) -> Result<String, Error> {
        TextEncoder::new().encode_to_string(&self.collectors.gather())
    }
}

/// `/metrics`, for the internal port.
pub fn endpoint(registry: Registry) -> Router {
    let fetch = async move || match registry.text() {
        Ok(text) => Ok(([(CONTENT_TYPE, TEXT_FORMAT)], text)),
        Err(error) => {
            tracing::error!(%error, "metrics can't be written");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    };
    Router::new().route("/metrics", get(fetch))
}

fn word(kind: MetricType) -> &'static str {
    match kind {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED => "untyped",
    }
}

/// A kind of metric that can be declared.
pub trait Metric: Collector + Clone + 'static {
    /// A metric of this kind. One without labels refuses them.
    #[doc(hidden)]
    fn declare(opts: Opts) -> Result<Self, Error>;
}

macro_rules! kinds {
    ($($kind:ident),+; $($labelled:ident),+) => {
        $(impl Metric for $kind {
            fn declare(opts: Opts) -> Result<Self, Error> {
                Self::with_opts(opts.into())
            }
        })+
        $(impl Metric for $labelled {
            fn declare(opts: Opts) -> Result<Self, Error> {
                let labels = opts.variable_labels.clone();
                Self::new(opts.into(), &labels.iter().map(String::as_str).collect::<Vec<_>>())
            }
        })+
    };
}

kinds!(IntCounter, IntGauge, Gauge; IntCounterVec, IntGaugeVec, GaugeVec);

impl Metric for Histogram {
    fn declare(opts: Opts) -> Result<Self, Error> {
        Self::with_opts(HistogramOpts::from(opts).buckets(SECONDS.to_vec()))
    }
}

impl Metric for HistogramVec {
    fn declare(opts: Opts) -> Result<Self, Error> {
        let labels = opts.variable_labels.clone();
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        Self::new(HistogramOpts::from(opts).buckets(SECONDS.to_vec()), &labels)
    }
}

/// Declares a struct of metrics, with a `new` that registers them. Series whose labels follow `from` are there at once.
///
/// ```
/// common::metrics! {
///     /// What a kitchen counts.
///     struct Kitchen {
///         /// Meals served, by course.
///         meals: IntCounterVec = "kitchen_meals_total" by ["course"],
///         /// Plates broken, by who broke them.
///         broken: IntCounterVec = "kitchen_plates_broken_total" by ["who"] from [["guest"], ["waiter"]],
///         /// Seconds a guest waited.
///         wait: Histogram = "kitchen_wait_seconds",
///     }
/// }
///
/// let registry = common::metrics::Registry::default();
/// let kitchen = Kitchen::new(&registry)?;
/// kitchen.meals.with_label_values(&["dessert"]).inc();
/// kitchen.wait.observe(0.3);
/// assert!(registry.text()?.contains("kitchen_meals_total{course=\"dessert\"} 1"));
/// assert!(registry.text()?.contains("kitchen_plates_broken_total{who=\"guest\"} 0"));
/// # Ok::<(), common::metrics::Error>(())
/// ```
#[macro_export]
macro_rules! metrics {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[doc = $help:literal])+ $field_vis:vis $field:ident: $kind:ident = $metric:literal
            $(by [$($label:literal),+])? $(from $known:expr)?),+
        $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $($(#[doc = $help])+ $field_vis $field: $crate::metrics::$kind),+
        }

        impl $name {
            /// Declares them.
            ///
            /// # Errors
            /// When another metric has one of their names.
            $vis fn new(registry: &$crate::metrics::Registry) -> Result<Self, $crate::metrics::Error> {
                let metrics = Self {
                    $($field: registry.declare($metric, concat!($($help),+), &[$($($label),+)?])?),+
                };
                $($(for labels in $known {
                    metrics.$field.with_label_values(&labels);
                })?)+
                Ok(metrics)
            }
        }
    };
}

crate::metrics! {
    /// What is running.
    struct Build {
        /// Always 1; its labels say which service this is, and in which version.
        info: IntGaugeVec = "cloudjet_build_info" by ["service", "version"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::metrics! {
        /// One of each kind.
        struct Probe {
            /// Counts,
            /// over two lines.
            counted: IntCounterVec = "probe_total" by ["outcome"],
            /// Goes up and down.
            level: IntGauge = "probe_level",
            /// Takes time.
            time: Histogram = "probe_seconds",
        }
    }

    #[test]
    fn everything_declared_is_listed_before_anything_is_counted() {
        let registry = Registry::of_process("probe-service").unwrap();
        let probe = Probe::new(&registry).unwrap();
        let declared = registry.declared();
        let of = |name: &str| declared.iter().find(|m| m.name == name).cloned().unwrap();
        let counted = of("probe_total");
        assert_eq!((counted.kind, counted.help.as_str()), ("counter", "Counts, over two lines."));
        assert_eq!(counted.labels, ["outcome"]);
        assert_eq!((of("probe_level").kind, of("probe_seconds").kind), ("gauge", "histogram"));
        assert!(of("cloudjet_build_info").labels.contains(&"version".to_owned()));
        assert!(!registry.text().unwrap().contains("probe_total"), "nothing has been counted");
        probe.counted.with_label_values(&["good"]).inc();
        probe.level.set(3);
        probe.time.observe(0.19);
        let text = registry.text().unwrap();
        for line in ["probe_total{outcome=\"good\"} 1", "probe_level 3", "probe_seconds_bucket{le=\"0.2\"} 1"] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn a_name_is_declared_once() {
        let registry = Registry::default();
        Probe::new(&registry).unwrap();
        assert!(Probe::new(&registry).is_err());
    }

    #[test]
    fn what_is_asked_for_is_asked_for_each_time() {
        let registry = Registry::default();
        let level = Arc::new(Mutex::new(1.0));
        let asked = Arc::clone(&level);
        registry.ask("probe_asked", "A level.", move || *asked.lock().unwrap()).unwrap();
        *level.lock().unwrap() = 7.0;
        assert!(registry.text().unwrap().contains("probe_asked 7"));
    }
}
