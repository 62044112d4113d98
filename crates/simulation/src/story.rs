//! What happened in a run, to be read by people, and to be held against another run of the same seed.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// How much of a statement is told.
const WIDTH: usize = 150;

/// A run's story.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    lines: Vec<String>,
    steps: usize,
}

impl Story {
    /// Something begins.
    pub(crate) fn step(&mut self, words: &str) {
        self.steps += 1;
        self.lines.push(format!("{:3}. {words}", self.steps));
    }

    /// A process has its turn.
    pub(crate) fn turn(&mut self, process: usize, what: &str) {
        let what: String = what.chars().take(WIDTH).collect();
        self.lines.push(format!("       [{process}] {what}"));
    }

    /// Something has ended.
    pub(crate) fn answer(&mut self, process: usize, words: &str) {
        self.lines.push(format!("       [{process}] => {words}"));
    }

    /// All of it; without what went over the wires, unless that is wanted.
    pub(crate) fn lines(&self, with_turns: bool) -> Vec<String> {
        let is_turn =
            |line: &&String| line.starts_with("       [") && !line.contains("] => ") && !line.contains("] dies ");
        self.lines.iter().filter(|line| with_turns || !is_turn(line)).cloned().collect()
    }

    /// The same for the same story.
    pub(crate) fn hash(&self) -> String {
        let digest = Sha256::digest(self.lines.join("\n"));
        digest.iter().take(8).fold(String::new(), |mut text, byte| {
            // Writing to a string can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
