//! docker-compose.yml, held against rules that need no docker: what compose itself would take can still be open, or stuck.
//!
//! Where a value comes from the environment (`${NAME:-this}`), it is looked at as it is without one.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::object::Reach as _;
use super::rules::{Faults, Setting};
use crate::build::MIGRATE;
use crate::commands::images;
use crate::services::{SERVICES, internal};

/// What a container of ours may do: nothing but run, within bounds.
const CONFINEMENT: [(&str, &[&str]); 4] = [
    ("read_only", &["true"]),
    ("cap_drop", &[r#"["ALL"]"#]),
    ("security_opt", &[r#"["no-new-privileges:true"]"#]),
    ("privileged", &["null", "false"]),
];

/// Bounds that every container has.
const BOUNDS: [&str; 3] = ["pids_limit", "mem_limit", "logging"];

/// What of the host a container is given, and who: the lines of all containers, which only root may read. It must have
/// nothing to do with anybody but those who keep them.
const LINES: (&str, &str) = ("log-agent", "/var/lib/docker/containers:/var/lib/docker/containers:ro");

/// The network that leads nowhere but to those who watch.
const WATCHING: &str = "telemetry";

/// Whom Prometheus asks, besides the services.
const TARGETS: &str = "deploy/monitoring/compose/prometheus.yaml";

/// Those whose images have no program that could ask them: Prometheus does.
const SILENT: [&str; 4] = ["loki", "tempo", "otel-collector", "log-agent"];

/// Where compose mounts secrets.
const SECRETS: &str = "/run/secrets/";

/// The file, and what of the checkout it is held against.
pub(super) struct Compose<'a> {
    /// Parsed, with its anchors resolved.
    pub(super) file: &'a Value,
    /// All settings of all programs.
    pub(super) settings: &'a [Setting],
    /// What of deploy/ Git has, a path in each line.
    pub(super) kept: &'a str,
    /// Where its paths begin.
    pub(super) root: &'a Path,
}

impl Compose<'_> {
    /// What is wrong with it.
    pub(super) fn faults(&self) -> Faults {
        let services = || self.file.entries("/services");
        let mut faults: Faults = services()
            .flat_map(|(name, service)| {
                let found = [
                    confinement(service),
                    root(name, service),
                    image(service),
                    health(name, service),
                    self.order(service),
                    haste(service),
                    doors(service),
                    strangers(service),
                    given(service),
                    self.storage(name, service),
                    self.settings(name, service),
                ];
                found.into_iter().flatten().map(move |fault| format!("{name}: {fault}"))
            })
            .collect();
        faults.extend(self.secrets());
        faults.extend(self.unwatched());
        faults.extend(self.unkept());
        faults.extend(
            services()
                .filter(|(name, _)| self.waits_for_itself(name))
                .map(|(name, _)| format!("{name}: it waits for itself")),
        );
        faults
    }

    fn service(&self, name: &str) -> Option<&Value> {
        self.file.at("/services").get(name)
    }

    fn order(&self, service: &Value) -> Faults {
        let waits = service.entries("/depends_on").filter_map(|(name, how)| {
            let Some(other) = self.service(name) else {
                return Some(format!("it waits for {name}, which isn't there"));
            };
            let comes = match how.text("/condition") {
                "service_healthy" => is_asked(other),
                "service_completed_successfully" => !other.has("/restart"),
                _ => false,
            } && is_there_with(other, service);
            (!comes).then(|| format!("it waits for {name} to be {}, which never comes", how.text("/condition")))
        });
        waits.collect()
    }

    fn waits_for_itself(&self, name: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![name];
        while let Some(one) = next.pop() {
            for (other, _) in self.service(one).into_iter().flat_map(|service| service.entries("/depends_on")) {
                if other == name {
                    return true;
                }
                if seen.insert(other.as_str()) {
                    next.push(other);
                }
            }
        }
        false
    }

    /// Networks and volumes are those of the file: of the host nothing is mounted but what deploy/ has for it to read.
    fn storage(&self, name: &str, service: &Value) -> Faults {
        let networks = service.list("/networks").iter().filter_map(Value::as_str);
        let unknown = networks
            .filter(|network| self.file.at("/networks").get(network).is_none())
            .map(|network| format!("there is no network {network}"));
        let volumes = service.list("/volumes").iter().map(|volume| volume.as_str().unwrap_or_default());
        let mounted = volumes
            .filter(|volume| self.file.at("/volumes").get(volume.split(':').next().unwrap_or_default()).is_none())
            .filter(|volume| !self.is_for_reading(volume) && (name, *volume) != LINES)
            .map(|volume| format!("it mounts {volume:?} of the host"));
        let mut faults: Faults = unknown.chain(mounted).collect();
        if service.list("/networks").is_empty() || service.has("/network_mode") {
            faults.push("it is on a network that isn't named".to_owned());
        }
        faults
    }

    /// Whether a mount is something of deploy/ that is there, and can't be written.
    fn is_for_reading(&self, volume: &str) -> bool {
        let mut parts = volume.split(':');
        let (source, mode) = (parts.next().unwrap_or_default(), parts.nth(1));
        source.starts_with("./deploy/") && mode == Some("ro") && self.root.join(source).exists()
    }

    /// Prometheus asks every service on the port of its probes, and whoever can't be asked otherwise.
    fn unwatched(&self) -> Faults {
        if self.service("prometheus").is_none() {
            return Faults::new();
        }
        let targets = std::fs::read_to_string(self.root.join(TARGETS)).unwrap_or_default();
        let services = SERVICES
            .iter()
            .map(|service| format!("names: [{}], type: A, port: {},", service.package, internal(service.default_port)));
        let others = SILENT.iter().map(|name| format!(" {name}:"));
        let missing = services.chain(others).filter(|target| !targets.contains(target));
        let mut faults: Faults =
            missing.map(|target| format!("prometheus: it doesn't ask {:?}", target.trim())).collect();
        if !targets.contains("honor_labels: true") {
            faults.push("prometheus: what jobs are called would be lost".to_owned());
        }
        faults
    }

    /// What its head tells people to use is in Git, and not on somebody's machine alone.
    fn unkept(&self) -> Faults {
        let text = std::fs::read_to_string(self.root.join(super::COMPOSE)).unwrap_or_default();
        let unkept = named(&text).into_iter().filter(|file| !self.kept.lines().any(|kept| kept == *file));
        unkept.map(|file| format!("its head names {file}, which is not in Git")).collect()
    }

    /// What a program is told it reads, and what it must be told it is.
    fn settings(&self, name: &str, service: &Value) -> Faults {
        let program = name.trim_end_matches("-service");
        if program != MIGRATE && !SERVICES.iter().any(|service| service.name == program) {
            return Faults::new();
        }
        let mut told: BTreeSet<String> = service.entries("/environment").map(|(key, _)| key.clone()).collect();
        let mut faults = Faults::new();
        for key in &told {
            let (env, in_file) = key.strip_suffix("_FILE").map_or((key.as_str(), false), |env| (env, true));
            match self.settings.iter().find(|setting| setting.env == env) {
                Some(setting) if !setting.readers.contains(program) => faults.push(format!("it doesn't read {key}")),
                Some(setting) if setting.secret != in_file => faults.push(format!("{key}: secrets are files, alone")),
                Some(_) => {}
                None => faults.push(format!("nobody reads {key}")),
            }
        }
        let shared = self.shared(service);
        let unread = shared.iter().filter(|key| !self.settings.iter().any(|setting| setting.env == **key));
        faults.extend(unread.map(|key| format!("nobody reads {key} of its file")));
        told.extend(shared);
        let needed = self.settings.iter().filter(|setting| setting.required && setting.readers.contains(program));
        let lacking = needed.filter(|s| !told.contains(&s.env) && !told.contains(&format!("{}_FILE", s.env)));
        faults.extend(lacking.map(|setting| format!("it isn't told {}", setting.env)));
        faults
    }

    /// The settings in its file of them.
    fn shared(&self, service: &Value) -> Vec<String> {
        let file = self.root.join(plain(service.text("/env_file")));
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect()
    }

    /// The files of all secrets are there, and somebody is given each.
    fn secrets(&self) -> Faults {
        let services = || self.file.entries("/services").map(|(_, service)| service);
        let mut faults = Faults::new();
        for (name, secret) in self.file.entries("/secrets") {
            let path = plain(secret.text("/file"));
            if !self.root.join(&path).is_file() {
                faults.push(format!("secret {name}: there is no {path:?}"));
            }
            if !services().any(|service| service.list("/secrets").contains(&json!(name))) {
                faults.push(format!("secret {name}: nobody is given it"));
            }
        }
        let given = services().flat_map(|service| service.list("/secrets")).filter_map(Value::as_str);
        let unknown = given.filter(|secret| self.file.at("/secrets").get(secret).is_none());
        faults.extend(unknown.map(|secret| format!("secret {secret}: nothing says where it is")));
        let files = services().map(|service| plain(service.text("/env_file"))).filter(|file| !file.is_empty());
        faults.extend(files.filter(|file| !self.root.join(file).is_file()).map(|file| format!("there is no {file}")));
        faults
    }
}

/// The files of settings that the remarks at its beginning name.
fn named(text: &str) -> Vec<&str> {
    let head = text.lines().take_while(|line| line.starts_with('#'));
    let words = head.flat_map(str::split_whitespace).map(|word| word.trim_end_matches([',', '.', ':']));
    words.filter(|word| word.starts_with("deploy/") && word.split('.').next_back() == Some("env")).collect()
}

fn confinement(service: &Value) -> Faults {
    let unlike = CONFINEMENT.iter().filter_map(|(key, allowed)| {
        let is = service.at(&format!("/{key}")).to_string();
        (!allowed.contains(&is.as_str())).then(|| format!("{key} is {is}"))
    });
    let unbound = BOUNDS.iter().filter(|bound| !service.has(&format!("/{bound}"))).map(|b| format!("it has no {b}"));
    unlike.chain(unbound).collect()
}

/// Nobody is root, but for whoever reads root's files: without its powers, and without the world.
fn root(name: &str, service: &Value) -> Faults {
    let user = service.text("/user");
    let is_root = user.is_empty() || user.starts_with('0') || user.starts_with("root");
    let may_be = name == LINES.0 && service.at("/networks") == &json!([WATCHING]) && !service.has("/ports");
    Faults::from_iter((is_root && !may_be).then(|| "it may be root".to_owned()))
}

/// Whoever shows something to people asks them who they are.
fn strangers(service: &Value) -> Faults {
    let shows = service.text("/image").contains("grafana/grafana:");
    let asks = service.text("/environment/GF_AUTH_ANONYMOUS_ENABLED") == "false"
        && service.text("/environment/GF_SECURITY_ADMIN_PASSWORD__FILE").starts_with(SECRETS);
    Faults::from_iter((shows && !asks).then(|| "it lets strangers in".to_owned()))
}

/// Ours are those that the Dockerfile builds, by their names; others have a version.
fn image(service: &Value) -> Faults {
    let image = plain(service.text("/image"));
    let program = service.text("/build/args/PROGRAM");
    if !service.has("/build") {
        let version = image.split_once(':').map_or("", |(_, version)| version);
        return Faults::from_iter(
            (version.is_empty() || version == "latest").then(|| format!("{image} may be anything")),
        );
    }
    match images::programs().find(|known| known.name == program) {
        None => vec![format!("nobody builds {program:?}")],
        Some(known) => {
            let named = (image != known.image()).then(|| format!("{image} isn't {}", known.image()));
            let target = service.text("/build/target");
            let staged = (target != known.target()).then(|| format!("{program} is built as {}", known.target()));
            named.into_iter().chain(staged).collect()
        }
    }
}

/// Whoever stays can be asked how it is, and whoever ends isn't started again.
fn health(name: &str, service: &Value) -> Faults {
    let stays = service.text("/restart") == "unless-stopped";
    let ends = !service.has("/restart");
    if !stays && !ends {
        return vec![format!("it is restarted {:?}", service.text("/restart"))];
    }
    let fault = match (stays, is_asked(service)) {
        (true, false) if !SILENT.contains(&name) => Some("nobody asks it how it is"),
        (false, true) => Some("it ends, and is asked how it is"),
        _ => None,
    };
    fault.map(str::to_owned).into_iter().collect()
}

/// Every file of a secret that it is told of is one that it is given, and it is given no other.
fn given(service: &Value) -> Faults {
    let given: BTreeSet<&str> = service.list("/secrets").iter().filter_map(Value::as_str).collect();
    let said: Vec<String> = service.entries("").map(|(_, value)| value.to_string()).collect();
    let told = service.entries("/environment").filter_map(|(_, value)| value.as_str()?.strip_prefix(SECRETS));
    let lacking = told.filter(|secret| !given.contains(secret)).map(|secret| format!("it isn't given {secret}"));
    let idle = given.iter().filter(|secret| !said.iter().any(|said| said.contains(&format!("{SECRETS}{secret}"))));
    lacking.chain(idle.map(|secret| format!("it does nothing with {secret}"))).collect()
}

/// Whether `other` is started whenever `service` is.
fn is_there_with(other: &Value, service: &Value) -> bool {
    let (own, others) = (service.list("/profiles"), other.list("/profiles"));
    others.is_empty() || (!own.is_empty() && own.iter().all(|profile| others.contains(profile)))
}

/// Whether compose, or the image of a program that stays, asks it how it is.
fn is_asked(service: &Value) -> bool {
    service.has("/healthcheck/test") || service.text("/build/target") == "service"
}

/// Ports that are open are open to this machine only.
fn doors(service: &Value) -> Faults {
    let ports = service.list("/ports").iter().map(|port| port.as_str().unwrap_or_default());
    ports.filter(|port| !port.starts_with("127.0.0.1:")).map(|port| format!("{port:?} is open to the world")).collect()
}

/// A text as it is where nothing is set in the environment: `${NAME:-this}` and `${NAME-this}` are `this`.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, behind) = after.split_once('}').unwrap_or((after, ""));
        plain.push_str(before);
        plain.push_str(variable.split_once('-').map_or("", |(_, default)| default));
        rest = behind;
    }
    plain + rest
}

