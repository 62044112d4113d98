//! As much of the database's protocol as one needs to listen in: packets, and the server's greeting.

/// Takes the first whole packet off `bytes`, its head of four bytes included.
pub fn packet(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let [a, b, c, _] = *bytes.first_chunk()?;
    let end = 4 + usize::try_from(u32::from_le_bytes([a, b, c, 0])).ok()?;
    (bytes.len() >= end).then(|| bytes.drain(..end).collect())
}

/// Takes the offer of TLS out of the server's greeting, because what is encrypted can't be read.
pub fn offer_no_tls(greeting: &mut [u8]) {
    const TLS: u8 = 8;
    if let Some(capabilities) = end_of_version(greeting).and_then(|end| greeting.get_mut(end + 4 + 8 + 1 + 1)) {
        *capabilities &= !TLS;
    }
}

/// The number by which the server knows the connection that it greets.
pub fn thread_of(greeting: &[u8]) -> u32 {
    let number = end_of_version(greeting).and_then(|end| greeting.get(end..)?.first_chunk());
    number.copied().map_or(0, u32::from_le_bytes)
}

/// A greeting is its head of four bytes, its version, the server's version up to a zero (whose end this finds), the
/// connection's number, eight bytes of a challenge, a zero, and then what the server is capable of.
fn end_of_version(greeting: &[u8]) -> Option<usize> {
    greeting.iter().skip(5).position(|byte| *byte == 0).map(|end| 5 + end + 1)
}
