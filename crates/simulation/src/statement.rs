//! Statements as the story tells them, and whether it makes a difference when one is asked.

/// On one line, with single blanks.
pub(crate) fn flat(statement: &str) -> String {
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The word that says what it does.
pub(crate) fn first_word(statement: &str) -> String {
    statement.split_whitespace().next().unwrap_or_default().to_lowercase()
}

/// A statement that waits for its turn, on one line; `None`: it makes no difference when it is asked.
pub(crate) fn worth_a_turn(statement: &str) -> Option<String> {
    (!matches!(first_word(statement).as_str(), "set" | "begin" | "rollback" | "savepoint")).then(|| flat(statement))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_make_a_difference_waits_for_its_turn() {
        assert_eq!(worth_a_turn(" update t\n   set n = ? ").as_deref(), Some("update t set n = ?"));
        assert_eq!(worth_a_turn("COMMIT").as_deref(), Some("COMMIT"));
        assert_eq!(worth_a_turn("ROLLBACK"), None);
        assert_eq!(worth_a_turn("set names utf8mb4"), None);
    }
}
