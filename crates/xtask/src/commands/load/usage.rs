//! What the system's programs take of this machine while customers come: what one request costs each of them, and
//! whether their memory grows.

use std::future::Future;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{MissedTickBehavior, interval};

use crate::client::{Client, Request};
use crate::report;
use crate::services::{Ports, internal};
use crate::stack::Stack;
use crate::vitals::Vitals;

/// How often memory is looked at.
const GLANCE: Duration = Duration::from_millis(500);

/// Into how many parts of the same length a run is divided, to see whether memory grows from one to the next.
const PARTS: usize = 4;

/// What a service may have more in the last part than in the second, in MiB. The first one is spent on warming up, and a
/// program whose memory really grows does so with each request, of which two hours have 250,000.
const GROWTH: f64 = 4.0;

/// What is counted at the door of every service.
const REQUESTS: &str = "cloudjet_http_requests_total";

/// All programs.
pub(super) struct Usage(Vec<Program>);

struct Program {
    name: String,
    id: u32,
    /// Where it tells how many requests came, if it is a service.
    internal: Option<u16>,
    /// Since it began, as far as it tells.
    requests: Option<f64>,
    processor: Duration,
    /// In bytes, one glance after the other.
    memory: Vec<u64>,
}

impl Usage {
    /// That of the programs in `stack`, whose services are on `ports`, while `work` is done. Of a system that isn't ours
    /// nothing is known.
    pub(super) async fn during<T>(
        stack: &mut Stack,
        ports: Option<&Ports>,
        work: impl AsyncFnOnce(&mut Stack) -> Result<T>,
    ) -> Result<(T, Self)> {
        let program = |(name, id): (&str, u32)| Program {
            name: name.to_owned(),
            id,
            internal: ports.and_then(|ports| ports.of(name)).map(internal),
            requests: None,
            processor: Duration::ZERO,
            memory: Vec::new(),
        };
        let mut usage = Self(stack.process_ids().map(program).collect());
        let before = usage.glance()?;
        let done = usage.glancing(work(stack)).await?;
        let after = usage.glance()?;
        for ((program, before), after) in usage.0.iter_mut().zip(before).zip(after) {
            program.processor = after.saturating_sub(before);
            if let Some(port) = program.internal {
                // Hours of a report aren't worth less for one number.
                let metrics = Client::new((Ipv4Addr::LOCALHOST, port).into()).ask(&Request::get("/metrics")).await;
                program.requests = metrics.ok().map(|text| counted(REQUESTS, &String::from_utf8_lossy(&text)));
            }
        }
        Ok((done, usage))
    }

    /// Looks at them again and again, until `work` is done.
    async fn glancing<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = std::pin::pin!(work);
        let mut glances = interval(GLANCE);
        glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                done = &mut work => return done,
                // Who has ended is told by the work that needs it.
                _ = glances.tick() => drop(self.glance()),
            }
        }
    }

    /// Notes how much memory each has, and tells the processor's time that each has used since it began.
    fn glance(&mut self) -> Result<Vec<Duration>> {
        let glance = |program: &mut Program| {
            let vitals = Vitals::of(program.id).with_context(|| format!("{} doesn't run", program.name))?;
            program.memory.push(vitals.memory);
            Ok(vitals.processor)
        };
        self.0.iter_mut().map(glance).collect()
    }

    /// The services whose memory grew.
    pub(super) fn growing(&self) -> Vec<String> {
        let services = self.0.iter().filter(|program| program.internal.is_some());
        let grown = services.filter_map(|program| {
            let [_, early, .., late] = program.parts();
            let told = || format!("{} grew from {early:.1} to {late:.1} MiB", program.name);
            (late > early + GROWTH).then(told)
        });
        grown.collect()
    }

    /// A line for each program.
    pub(super) fn table(&self) -> String {
        self.told(report::table)
    }

    /// The same as Markdown.
    pub(super) fn markdown(&self) -> String {
        self.told(report::markdown)
    }

    fn told(&self, table: fn(&[Row]) -> String) -> String {
        if self.0.is_empty() {
            String::new()
        } else {
            format!("\nWhat the programs took of this machine:\n\n{}", table(&self.rows()))
        }
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = vec![COLUMNS.map(str::to_owned)];
        rows.extend(self.0.iter().map(Program::row));
        rows
    }
}

