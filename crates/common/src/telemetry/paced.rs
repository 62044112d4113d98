//! Writing the lines of a moment at once: waking the thread that writes, and asking the kernel, cost more than a line.

use std::io::{self, BufWriter, Write};
use std::thread;
use std::time::Duration;

/// How long lines gather, after those that were written at once.
const MOMENT: Duration = Duration::from_millis(10);

/// A writer that rests after each flush, so that a thread which flushes whenever nothing more waits finds many lines
/// after a rest. One line on its own is written at once.
#[derive(Debug)]
pub(super) struct Paced<W: Write>(BufWriter<W>);

impl<W: Write> Paced<W> {
    pub(super) fn new(writer: W) -> Self {
        Self(BufWriter::new(writer))
    }
}

impl<W: Write> Write for Paced<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        thread::sleep(MOMENT);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written, each time.
    #[derive(Default)]
    struct Writes(Vec<Vec<u8>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_of_a_moment_are_written_at_once() {
        let mut paced = Paced::new(Writes::default());
        for line in ["a\n", "b\n"] {
            paced.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(paced.0.get_ref().0.len(), 0);
        paced.flush().unwrap();
        assert_eq!(paced.0.get_ref().0, [b"a\nb\n"]);
    }
}