/// Whoever comes to an end asks but once, so whom it is told to ask must be there first. Those who stay ask again.
fn haste(service: &Value) -> Faults {
    if service.has("/restart") {
        return Faults::new();
    }
    let told = service.entries("/environment").filter_map(|(key, value)| {
        let (host, _) = value.as_str()?.strip_prefix("http://")?.split_once(':')?;
        Some((key, host))
    });
    let early = told.filter(|(_, host)| !service.at("/depends_on").has(&format!("/{host}")));
    early.map(|(key, host)| format!("it asks {host} ({key}), and doesn't wait for it")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with a secret and, behind it, a service that opens a port.
    fn file() -> Value {
        let hardened = json!({
            "read_only": true, "user": "999:999", "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"],
            "privileged": false, "profiles": [], "pids_limit": 64, "mem_limit": "128m", "logging": {}, "restart": "unless-stopped",
            "networks": ["data"]
        });
        let with = |own: Value| {
            let mut service = hardened.as_object().unwrap().clone();
            service.extend(own.as_object().unwrap().clone());
            Value::from(service)
        };
        json!({
            "services": {
                "mysql": with(json!({
                    "image": "${MYSQL_IMAGE:-mysql:8.4}", "secrets": ["KEY"], "volumes": ["database:/var/lib"],
                    "environment": { "PASSWORD_FILE": "/run/secrets/KEY" }, "healthcheck": { "test": [] }
                })),
                "auth-service": with(json!({
                    "image": "cloudjet/auth-service:${CLOUDJET_VERSION:-dev}",
                    "build": { "target": "service", "args": { "PROGRAM": "auth-service" } },
                    "ports": ["127.0.0.1:5001:5001"], "environment": { "DB_HOST": "mysql" },
                    "depends_on": { "mysql": { "condition": "service_healthy" } }
                }))
            },
            "networks": { "data": {} },
            "volumes": { "database": {} },
            "secrets": { "KEY": { "file": "${DIRECTORY:-src}/main.rs" } }
        })
    }

    fn faults(file: &Value) -> Faults {
        let settings =
            Setting::read_all("| `DB_HOST` | **required** | auth | Host. |\n| `KEY` | –, secret | auth | Key. |\n");
        Compose { file, settings: &settings, kept: "", root: Path::new(env!("CARGO_MANIFEST_DIR")) }.faults()
    }

    #[test]
    fn what_is_open_or_stuck_is_found() {
        assert_eq!(faults(&file()), Faults::new());
        for (pointer, value, fault) in [
            ("/services/mysql/read_only", json!(false), "mysql: read_only is false"),
            ("/services/mysql/user", json!("0:0"), "may be root"),
            ("/services/mysql/cap_drop", json!([]), "cap_drop is []"),
            ("/services/mysql/privileged", json!(true), "privileged is true"),
            ("/services/mysql/mem_limit", Value::Null, "no mem_limit"),
            ("/services/mysql/image", json!("mysql"), "may be anything"),
            ("/services/mysql/image", json!("mysql:latest"), "may be anything"),
            ("/services/mysql/healthcheck", json!({}), "nobody asks it"),
            ("/services/mysql/healthcheck", json!({}), "which never comes"),
            ("/services/mysql/restart", json!("always"), "restarted \"always\""),
            ("/services/mysql/secrets/0", json!("OTHER"), "isn't given KEY"),
            ("/services/mysql/secrets/0", json!("OTHER"), "nothing says where it is"),
            ("/services/mysql/environment", json!({}), "does nothing with KEY"),
            ("/services/mysql/volumes/0", json!("/var/run/docker.sock:/s"), "of the host"),
            ("/services/mysql/volumes/0", json!("./deploy/gone:/s:ro"), "of the host"),
            ("/services/mysql/profiles", json!(["load"]), "mysql to be service_healthy, which never comes"),
            ("/services/mysql/networks/0", json!("date"), "no network date"),
            ("/services/mysql/networks", json!([]), "isn't named"),
            ("/services/auth-service/image", json!("cloudjet/auth:dev"), "isn't cloudjet/auth-service:dev"),
            ("/services/auth-service/build/args/PROGRAM", json!("auth"), "nobody builds \"auth\""),
            ("/services/auth-service/build/target", json!("tool"), "is built as service"),
            ("/services/auth-service/ports/0", json!("5001:5001"), "open to the world"),
            ("/services/auth-service/environment", json!({}), "isn't told DB_HOST"),
            ("/services/auth-service/environment", json!({ "DB_HOTS": "x" }), "nobody reads DB_HOTS"),
            ("/services/auth-service/environment", json!({ "KEY": "x" }), "secrets are files"),
            ("/secrets/KEY/file", json!("src/gone"), "there is no \"src/gone\""),
        ] {
            let mut doctored = file();
            *doctored.pointer_mut(pointer).unwrap() = value;
            let found = faults(&doctored);
            assert!(found.iter().any(|found| found.contains(fault)), "{pointer}: {found:?}");
        }
        // What stands in for the checkout has no deploy/, and so nothing that Prometheus was told.
        let mut watched = file();
        watched["services"]["prometheus"] = watched["services"]["mysql"].clone();
        let found = faults(&watched);
        assert!(found.iter().any(|found| found.contains("doesn't ask \"names: [booking-service]")), "{found:?}");
        assert!(found.iter().any(|found| found.contains("doesn't ask \"loki:\"")), "{found:?}");
        assert!(found.iter().any(|found| found.contains("jobs are called would be lost")), "{found:?}");
        let mut hasty = file();
        hasty["services"]["load"] = hasty["services"]["auth-service"].clone();
        hasty["services"]["load"]["environment"] = json!({ "BASE_URL": "http://auth-service:5001" });
        assert!(!told_of_haste(&hasty), "one that stays asks again");
        hasty["services"]["load"]["restart"] = Value::Null;
        assert!(told_of_haste(&hasty));
        hasty["services"]["load"]["depends_on"]["auth-service"] = json!({ "condition": "service_healthy" });
        assert!(!told_of_haste(&hasty));
        let mut around = file();
        around["services"]["mysql"]["depends_on"] = json!({ "auth-service": { "condition": "service_healthy" } });
        assert!(faults(&around).contains(&"mysql: it waits for itself".to_owned()), "{:?}", faults(&around));
    }

    fn told_of_haste(file: &Value) -> bool {
        faults(file).contains(&"load: it asks auth-service (BASE_URL), and doesn't wait for it".to_owned())
    }

    #[test]
    fn only_who_reads_all_lines_is_root_and_only_apart_from_the_world() {
        let agent = json!({ "user": "0:0", "networks": ["telemetry"] });
        assert_eq!(root("log-agent", &agent), Faults::new());
        assert_eq!(root("loki", &agent), ["it may be root"]);
        for (key, value) in [("networks", json!(["telemetry", "services"])), ("ports", json!(["127.0.0.1:1:1"]))] {
            let mut open = agent.clone();
            open[key] = value;
            assert_eq!(root("log-agent", &open), ["it may be root"], "{key}");
        }
    }

    #[test]
    fn a_dashboard_for_everybody_is_found() {
        let grafana = |anonymous: &str| {
            strangers(&json!({ "image": "grafana/grafana:12.2.1", "environment": {
                "GF_AUTH_ANONYMOUS_ENABLED": anonymous, "GF_SECURITY_ADMIN_PASSWORD__FILE": "/run/secrets/PASSWORD"
            } }))
        };
        assert_eq!(grafana("false"), Faults::new());
        assert_eq!(grafana("true"), ["it lets strangers in"]);
        assert_eq!(strangers(&json!({ "image": "grafana/grafana:12.2.1" })), ["it lets strangers in"]);
    }

    #[test]
    fn files_that_the_head_names_are_known() {
        let text = "# With it: --env-file deploy/compose/x.env, before `up`.\n# In deploy/compose/<ENV>: all.\n\n# deploy/y.env\n";
        assert_eq!(named(text), ["deploy/compose/x.env"]);
    }

    #[test]
    fn what_comes_from_the_environment_has_its_default() {
        assert_eq!(plain("cloudjet/x:${CLOUDJET_VERSION:-dev}"), "cloudjet/x:dev");
        assert_eq!(plain("${A---demo}${B}"), "--demo");
    }
}
