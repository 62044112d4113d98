//! Signing in to the system under test.

use std::fmt;

use anyhow::Result;

use crate::services::{self, Ports, Service};
use crate::visit::log_in;

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
    pub(crate) async fn open(who: Role, account: (&str, &str), ports: &Ports) -> Result<Self> {
        Ok(Self { who, token: log_in(ports.address("auth")?, account).await? })
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
