//! A fix: one value of one row that can't stay as the original left it, and why.

use serde::Serialize;

/// Why values are fixed: a rule of `migrations/README.md`, by its name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Rule {
    /// Its name, as the history keeps it.
    pub(super) name: &'static str,
    /// What it does, for people.
    pub(super) says: &'static str,
}

/// A row of the original, by its primary key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RowId {
    /// A number.
    Number(i64),
    /// A flight number or an airport's code.
    Key(String),
}

/// A value that is replaced, or only named because people must look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fix {
    pub(super) rule: Rule,
    pub(super) table: &'static str,
    pub(super) row: RowId,
    pub(super) column: &'static str,
    /// What the row has, as people may see it.
    pub(super) old: Option<String>,
    /// What it gets; of a remark, nothing.
    pub(super) new: Option<String>,
    /// Whether the value is replaced.
    pub(super) is_change: bool,
}

impl Rule {
    /// `column` of `row` becomes `new`.
    pub(super) fn fix(
        self,
        (table, row, column): (&'static str, RowId, &'static str),
        old: Option<String>,
        new: Option<String>,
    ) -> Fix {
        Fix { rule: self, table, row, column, old, new, is_change: true }
    }

    /// Nothing is changed, but somebody should look at `column` of `row`.
    pub(super) fn remark(self, (table, row, column): (&'static str, RowId, &'static str), old: Option<String>) -> Fix {
        Fix { rule: self, table, row, column, old, new: None, is_change: false }
    }
}

impl Fix {
    /// Old and new as reports and the history show them: of what tells who somebody is, the first character.
    pub(super) fn shown(&self) -> (Option<String>, Option<String>) {
        let personal = matches!(
            (self.table, self.column),
            ("users", "name" | "email" | "phone" | "birth_date")
                | ("bookings", "contact_email" | "contact_phone")
                | ("passengers", "name_kor" | "name_eng" | "birth_date")
        );
        let show = |value: &Option<String>| match value {
            Some(text) if personal => Some(masked(text)),
            text => text.clone(),
        };
        (show(&self.old), show(&self.new))
    }
}

fn masked(text: &str) -> String {
    let first: String = text.chars().filter(|c| !c.is_control()).take(1).collect();
    format!("{first}***")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_recognised_by_a_fix() {
        let rule = Rule { name: "r", says: "" };
        let shown = |table, column| {
            rule.fix((table, RowId::Number(1), column), Some("kim@example.com".into()), None).shown().0.unwrap()
        };
        assert_eq!(shown("users", "email"), "k***");
        assert_eq!(shown("bookings", "contact_phone"), "k***");
        assert_eq!(shown("passengers", "seat_number"), "kim@example.com");
    }
}
