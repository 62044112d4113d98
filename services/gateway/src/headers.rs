//! What changes in the headers on the way through: what is meant for one connection stays behind, and an upstream
//! learns who asked, under which name and with which id.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CONNECTION, EXPECT, HOST, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use common::http::RequestId;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What speaks of one connection only, besides what `Connection` names. `Expect` has been answered by then.
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What answers to cross-origin requests carry.
const CORS: [HeaderName; 7] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    HeaderName::from_static("access-control-allow-private-network"),
];

/// What `Vary` names because of CORS.
const VARIES_BY_CORS: [&str; 3] = ["origin", "access-control-request-method", "access-control-request-headers"];

/// Removes what was meant for this connection alone.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    for name in items(headers, &CONNECTION).filter_map(|name| name.parse().ok()).collect::<Vec<HeaderName>>() {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Tells the upstream whose request this is. Where no proxy in front is trusted, only what we see ourselves is said
/// of host and protocol; of addresses the list goes on and its reader counts from the right.
pub(crate) fn introduce(parts: &mut Parts, behind_proxy: bool) {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_string());
    let mut seen: Vec<u8> = Vec::new();
    for address in parts.headers.get_all(X_FORWARDED_FOR) {
        seen.extend_from_slice(address.as_bytes());
        seen.extend_from_slice(b", ");
    }
    seen.extend_from_slice(peer.as_deref().unwrap_or("unknown").as_bytes());
    if let Ok(seen) = HeaderValue::from_bytes(&seen) {
        parts.headers.insert(X_FORWARDED_FOR, seen);
    }

    // The client library names the upstream as the host.
    let host = parts.headers.remove(HOST);
    for (name, ours) in [(X_FORWARDED_HOST, host), (X_FORWARDED_PROTO, Some(HeaderValue::from_static("http")))] {
        if behind_proxy && parts.headers.contains_key(&name) {
            continue;
        }
        parts.headers.remove(&name);
        if let Some(ours) = ours {
            parts.headers.insert(name, ours);
        }
    }

    let id = parts.extensions.get::<RequestId>().and_then(|id| HeaderValue::from_str(id.as_str()).ok());
    if let Some(id) = id {
        parts.headers.insert(X_REQUEST_ID, id);
    }
}

/// Removes what an upstream said about CORS, because the gateway says it.
pub(crate) fn strip_cors(headers: &mut HeaderMap) {
    for name in &CORS {
        headers.remove(name);
    }
    if headers.contains_key(VARY) {
        let kept: Vec<&str> = items(headers, &VARY)
            .filter(|item| !VARIES_BY_CORS.iter().any(|cors| item.eq_ignore_ascii_case(cors)))
            .collect();
        let kept = HeaderValue::from_str(&kept.join(", ")).ok().filter(|kept| !kept.is_empty());
        headers.remove(VARY);
        if let Some(kept) = kept {
            headers.insert(VARY, kept);
        }
    }
}

/// The items of a header that is a list, however many lines it takes.
fn items<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect::<Vec<_>>()
            .into_iter()
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    fn introduced(lines: &[(&'static str, &'static str)], behind_proxy: bool) -> HeaderMap {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.headers = headers(lines);
        parts.extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 9], 1))));
        introduce(&mut parts, behind_proxy);
        parts.headers
    }

    #[test]
    fn what_speaks_of_one_connection_stays_behind() {
        let mut all = headers(&[
            ("connection", "close, X-Secret"),
            ("connection", " x-other ,,not a name"),
            ("x-secret", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic eA=="),
            ("te", "trailers"),
            ("trailer", "x-sum"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("authorization", "Bearer t"),
        ]);
        strip_hop_by_hop(&mut all);
        assert_eq!(all, headers(&[("authorization", "Bearer t")]));
    }

    #[test]
    fn the_peer_joins_the_addresses_before_it() {
        let seen = |lines: &[_]| introduced(lines, false)[X_FORWARDED_FOR].to_str().unwrap().to_owned();
        assert_eq!(seen(&[]), "10.0.0.9");
        assert_eq!(seen(&[("x-forwarded-for", "6.6.6.6")]), "6.6.6.6, 10.0.0.9");
        assert_eq!(seen(&[("x-forwarded-for", "a"), ("x-forwarded-for", "b")]), "a, b, 10.0.0.9");
    }

    #[test]
    fn host_and_protocol_are_believed_of_a_trusted_proxy_only() {
        let lines =
            [("host", "api.cloudjet.click"), ("x-forwarded-host", "www.evil.test"), ("x-forwarded-proto", "https")];
        let (alone, behind) = (introduced(&lines, false), introduced(&lines, true));
        assert_eq!(
            (&alone[X_FORWARDED_HOST], &alone[X_FORWARDED_PROTO]),
            (&lines[0].1.parse().unwrap(), &"http".parse().unwrap())
        );
        assert_eq!(
            (&behind[X_FORWARDED_HOST], &behind[X_FORWARDED_PROTO]),
            (&lines[1].1.parse().unwrap(), &"https".parse().unwrap())
        );
        assert!(!alone.contains_key(HOST) && !behind.contains_key(HOST));
    }

    #[test]
    fn what_an_upstream_says_about_cors_is_removed_and_nothing_else() {
        let mut all = headers(&[
            ("access-control-allow-origin", "*"),
            ("access-control-expose-headers", "x-thing"),
            ("vary", "Origin, Accept-Language"),
            ("vary", "access-control-request-method"),
            ("x-thing", "1"),
        ]);
        strip_cors(&mut all);
        assert_eq!(all, headers(&[("vary", "Accept-Language"), ("x-thing", "1")]));

        let mut only = headers(&[("vary", "origin, access-control-request-method, access-control-request-headers")]);
        strip_cors(&mut only);
        assert!(only.is_empty());
    }
}
