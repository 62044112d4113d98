//! E-mail addresses of accounts that would break out of a page. One that is sound without what is harmful, and that
//! nobody else has, becomes that; any other becomes one that can't exist, and its owner must turn to the airline.
//! Nobody is ever given an address that a second account has by the unique key's eyes, blind to case and accents.

use super::Source;
use super::text::{SUSPECT, cleaned};
use crate::adoption::fix::{Fix, RowId, Rule};

const RULE: Rule = Rule {
    name: "address-replaced",
    says: "an account's e-mail address with markup is cleaned; if that gives no address, or somebody else's, it gets one \
           under .invalid, by which nobody can log in",
};
pub(super) const RULES: &[Rule] = &[RULE];

pub(super) async fn find(source: &mut Source<'_>) -> sqlx::Result<Vec<Fix>> {
    let suspects: Vec<(i64, String)> = source
        .read(&format!("select user_id, email from {{users}} where email regexp '{SUSPECT}' order by user_id"))
        .await?;
    let mut fixes: Vec<Fix> = Vec::new();
    for (id, email) in suspects {
        let wanted = sound(&email);
        let is_free = match &wanted {
            Some(wanted) => {
                let given: Vec<&str> = fixes.iter().filter_map(|fix| fix.new.as_deref()).collect();
                is_free(source, id, wanted, &given).await?
            }
            None => false,
        };
        let new = wanted.filter(|_| is_free).unwrap_or_else(|| format!("account-{id}@removed.invalid"));
        if new != email {
            fixes.push(RULE.fix(("users", RowId::Number(id), "email"), Some(email), Some(new)));
        }
    }
    Ok(fixes)
}

/// The address that is left of `email`, if one is.
fn sound(email: &str) -> Option<String> {
    let left: String = cleaned(email).chars().filter(|c| !c.is_whitespace() && !"\"`".contains(*c)).collect();
    common::http::wire::email(&left, "email").ok()
}

/// Whether no other account has `wanted`, and none was given it just now.
async fn is_free(source: &mut Source<'_>, id: i64, wanted: &str, given: &[&str]) -> sqlx::Result<bool> {
    let quoted = |text: &str| format!("convert(unhex('{}') using utf8mb4) collate utf8mb4_unicode_ci", hex(text));
    let given: Vec<_> = given.iter().map(|address| format!(" union all select {}", quoted(address))).collect();
    let others: Vec<(i64,)> = source
        .read(&format!(
            "select count(*) from (select email collate utf8mb4_unicode_ci as email from {{users}} where user_id <> {id}{}) taken
             where email = {}",
            given.concat(),
            quoted(wanted)
        ))
        .await?;
    Ok(others.first().is_some_and(|(count,)| *count == 0))
}

fn hex(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_cleaned_or_given_up() {
        assert_eq!(sound("kim\"<b>@example.com"), Some("kim@example.com".to_owned()));
        assert_eq!(sound("kim@example.com\t"), Some("kim@example.com".to_owned()));
        for hopeless in ["<script>alert(1)</script>", "<img src=x>", "a@b<.c"] {
            assert_eq!(sound(hopeless).filter(|s| s.contains(['<', '>'])), None, "{hopeless}");
        }
        assert_eq!(sound("<img src=x>"), None);
    }
}
