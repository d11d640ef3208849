//! The `headwater` binary: reads what the operator wants, starts the pieces, says what happened.
//!
//! Results go to standard output; everything else goes to standard error. Every failure is one line that says what to
//! do, with an exit code of its own.
#![forbid(unsafe_code)]

mod banner;
mod bench;
mod command;
mod demo;
mod failure;
mod generate;
mod inspect;
mod limits;
mod logging;
mod output;
mod proxy_url;
mod remote;
mod serve;
mod session;
mod sessions;
mod settings;
mod signals;
mod streams;
mod table;
mod verify;

use std::process::ExitCode;

use clap::ArgMatches;

use crate::failure::{Failure, LogForm};
use crate::settings::{Config, Layers};

/// A tenth of the processor time of an append went into the system's allocator; `bench/README.md` has the figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = match command::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return failure::usage(&error),
    };
    match run(&matches) {
        Ok(code) => code,
        Err(failure) => failure.report(LogForm::Plain),
    }
}

fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    match matches.subcommand() {
        Some(("serve", flags)) => Ok(serve::serve(&configuration(flags)?)),
        Some(("demo", flags)) => demo::demo(flags),
        Some(("check-config", flags)) => check_config(flags),
        Some(("verify", flags)) => verify::verify(flags),
        Some(("inspect", flags)) => inspect::inspect(flags),
        Some(("bench", flags)) => bench::bench(flags),
        Some(("session", flags)) => session::run(flags),
        Some(("proxy-url", flags)) => proxy_url::proxy_url(flags),
        Some(("sessions", flags)) => sessions::sessions(flags),
        Some(("completions", flags)) => generate::completions(flags),
        Some(("man", flags)) => generate::man(flags),
        Some((name, flags)) if let Some(done) = streams::run(name, flags) => done,
        _ => unreachable!("clap asks for one of the commands it was told of"),
    }
}

fn configuration(flags: &ArgMatches) -> Result<Config, Failure> {
    let config = Config::check(Layers::read(flags, environment())).map_err(Failure::Configuration)?;
    for warning in &config.warnings {
        output::note(format_args!("warning: {warning}"));
    }
    Ok(config)
}

fn check_config(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    output::result(&configuration(flags)?.to_toml())?;
    Ok(ExitCode::SUCCESS)
}

/// A value that is not UTF-8 is read with replacement characters, which no option accepts.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        Some((name, value.to_string_lossy().into_owned()))
    })
}
