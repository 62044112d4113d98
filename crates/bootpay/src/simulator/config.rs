//! What a simulator is told before it starts, and why it may not.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use thiserror::Error;

/// The settings of a [`Simulator`](super::Simulator).
#[derive(Clone, Debug)]
pub struct Config {
    /// The REST application id that callers must know.
    pub rest_application_id: String,
    /// The private key that callers must know, and that signs webhooks.
    pub private_key: SecretString,
    /// The key and the secret that callers may know instead.
    pub client: Option<(String, SecretString)>,
    /// Whether a `cancel_id` that was used gets the first answer again instead of a refusal, unless a payment's script
    /// says otherwise.
    pub is_kind: bool,
    /// Where webhooks go; nowhere if not given.
    pub webhook_url: Option<String>,
    /// Where receipts are kept; only in memory if not given.
    pub state_file: Option<PathBuf>,
    /// How long an access token lives.
    pub token_lifetime: Duration,
    /// The pauses before each repetition of an undelivered webhook.
    pub webhook_pauses: Vec<Duration>,
    /// What receipts' ids are drawn from, so that a run can be repeated; from the system if not given.
    pub seed: Option<u64>,
}

impl Config {
    /// Settings with tokens that live half an hour, webhooks that are repeated after 1, 3, 10, 30 and 60 seconds,
    /// nowhere to send them, and no file; not kind, no seed, and with the older pair of credentials only.
    pub fn new(rest_application_id: impl Into<String>, private_key: SecretString) -> Self {
        Self {
            rest_application_id: rest_application_id.into(),
            private_key,
            client: None,
            is_kind: false,
            webhook_url: None,
            state_file: None,
            token_lifetime: Duration::from_mins(30),
            webhook_pauses: [1, 3, 10, 30, 60].map(Duration::from_secs).to_vec(),
            seed: None,
        }
    }
}

/// Why a simulator can't start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A half of a pair of credentials is empty.
    #[error(
        "the simulator needs a REST application id and a private key, and of a client key and its secret both or none"
    )]
    NoCredentials,
    /// The file with the receipts is there but can't be used. Deleting it starts over.
    #[error("can't use the receipts in {}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// The client for webhooks can't be built.
    #[error("can't build the HTTP client for webhooks")]
    Http(#[source] reqwest::Error),
}
