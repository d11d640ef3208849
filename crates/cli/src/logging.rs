//! The log on standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::failure::{Failure, LogForm};
use crate::settings::Config;

/// Starts logging for the rest of the process.
pub(crate) fn start(config: &Config) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(config.text("log-level")).map_err(|error| Failure::Usage(error.to_string()))?;
    // An event that cannot be written is lost silently: reporting it would go to the same closed pipe.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).log_internal_errors(false);
    let started = match form(config) {
        LogForm::Json => log.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
        LogForm::Plain => log.with_ansi(stderr_has_colour()).try_init(),
    };
    started.map_err(|error| Failure::Other(format!("cannot start logging: {error}")))
}

/// How lines on standard error look.
pub(crate) fn form(config: &Config) -> LogForm {
    if config.text("log") == "json" { LogForm::Json } else { LogForm::Plain }
}

/// Whether escape sequences are welcome: a terminal, and nobody asked for none.
pub(crate) fn stderr_has_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    stderr().is_terminal() && !refused && !dumb
}
