//! Where a search's answer stands in the cache: spelled in one place, because flight-service fills what the
//! others, whose changes make it old, forget.

use chrono::NaiveDate;

/// The cache key of a search from `from` to `to` (IATA, any case) on `date`.
pub fn search_key(from: &str, to: &str, date: NaiveDate) -> String {
    format!("flights:{}:{}:{date}", from.to_ascii_uppercase(), to.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_spelling() {
        let date = "2026-12-01".parse().unwrap();
        assert_eq!(search_key("ICN", "NRT", date), "flights:ICN:NRT:2026-12-01");
        assert_eq!(search_key("icn", "Nrt", date), "flights:ICN:NRT:2026-12-01");
    }
}
