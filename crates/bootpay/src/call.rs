//! A call before it is sent: what is asked, where, and by whom.

use reqwest::{Method, RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{Error, Operation};

/// One call of the API.
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) method: Method,
    /// The path with its placeholders, for logs.
    pub(crate) template: &'static str,
    /// The path's parts, not yet encoded.
    path: Vec<String>,
    pub(crate) body: Option<Value>,
}

impl Call {
    pub(crate) fn get(operation: Operation, template: &'static str, path: &[&str]) -> Self {
        let path = path.iter().copied().map(str::to_owned).collect();
        Self { operation, method: Method::GET, template, path, body: None }
    }

    pub(crate) fn post(operation: Operation, template: &'static str, body: Value) -> Self {
        let path: Vec<_> = template.split('/').collect();
        Self { method: Method::POST, body: Some(body), ..Self::get(operation, template, &path) }
    }

    /// The address below `base`, each part of the path percent-encoded.
    pub(crate) fn url(&self, base: &Url) -> Result<Url, Error> {
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::Unreadable("an address without a path"))?
            .pop_if_empty()
            .extend(&self.path);
        Ok(url)
    }
}

/// How a caller shows who it is.
#[derive(Clone, Copy)]
pub(crate) enum Proof<'a> {
    /// Not at all: the body says it.
    Nothing,
    /// By a token it was given.
    Token(&'a SecretString),
    /// By key and secret, with every call.
    Client { key: &'a str, secret: &'a SecretString },
}

impl Proof<'_> {
    /// The request with its `Authorization`.
    pub(crate) fn on(self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Nothing => request,
            Self::Token(token) => request.bearer_auth(token.expose_secret()),
            Self::Client { key, secret } => request.basic_auth(key, Some(secret.expose_secret())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_every_part_of_the_path() {
        let path = ["lookup", "order", "a/b?c#d%e f"];
        let call = Call::get(Operation::Order, "lookup/order/{order_id}", &path);
        for base in ["https://api.bootpay.co.kr/v2", "https://api.bootpay.co.kr/v2/"] {
            let url = call.url(&Url::parse(base).unwrap()).unwrap();
            assert_eq!(url.as_str(), "https://api.bootpay.co.kr/v2/lookup/order/a%2Fb%3Fc%23d%25e%20f");
        }
    }
}
