//! What is counted of the payment provider: how its requests end, how long they take, and whether it is asked at all.
//!
//! The provider's client knows no metrics; it [tells](bootpay::Client::watched) how each request ended.

use bootpay::{Called, Client};
use common::metrics::{Error, Registry};

common::metrics! {
    /// What is counted of the provider's requests.
    struct Requests {
        /// Requests to the payment provider, by operation and outcome; not_tried: refused at once, as it was away lately.
        ended: IntCounterVec = "cloudjet_provider_requests_total" by ["operation", "outcome"],
        /// Seconds until the payment provider had answered or was given up, by operation.
        took: HistogramVec = "cloudjet_provider_request_duration_seconds" by ["operation"],
    }
}

/// The provider's client, if there is one, with its requests counted in `registry`. They are declared in any case.
pub(crate) fn measured(client: Option<Client>, registry: &Registry) -> Result<Option<Client>, Error> {
    let requests = Requests::new(registry)?;
    let client = client.map(|client| client.watched(move |called| requests.count(called)));
    let asked = client.clone();
    registry.ask(
        "cloudjet_provider_breaker_open",
        "Whether calls of the payment provider fail at once because it was away several times in a row: 1 or 0.",
        move || asked.as_ref().is_some_and(Client::is_failing_fast).into(),
    )?;
    Ok(client)
}

impl Requests {
    fn count(&self, called: &Called) {
        let operation = called.operation.name();
        self.ended.with_label_values(&[operation, called.outcome]).inc();
        if let Some(took) = called.took {
            self.took.with_label_values(&[operation]).observe(took.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bootpay::{Config, ReceiptId};

    use super::*;

    #[tokio::test]
    async fn counts_how_requests_end_and_whether_any_are_made() {
        let registry = Registry::default();
        // Nobody listens on port 1.
        let nobody = Config::new("http://127.0.0.1:1/v2", "id", "key".into());
        let nobody = Config { outages: 1, rest: Duration::from_mins(10), ..nobody };
        let client = measured(Some(Client::new(nobody).unwrap()), &registry).unwrap().unwrap();
        let receipt = ReceiptId::parse("624c1c5c1fc19202e4746ce5").unwrap();
        assert!(registry.text().unwrap().contains("cloudjet_provider_breaker_open 0"));

        for _ in 0..2 {
            assert!(client.receipt(&receipt).await.is_err());
        }

        let text = registry.text().unwrap();
        for line in [
            // Tried once more, as it moves no money.
            "cloudjet_provider_requests_total{operation=\"token\",outcome=\"unreachable\"} 2",
            "cloudjet_provider_requests_total{operation=\"receipt\",outcome=\"not_tried\"} 1",
            "cloudjet_provider_request_duration_seconds_count{operation=\"token\"} 2",
            "cloudjet_provider_breaker_open 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
