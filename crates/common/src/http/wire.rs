//! How simple things look on the wire, parsed once at the door: ids, dates, names, phones, e-mail addresses.
//!
//! Each parser names the field it was reading, so that its refusal can.

use std::fmt;
use std::ops::RangeInclusive;

use chrono::{NaiveDate, NaiveTime, Timelike as _};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::error::ApiError;

/// A whole number in a request, also as its digits in a string, which is what the browser client sends of form fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = i64)]
pub struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum NumberOrText {
            Number(i64),
            Text(String),
        }
        let number = match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(number) => Some(number),
            NumberOrText::Text(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            NumberOrText::Text(_) => None,
        };
        number.map(Self).ok_or_else(|| serde::de::Error::custom("not a whole number"))
    }
}

/// An id in a request: a positive number, also as a decimal string, which is what the browser client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = i64, minimum = 1, example = 10_000_001)]
pub struct Id(pub i64);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Whole(id) = Whole::deserialize(deserializer)?;
        (id > 0).then_some(Self(id)).ok_or_else(|| serde::de::Error::custom("an id is a positive number"))
    }
}

/// A required field, or a refusal naming it. Empty texts count as missing.
pub fn required<T>(value: Option<T>, field: &str) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::missing(field.to_owned()))
}

/// A required text that isn't blank.
pub fn required_text(value: Option<String>, field: &str) -> Result<String, ApiError> {
    required(value.filter(|v| !v.trim().is_empty()), field)
}

/// A date written `YYYY-MM-DD` and nothing else.
pub fn date(text: &str, field: &str) -> Result<NaiveDate, ApiError> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    shaped
        .then(|| text.parse().ok())
        .flatten()
        .filter(|date| *date >= NaiveDate::MIN.max(NaiveDate::from_ymd_opt(1000, 1, 1).unwrap_or_default()))
        .ok_or_else(|| {
            ApiError::invalid(field.to_owned(), "YYYY-MM-DD 형식의 날짜여야 합니다.", "Must be a date as YYYY-MM-DD.")
        })
}

/// A local time written `HH:MM` or `HH:MM:SS` and nothing else.
pub fn time(text: &str, field: &str) -> Result<NaiveTime, ApiError> {
    let shaped = matches!(text.len(), 5 | 8)
        && text.bytes().enumerate().all(|(i, b)| if i % 3 == 2 { b == b':' } else { b.is_ascii_digit() });
    // The parser reads 23:59:60 as a leap second; timetables have none.
    let read = shaped.then(|| text.parse().ok()).flatten().filter(|time: &NaiveTime| time.nanosecond() == 0);
    read.ok_or_else(|| {
        ApiError::invalid(field.to_owned(), "HH:MM 형식의 시각이어야 합니다.", "Must be a time as HH:MM or HH:MM:SS.")
    })
}

/// One of these words, in letters of any size.
pub fn one_of<T: Copy + fmt::Display>(words: &[T], text: &str, field: &str) -> Result<T, ApiError> {
    let named = text.to_ascii_uppercase();
    words.iter().copied().find(|word| word.to_string() == named).ok_or_else(|| {
        let words = words.iter().map(T::to_string).collect::<Vec<_>>().join(", ");
        ApiError::invalid(field.to_owned(), format!("{words} 중 하나여야 합니다."), format!("Must be one of {words}."))
    })
}

/// A number from `range`.
pub fn within(number: Whole, field: &str, range: RangeInclusive<i64>) -> Result<i64, ApiError> {
    if range.contains(&number.0) {
        return Ok(number.0);
    }
    let (least, most) = range.into_inner();
    Err(ApiError::invalid(
        field.to_owned(),
        format!("{least}부터 {most}까지여야 합니다."),
        format!("Must be from {least} to {most}."),
    ))
}

/// A date of birth: from 1900 to `today`.
pub fn birth_date(text: &str, field: &str, today: NaiveDate) -> Result<NaiveDate, ApiError> {
    let born = date(text, field)?;
    if born > today || born < NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default() {
        return Err(ApiError::invalid(
            field.to_owned(),
            "1900년부터 오늘까지의 날짜여야 합니다.",
            "Must be a date between 1900 and today.",
        ));
    }
    Ok(born)
}

