//! What an adoption changes, value by value, for the operator who decides about it.

use std::fmt;

use serde::Serialize;

use super::fix::{Fix, RowId, Rule};
use super::repairs;

/// Everything an adoption changes, or would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Every fix and every remark.
    pub lines: Vec<Line>,
    /// How many accounts have their password stored as plain text and can't log in until it is hashed.
    pub plain_passwords: u64,
}

/// One value of one row: replaced, or only named because somebody should look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Why: the rule's name.
    pub rule: String,
    /// The row's table.
    pub table: String,
    /// The row's primary key.
    pub row: String,
    /// The value's column.
    pub column: String,
    /// The value as it was; of personal data, its first character.
    pub old: Option<String>,
    /// The value as it is then; of a remark, nothing.
    pub new: Option<String>,
    /// Whether it is replaced.
    pub is_change: bool,
}

impl Report {
    /// What rule `rule` changes or remarks.
    fn of(&self, rule: Rule) -> Vec<&Line> {
        self.lines.iter().filter(|line| line.rule == rule.name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        for rule in repairs::rules() {
            let lines = self.of(rule);
            if lines.is_empty() {
                continue;
            }
            writeln!(f, "\n{} ({}): {}", rule.name, lines.len(), rule.says)?;
            for Line { table, row, column, old, new, is_change, .. } in lines {
                match is_change {
                    true => writeln!(f, "  {table} {row}, {column}: {} -> {}", value(old), value(new))?,
                    false => writeln!(f, "  {table} {row}, {column}: {}", value(old))?,
                }
            }
        }
        let changes = self.lines.iter().filter(|line| line.is_change).count();
        writeln!(f)?;
        write!(f, "{changes} values changed, {} to look at", self.lines.len() - changes)?;
        match self.plain_passwords {
            0 => Ok(()),
            n => write!(
                f,
                "; {n} passwords are stored as plain text and refused at log-in until --hash-plain-passwords is run"
            ),
        }
    }
}

impl From<Fix> for Line {
    fn from(fix: Fix) -> Self {
        let (old, new) = fix.shown();
        Self {
            rule: fix.rule.name.to_owned(),
            table: fix.table.to_owned(),
            row: match fix.row {
                RowId::Number(id) => id.to_string(),
                RowId::Key(key) => key,
            },
            column: fix.column.to_owned(),
            old,
            new,
            is_change: fix.is_change,
        }
    }
}
