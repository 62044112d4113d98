//! Three servers that are one database: a Galera cluster, on this machine.
//!
//! The first founds it, and the others begin with a copy of the founder's data: so none has to be sent all of them.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{sleep, timeout};

use super::balancer::{Balancer, Choice};
use super::camp::Camp;
use super::databases::Kind;
use super::node::Node;
use super::ports;
use crate::place::Place;
use crate::servers::mariadb::galera_provider;

/// Its members: the fewest of which one may die.
const MEMBERS: [&str; 3] = ["one", "two", "three"];

/// What founds it.
const NEW: &str = "--wsrep-new-cluster";

/// How long a member may take to join, and how often it is asked meanwhile.
const PATIENCE: Duration = Duration::from_mins(2);
const ASKING: Duration = Duration::from_millis(100);

/// Founds a cluster, and waits until all have joined.
pub(super) async fn found<'a>(camp: &'a Camp<'a>, room: &Path, logs: &Path, kind: Kind) -> Result<Vec<Node<'a>>> {
    let provider = galera_provider().context("Galera is not installed: on Debian it is the package galera-4")?;
    open_to_others(camp.place)?;
    let talks: Vec<u16> = MEMBERS.iter().map(|_| ports::lasting()).collect::<Result<_>>()?;
    let everybody: Vec<String> = talks.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let mut nodes: Vec<Node<'a>> = Vec::new();
    for (name, talk) in MEMBERS.into_iter().zip(talks) {
        let data = nodes.first().map_or(camp.template.as_path(), Node::data).to_owned();
        let mut node = Node::copy(&camp.server, camp.place, room, logs, name, &data).await?;
        node.options = options(name, node.port, talk, &everybody.join(","), provider)?;
        if kind == Kind::ManyWriters {
            // What one server has acknowledged, a read of another must show.
            node.options.push("--wsrep-sync-wait=1".to_owned());
        }
        node.disown().await?;
        if nodes.is_empty() {
            // Once, for the cluster's name and its place in the data, which the others copy.
            node.start(&[NEW.to_owned()]).await?;
            node.stop().await?;
            let _ = fs::remove_file(node.data().join("galera.cache"));
        }
        nodes.push(node);
    }
    for (n, node) in nodes.iter_mut().enumerate() {
        let founds = (n == 0).then(|| NEW.to_owned());
        node.start(founds.as_slice()).await?;
        until_joined(camp, node).await?;
    }
    Ok(nodes)
}

/// What the member `name` is told at each start. It talks to the others on the port `talk`, and they to `everybody`.
fn options(name: &str, port: u16, talk: u16, everybody: &str, provider: &Path) -> Result<Vec<String>> {
    let (incremental, whole) = (ports::lasting()?, ports::lasting()?);
    Ok(vec![
        "--wsrep-on=ON".to_owned(),
        format!("--wsrep-provider={}", provider.display()),
        "--wsrep-cluster-name=cloudjet".to_owned(),
        format!("--wsrep-cluster-address=gcomm://{everybody}"),
        format!("--wsrep-node-name={name}"),
        format!("--wsrep-node-address=127.0.0.1:{talk}"),
        format!("--wsrep-node-incoming-address=127.0.0.1:{port}"),
        "--wsrep-sst-method=rsync".to_owned(),
        format!("--wsrep-sst-receive-address=127.0.0.1:{whole}"),
        format!(
            "--wsrep-provider-options=base_host=127.0.0.1;base_port={talk};gmcast.listen_addr=tcp://127.0.0.1:{talk};\
             ist.recv_addr=127.0.0.1:{incremental};gcache.size=128M"
        ),
        "--innodb-autoinc-lock-mode=2".to_owned(),
    ])
}

/// One address in front of the members: whoever is synced gets connections.
pub(super) async fn balance(camp: &Camp<'_>, nodes: &[Node<'_>], choice: Choice) -> Result<Balancer> {
    let store = camp.store(nodes[0].port);
    let is_synced = move |server: SocketAddr| {
        let store = store.at(server.port());
        async move { store.is_synced().await }
    };
    Balancer::before(nodes.iter().map(Node::address).collect(), choice, is_synced).await
}

/// Starts a member that has died: it goes on from where its data end.
pub(super) async fn join_again(camp: &Camp<'_>, node: &mut Node<'_>) -> Result<()> {
    let position = node.recovered_position().await?;
    node.start(&[format!("--wsrep-start-position={position}")]).await?;
    until_joined(camp, node).await
}

async fn until_joined(camp: &Camp<'_>, node: &Node<'_>) -> Result<()> {
    let store = camp.store(node.port);
    let joined = async {
        while !store.is_synced().await {
            sleep(ASKING).await;
        }
    };
    timeout(PATIENCE, joined).await.with_context(|| format!("the member {} doesn't join its cluster", node.name))
}

/// What the members count of what working together costs.
pub(super) async fn costs(camp: &Camp<'_>, nodes: &[Node<'_>]) -> Result<Vec<String>> {
    let mut costs = Vec::new();
    for node in nodes {
        let store = camp.store(node.port);
        let [failed, aborted, replicated, paused] = [
            store.status("wsrep_local_cert_failures").await?,
            store.status("wsrep_local_bf_aborts").await?,
            store.status("wsrep_replicated").await?,
            store.status("wsrep_flow_control_paused_ns").await? / 1_000_000,
        ];
        costs.push(format!(
            "member {}: {replicated} transactions given to the others, {failed} refused by certification, {aborted} \
             broken off for others', {paused} ms held back by slower members",
            node.name
        ));
    }
    Ok(costs)
}

/// Lets other accounts through to the data, for members that don't run as root.
fn open_to_others(place: &Place) -> Result<()> {
    let directory = place.path("");
    for directory in directory.ancestors().take(2) {
        let mut permissions = fs::metadata(directory)?.permissions();
        permissions.set_mode(permissions.mode() | 0o011);
        fs::set_permissions(directory, permissions)?;
    }
    Ok(())
}
