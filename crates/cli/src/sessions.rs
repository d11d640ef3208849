//! `headwater sessions reindex`: builds the SQL copy of sessions anew, from a data directory that no server uses.

use std::process::ExitCode;
use std::sync::Arc;

use clap::ArgMatches;
use headwater_projection::{ProjectionError, ProjectionOptions, ReindexProgress, reindex};
use headwater_storage::{EmbeddedStore, FORMAT_FILE};
use headwater_streams::{Durability, Engine, SystemClock, Unobserved};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;
use crate::limits::REDRAWS_PER_SECOND;
use crate::serve::refusal;
use crate::settings::Config;
use crate::{configuration, output};

/// Does what its subcommand says.
pub(crate) fn sessions(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    match flags.subcommand() {
        Some(("reindex", flags)) => rebuild(&configuration(flags)?),
        _ => unreachable!("clap asks for one of the commands it was told of"),
    }
}

fn rebuild(config: &Config) -> Result<ExitCode, Failure> {
    let options = config
        .projection()
        .ok_or_else(|| Failure::Usage("sessions-sql is not set; name the file to build with --sessions-sql".into()))?;
    if config.durability() == Durability::Ephemeral {
        return Err(Failure::Usage("a store in memory holds no sessions when no server runs; use --store disk".into()));
    }
    let store = open(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}; check the limit of processes")))?;
    let ReindexProgress { sessions, bytes, .. } = runtime.block_on(build(store, config, &options))?;
    let (file, size) = (options.file.display(), output::rounded_size(bytes));
    output::result(&format!("{file}: {sessions} sessions, {size} read\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Opens a data directory that is there; a server would make one that is not.
fn open(config: &Config) -> Result<EmbeddedStore, Failure> {
    let dir = config.directory("data-dir");
    if !dir.join(FORMAT_FILE).exists() {
        let (cause, advice) = ("it is no data directory".to_owned(), "name the one that the server uses");
        return Err(Failure::Data { dir: dir.to_owned(), cause, advice });
    }
    EmbeddedStore::open(dir, config.store_options()).map_err(|error| refusal(dir, error))
}

async fn build(store: EmbeddedStore, config: &Config, options: &ProjectionOptions) -> Result<ReindexProgress, Failure> {
    let engine = Engine::start(store, Arc::new(SystemClock), config.engine_limits(), Arc::new(Unobserved));
    // Draws nothing unless standard error is a terminal.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND));
    let template = "{spinner} sessions {wide_bar} {bytes} of {total_bytes} {eta}";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is well-formed"));
    let done = reindex(&engine, options, &mut |progress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.bytes);
    })
    .await;
    bar.finish_and_clear();
    let closed = engine.shutdown().await;
    let done = done.map_err(|error| failed(options, &error))?;
    closed.map_err(|error| Failure::Other(format!("the store did not close in order: {error}")))?;
    Ok(done)
}

fn failed(options: &ProjectionOptions, error: &ProjectionError) -> Failure {
    let advice = error.advice().unwrap_or("what the file held before is untouched");
    Failure::Other(format!("cannot build {}: {error}; {advice}", options.file.display()))
}
