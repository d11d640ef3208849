//! Why the command ended, as one line and one exit code.
//!
//! The codes are part of the interface: service managers and scripts tell a locked directory from a used port by them.
//! `docs/operations.md` lists them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use thiserror::Error;

use crate::output;
use crate::settings::Problem;

/// Everything that ends a command early.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// One line per problem.
    #[error("the configuration has {} problems", .0.len())]
    Configuration(Vec<Problem>),
    #[error("{0}")]
    Usage(String),
    #[error("the data directory {} is in use by {holder}; stop that process, or use another --data-dir", dir.display())]
    Locked { dir: PathBuf, holder: String },
    #[error("cannot listen on {address}: {cause}; {advice}")]
    Bind { address: SocketAddr, cause: String, advice: &'static str },
    #[error("cannot use the data directory {}: {cause}; {advice}", dir.display())]
    Data { dir: PathBuf, cause: String, advice: &'static str },
    #[error("no permission for {what}: {cause}; {advice}")]
    Permission { what: String, cause: String, advice: &'static str },
    /// A server elsewhere, or the way to it.
    #[error("{message}")]
    Remote { kind: RemoteKind, message: String },
    #[error("{0}")]
    Other(String),
    /// Whoever read standard output has seen enough.
    #[error("standard output was closed")]
    OutputClosed,
}

/// What kept a server from doing what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RemoteKind {
    /// It does not have what was named.
    NotFound,
    /// What was asked does not go with what is there.
    Refused,
    /// It does not answer.
    Away,
    /// Who asks may not.
    Denied,
    Other,
}

/// How a failure is written: as the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogForm {
    Plain,
    Json,
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Other(_) | Self::Remote { kind: RemoteKind::Other, .. } => 1,
            Self::Configuration(_) | Self::Usage(_) => 2,
            Self::Locked { .. } => 3,
            Self::Bind { .. } => 4,
            Self::Data { .. } => 5,
            Self::Permission { .. } | Self::Remote { kind: RemoteKind::Denied, .. } => 6,
            Self::Remote { kind: RemoteKind::NotFound, .. } => 7,
            Self::Remote { kind: RemoteKind::Refused, .. } => 8,
            Self::Remote { kind: RemoteKind::Away, .. } => 9,
        }
    }

    /// Tells the operator and yields the exit code.
    pub(crate) fn report(&self, form: LogForm) -> ExitCode {
        match self {
            Self::OutputClosed => {}
            Self::Configuration(problems) => {
                for problem in problems {
                    line(form, &problem.to_string());
                }
            }
            other => line(form, &other.to_string()),
        }
        ExitCode::from(self.code())
    }
}

/// What clap has to say: help and version are results, anything else is one line with exit code 2.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe is no failure: the reader of the help has seen enough.
            error.print().ok();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            error.print().ok();
            ExitCode::from(2)
        }
        _ => Failure::Usage(on_one_line(&error.render().to_string())).report(LogForm::Plain),
    }
}

/// Clap's message without its usage lines, joined.
fn on_one_line(message: &str) -> String {
    let told = message
        .lines()
        .map(str::trim)
        .take_while(|text| !text.starts_with("Usage:"))
        .filter(|text| !text.is_empty() && !text.starts_with("For more information"))
        .collect::<Vec<_>>()
        .join("; ");
    format!("{}; see --help", told.trim_start_matches("error: "))
}

fn line(form: LogForm, message: &str) {
    match form {
        LogForm::Plain => output::note(format_args!("error: {message}")),
        LogForm::Json => {
            let entry = serde_json::json!({ "level": "ERROR", "target": "headwater", "message": message });
            output::note(format_args!("{entry}"));
        }
    }
}