/// A person's name, trimmed: 1 to `longest` characters of any script; no markup, no control characters, because
/// the browser client writes names into pages as they are.
pub fn name(text: &str, field: &str, longest: usize) -> Result<String, ApiError> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 {
        return Err(ApiError::missing(field.to_owned()));
    }
    if length > longest {
        return Err(ApiError::invalid(
            field.to_owned(),
            format!("{longest}자 이하여야 합니다."),
            format!("Must be at most {longest} characters."),
        ));
    }
    printable(text, field)?;
    Ok(text.to_owned())
}

/// Refuses markup and control characters.
pub fn printable(text: &str, field: &str) -> Result<(), ApiError> {
    if text.chars().any(|c| c == '<' || c == '>' || is_control(c)) {
        return Err(ApiError::invalid(
            field.to_owned(),
            "사용할 수 없는 문자가 있습니다 (<, >, 제어 문자).",
            "Contains characters that are not allowed (<, > or control characters).",
        ));
    }
    Ok(())
}

/// Whether a character steers how text is shown instead of being shown: controls, line and paragraph separators, and
/// the marks, embeddings, overrides and isolates that turn the direction of what follows, so that one name can garble
/// a whole list. Joiners (U+200C, U+200D) stay: Persian, Indic scripts and emoji are written with them.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A phone number of 10 to 20 characters as people write them: digits, spaces, `+`, `-`, `(`, `)`, `.`.
pub fn phone(text: &str, field: &str) -> Result<String, ApiError> {
    let text = text.trim();
    let sound = (10..=20).contains(&text.chars().count())
        && text.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c))
        && text.chars().filter(char::is_ascii_digit).count() >= 7;
    if sound {
        Ok(text.to_owned())
    } else {
        Err(ApiError::invalid(
            field.to_owned(),
            "전화번호를 확인해 주세요 (10~20자).",
            "Must be a phone number of 10 to 20 characters.",
        ))
    }
}

