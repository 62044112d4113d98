//! What all battles share: programs, secrets, and the data they begin with, which each copies.

use std::path::PathBuf;

use anyhow::Result;

use super::node::{Node, init_file};
use super::store::Store;
use crate::migrate::{self, Load};
use crate::place::Place;
use crate::servers::mariadb::{Server, init_statements};
use crate::servers::{CLIENT_FILE, Console, Database};
use crate::settings::Settings;
use crate::workspace::{Profile, Workspace};

/// What they share.
pub(super) struct Camp<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) profile: Profile,
    pub(super) place: &'a Place,
    pub(super) logs: PathBuf,
    pub(super) server: Server,
    /// The data directory that is copied.
    pub(super) template: PathBuf,
    pub(super) password: String,
    console: Console,
}

impl<'a> Camp<'a> {
    /// Makes the data that every battle begins with: the demo data, and accounts for `clients` and one more.
    pub(super) async fn pitch(
        workspace: &'a Workspace,
        profile: Profile,
        place: &'a Place,
        logs: PathBuf,
        clients: usize,
    ) -> Result<Self> {
        let server = Server::installed().await?;
        let password = place.secret("database-password")?;
        let (empty, template) = (place.path("empty"), place.path("template"));
        server.make_data(place, &empty).await?;
        let mut node = Node::copy(&server, place, &place.path(""), &logs, "template", &empty).await?;
        let database = Database::private(node.port, password.clone(), server.description());
        let init = place.write_private("init.sql", &init_statements(&database))?;
        node.start(&[init_file(&init)]).await?;
        for load in [Load::Schema, Load::DemoData] {
            migrate::run(load, workspace, profile, &Settings::default(), &database).await?;
        }
        let console = Console::of(place.write_private(CLIENT_FILE, &database.client_options())?);
        Store::of(console.clone()).open_accounts(clients + 1).await?;
        node.stop().await?;
        drop(node);
        Ok(Self { workspace, profile, place, logs, server, template, password, console })
    }

    /// The way to the database server on `port`, whose data are a copy.
    pub(super) fn store(&self, port: u16) -> Store {
        Store::of(self.console.at(port))
    }

    /// What sessions are signed with.
    pub(super) fn secret_key(&self) -> Result<String> {
        self.place.secret("secret-key")
    }
}
