//! What the person at the terminal sees: steps with their elapsed time, and colour where it is wanted.
//!
//! Progress goes to standard error and results to standard output. A reader that has gone away (`| head`) is no
//! reason to stop, so write errors are ignored.

use std::fmt::Display;
use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How often a running step shows its elapsed time.
const REDRAW: Duration = Duration::from_millis(100);

/// An ANSI style.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

impl Style {
    const fn code(self) -> u8 {
        match self {
            Self::Bold => 1,
            Self::Dim => 2,
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Blue => 34,
            Self::Magenta => 35,
            Self::Cyan => 36,
        }
    }
}

/// Whether standard output and error are terminals that want colour.
pub(crate) fn is_coloured() -> bool {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    wanted && io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// `text` in `style`, where [colour is wanted](is_coloured).
pub(crate) fn paint(style: Style, text: impl Display) -> String {
    if is_coloured() { format!("\x1b[{}m{text}\x1b[0m", style.code()) } else { text.to_string() }
}

/// Prints a line of results.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line about what is going on.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints what went wrong, and why.
pub(crate) fn error(error: &anyhow::Error) {
    note(format_args!("{} {error}", paint(Style::Red, "error:")));
    for cause in error.chain().skip(1) {
        note(format_args!("  {} {cause}", paint(Style::Dim, "because")));
    }
}

/// Does one quiet step: on a terminal a single line whose clock ticks.
pub(crate) async fn step<T>(doing: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    show_step(doing, io::stderr().is_terminal(), work).await
}

/// Does one step whose programs write to the terminal themselves.
pub(crate) async fn loud_step<T>(doing: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    show_step(doing, false, work).await
}

async fn show_step<T>(doing: &str, ticking: bool, work: impl Future<Output = Result<T>>) -> Result<T> {
    let started = Instant::now();
    let mut work = pin!(work);
    let mut redraw = tokio::time::interval(REDRAW);
    if !ticking {
        note(format_args!("{} {doing}", paint(Style::Blue, "▸")));
    }
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut work => break outcome,
            _ = redraw.tick(), if ticking => {
                let _ = write!(io::stderr(), "\r\x1b[K{} {doing}  {}", paint(Style::Blue, "▸"), seconds(started.elapsed()));
            }
        }
    };
    let mark = if outcome.is_ok() { paint(Style::Green, "✔") } else { paint(Style::Red, "✘") };
    let clear = if ticking { "\r\x1b[K" } else { "" };
    note(format_args!("{clear}{mark} {doing}  {}", seconds(started.elapsed())));
    outcome
}

/// A duration as a person reads it.
pub(crate) fn seconds(elapsed: Duration) -> String {
    let text = match elapsed.as_secs() {
        0..60 => format!("{:.1} s", elapsed.as_secs_f64()),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    };
    paint(Style::Dim, text)
}

/// Lays `rows` out in columns, indented by two.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line: Vec<String> = cells.collect();
        text.push_str("  ");
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The same as Markdown; the first row is the head.
pub(crate) fn markdown<const N: usize>(rows: &[[String; N]]) -> String {
    let mut lines: Vec<String> = rows.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
    lines.insert(lines.len().min(1), format!("{}|\n", "|---".repeat(N)));
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned() {
        let rows = [["a", "bcd", "e"], ["abc", "d", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "  a    bcd  e\n  abc  d\n");
        assert_eq!(markdown(&rows), "| a | bcd | e |\n|---|---|---|\n| abc | d |  |\n");
    }

    #[test]
    fn long_durations_are_told_in_minutes() {
        assert_eq!(seconds(Duration::from_millis(1240)), paint(Style::Dim, "1.2 s"));
        assert_eq!(seconds(Duration::from_secs(125)), paint(Style::Dim, "2 min 05 s"));
    }
}
