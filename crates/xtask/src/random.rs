//! Random text for passwords, keys and names of directories, from the system's own generator.

use std::fs::File;
use std::io::{self, Read as _};

/// `bytes` random bytes as hexadecimal digits, which need quoting nowhere.
pub(crate) fn hex(bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    let digits = buffer.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    Ok(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect())
}
