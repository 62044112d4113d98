//! The proof that monitoring sees something: a private system, a real Prometheus beside it, customers who travel, and an
//! accident or two. Afterwards every series that alerts, dashboards, autoscalers and analyses ask for must be there.
//!
//! Not every answer can be more than empty: some panels are good when they show nothing, and say so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::alertmanager::Alertmanager;
use super::dashboards::{Panel, Question};
use super::picture::{self, Chart};
use super::prometheus::{self, Line, Prometheus};
use super::{Arguments, Files, exporters, told};
use crate::commands::contract::newman;
use crate::commands::load::{self, K6};
use crate::metrics::Query;
use crate::servers::redis;
use crate::services::Ports;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::system::demo;
use crate::verdicts::Verdicts;
use crate::workspace::{Profile, Workspace};
use crate::{programs, report};

/// The rendered chart whose autoscalers and analyses are asked.
const RENDERED: &str = "deploy/golden/prod.yaml";

/// What a panel says that may show nothing.
const MAY_BE_EMPTY: &str = "Empty is good.";

/// How the names of what Istio counts begin, which nothing here runs.
const OF_THE_MESH: [&str; 2] = ["istio_", "pilot_"];

/// How long Prometheus has to see the last that happened: a few rounds of its own.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// The dashboards of which there are pictures. That of the mesh would be empty.
const DRAWN: [&str; 3] = ["cloudjet-services", "cloudjet-business", "cloudjet-data"];

/// How many points a line in a picture has, and over how long a rate is taken: some rounds through the collection.
const POINTS: f64 = 150.0;
const SMOOTH: &str = "30s";

/// What the services are told besides: somebody subscribes to news, and never takes any.
const SUBSCRIBER: [(&str, &str); 2] =
    [("NEWS_URL", "http://127.0.0.1:9/news"), ("NEWS_SECRET", "whsec_bm9ib2R5IHRha2VzIHRoaXMgbmV3cywgZXZlci4=")];

/// Adds the verdicts on the running system.
pub(super) async fn check(verdicts: &mut Verdicts, arguments: &Arguments, workspace: &Workspace, stack: &mut Stack) {
    let logs = workspace.monitoring_logs();
    match Alertmanager::start(&logs, workspace).await {
        Ok(mut alertmanager) => {
            verdicts.add("running: inhibitions", alertmanager.inhibitions(workspace)).await;
            verdicts.add("running: messages", alertmanager.messages(workspace)).await;
        }
        Err(error) => verdicts.add::<()>("running: Alertmanager", async { Err(error) }).await,
    }
    let newman = match newman::install(workspace).await {
        Ok(newman) => newman,
        Err(why) => return verdicts.skip("monitoring: running", format!("customers travel with newman: {why:#}")),
    };
    let k6 =
        K6::install(workspace).await.inspect_err(|why| verdicts.skip("running: journeys", format!("{why:#}"))).ok();
    let mut watched = match watch(arguments, &newman, k6.as_ref(), workspace, stack).await {
        Ok(watched) => watched,
        Err(error) => return verdicts.add::<()>("monitoring: running", async { Err(error) }).await,
    };
    if let Some(journeys) = watched.journeys.take() {
        verdicts.add("running: journeys", async { journeys }).await;
    }
    verdicts.add("running: rules", watched.rules()).await;
    verdicts.add("running: series", watched.series()).await;
    verdicts.add("running: panels", watched.panels()).await;
    verdicts.add("running: autoscalers and analyses", watched.decisions()).await;
    if let Some(directory) = &arguments.pictures {
        verdicts.add("running: pictures", watched.draw(directory)).await;
    }
}

/// A system that was watched for a while.
struct Watched {
    prometheus: Prometheus,
    files: Files,
    /// What autoscalers and analyses ask, by what they are.
    decisions: BTreeMap<String, String>,
    /// What became of k6's customers, if there were any.
    journeys: Option<Result<String>>,
    /// When customers set out, and while there was no cache, in seconds since 1970.
    set_out: f64,
    accident: Range<f64>,
}

async fn watch(
    arguments: &Arguments,
    newman: &Path,
    k6: Option<&K6>,
    workspace: &Workspace,
    stack: &mut Stack,
) -> Result<Watched> {
    let files = Files::read(workspace)?;
    let decisions = decisions(&workspace.read(Path::new(RENDERED))?)?;
    let program = programs::find(&["prometheus"]).context("prometheus is not installed")?;
    let logs = workspace.monitoring_logs();
    let (may_install, settings) = (!arguments.no_install, Settings::from(SUBSCRIBER));
    let starting = demo::start("monitoring", may_install, Profile::Debug, &settings, logs.clone(), workspace, stack);
    let (ports, servers) = starting.await?;
    let exporters = exporters::start(&servers.cache, &logs, stack).await?;
    let prometheus = Prometheus::start(&program, &ports, &exporters, &logs, workspace, stack).await?;
    let set_out = prometheus::now();
    let journeys = match k6 {
        Some(k6) => Some(load::smoke(k6, &ports, &logs, workspace, stack).await),
        None => None,
    };
    let journey = Journey { while_: Duration::from_secs(arguments.seconds), newman, ports: &ports, logs: &logs };
    let accident = journey.travel(servers.cache.port, workspace, stack).await?;
    Ok(Watched { prometheus, files, decisions, journeys, set_out, accident })
}