/// An e-mail address: something@something.something, without spaces, markup or quotes, at most 100 characters.
pub fn email(text: &str, field: &str) -> Result<String, ApiError> {
    let text = text.trim();
    let sound = text.chars().count() <= 100
        && !text.chars().any(|c| c.is_whitespace() || is_control(c) || "<>\"`\\(),:;[]".contains(c))
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.contains('@')
                && domain.rsplit_once('.').is_some_and(|(name, top)| !name.is_empty() && !top.is_empty())
        });
    if sound {
        Ok(text.to_owned())
    } else {
        Err(ApiError::invalid(field.to_owned(), "이메일 주소를 확인해 주세요.", "Must be an e-mail address."))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_positive_numbers_or_their_digits() {
        let read = |json: &str| serde_json::from_str::<Id>(json).ok().map(|id| id.0);
        assert_eq!(read("12"), Some(12));
        assert_eq!(read("\"12\""), Some(12));
        for refused in
            ["0", "-1", "\"-1\"", "\"1e3\"", "\"\"", "\" 1\"", "1.5", "true", "null", "[1]", "99999999999999999999"]
        {
            assert_eq!(read(refused), None, "{refused}");
        }
    }

    #[test]
    fn numbers_are_whole_and_may_be_their_digits() {
        let read = |json: &str| serde_json::from_str::<Whole>(json).ok().map(|number| number.0);
        assert_eq!(["0", "-7", "\"320000\""].map(read), [Some(0), Some(-7), Some(320_000)]);
        for refused in ["\"\"", "\"-7\"", "\" 1\"", "1.5", "\"1e3\"", "true", "null", "[1]"] {
            assert_eq!(read(refused), None, "{refused}");
        }
        assert!(within(Whole(1), "f", 1..=99).is_ok() && within(Whole(99), "f", 1..=99).is_ok());
        assert!(within(Whole(0), "f", 1..=99).is_err() && within(Whole(100), "f", 1..=99).is_err());
    }

    #[test]
    fn a_word_is_one_of_a_list_or_the_list_is_told() {
        let read = |text: &str| one_of(&["PAID", "FAILED"], text, "status");
        assert_eq!((read("PAID").ok(), read("failed").ok()), (Some("PAID"), Some("FAILED")));
        for refused in ["", "PAYED", " PAID", "PAID\0", "PAID,FAILED"] {
            let told = read(refused).unwrap_err().problem(crate::language::Language::English, "id");
            let told = serde_json::to_value(told).unwrap();
            assert_eq!(told["errors"][0]["field"], "status", "{refused}");
            assert_eq!(told["errors"][0]["message"], "Must be one of PAID, FAILED.", "{refused}");
        }
    }

    #[test]
    fn times_have_two_spellings() {
        let read = |text: &str| time(text, "t").ok().map(|t| t.to_string());
        assert_eq!(read("06:30").as_deref(), Some("06:30:00"));
        assert_eq!(read("23:59:59").as_deref(), Some("23:59:59"));
        for refused in ["", "6:30", "24:00", "06:60", "06:30:60", "06:30:", "0630", "06-30", "06:30:00.5", "06:3０"] {
            assert!(time(refused, "t").is_err(), "{refused}");
        }
    }

    #[test]
    fn dates_have_one_spelling() {
        assert!(date("2026-12-01", "d").is_ok());
        for refused in
            ["", "2026-2-1", "2026-02-30", "20261201", "+026-12-01", "2026-12-01T00:00", "２０２６-12-01", "0000-01-01"]
        {
            assert!(date(refused, "d").is_err(), "{refused}");
        }
    }

    #[test]
    fn names_may_hold_any_script_but_no_markup() {
        let joined = ["\u{645}\u{6cc}\u{200c}\u{62e}", "\u{dc1}\u{dca}\u{200d}\u{dbb}\u{dd3}", "👨‍👩‍👧"];
        for accepted in ["김", "O'Brien-Smith Jr.", "José", "R2D2", "a\"b&c", "محمد", "משה"].into_iter().chain(joined)
        {
            assert!(name(accepted, "name", 50).is_ok(), "{accepted}");
        }
        for refused in ["", "  ", "<b>", "a\u{0}b", "line\nline", &"가".repeat(51)] {
            assert!(name(refused, "name", 50).is_err(), "{refused}");
        }
        for control in
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".chars()
        {
            assert!(name(&format!("a{control}b"), "name", 50).is_err(), "{control:?}");
            assert!(email(&format!("a{control}b@c.d"), "email").is_err(), "{control:?}");
        }
    }

    #[test]
    fn e_mail_addresses_follow_the_clients_pattern() {
        for accepted in ["a@b.c", "kim+trip@example.co.kr", "o'brien@example.com"] {
            assert!(email(accepted, "email").is_ok(), "{accepted}");
        }
        for refused in ["", "a@b", "a b@c.d", "@b.c", "a@b@c.d", "a@.c", "a@b.", "\"x\"@b.c", "<a@b.c>"] {
            assert!(email(refused, "email").is_err(), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_reads_the_same_again(text in "\\PC{0,60}|[ -~]{0,40}|.{0,60}|[0-9+() .-]{8,24}|[a-z.]{1,9}@[a-z.]{1,9}") {
            let today = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
            let sound = |parse: &dyn Fn(&str) -> Option<String>| {
                parse(&text).is_none_or(|read| parse(&read) == Some(read.clone()))
            };
            prop_assert!(sound(&|t| name(t, "f", 50).ok()));
            prop_assert!(sound(&|t| phone(t, "f").ok()));
            prop_assert!(sound(&|t| email(t, "f").ok()));
            prop_assert!(sound(&|t| birth_date(t, "f", today).ok().map(|day| day.to_string())));
        }

        #[test]
        fn an_id_is_its_digits(id in any::<i64>(), text in "[0-9+ -]{0,22}") {
            let read = |json: &serde_json::Value| Id::deserialize(json).ok().map(|id| id.0);
            prop_assert_eq!(read(&id.into()), Some(id).filter(|id| *id > 0));
            prop_assert_eq!(read(&id.to_string().into()), Some(id).filter(|id| *id > 0));
            if let Some(read) = read(&text.clone().into()) {
                prop_assert_eq!(read.to_string(), text.trim_start_matches('0'));
            }
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC*|[ -~]{0,40}") {
            let today = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
            let _ = (date(&text, "f"), time(&text, "f"), birth_date(&text, "f", today), name(&text, "f", 50), phone(&text, "f"), email(&text, "f"));
            let _ = serde_json::from_value::<Id>(serde_json::Value::String(text));
        }
    }
}
