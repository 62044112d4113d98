//! What the servers say to a statement that has happened already.

use common::db;

/// Whether the server refused a statement because what it makes is there, or what it drops is not.
pub(super) fn is_already_there(error: &sqlx::Error) -> bool {
    let message = error.as_database_error().map_or("", sqlx::error::DatabaseError::message);
    db::number(error).is_some_and(|number| says_already_there(number, message))
}

fn says_already_there(number: u16, message: &str) -> bool {
    match number {
        // There: table, column, key, primary key; MySQL's foreign key or MariaDB's check; MySQL's check.
        1050 | 1060 | 1061 | 1068 | 1826 | 3822
        // Gone: table; column, key or constraint; MySQL's check; MySQL's constraint.
        | 1051 | 1091 | 3821 | 3940 => true,
        // There: MariaDB's foreign key. Under the same number it says what else is wrong with one.
        1005 => message.contains("errno: 121"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_is_already_there() {
        let duplicate = "Can't create table `c`.`t` (errno: 121 \"Duplicate key on write or update\")";
        let malformed = "Can't create table `c`.`t` (errno: 150 \"Foreign key constraint is incorrectly formed\")";
        assert!(says_already_there(1060, "Duplicate column name 'b'") && says_already_there(1005, duplicate));
        assert!(!says_already_there(1005, malformed));
        // Rows that break a new key or check are no sign that the key is there.
        assert!(!says_already_there(1062, "Duplicate entry '1' for key 'uq_x'"));
        assert!(!says_already_there(4025, "CONSTRAINT `ck_x` failed") && !says_already_there(1064, "syntax"));
    }
}
