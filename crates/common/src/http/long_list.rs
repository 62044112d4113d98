//! Lists that may be too long to be held: read, written and forgotten one part after the other.
//!
//! The one trap: once the answer has begun it can't be refused any more. So two parts are read before it does, and most
//! lists are whole by then and answered like everything else. What goes wrong later breaks the connection off, because
//! half a list must not look like a whole one.

use std::iter;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use tokio::time::timeout;
use tracing::{Span, error};

use crate::error::{ApiError, Chain};
use crate::http::JSON;

/// How long a part may be read, once the answer has begun: nothing else limits it then.
const PATIENCE: Duration = Duration::from_secs(15);

/// What ends the one list of an object.
const END: &[u8] = b"]}";

/// Answers `{"name": […]}` with everything in `parts`, of which none but the last may be short.
///
/// # Errors
/// What goes wrong in the first two parts.
pub async fn long_list<T, E>(
    name: &'static str,
    parts: impl Stream<Item = Result<Vec<T>, E>> + Send + 'static,
) -> Result<Response, ApiError>
where
    T: Serialize + Send + 'static,
    E: Into<ApiError> + Send + 'static,
{
    let mut parts = Box::pin(parts);
    let mut text = format!("{{\"{name}\":[").into_bytes();
    let first = parts.try_next().await.map_err(Into::into)?.unwrap_or_default();
    write(&first, b"", &mut text)?;
    let Some(second) = parts.try_next().await.map_err(Into::into)? else {
        text.extend(END);
        return Ok(([JSON], Bytes::from(text)).into_response());
    };
    write(&second, b",", &mut text)?;
    let rest = stream::try_unfold(parts, async |mut parts| {
        let part = timeout(PATIENCE, parts.try_next()).await.map_err(ApiError::unavailable)?.map_err(Into::into)?;
        let Some(part) = part else { return Ok(None) };
        let mut text = Vec::new();
        write(&part, b",", &mut text)?;
        Ok(Some((Bytes::from(text), parts)))
    });
    let span = Span::current();
    let rest = rest.inspect_err(move |refusal: &ApiError| {
        span.in_scope(|| error!(cause = %Chain(refusal), "a list was broken off"));
    });
    let [begin, end] = [Bytes::from(text), Bytes::from_static(END)].map(|text| stream::once(async { Ok(text) }));
    Ok(([JSON], Body::from_stream(begin.chain(rest).chain(end))).into_response())
}

/// Writes `items` as a list in JSON has them, the first of them after `before`.
fn write<T: Serialize>(items: &[T], before: &'static [u8], text: &mut Vec<u8>) -> Result<(), ApiError> {
    let separators = iter::once(before).chain(iter::repeat(&b","[..]));
    for (item, separator) in items.iter().zip(separators) {
        text.extend(separator);
        serde_json::to_writer(&mut *text, item).map_err(ApiError::internal)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};

    use super::*;

    async fn answer(parts: Vec<Result<Vec<u32>, ApiError>>) -> Result<Response, ApiError> {
        long_list("numbers", stream::iter(parts)).await
    }

    async fn told(parts: Vec<Vec<u32>>) -> String {
        let answer = answer(parts.into_iter().map(Ok).collect()).await.unwrap();
        String::from_utf8(to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn parts_become_one_list() {
        assert_eq!(told(vec![]).await, r#"{"numbers":[]}"#);
        assert_eq!(told(vec![vec![1, 2]]).await, r#"{"numbers":[1,2]}"#);
        assert_eq!(told(vec![vec![1, 2], vec![3, 4], vec![5]]).await, r#"{"numbers":[1,2,3,4,5]}"#);
        assert_eq!(told(vec![vec![1, 2], vec![3, 4], vec![]]).await, r#"{"numbers":[1,2,3,4]}"#);
    }

    #[tokio::test]
    async fn a_short_list_is_as_long_as_it_says() {
        let answer = answer(vec![Ok(vec![7])]).await.unwrap();
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
        let whole = answer.into_body();
        assert_eq!(axum::body::HttpBody::size_hint(&whole).exact(), Some(15));
    }

    #[tokio::test]
    async fn what_goes_wrong_at_first_is_told_and_later_breaks_the_list_off() {
        let lost = || Err(ApiError::unavailable("the database went away"));
        for parts in [vec![lost()], vec![Ok(vec![1]), lost()]] {
            assert_eq!(answer(parts).await.unwrap_err().code(), "unavailable");
        }
        let begun = answer(vec![Ok(vec![1]), Ok(vec![2]), lost()]).await.unwrap();
        assert!(begun.headers().get(CONTENT_LENGTH).is_none());
        assert!(to_bytes(begun.into_body(), usize::MAX).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_never_comes_breaks_the_list_off() {
        let begun = stream::iter([vec![1], vec![2]].map(Ok::<_, ApiError>)).chain(stream::pending());
        let begun = long_list("numbers", begun).await.unwrap();
        assert!(to_bytes(begun.into_body(), usize::MAX).await.is_err());
    }
}
