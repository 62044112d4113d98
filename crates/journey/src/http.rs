//! Asking the system, so that what goes wrong names the request and what was answered.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How much of an unexpected answer is told.
const TOLD: usize = 300;

pub(crate) struct Http {
    client: Client,
}

impl Http {
    pub(crate) fn new(patience: Duration) -> Result<Self> {
        let client = Client::builder().timeout(patience).redirect(reqwest::redirect::Policy::none()).build();
        Ok(Self { client: client.context("no HTTP client can be made")? })
    }

    pub(crate) async fn get(&self, base: &str, path: &str, token: Option<&str>) -> Result<Answer> {
        ask(format!("GET {path}"), self.client.get(address(base, path)), token).await
    }

    pub(crate) async fn post(&self, base: &str, path: &str, token: Option<&str>, body: &Value) -> Result<Answer> {
        ask(format!("POST {path}"), self.client.post(address(base, path)).json(body), token).await
    }
}

fn address(base: &str, path: &str) -> String {
    format!("{}{path}", base.trim_end_matches('/'))
}

async fn ask(request: String, mut message: RequestBuilder, token: Option<&str>) -> Result<Answer> {
    if let Some(token) = token {
        message = message.bearer_auth(token);
    }
    let answer = message.send().await.with_context(|| format!("{request} was not answered"))?;
    let status = answer.status().as_u16();
    let body = answer.text().await.with_context(|| format!("{request} was answered by half"))?;
    Ok(Answer { request, status, body })
}

/// What was answered to a request.
pub(crate) struct Answer {
    request: String,
    status: u16,
    body: String,
}

impl Answer {
    /// Whether it is the refusal with this status and `code`.
    pub(crate) fn is_refusal(&self, status: u16, code: &str) -> bool {
        let problem: Option<Value> = serde_json::from_str(&self.body).ok();
        self.status == status && problem.is_some_and(|problem| problem["code"] == code)
    }

    /// Its body, if it has `status`.
    pub(crate) fn json<T: DeserializeOwned>(&self, status: u16) -> Result<T> {
        if self.status != status {
            bail!("{} answered {} instead of {status}: {}", self.request, self.status, self.told());
        }
        serde_json::from_str(&self.body).with_context(|| format!("{} answered something else", self.request))
    }

    fn told(&self) -> String {
        self.body.chars().take(TOLD).collect()
    }
}
