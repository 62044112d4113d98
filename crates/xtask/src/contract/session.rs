//! Signing in to the system under test.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::probe;
use crate::services::Ports;

/// Somebody who is signed in.
pub(super) struct Session {
    /// What they are to the airline.
    pub(super) who: &'static str,
    pub(super) token: String,
}

impl Session {
    /// Logs in with an e-mail address and a password.
    pub(super) async fn open(who: &'static str, (email, password): (&str, &str), ports: &Ports) -> Result<Self> {
        let port = ports.of("auth").context("there is no auth-service to log in at")?;
        let credentials = json!({ "email": email, "password": password }).to_string();
        let answer = probe::post(port, "/api/auth/login", &credentials).await;
        let answer: Value = serde_json::from_slice(&answer.with_context(|| format!("{email} can't log in"))?)?;
        let token = answer["token"].as_str().with_context(|| format!("{email} got no token"))?;
        Ok(Self { who, token: token.to_owned() })
    }
}
