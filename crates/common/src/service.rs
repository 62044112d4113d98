//! The life of a process: settings, telemetry, listening, working, and stopping without dropping anybody.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use clap::{CommandFactory, FromArgMatches};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{self, Http, Telemetry};
use crate::error::Chain;
use crate::health::{self, Dependencies};
use crate::http::{self, Envelope, Limits, Server, Work};
use crate::jobs::{self, Shift};
use crate::metrics::{self, Registry};
use crate::reference::{self, Reference};
use crate::shutdown::{Shutdown, Signals};
use crate::{pool, probe, telemetry};

/// How long requests under way and jobs may still take when nobody is let in any more.
const GRACE: Duration = Duration::from_secs(20);

/// How long the last lines of the log may take when there is no time to lose.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Exit code of a process whose settings can't be used (`EX_USAGE`).
const USAGE: u8 = 64;

/// Exit code of a command that could not finish.
pub const UNFINISHED: u8 = 2;

/// An error on the way to a running service.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// A service: what a binary is made of. `main` is `common::service::run::<Flight>()` and nothing else.
pub trait Service: Sized {
    /// Its settings: every argument carries an environment variable.
    type Settings: CommandFactory + FromArgMatches;

    /// Its name, e.g. `auth-service`.
    const NAME: &'static str;

    /// How long a request may take.
    const TIMEOUT: Duration = Duration::from_secs(10);

    /// The public port its settings name.
    fn port(settings: &Self::Settings) -> u16;

    /// The settings groups every service has.
    fn shared(settings: &Self::Settings) -> (&Http, &Telemetry);

    /// The description of its API.
    fn openapi() -> utoipa::openapi::OpenApi;

    /// Does what `name`, the first of its arguments, asks for beside serving; `None`: it knows no such command.
    fn command(_name: &str, _arguments: &[String]) -> Option<ExitCode> {
        None
    }

    /// Builds the service, which declares in `metrics` what it counts. Nothing it depends on has to answer yet.
    fn build(settings: Self::Settings, metrics: &Registry) -> Result<Running, StartError>;
}

/// A built service.
#[derive(Default)]
pub struct Running {
    /// Its public routes.
    pub router: Router,
    /// What its readiness depends on.
    pub dependencies: Dependencies,
    /// Its work in the background: started once it listens.
    pub jobs: Vec<Box<dyn FnOnce(Shift) -> Job + Send>>,
}

/// A job under way.
pub type Job = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Running {
    /// Adds a job.
    #[must_use]
    pub fn job<F: Future<Output = ()> + Send + 'static>(
        mut self,
        start: impl FnOnce(Shift) -> F + Send + 'static,
    ) -> Self {
        self.jobs.push(Box::new(|shift| Box::pin(start(shift))));
        self
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}

/// Runs a service from `main` until it is asked to stop.
pub fn run<S: Service>() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "this is where the process reads its arguments")]
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "--openapi") {
        return print(&S::openapi().to_pretty_json().unwrap_or_default());
    }
    if arguments.iter().any(|a| a == "--reference") {
        return match describe::<S>() {
            Ok(reference) => print(&reference.to_json()),
            Err(error) => fail::<S>(&*error),
        };
    }
    if let Some(done) = arguments.split_first().and_then(|(name, rest)| S::command(name, rest)) {
        return done;
    }
    let probing = arguments.iter().any(|a| a == "--probe");
    let environment = config::environment();
    let environment = if probing { reference::without_secrets::<S::Settings>(environment) } else { environment };
    let settings = match load::<S::Settings>(&arguments, &environment) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    if probing {
        return match internal_port::<S>(&settings).and_then(|port| Ok(probe::ask(port, "/readyz")?)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail::<S>(&*error),
        };
    }
    let threads = S::shared(&settings).0.worker_threads;
    let served = runtime(threads).and_then(|runtime| {
        let served = runtime.block_on(serve::<S>(settings));
        // Nobody waits for work that was given up.
        runtime.shutdown_background();
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail::<S>(&*error),
    }
}

/// Runs a command of the program `name`, with settings of its own from `arguments` and the environment, to its end.
pub fn run_command<C, F>(name: &str, arguments: &[String], command: impl FnOnce(C) -> F) -> ExitCode
where
    C: CommandFactory + FromArgMatches,
    F: Future<Output = Result<ExitCode, StartError>>,
{
    let settings = match load(arguments, &config::environment()) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    runtime(1).and_then(|runtime| runtime.block_on(command(settings))).unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "{name}: {}", Chain(&*error));
        ExitCode::from(UNFINISHED)
    })
}

/// The settings of this process, or the code it ends with.
fn load<C: CommandFactory + FromArgMatches>(
    arguments: &[String],
    environment: &BTreeMap<String, String>,
) -> Result<C, ExitCode> {
    config::load(arguments, environment).map_err(|error| {
        let _ = error.print();
        if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
    })
}

fn runtime(threads: u16) -> Result<tokio::runtime::Runtime, StartError> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(threads.into()).enable_all().build()?)
}

