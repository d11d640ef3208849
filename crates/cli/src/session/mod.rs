//! `headwater session …`: sessions of a running server, over HTTP.
//!
//! What is derived from sessions in a data directory, while no server runs, is looked after by `headwater sessions`.

mod command;
mod export;
mod failure;
mod manage;
mod presence;
mod replay;
mod run;
mod send;
mod view;
mod watch;

use std::process::ExitCode;

use clap::ArgMatches;
use headwater_client::sessions::SessionClient;

pub(crate) use command::command;

use crate::failure::Failure;
use crate::remote::{self, Remote};
use failure::failed;

/// A session that a command is about, and the way to it.
#[derive(Debug, Clone)]
struct Named {
    id: String,
    client: SessionClient,
}

/// Runs the command.
pub(crate) fn run(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let (name, flags) = flags.subcommand().expect("clap asks for a subcommand");
    let remote = &Remote::of(flags)?;
    match name {
        "new" => remote::run(manage::new(remote, flags)),
        "ls" => remote::run(manage::list(remote, flags)),
        "show" => remote::run(manage::show(remote, flags)),
        "fork" => remote::run(manage::fork(remote, flags)),
        "close" => remote::run(manage::close(remote, flags)),
        "watch" => remote::run(watch::watch(remote, flags)),
        "replay" => remote::run(replay::replay(remote, flags)),
        "send" => remote::run(send::send(remote, flags)),
        "presence" => remote::run(presence::presence(remote, flags)),
        "run" => remote::run_to_code(run::run(remote, flags)),
        _ => remote::run(export::export(remote, flags)),
    }
}

fn sessions(remote: &Remote) -> Result<SessionClient, Failure> {
    SessionClient::new(remote.client()?).map_err(|error| failed(&error))
}

impl Named {
    fn of(remote: &Remote, flags: &ArgMatches) -> Result<Self, Failure> {
        let id = flags.get_one::<String>("session").expect("clap requires it").clone();
        Ok(Self { id, client: sessions(remote)? })
    }
}

fn text(flags: &ArgMatches, name: &str) -> Option<String> {
    flags.get_one::<String>(name).cloned()
}
