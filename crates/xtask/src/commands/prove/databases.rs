//! The database of a battle: one server or several that work together, each of which can be killed and started again.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::balancer::{Balancer, Choice};
use super::camp::Camp;
use super::cluster;
use super::node::Node;
use super::store::Store;

/// What the database is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One server.
    Alone,
    /// Three servers of a Galera cluster, of which one is written to.
    OneWriter,
    /// The same, and all are written to.
    ManyWriters,
    /// A server, and another one that follows it and that flight-service reads.
    Followed,
}

/// Its servers.
pub(super) struct Databases<'a> {
    camp: &'a Camp<'a>,
    pub(super) nodes: Vec<Node<'a>>,
    /// In front of the members of a cluster.
    members: Option<Balancer>,
}

impl<'a> Databases<'a> {
    /// Starts those of a database of this `kind`, with what stands in front of them.
    pub(super) async fn start(camp: &'a Camp<'a>, room: &Path, logs: &Path, kind: Kind) -> Result<Self> {
        let copy = async |name| Node::copy(&camp.server, camp.place, room, logs, name, &camp.template).await;
        let (nodes, members) = match kind {
            Kind::Alone => {
                let mut node = copy("database").await?;
                node.start(&[]).await?;
                (vec![node], None)
            }
            Kind::Followed => {
                let (mut primary, mut replica) = (copy("primary").await?, copy("replica").await?);
                primary.options = ["--log-bin=binlog", "--server-id=1", "--sync-binlog=1"].map(str::to_owned).into();
                replica.options = ["--server-id=2", "--read-only", "--relay-log=relay"].map(str::to_owned).into();
                primary.start(&[]).await?;
                replica.start(&[]).await?;
                camp.store(replica.port).follow(primary.port, &camp.password).await?;
                (vec![primary, replica], None)
            }
            Kind::OneWriter | Kind::ManyWriters => {
                let nodes = cluster::found(camp, room, logs, kind).await?;
                let choice = if kind == Kind::OneWriter { Choice::One } else { Choice::Turns };
                let balancer = cluster::balance(camp, &nodes, choice).await?;
                (nodes, Some(balancer))
            }
        };
        Ok(Self { camp, nodes, members })
    }

    /// Where services find it.
    pub(super) fn port(&self) -> u16 {
        self.members.as_ref().map_or(self.nodes[0].port, |balancer| balancer.port)
    }

    /// The way that services take.
    pub(super) fn store(&self) -> Store {
        self.camp.store(self.port())
    }

    /// The way to each server.
    pub(super) fn stores(&self) -> Vec<Store> {
        self.nodes.iter().map(|node| self.camp.store(node.port)).collect()
    }

    /// The number of the cluster's member that gets new connections now.
    pub(super) fn written_to(&self) -> Result<usize> {
        let members = self.members.as_ref().context("this is no cluster")?.well();
        let writer = members.first().context("no member is well")?;
        self.nodes.iter().position(|node| node.address() == *writer).context("the writer is nobody of ours")
    }

    /// Kills the server of this `number` (-9).
    pub(super) async fn kill(&mut self, number: usize) -> Result<()> {
        self.nodes[number].kill().await
    }

    /// Starts it again; a member of a cluster goes on from where its data end.
    pub(super) async fn start_again(&mut self, number: usize) -> Result<()> {
        let node = &mut self.nodes[number];
        match self.members {
            None => node.start(&[]).await,
            Some(_) => cluster::join_again(self.camp, node).await,
        }
    }

    /// What the servers of a cluster count of what working together costs.
    pub(super) async fn costs(&self) -> Result<Vec<String>> {
        match self.members {
            None => Ok(Vec::new()),
            Some(_) => cluster::costs(self.camp, &self.nodes).await,
        }
    }

    /// Kills all of them.
    pub(super) async fn kill_all(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.kill().await?;
        }
        Ok(())
    }
}
