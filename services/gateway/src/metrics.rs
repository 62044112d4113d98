//! What is measured about the services behind the gateway.

common::metrics! {
    /// What is measured about requests to the services behind.
    pub(crate) struct Upstreams {
        /// Requests sent on, by service and outcome: 1xx to 5xx, or the code of why there was no answer.
        pub(crate) requests: IntCounterVec = "cloudjet_upstream_requests_total" by ["upstream", "outcome"],
        /// Seconds until a service's answer began.
        pub(crate) duration: HistogramVec = "cloudjet_upstream_request_duration_seconds" by ["upstream"],
    }
}