fn print(text: &str) -> ExitCode {
    if writeln!(std::io::stdout(), "{text}").is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn fail<S: Service>(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{}: {}", S::NAME, Chain(error));
    ExitCode::FAILURE
}

/// What the service can be told and what it counts. To know the latter it is built, with settings that lead nowhere.
fn describe<S: Service>() -> Result<Reference, StartError> {
    let settings = config::load::<S::Settings>(&[], &reference::any_environment::<S::Settings>())?;
    let metrics = Registry::of_process(S::NAME)?;
    let runtime = runtime(1)?;
    let _context = runtime.enter();
    let _telemetry = telemetry::start(S::NAME, S::shared(&settings).1, &metrics)?;
    assemble::<S>(settings, &metrics)?;
    Ok(Reference { service: S::NAME, settings: reference::settings::<S::Settings>(), metrics: metrics.declared() })
}

/// A service that is ready to be served.
struct Assembled {
    running: Running,
    /// The requests it has under way.
    requests: Work,
    job_metrics: jobs::Metrics,
    health_metrics: health::Metrics,
}

/// Builds the service, surrounds it with what every service has, and measures that.
fn assemble<S: Service>(settings: S::Settings, metrics: &Registry) -> Result<Assembled, StartError> {
    let (http, _) = S::shared(&settings);
    let envelope = Envelope { service: S::NAME, timeout: S::TIMEOUT, trusted_proxy_hops: http.trusted_proxy_hops };
    let (cors, requests) = (http::cors::layer(http), Work::at_most(Limits::of(http).requests));
    let mut running = S::build(settings, metrics)?;
    let router = http::wrap(requests.count(running.router), envelope);
    running.router = http::measure(if let Some(cors) = cors { router.layer(cors) } else { router }, metrics)?;
    if let Some(database) = &running.dependencies.database {
        pool::watch(database, metrics)?;
    }
    let (job_metrics, health_metrics) = (jobs::Metrics::new(metrics)?, health::Metrics::new(metrics)?);
    Ok(Assembled { running, requests, job_metrics, health_metrics })
}

/// Serves until asked to stop, and then in the order in which nobody is dropped: first readiness goes, then new
/// connections, then requests and jobs come to their end, then the last words of telemetry are sent.
async fn serve<S: Service>(settings: S::Settings) -> Result<(), StartError> {
    let (http, telemetry) = S::shared(&settings);
    let metrics = Registry::of_process(S::NAME)?;
    let telemetry = telemetry::start(S::NAME, telemetry, &metrics)?;
    let mut signals = Signals::listen()?;
    let (port, internal_port) = (S::port(&settings), internal_port::<S>(&settings)?);
    let (limits, delay) = (Limits::of(http), http.shutdown_delay());

    let Assembled { running, requests, job_metrics, health_metrics } = assemble::<S>(settings, &metrics)?;
    let (public, internal) = (bind(port).await?, bind(internal_port).await?);

    let (leaving, probes_leaving) = (Shutdown::default(), Shutdown::default());
    let (stop_jobs, jobs) = (CancellationToken::new(), TaskTracker::new());
    for job in running.jobs {
        jobs.spawn(job(Shift { stop: stop_jobs.clone(), metrics: job_metrics.clone() }));
    }
    jobs.close();
    let probes = health::probes(leaving.clone(), running.dependencies, health_metrics);
    let probes = probes.merge(metrics::endpoint(metrics));
    let probes =
        tokio::spawn(Server::new(probes, Limits { connections: 64, ..limits }).serve(internal, probes_leaving.clone()));
    let mut public = tokio::spawn(Server::new(running.router, limits).serve(public, leaving.clone()));
    tracing::info!(port, internal_port, version = env!("CARGO_PKG_VERSION"), "{} is listening", S::NAME);

    tokio::select! {
        () = signals.next() => {}
        ended = &mut public => { ended?; return Err("the server stopped by itself".into()) }
    }
    let stop = async {
        tracing::info!(delay_seconds = delay.as_secs(), "stopping: not ready any more");
        leaving.announce();
        tokio::time::sleep(delay).await;
        tracing::info!("stopping: finishing what is under way");
        leaving.close();
        stop_jobs.cancel();
        let finish = async {
            // Only when nobody can ask any more: requests that come while it is waited for their end are refused.
            let _ = public.await;
            tokio::join!(requests.finished(), jobs.wait())
        };
        if tokio::time::timeout(GRACE, finish).await.is_err() {
            tracing::warn!("stopped with work still under way");
        }
        probes_leaving.close();
        let _ = tokio::time::timeout(Duration::from_secs(1), probes).await;
    };
    let in_order = tokio::select! {
        () = stop => true,
        () = signals.next() => { tracing::warn!("asked twice, stopping at once"); false }
    };
    // What is still to be sent may have nobody to receive it, and takes its time to notice.
    let flushed = tokio::task::spawn_blocking(move || drop(telemetry));
    let patience = if in_order { Duration::MAX } else { LAST_WORDS };
    tokio::select! {
        _ = tokio::time::timeout(patience, flushed) => {}
        () = signals.next() => {}
    }
    Ok(())
}

/// Where the probes answer.
fn internal_port<S: Service>(settings: &S::Settings) -> Result<u16, StartError> {
    let (http, _) = S::shared(settings);
    let usual = || S::port(settings).checked_add(1000);
    http.internal_port.or_else(usual).ok_or_else(|| "no port is left for the probes: set INTERNAL_PORT".into())
}

async fn bind(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .await
        .map_err(|e| format!("can't listen on port {port}: {e}").into())
}