/// How customers travel.
struct Journey<'a> {
    while_: Duration,
    newman: &'a Path,
    ports: &'a Ports,
    logs: &'a Path,
}

impl Journey<'_> {
    /// They do so for a while, some more without the cache on `port`, and again with it, because its panels are looked at
    /// afterwards. Answers when it was away.
    async fn travel(&self, port: u16, workspace: &Workspace, stack: &mut Stack) -> Result<Range<f64>> {
        self.again_and_again(self.while_, "newman.txt", workspace, stack).await?;
        redis::lose(stack).await?;
        let lost = prometheus::now();
        self.again_and_again(self.while_ / 3, "newman-without-cache.txt", workspace, stack).await?;
        redis::start_at(port, stack).await?;
        let found = prometheus::now();
        self.again_and_again(self.while_ / 3, "newman-with-cache-again.txt", workspace, stack).await?;
        report::step("Waiting until Prometheus has seen it", async {
            tokio::time::sleep(LAST_LOOK).await;
            Ok(lost..found)
        })
        .await
    }

    /// Goes through the Postman collection for a while, and to its end. Whoever is in it cancels, so another books and flies.
    async fn again_and_again(
        &self,
        while_: Duration,
        log: &str,
        workspace: &Workspace,
        stack: &mut Stack,
    ) -> Result<()> {
        let flies = newman::of_who_flies(workspace)?;
        let started = Instant::now();
        while started.elapsed() < while_ {
            for only in [&[], &flies[..]] {
                let log = self.logs.join(log);
                newman::run_collection(self.newman, only, workspace, self.ports, &log, stack).await?;
            }
        }
        Ok(())
    }
}

impl Watched {
    async fn rules(&self) -> Result<String> {
        let sick = self.prometheus.sick_rules().await?;
        told(&sick, format!("{} evaluated", self.files.rules.len()))
    }

    /// Every series that is asked for, by whomever, but for what the mesh counts.
    async fn series(&self) -> Result<String> {
        let there: BTreeSet<String> = self.prometheus.names().await?.into_iter().collect();
        let mut asked: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        let rules = self.files.rules.iter().map(|rule| ("rules", &rule.expr));
        let panels = self.files.dashboards.iter().flat_map(|dashboard| {
            let questions = dashboard.panels.iter().flat_map(|panel| &panel.questions);
            questions.map(|question| (dashboard.uid.as_str(), &question.query))
        });
        let decisions = self.decisions.values().map(|query| ("autoscalers and analyses", query));
        for (who, query) in rules.chain(panels).chain(decisions) {
            for (name, _) in Query::parse(query).map_err(anyhow::Error::msg)?.selectors {
                asked.entry(name).or_default().insert(who);
            }
        }
        asked.retain(|name, _| !of_the_mesh(name));
        let rows: Vec<[String; 3]> = asked
            .iter()
            .map(|(name, by)| {
                let mark = if there.contains(name) { "✔" } else { "✘" };
                [mark.to_owned(), name.clone(), by.iter().copied().collect::<Vec<_>>().join(", ")]
            })
            .collect();
        report::say(report::table(&rows).trim_end());
        let missing = asked.keys().filter(|name| !there.contains(*name));
        let missing: Vec<_> = missing.map(|name| format!("nobody has counted {name}")).collect();
        told(&missing, format!("{} of {} found", asked.len(), asked.len()))
    }

    /// Every panel's question is answered, and with something, where that is good.
    async fn panels(&self) -> Result<String> {
        let (mut faults, mut full, mut empty) = (Vec::new(), 0, 0);
        for dashboard in &self.files.dashboards {
            for panel in &dashboard.panels {
                for Question { query, .. } in &panel.questions {
                    match self.answer(query).await {
                        Err(error) => faults.push(format!("{}, {}: {error:#}", dashboard.uid, panel.title)),
                        Ok(0) if Self::may_be_empty(panel, query)? => empty += 1,
                        Ok(0) => faults.push(format!("{}, {}: nothing for {query}", dashboard.uid, panel.title)),
                        Ok(_) => full += 1,
                    }
                }
            }
        }
        told(&faults, format!("{full} queries with data, {empty} rightly without"))
    }

