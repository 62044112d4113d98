//! The description of the whole API, and the page over it.

use axum::body::Body;
use axum::http::header::{IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, Method, StatusCode};

use crate::support::{Answer, Gateway, echo, serve};

#[tokio::test]
async fn the_description_is_served_and_may_be_kept_a_while() {
    let gateway = Gateway::start(&[]).await;
    let first = gateway.get("/openapi.json").await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.header("cache-control"), "public, max-age=60");
    assert_eq!(first.json()["openapi"], "3.1.0");

    let tag = first.header("etag").to_owned();
    for (known, expected) in [
        (tag.clone(), StatusCode::NOT_MODIFIED),
        (format!("\"other\", W/{tag}"), StatusCode::NOT_MODIFIED),
        ("\"other\"".to_owned(), StatusCode::OK),
    ] {
        let request = gateway.request(Method::GET, "/openapi.json").header(IF_NONE_MATCH, &known);
        let again = gateway.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((again.status, again.body.is_empty()), (expected, expected == StatusCode::NOT_MODIFIED), "{known}");
        assert_eq!(again.header("etag"), tag);
    }
}

#[tokio::test]
async fn every_operation_described_leads_to_a_service() {
    let gateway = Gateway::before(serve(echo("any")).await).await;
    let description = gateway.get("/openapi.json").await.json();
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.contains_key("/api/flights/search") && paths.contains_key("/api/airports"));
    for path in paths.keys() {
        let answer = gateway.get(&path.replace(['{', '}'], "")).await;
        assert_eq!((answer.status, &answer.json()["upstream"]), (StatusCode::OK, &"any".into()), "{path}");
    }
}

#[tokio::test]
async fn the_page_is_found_with_and_without_its_slash() {
    let gateway = Gateway::start(&[]).await;
    let bare = gateway.get("/docs").await;
    assert_eq!((bare.status, bare.header(LOCATION.as_str())), (StatusCode::PERMANENT_REDIRECT, "docs/"));
    let page = gateway.get("/docs/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn the_page_has_all_it_needs_here_and_may_ask_nobody_else() {
    let gateway = Gateway::start(&[]).await;
    let page = gateway.get("/docs/").await;
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");

    let html = String::from_utf8(page.body.to_vec()).unwrap();
    let parts: Vec<&str> = html.split('"').collect();
    let attributes = parts.windows(2).filter(|pair| pair[0].ends_with("src=") || pair[0].ends_with("href="));
    let named: Vec<&str> = attributes.map(|pair| pair[1]).filter(|name| *name != "../openapi.json").collect();
    assert_eq!(named.len(), 5, "{named:?}");
    for name in named {
        let file = gateway.get(&format!("/docs/{name}")).await;
        assert_eq!(file.status, StatusCode::OK, "{name}");
        assert!(!file.body.is_empty(), "{name}");
        assert_eq!(is_compressed(&file.headers), file.body.starts_with(&[0x1f, 0x8b]), "{name}");
    }
    assert_refused(&gateway.get("/docs/swagger-initializer.js").await);
    assert_refused(&gateway.get("/docs/..%2fopenapi.json").await);
}

fn is_compressed(headers: &HeaderMap) -> bool {
    headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip")
}

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.json()["code"], "not-found");
}
