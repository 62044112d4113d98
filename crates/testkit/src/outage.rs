//! What must hold of every service while its database is away, and when it is back.

use std::time::{Duration, Instant};

use crate::{Answer, Cable, Condition};

/// How long a connection may have rested and still be trusted, and a bit.
const REST: Duration = Duration::from_millis(150);

/// Asserts that `call`, which makes calls through a pool at the end of `cable` and asserts the status it is given,
/// gets 503 in a few seconds however the database is away, and 200 again with the first call after.
///
/// # Panics
/// When it isn't so.
pub async fn assert_survived(cable: &Cable, call: impl AsyncFn(u16)) {
    for bad in [Condition::Cut, Condition::Hanging, Condition::Losing] {
        call(200).await;
        tokio::time::sleep(REST).await;
        cable.becomes(bad).await;
        let asked = Instant::now();
        call(503).await;
        assert!(asked.elapsed() < Duration::from_secs(9), "{bad:?}: {:?}", asked.elapsed());
        cable.becomes(Condition::Whole).await;
    }
    call(200).await;
}

/// Asserts the status of an answer, and that a 503 says when to come back and nothing of why.
///
/// # Panics
/// When it is another one.
#[track_caller]
pub fn assert_answered(answer: Answer, status: u16) {
    if status == 503 {
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let told = answer.body.to_string().to_lowercase();
        assert!(!["127.0.0.1", "sql", "pool", "connection"].iter().any(|detail| told.contains(detail)), "{told}");
        answer.refused(503, "unavailable");
    } else {
        let _ = answer.expect(status);
    }
}