type Row = [String; COLUMNS.len()];

const COLUMNS: [&str; 9] =
    ["program", "requests", "processor, s", "ms a request", "memory, MiB: 1st quarter", "2nd", "3rd", "4th", "most"];

impl Program {
    fn row(&self) -> Row {
        let told =
            |number: Option<f64>, digits: usize| number.map_or_else(|| "–".to_owned(), |it| format!("{it:.digits$}"));
        let seconds = self.processor.as_secs_f64();
        let each = self.requests.filter(|requests| *requests > 0.0).map(|requests| seconds * 1000.0 / requests);
        let [first, second, third, fourth] = self.parts().map(|memory| told(Some(memory), 1));
        let most = self.memory.iter().copied().max().map(mebibytes);
        [
            self.name.clone(),
            told(self.requests, 0),
            format!("{seconds:.1}"),
            told(each, 2),
            first,
            second,
            third,
            fourth,
            told(most, 1),
        ]
    }

    /// The memory in each part of the run, in MiB: its median.
    fn parts(&self) -> [f64; PARTS] {
        std::array::from_fn(|part| {
            let at = |part: usize| self.memory.len() * part / PARTS;
            let mut memory = self.memory[at(part)..at(part + 1)].to_vec();
            memory.sort_unstable();
            memory.get(memory.len() / 2).copied().map_or(f64::NAN, mebibytes)
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure to read, with one decimal")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// What all series of the counter `name` come to.
fn counted(name: &str, metrics: &str) -> f64 {
    let series = metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} "));
    series.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(mebibytes: &[u64]) -> Usage {
        Usage(vec![Program {
            name: "booking".to_owned(),
            id: 0,
            internal: Some(6003),
            requests: Some(2000.0),
            processor: Duration::from_secs(3),
            memory: mebibytes.iter().map(|each| each << 20).collect(),
        }])
    }

    #[test]
    fn each_part_of_a_run_has_its_median() {
        let usage = service(&[1, 9, 9, 12, 30, 12, 13, 13, 13, 14, 14, 20]);
        let line = ["booking", "2000", "3.0", "1.50", "9.0", "12.0", "13.0", "14.0", "30.0"];
        assert_eq!(usage.rows()[1], line);
        assert_eq!(usage.growing(), Vec::<String>::new());
    }

    #[test]
    fn what_grows_after_it_has_warmed_up_is_told() {
        assert_eq!(service(&[9, 12, 15, 18]).growing(), ["booking grew from 12.0 to 18.0 MiB"]);
        assert_eq!(service(&[2, 12, 12, 13]).growing(), Vec::<String>::new());
    }

    #[test]
    fn requests_are_those_of_all_routes() {
        let metrics = "# TYPE a_total counter\na_total{route=\"/x\",status=\"200\"} 40\na_total{route=\"{y}\"} 2\na_total_more{} 7\n";
        assert!((counted("a_total", metrics) - 42.0).abs() < f64::EPSILON);
    }

    #[tokio::test]
    async fn programs_are_looked_at_while_work_is_done() {
        let mut stack = Stack::default();
        let mut command = tokio::process::Command::new("sleep");
        command.arg("600");
        let sleep = crate::process::Process::start("sleep", command, crate::process::Output::Quiet).unwrap();
        stack.push_worker(sleep).unwrap();
        let ports = Ports::any().unwrap();
        let (done, usage) = Usage::during(&mut stack, Some(&ports), async |_| Ok(7)).await.unwrap();
        assert_eq!(done, 7);
        assert!(usage.0[0].memory.len() >= 2 && usage.rows()[1][0] == "sleep");
        stack.stop().await.unwrap();
    }
}
