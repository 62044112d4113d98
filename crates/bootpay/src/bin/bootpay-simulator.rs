//! The payment provider on your own machine: `bootpay-simulator --help`.
//!
//! It listens on 127.0.0.1 unless it is told otherwise: whoever reaches it can make payments of nothing.

use std::io::{self, IsTerminal, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use bootpay::simulator::{Config, Simulator, scripts_table, serve};
use clap::Parser;
use common::{config, probe};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

/// Simulates the payment provider Bootpay for development and tests.
///
/// It speaks Bootpay's REST API under /v2 (point BOOTPAY_API_URL of the services there), has knobs for tests under
/// /simulator, and a page to approve or decline payments by hand at /. With --scripts it lists what can be written into
/// a payment's name, and ends.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// The address to listen on. Others than 127.0.0.1 are for a container whose port is open to its host only.
    #[arg(long, env = "BOOTPAY_SIMULATOR_ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "IP")]
    address: IpAddr,

    /// The port to listen on.
    #[arg(long, env = "BOOTPAY_SIMULATOR_PORT", default_value_t = 5010)]
    port: u16,

    /// A JSON file to keep the receipts in, so that they survive a restart. In memory only if not given.
    #[arg(long, env = "BOOTPAY_SIMULATOR_STATE", value_name = "FILE")]
    state: Option<PathBuf>,

    /// Where webhooks go, for example http://127.0.0.1:5005/api/payments/webhook. Nowhere if not given.
    #[arg(long, env = "BOOTPAY_WEBHOOK_URL", value_name = "URL")]
    webhook_url: Option<String>,

    /// The REST application id that the services identify themselves with.
    #[arg(long, env = "BOOTPAY_REST_APPLICATION_ID", value_name = "ID")]
    rest_application_id: String,

    /// The private key that belongs to it; also signs webhooks where that is asked for.
    #[arg(long, env = "BOOTPAY_PRIVATE_KEY", value_name = "KEY", hide_env_values = true)]
    private_key: SecretString,

    /// The client key that the services may identify themselves with instead.
    #[arg(long, env = "BOOTPAY_CLIENT_KEY", value_name = "KEY")]
    client_key: Option<String>,

    /// The secret that belongs to it.
    #[arg(long, env = "BOOTPAY_SECRET_KEY", value_name = "KEY", hide_env_values = true)]
    secret_key: Option<SecretString>,

    /// Answer a cancel_id that was used as the first time, instead of refusing it as the provider does.
    #[arg(long)]
    kind: bool,
    /// Ask the simulator that runs here on this port whether it answers, and exit: 0 if so, else 1.
    #[arg(long)]
    probe: bool,
}

/// Exit code of a process whose settings can't be used (`EX_USAGE`).
const USAGE: u8 = 64;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "this is where the process reads its arguments")]
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--scripts") {
        // For the documentation, which has no credentials to give.
        return ExitCode::from(u8::from(io::stdout().write_all(scripts_table().as_bytes()).is_err()));
    }
    let settings = match config::load::<Settings>(&arguments, &config::environment()) {
        Ok(settings) => settings,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    if settings.probe {
        return match probe::ask(settings.port, "/health") {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(io::stderr(), "bootpay-simulator: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stdout().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).init();

    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // One line, with its causes: a backtrace of a busy port helps nobody.
            error!("{problem:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    // Both are asked for before the port is open, so that a stop that comes early isn't missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let mut config = Config::new(settings.rest_application_id, settings.private_key);
    config.is_kind = settings.kind;
    config.client = match (settings.client_key, settings.secret_key) {
        (None, None) => None,
        (key, secret) => Some((key.unwrap_or_default(), secret.unwrap_or_default())),
    };
    config.webhook_url = settings.webhook_url.filter(|url| !url.is_empty());
    config.state_file = settings.state.filter(|path| !path.as_os_str().is_empty());
    let simulator = Simulator::new(config)?;
    let listener = TcpListener::bind((settings.address, settings.port))
        .await
        .with_context(|| format!("can't listen on {} port {}", settings.address, settings.port))?;

    info!(address = %listener.local_addr()?, receipts = simulator.receipts().len(), "listening");
    tokio::select! {
        served = serve(listener, simulator) => served.context("the server stopped")?,
        _ = terminate.recv() => info!("stopping: SIGTERM"),
        _ = interrupt.recv() => info!("stopping: Ctrl-C"),
    }
    Ok(())
}
