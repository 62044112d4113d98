//! What a frontend developer reads: the description of the whole API at `/openapi.json`, and a page over it at
//! `/docs/` on which every operation can be tried.
//!
//! All of it is in the binary, so the page needs no other host, and its content security policy forbids it any. The
//! one trap: the bundle of Swagger UI is embedded compressed and is sent so to everybody.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use common::error::ApiError;
use common::http::Known;
use common::http::revalidate::tag_of;
use utoipa_swagger_ui::Config;

/// The description of everything behind the gateway, as `cargo xtask generate` merges it.
const DESCRIPTION: &str = include_str!("../../openapi.json");

/// Our own files of the page. The rest is Swagger UI's.
const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// All of it changes with a release only, but whoever waits for one wants to see it soon.
const CACHING: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// The page may load what is served here and talk to this address, and nothing else. Swagger UI draws with images
/// that it carries inside itself.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// A file as it is served.
#[derive(Clone, Debug)]
struct File {
    content_type: HeaderValue,
    compressed: bool,
    body: Bytes,
    /// A strong validator: changes with every byte.
    tag: HeaderValue,
}

/// `/openapi.json`, and the page below `/docs/`.
pub(crate) fn router() -> Router {
    let description = File::text("application/json", DESCRIPTION);
    Router::new()
        .route("/openapi.json", get(async move |headers: HeaderMap| description.answer(&headers)))
        .route("/docs", get(async || Redirect::permanent("docs/")))
        .route("/docs/", get(async |headers: HeaderMap| answer("index.html", &headers)))
        .route("/docs/{file}", get(async |Path(name): Path<String>, headers: HeaderMap| answer(&name, &headers)))
}

fn answer(name: &str, headers: &HeaderMap) -> Response {
    match File::find(name) {
        Some(file) => file.answer(headers),
        None => {
            ApiError::not_found("not-found", "요청한 주소를 찾을 수 없습니다.", "There is nothing at this address.")
                .into_response()
        }
    }
}

impl File {
    fn text(content_type: &'static str, text: &'static str) -> Self {
        Self::new(HeaderValue::from_static(content_type), false, Bytes::from_static(text.as_bytes()))
    }

    fn new(content_type: HeaderValue, compressed: bool, body: Bytes) -> Self {
        Self { content_type, compressed, tag: tag_of(&body), body }
    }

    /// The file of the page that is called `name`.
    fn find(name: &str) -> Option<Self> {
        match name {
            "index.html" => Some(Self::text("text/html; charset=utf-8", PAGE)),
            "page.js" => Some(Self::text("text/javascript; charset=utf-8", SCRIPT)),
            "page.css" => Some(Self::text("text/css; charset=utf-8", STYLE)),
            "swagger-ui-bundle.js" | "swagger-ui.css" | "favicon-32x32.png" => {
                let file = utoipa_swagger_ui::serve(name, Arc::new(Config::default())).ok()??;
                let body = match file.bytes {
                    Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                    Cow::Owned(bytes) => bytes.into(),
                };
                Some(Self::new(file.content_type.try_into().ok()?, file.gzpipped, body))
            }
            _ => None,
        }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let mut response = if Known::of(headers).has(&self.tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Response::new(Body::from(self.body.clone()))
        };
        let headers = response.headers_mut();
        if self.compressed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        for (name, value) in [
            (CONTENT_TYPE, &self.content_type),
            (ETAG, &self.tag),
            (CACHE_CONTROL, &CACHING),
            (CONTENT_SECURITY_POLICY, &POLICY),
            (REFERRER_POLICY, &HeaderValue::from_static("no-referrer")),
            (X_CONTENT_TYPE_OPTIONS, &HeaderValue::from_static("nosniff")),
        ] {
            headers.insert(name, value.clone());
        }
        response
    }
}
