//! A running system, asked as its users ask it: over connections that are kept, by turns of the replicas that are ready,
//! and with a count of what was lost.
//!
//! It knows nothing of who started the system or what is done to it meanwhile: that is for the commands.

mod doors;
mod provider;
mod restarts;
mod users;
mod visitor;

pub(crate) use doors::{DELAY, Doors, Probes};
pub(crate) use provider::{Provider, Receipt};
pub(crate) use restarts::{Pair, Restarts};
pub(crate) use users::{Traffic, Users, credentials, log_in};
pub(crate) use visitor::{Seen, Visitor, first_words};
