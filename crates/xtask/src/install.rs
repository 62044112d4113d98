//! Installing Debian's database, cache and Prometheus where they are missing and we may.
//!
//! Only the programs are wanted: the packages are kept from starting system services, and we run servers of our
//! own. The work is done to its end once it has begun, for an interrupted `dpkg` leaves a broken machine.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use rustix::process::geteuid;

use crate::process::indented;
use crate::servers::mariadb::galera_provider;
use crate::servers::{MARIADB_PROGRAMS, REDIS_PROGRAMS};
use crate::settings::Settings;
use crate::workspace::Workspace;
use crate::{programs, report};

/// Debian's names of the two.
const DATABASE_PACKAGE: &str = "mariadb-server";
const CACHE_PACKAGE: &str = "redis-server";

/// What a cluster's members need besides: the provider of replication, and what sends a member all data. MariaDB's
/// package brings both, unless somebody has left them out.
const CLUSTER_PACKAGES: [&str; 2] = ["galera-4", "rsync"];

/// What reads alerts and routes, and watches a system: promtool and Prometheus itself; amtool; who counts what MySQL and
/// Redis do.
const MONITORING_PACKAGES: [(&str, &str); 4] = [
    ("promtool", "prometheus"),
    ("amtool", "prometheus-alertmanager"),
    ("prometheus-mysqld-exporter", "prometheus-mysqld-exporter"),
    ("prometheus-redis-exporter", "prometheus-redis-exporter"),
];

/// Debian asks this file whether a package may start its service; 101 means no.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const DENYING_POLICY: &str =
    "#!/bin/sh\n# Made by CloudJet's `cargo xtask` while it installs packages. It may be removed.\nexit 101\n";

/// Which servers a command needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    Database,
    DatabaseAndCache,
    /// Both, and what makes several databases a cluster.
    Cluster,
}

/// How we may change the machine.
#[derive(Clone, Copy)]
enum Right {
    Root,
    Sudo,
}

/// Makes sure that the servers we would start are installed.
pub(crate) async fn ensure(needs: Needs, allowed: bool, workspace: &Workspace, settings: &Settings) -> Result<()> {
    let mut missing = Vec::new();
    if settings.get("DB_HOST").is_none() && programs::find(&MARIADB_PROGRAMS).is_none() {
        missing.push(DATABASE_PACKAGE);
    }
    if needs != Needs::Database && settings.get("REDIS_HOST").is_none() && programs::find(&REDIS_PROGRAMS).is_none() {
        missing.push(CACHE_PACKAGE);
    }
    if needs == Needs::Cluster {
        let [replication, transfer] = CLUSTER_PACKAGES;
        missing.extend(galera_provider().is_none().then_some(replication));
        missing.extend(programs::find(&["rsync"]).is_none().then_some(transfer));
    }
    provide(missing, allowed, workspace).await
}

/// Makes sure that Prometheus, its Alertmanager, their tools and exporters are installed.
pub(crate) async fn ensure_monitoring(allowed: bool, workspace: &Workspace) -> Result<()> {
    let missing = MONITORING_PACKAGES.iter().filter(|(program, _)| programs::find(&[program]).is_none());
    provide(missing.map(|(_, package)| *package).collect(), allowed, workspace).await
}

/// Installs what is missing, if we may.
async fn provide(missing: Vec<&'static str>, allowed: bool, workspace: &Workspace) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let right = Right::ours();
    let Some(right) = right.filter(|_| allowed) else {
        bail!("{}", choices(&missing, right.is_some(), workspace.root()));
    };
    report::note(format_args!("{} not installed on this machine.", are(&missing)));
    let doing = format!("Installing Debian's {} (--no-install prevents this)", missing.join(" and "));
    let work = tokio::task::spawn_blocking(move || install(&missing, right));
    report::step(&doing, async { work.await? }).await?;
    if Path::new("/run/systemd/system").exists() {
        report::note(
            "  Debian has also set their system services to start with the machine; we neither started nor need them.",
        );
    }
    Ok(())
}

