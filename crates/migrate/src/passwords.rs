//! Passwords that the original stored as plain text, also as `plain$…$password`. They are refused at log-in, because
//! whoever reads the table could log in with what it says; one explicit step hashes them.
//!
//! The trap is to hash what is a hash already: its text would become a password. So a row is taken for plain text
//! only if nothing it could be is a hash: not one of ours, not one the original accepts, and not one of anybody
//! else's by its looks.

use std::time::{Duration, Instant};

use common::db;
use common::events::{self, Cause, Subject};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

use crate::accounts;
use crate::error::Error;
use crate::step::{Reporter, Step};

/// How many accounts are read at once.
const PAGE: i64 = 1000;
/// How often a long hashing tells how far it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the original's setup script gave its administrator, and printed.
const KNOWN: &str = "admin123";

/// The methods of the original's hashes, which open or don't, but are no passwords.
const METHODS: [&str; 8] = ["scrypt", "pbkdf2", "md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

/// What a stored text is, where it is a password itself.
fn plain(stored: &str) -> Option<&str> {
    if stored.starts_with('$') || !stored.contains(char::is_alphanumeric) {
        return None;
    }
    let parts: Vec<&str> = stored.splitn(3, '$').collect();
    let method = parts[0].split(':').next().unwrap_or_default();
    match parts[..] {
        [_, _, password] if method == "plain" => Some(password).filter(|password| !password.is_empty()),
        _ if method == "plain" && parts.len() > 1 => None,
        [_, _, digest] if is_digest(digest) => None,
        [_, _, ..] if METHODS.contains(&method) => None,
        _ if is_digest(stored) || is_salted(stored) => None,
        _ => Some(stored),
    }
}

/// Whether `text` looks like the digest of something: nothing but hex, and long.
fn is_digest(text: &str) -> bool {
    text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether `text` is a salt of 32 characters and a digest.
fn is_salted(text: &str) -> bool {
    text.chars().count() == 96 && text.chars().skip(32).all(|c| c.is_ascii_hexdigit())
}

/// How many accounts in `table` wait for their password to be hashed.
pub(crate) async fn waiting(connection: &mut MySqlConnection, table: &str) -> sqlx::Result<u64> {
    let mut waiting = 0;
    let mut after = 0;
    loop {
        let page = page(connection, table, after).await?;
        let Some((last, _)) = page.last() else { return Ok(waiting) };
        after = *last;
        waiting += page.iter().filter(|(_, stored)| plain(stored).is_some()).map(|_| 1).sum::<u64>();
    }
}

/// Hashes them all. Answers whether there were any.
pub(crate) async fn hash_waiting(connection: &mut MySqlConnection, report: Reporter<'_>) -> Result<bool, Error> {
    let of = waiting(connection, "users").await?;
    let (mut done, mut after, mut told) = (0, 0, Instant::now());
    loop {
        let page = page(connection, "users", after).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        for (user_id, stored) in &page {
            let Some(password) = plain(stored) else { continue };
            replace(connection, *user_id, stored, &accounts::hash(password)?).await?;
            if password == KNOWN {
                report(Step::KnownPassword { user_id: *user_id });
            }
            done += 1;
            if told.elapsed() > PATIENCE && done < of {
                report(Step::HashedPasswords { done, of });
                told = Instant::now();
            }
        }
    }
    if done > 0 {
        report(Step::HashedPasswords { done, of });
    }
    Ok(done > 0)
}

/// The accounts after `after` whose stored passwords aren't hashes of ours.
async fn page(connection: &mut MySqlConnection, table: &str, after: i64) -> sqlx::Result<Vec<(i64, String)>> {
    let sql = format!(
        "select user_id, password_hash from {table}
         where user_id > ? and password_hash not like '$argon2id$%' order by user_id limit {PAGE}"
    );
    sqlx::query_as(AssertSqlSafe(sql)).bind(after).fetch_all(connection).await
}

/// Puts `hash` in place of `stored`, unless its owner was quicker.
async fn replace(connection: &mut MySqlConnection, user_id: i64, stored: &str, hash: &str) -> sqlx::Result<()> {
    let mut transaction = connection.begin().await?;
    let replaced = sqlx::query("update users set password_hash = ? where user_id = ? and password_hash = ?")
        .bind(hash)
        .bind(user_id)
        .bind(stored)
        .execute(&mut *transaction)
        .await?;
    if replaced.rows_affected() == 1 {
        events::record(&mut transaction, &Cause::system(), Subject::User, user_id, "password-hashed", &(), &()).await?;
    }
    db::commit(transaction).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_what_can_be_nothing_else() {
        for (stored, password) in [
            ("admin123", "admin123"),
            ("Passw0rd!", "Passw0rd!"),
            ("비밀번호", "비밀번호"),
            ("pa$$word", "pa$$word"),
            ("a:b$c", "a:b$c"),
            ("plain$$Passw0rd!", "Passw0rd!"),
            ("plain$salt$pa$$word", "pa$$word"),
            ("plain$a:b$Passw0rd!", "Passw0rd!"),
        ] {
            assert_eq!(plain(stored), Some(password), "{stored}");
        }
    }

    #[test]
    fn nothing_that_looks_like_a_hash_is_a_password() {
        let hex = "5edd5133ce8e3ec85e0380c37a5e4672914a42448de93de9a0b77d305b49ad7f";
        for stored in [
            format!("scrypt:32768:8:1$SaltSalt12345678${hex}{hex}"),
            format!("scrypt$SaltSalt12345678${hex}{hex}"),
            format!("pbkdf2:sha256:600000$SaltSalt12345678${hex}"),
            format!("pbkdf2$SaltSalt12345678${hex}"),
            format!("pbkdf2:sha256:0$SaltSalt12345678${hex}"),
            format!("sha256$SaltSalt12345678${hex}"),
            format!("blake2s$SaltSalt12345678${hex}"),
            format!("md5$SaltSalt12345678${}", &hex[..32]),
            "md5$SaltSalt12345678".to_owned(),
            hex.to_owned(),
            hex.to_uppercase(),
            hex[..40].to_owned(),
            format!("0123456789abcdef0123456789abcdef{hex}"),
            format!("GhIjKlMnOpQrStUvWxYz0123456789-_{hex}"),
            format!("소금소금소금소금소금소금소금소금소금소금소금소금소금소금소금소금{hex}"),
            "$2b$12$abcdefghijklmnopqrstuuJ5Zqb8vS6zZQ3m9a0tq7yQ1n0iW3y8K".to_owned(),
            common::password::hash("x").unwrap(),
            "$".to_owned(),
            "!".to_owned(),
            String::new(),
            "plain$".to_owned(),
            "plain$$".to_owned(),
        ] {
            assert_eq!(plain(&stored), None, "{stored}");
        }
    }
}