    fn may_be_empty(panel: &Panel, query: &str) -> Result<bool> {
        let asked = Query::parse(query).map_err(anyhow::Error::msg)?;
        Ok(panel.description.contains(MAY_BE_EMPTY) || asked.selectors.iter().any(|(name, _)| of_the_mesh(name)))
    }

    async fn answer(&self, query: &str) -> Result<usize> {
        self.prometheus.query(&query.replace("$__rate_interval", "1m").replace("$__range", "1h")).await
    }

    /// Draws what dashboards showed of the run, each into a file of its own, and tells which.
    async fn draw(&self, directory: &Path) -> Result<String> {
        fs::create_dir_all(directory)?;
        let time = self.set_out..prometheus::now();
        let away = self.accident.start - time.start..self.accident.end - time.start;
        let dashboards = self.files.dashboards.iter().filter(|dashboard| DRAWN.contains(&dashboard.uid.as_str()));
        let mut names = Vec::new();
        for dashboard in dashboards {
            let mut charts = Vec::new();
            for panel in dashboard.first() {
                charts.push(Chart { panel, lines: self.lines(panel, &time).await? });
            }
            let name = format!("{}.svg", dashboard.uid);
            picture::draw(&dashboard.title, &charts, time.end - time.start, &away, &directory.join(&name))?;
            names.push(name);
        }
        Ok(names.join(", "))
    }

    /// What a panel showed, as it calls it.
    async fn lines(&self, panel: &Panel, time: &Range<f64>) -> Result<Vec<(String, Line)>> {
        let step = (time.end - time.start) / POINTS;
        let mut lines = Vec::new();
        for Question { query, legend } in &panel.questions {
            let found = self.prometheus.range(&query.replace("$__rate_interval", SMOOTH), time, step).await?;
            lines.extend(found.into_iter().map(|line| (named(legend, &line.labels), line)));
        }
        lines.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(lines)
    }

    async fn decisions(&self) -> Result<String> {
        let mut faults = Vec::new();
        for (who, query) in &self.decisions {
            match self.prometheus.query(query).await {
                Err(error) => faults.push(format!("{who}: {error:#}")),
                Ok(0) => faults.push(format!("{who}: nothing for {query}")),
                Ok(_) => {}
            }
        }
        told(&faults, format!("{} queries with data", self.decisions.len()))
    }
}

/// What autoscalers and analyses ask, as the chart renders it. What Argo fills in is filled in for one service.
fn decisions(rendered: &str) -> Result<BTreeMap<String, String>> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(rendered)?;
    let mut queries = BTreeMap::new();
    for object in &objects {
        let name = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
        let analyses = object["spec"]["metrics"].as_array().into_iter().flatten();
        let analyses = analyses.map(|metric| (text(&metric["name"]), &metric["provider"]["prometheus"]["query"]));
        let triggers = object["spec"]["triggers"].as_array().into_iter().flatten();
        let triggers = triggers.map(|trigger| (text(&trigger["type"]), &trigger["metadata"]["query"]));
        for (what, query) in analyses.chain(triggers) {
            let namespace = text(&object["metadata"]["namespace"]);
            let service = if namespace == "admin" { "admin-service-active" } else { "booking-service-active" };
            if let Some(query) = query.as_str() {
                let query = query.replace("{{args.service}}", service);
                queries.insert(format!("{name} ({namespace}), {what}"), query);
            }
        }
    }
    if queries.is_empty() {
        bail!("{RENDERED} has neither autoscalers nor analyses");
    }
    Ok(queries)
}

/// What a line with these labels is called.
fn named(legend: &str, labels: &BTreeMap<String, String>) -> String {
    labels.iter().fold(legend.to_owned(), |name, (label, value)| name.replace(&format!("{{{{{label}}}}}"), value))
}

/// Whether only a mesh has a series of this name.
fn of_the_mesh(name: &str) -> bool {
    OF_THE_MESH.iter().any(|prefix| name.starts_with(prefix))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_is_found_in_the_rendered_chart() {
        let rendered = include_str!("../../../../../deploy/golden/prod.yaml");
        let queries = decisions(rendered).unwrap();
        assert!(queries.keys().any(|who| who.contains("ScaledObject")), "{queries:?}");
        assert!(queries.keys().any(|who| who.contains("AnalysisTemplate")), "{queries:?}");
        assert!(queries.values().all(|query| !query.contains("args.service")), "{queries:?}");
    }

    #[test]
    fn a_line_is_called_by_its_labels() {
        let labels =
            BTreeMap::from([("app", "gateway"), ("job", "x")].map(|(label, value)| (label.into(), value.into())));
        assert_eq!(named("{{app}}, {{job}} {{else}}", &labels), "gateway, x {{else}}");
        assert_eq!(named("waiting", &labels), "waiting");
    }
}