impl Right {
    /// The right we have, if any.
    fn ours() -> Option<Self> {
        programs::find(&["apt-get"])?;
        if geteuid().is_root() {
            return Some(Self::Root);
        }
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        sudo.status().is_ok_and(|status| status.success()).then_some(Self::Sudo)
    }

    /// Runs `program` with this right; its output is told only if it fails.
    fn run(self, program: &str, arguments: &[&str]) -> Result<()> {
        let mut command = match self {
            Self::Root => Command::new("env"),
            Self::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["-n", "env"]);
                command
            }
        };
        command.args(["DEBIAN_FRONTEND=noninteractive", program]).args(arguments);
        let answer = command
            .stdin(Stdio::null())
            .process_group(0)
            .output()
            .with_context(|| format!("{program} can't be run"))?;
        if !answer.status.success() {
            let said = [answer.stdout, answer.stderr].concat();
            let lines: Vec<String> = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
            let last = &lines[lines.len().saturating_sub(15)..];
            bail!("{program} ended with {}. Its last lines:\n{}", answer.status, indented(last));
        }
        Ok(())
    }
}

fn install(packages: &[&str], right: Right) -> Result<()> {
    right.run("apt-get", &["update", "-q", "-o", "DPkg::Lock::Timeout=120"])?;
    let had_policy = Path::new(POLICY).exists();
    if !had_policy {
        right.run("sh", &["-c", "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", DENYING_POLICY, POLICY])?;
    }
    let options = ["install", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"];
    let installed = right.run("apt-get", &[&options[..], packages].concat());
    if !had_policy {
        right.run("rm", &["-f", POLICY])?;
    }
    installed
}

/// What a person can do about missing servers.
fn choices(missing: &[&str], may_install: bool, root: &Path) -> String {
    let mut choices = Vec::new();
    if may_install {
        choices.push("leave out --no-install, and they are installed for you".to_owned());
    }
    choices.push(format!("install them: sudo apt-get install {}", missing.join(" ")));
    let settings: Option<Vec<&str>> = missing.iter().map(|package| settings_instead_of(package)).collect();
    // Nothing but the database and the cache may be elsewhere, be it in a container.
    if let Some(settings) = settings {
        choices.push(format!(
            "use servers that run already: set {}, in the environment or in .env",
            settings.join(", and ")
        ));
        if root.join("docker-compose.yml").exists() {
            choices.push("let containers do all of it: docker compose up".to_owned());
        }
    }
    format!("{} not installed, and nothing was changed. You can\n  - {}", are(missing), choices.join("\n  - "))
}

/// What to set to do without `package`, if there is a way.
fn settings_instead_of(package: &str) -> Option<&'static str> {
    match package {
        CACHE_PACKAGE => Some("REDIS_HOST"),
        DATABASE_PACKAGE => Some("DB_HOST, DB_USER, DB_PASSWORD and DB_NAME"),
        _ => None,
    }
}

/// `packages` as the subject of a sentence.
fn are(packages: &[&str]) -> String {
    format!("{} {}", packages.join(" and "), if packages.len() == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_names_the_choices_that_exist() {
        let nowhere = Path::new("/nowhere");
        assert_eq!(
            choices(&["mariadb-server", "redis-server"], false, nowhere),
            "mariadb-server and redis-server are not installed, and nothing was changed. You can\n  \
             - install them: sudo apt-get install mariadb-server redis-server\n  \
             - use servers that run already: set DB_HOST, DB_USER, DB_PASSWORD and DB_NAME, and REDIS_HOST, in the environment or in .env"
        );
        let with_right = choices(&["redis-server"], true, nowhere);
        assert!(with_right.starts_with("redis-server is not installed"), "{with_right}");
        assert!(with_right.contains("leave out --no-install"), "{with_right}");
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(choices(&["mariadb-server"], false, &checkout).contains("docker compose up"));
        let watching = choices(&["redis-server", "prometheus"], false, &checkout);
        assert!(!watching.contains("docker compose"), "{watching}");
    }
}
