//! Markup and control characters in what browsers are shown (FE-1): the original's pages write it into themselves as
//! it is. Tags go whole, angle brackets that are left go alone, control characters become blanks; where nothing else
//! was, a dash stands. E-mail addresses of accounts, which must stay unique, have a [repair](super::emails) of their own.

use super::Source;
use crate::adoption::fix::{Fix, Rule};
use crate::adoption::original;

const RULE: Rule = Rule { name: "markup-removed", says: "markup and control characters are removed from texts" };
pub(super) const RULES: &[Rule] = &[RULE];

const TEXTS: [(&str, &str); 16] = [
    ("users", "name"),
    ("users", "phone"),
    ("airports", "airport_name"),
    ("airports", "city"),
    ("airports", "country"),
    ("flights", "airline"),
    ("flights", "duration"),
    ("flights", "aircraft"),
    ("bookings", "contact_email"),
    ("bookings", "contact_phone"),
    ("bookings", "payment_method"),
    ("bookings", "seat_number"),
    ("passengers", "name_kor"),
    ("passengers", "name_eng"),
    ("passengers", "seat_number"),
    ("payments", "currency"),
];

/// What a text must hold to be looked at more closely, as both servers understand it.
pub(super) const SUSPECT: &str = "[<>\"`\u{2028}\u{2029}[:cntrl:]]";

pub(super) async fn find(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let mut fixes = Vec::new();
    for (table, column) in TEXTS {
        let key = original::named(table).key;
        let rows: Vec<(String, String)> = source
            .read(&format!(
                "select cast({key} as char), {column} from {{{table}}} where {column} regexp '{SUSPECT}' order by {key}"
            ))
            .await?;
        for (row, text) in rows {
            let clean = cleaned(&text);
            if clean != text {
                let row = original::named(table).row(row);
                fixes.push(RULE.fix((table, row, column), Some(text), Some(clean)));
            }
        }
    }
    Ok(fixes)
}

/// `text` as it may be shown.
pub(super) fn cleaned(text: &str) -> String {
    let is_harmful = |c: char| matches!(c, '<' | '>' | '\u{2028}' | '\u{2029}') || c.is_control();
    if !text.contains(is_harmful) {
        return text.to_owned();
    }
    let without_tags = without_tags(text);
    let blanked: String =
        without_tags.chars().filter(|c| !matches!(c, '<' | '>')).map(|c| if is_harmful(c) { ' ' } else { c }).collect();
    match blanked.trim() {
        "" => "-".to_owned(),
        rest => rest.to_owned(),
    }
}

fn without_tags(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some((before, tag)) = rest.split_once('<') {
        kept.push_str(before);
        let opens = tag.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        match tag.split_once('>') {
            Some((_, after)) if opens => rest = after,
            _ => rest = tag,
        }
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_can_be_written_into_a_page() {
        for (stored, clean) in [
            ("김여행", "김여행"),
            ("O'Brien & \"Sons\"", "O'Brien & \"Sons\""),
            ("<b>김</b>여행", "김여행"),
            ("Kim <script>alert(1)</script>", "Kim alert(1)"),
            ("a < b > c", "a  b  c"),
            ("<<img src=x>", "-"),
            ("<img src=x onerror=", "img src=x onerror="),
            ("010\t1234\u{0}5678\n", "010 1234 5678"),
            ("a\u{2028}b", "a b"),
            ("<br>", "-"),
        ] {
            assert_eq!(cleaned(stored), clean, "{stored:?}");
            assert_eq!(cleaned(clean), clean, "{stored:?} twice");
        }
    }
}
