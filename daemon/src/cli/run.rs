//! `lapsed run`.

use super::exit::Exit;
use super::output::Failure;
use super::{Globals, Outcome};
use crate::config::{self, Config, LogFormat, Logging};
use crate::rehearse::database;
use crate::service::{Daemon, checkpoints_of, run as serve};
use crate::store::Store;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// How to run.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Normally started by systemd: systemctl start lapsed\n\nExample:\n  lapsed run --once"
)]
pub struct RunArgs {
    /// Handle what is there and due, then end
    #[arg(long)]
    pub once: bool,
}

pub(super) fn run(globals: &Globals, args: &RunArgs) -> Outcome {
    let config = match config::load(globals.config_path()) {
        Ok((config, _)) => config,
        Err(errors) => {
            // Into the journal at once: whoever is called at night reads this first.
            eprintln!("{errors}");
            return Err(Failure::new(
                Exit::Failure,
                format!(
                    "{} has mistakes in it, so the daemon does not start",
                    globals.config_path().display()
                ),
                "Mend each as it says; lapsed check tries it without starting anything.",
            ));
        }
    };
    log_to_stderr(&config.logging);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|problem| {
            Failure::caused(&problem, "The machine is out of memory or of threads.")
        })?;
    let outcome = runtime.block_on(carry_on(config, globals.config_path(), args.once));
    // A thread that waits for a disk that hangs would keep the process from its end.
    runtime.shutdown_background();
    outcome
}

async fn carry_on(config: Config, path: &Path, once: bool) -> Outcome {
    let daemon = Arc::new(open(config, path, Some(Timestamp::now())).await?);
    if once {
        let done = daemon.once().await.map_err(|error| {
            Failure::caused(&error, "What was begun is on record; the next run goes on from there.")
        })?;
        tracing::info!(done = done.done, stuck = done.stuck, waiting = done.waiting, "round ended");
        return Ok(Exit::Fine);
    }
    serve(daemon).await.map_err(|error| Failure::caused(&error, "See the daemon's log."))?;
    Ok(Exit::Fine)
}

/// Opens the state, with checkpoints, and sets the connectors up.
pub(super) async fn open(
    config: Config,
    path: &Path,
    started_at: Option<Timestamp>,
) -> Result<Daemon, Failure> {
    let store =
        Store::open(&database(&config), checkpoints_of(&config)).await.map_err(|error| {
            Failure::caused(&error, "Check state.* and audit.* of the configuration.")
        })?;
    let clock = Arc::new(Timestamp::now);
    Daemon::new(store, config, path.to_owned(), clock, started_at)
        .map_err(|error| Failure::caused(&error, "See each mistake with its remedy: lapsed check"))
}

/// One event a fact, to standard error: journald and containers take it from there.
fn log_to_stderr(logging: &Logging) {
    let level = tracing::Level::from(logging.level);
    let filter = EnvFilter::new(format!("lapsed={level},lapsed_connectors={level},warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match logging.format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => log.compact().init(),
    }
}
