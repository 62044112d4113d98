//! Which language a person is answered in. Every text a client may show exists in Korean and in English.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::request::Parts;

/// The languages we answer in; Korean unless the request prefers English.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// The default.
    #[default]
    Korean,
    /// When `Accept-Language` ranks it above Korean.
    English,
}

impl Language {
    /// The first of `ko` and `en` by quality; among equals the earlier; Korean when neither is acceptable.
    pub fn preferred(accept_language: &str) -> Self {
        let mut best = (Self::Korean, 0.0_f32);
        for range in accept_language.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let language = match tag.split('-').next().unwrap_or_default() {
                primary if primary.eq_ignore_ascii_case("ko") => Self::Korean,
                primary if primary.eq_ignore_ascii_case("en") => Self::English,
                _ => continue,
            };
            let quality = parts
                .find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")))
                .map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
            if quality > best.1 {
                best = (language, quality);
            }
        }
        best.0
    }

    /// The language a request asks for.
    pub fn of(headers: &axum::http::HeaderMap) -> Self {
        headers.get(ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).map_or_else(Self::default, Self::preferred)
    }

    /// The text in this language.
    pub fn pick<'t>(self, korean: &'t str, english: &'t str) -> &'t str {
        match self {
            Self::Korean => korean,
            Self::English => english,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_better_ranked_of_korean_and_english_wins() {
        for (header, expected) in [
            ("", Language::Korean),
            ("en", Language::English),
            ("ko-KR,ko;q=0.9,en;q=0.5", Language::Korean),
            ("en-US,en;q=0.9,ko;q=0.8", Language::English),
            ("fr, de;q=0.9", Language::Korean),
            ("fr, en;q=0.1", Language::English),
            ("ko;q=0.2, en;q=0.3", Language::English),
            ("en;q=0", Language::Korean),
            ("en;q=nonsense", Language::Korean),
        ] {
            assert_eq!(Language::preferred(header), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_prefers_something(header in "\\PC{0,60}|((en|ko|fr|\\*)(-[A-Z]{2})?(; ?q=[-0-9.e]{0,6})?,? ?){0,6}") {
            let language = Language::preferred(&header);
            prop_assert!(language == Language::Korean || header.to_ascii_lowercase().contains("en"));
        }
    }
}
