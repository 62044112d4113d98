//! Signing in to the system under test.

use std::fmt;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::probe;
use crate::services::{self, Ports, Service};

/// What somebody is to the airline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Passenger,
    Administrator,
}

/// Somebody who is signed in.
pub(crate) struct Session {
    pub(super) who: Role,
    pub(crate) token: String,
}

impl Session {
    /// Logs in with an e-mail address and a password.
    pub(crate) async fn open(who: Role, (email, password): (&str, &str), ports: &Ports) -> Result<Self> {
        let port = ports.of("auth").context("there is no auth-service to log in at")?;
        let credentials = json!({ "email": email, "password": password }).to_string();
        let answer = probe::post(port, "/api/auth/login", &credentials).await;
        let answer: Value = serde_json::from_slice(&answer.with_context(|| format!("{email} can't log in"))?)?;
        let token = answer["token"].as_str().with_context(|| format!("{email} got no token"))?;
        Ok(Self { who, token: token.to_owned() })
    }

    /// Whether `service` may answer them otherwise than anybody else: only where administrators may do more, their
    /// requests are worth the time.
    pub(super) fn may_differ_at(&self, service: &Service) -> bool {
        services::is_described(service) && (self.who == Role::Passenger || ["booking", "admin"].contains(&service.name))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Passenger => "passenger",
            Self::Administrator => "administrator",
        })
    }
}
