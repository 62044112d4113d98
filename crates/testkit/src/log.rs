//! What a service's log says while a test runs, down to the lines for developers.
//!
//! The one trap: what another thread says isn't kept. Tests by `#[sqlx::test]` have one.
//!
//! Another is closed here. As long as a process has a single subscriber, `tracing` asks the thread that first comes by
//! a line whether anybody reads it, and remembers that for all: a test beside ours that keeps no log would silence it.
//! So there is always a second subscriber.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use common::config::{LogFormat, Telemetry, TracesSampler};
use common::telemetry;
use serde_json::Value;
use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing_subscriber::layer::SubscriberExt;

/// Reads nothing.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// The lines of a log, kept from its making to its end.
#[derive(Debug)]
pub struct Log {
    written: Written,
    _this_thread: DefaultGuard,
}

impl Log {
    /// Keeps what is logged from now on.
    ///
    /// # Panics
    /// When `debug` is no level any more.
    pub fn kept() -> Self {
        let settings = Telemetry {
            log_format: LogFormat::Json,
            log_level: "debug".parse().expect("a level"),
            otlp_endpoint: None,
            traces_sampler: TracesSampler::default(),
            traces_sampler_arg: 1.0,
        };
        LazyLock::force(&SECOND);
        let written = Written::default();
        let writer = written.clone();
        let lines = telemetry::lines(&settings, move || writer.clone());
        let log = tracing_subscriber::registry().with(lines);
        Self { written, _this_thread: tracing::subscriber::set_default(log) }
    }

    /// All that was written.
    ///
    /// # Panics
    /// When it isn't text.
    pub fn text(&self) -> String {
        String::from_utf8(self.written.0.lock().expect("lines").clone()).expect("text")
    }

    /// The first line whose message has `part` in it.
    ///
    /// # Panics
    /// When a line isn't JSON.
    pub fn line(&self, part: &str) -> Option<Value> {
        let text = self.text();
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
        lines.find(|line| line["message"].as_str().is_some_and(|message| message.contains(part)))
    }

    /// Asserts that nothing of what nobody may read in a log stands there.
    ///
    /// # Panics
    /// When it does.
    #[track_caller]
    pub fn assert_tells_nothing_of(&self, secrets: &[&str]) {
        let text = self.text();
        for secret in secrets {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{secret} in {}", line.unwrap_or_default());
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lines").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
