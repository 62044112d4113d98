//! The services' log lines on one terminal, each behind the name of its service.
//!
//! Lines are held back until the table with the addresses has been shown, so that nobody has to look for it
//! between log lines.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::report::{self, Style};

/// How many lines may wait to be shown. A service that writes more before it is ready waits a little.
const HELD_BACK: usize = 10_000;

/// The colours of the services, in the order in which they ask for a [`Writer`].
const COLOURS: [Style; 5] = [Style::Cyan, Style::Green, Style::Yellow, Style::Magenta, Style::Blue];

/// All log lines on their way to the terminal.
pub(crate) struct Logs {
    lines: mpsc::Sender<String>,
    start: Option<oneshot::Sender<()>>,
    printer: JoinHandle<()>,
    writers: usize,
}

/// Where one service's lines go.
pub(crate) struct Writer {
    prefix: String,
    lines: mpsc::Sender<String>,
}

impl Logs {
    /// Starts to collect lines.
    pub(crate) fn collect() -> Self {
        let (lines, mut received) = mpsc::channel::<String>(HELD_BACK);
        let (start, started) = oneshot::channel();
        let printer = tokio::spawn(async move {
            if started.await.is_ok() {
                while let Some(line) = received.recv().await {
                    report::say(line);
                }
            }
        });
        Self { lines, start: Some(start), printer, writers: 0 }
    }

    /// A writer whose lines stand behind `name`.
    pub(crate) fn writer(&mut self, name: &str) -> Writer {
        let style = COLOURS[self.writers % COLOURS.len()];
        self.writers += 1;
        Writer { prefix: report::paint(style, format_args!("{name:>8} │")), lines: self.lines.clone() }
    }

    /// From now on, shows lines as they come.
    pub(crate) fn show(&mut self) {
        if let Some(start) = self.start.take() {
            let _ = start.send(());
        }
    }

    /// Shows what is still on its way, once the services have ended.
    pub(crate) async fn finish(self) {
        drop((self.lines, self.start));
        let _ = tokio::time::timeout(Duration::from_secs(1), self.printer).await;
    }
}

impl Writer {
    /// Adds one line to the log.
    pub(crate) async fn write(&self, line: String) {
        let _ = self.lines.send(format!("{} {line}", self.prefix)).await;
    }
}
