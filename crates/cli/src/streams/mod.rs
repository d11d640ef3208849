//! The commands for streams: `create`, `append`, `read`, `tail`, `head`, `close`, `fork`, `delete` and `ls`.
//!
//! Each asks a server over HTTP through the client crate, and knows nothing of data directories.

mod append;
mod command;
mod content;
mod create;
mod input;
mod list;
mod manage;
mod progress;
mod read;
mod tail;

use std::process::ExitCode;

use clap::ArgMatches;
use headwater_client::{Client, Head, Stream};

pub(crate) use command::commands;

use crate::failure::Failure;
use crate::remote::{self, Remote, Subject};

/// A stream that a command is about.
#[derive(Debug, Clone)]
struct Named {
    /// As it was named.
    name: String,
    stream: Stream,
}

/// Runs the command when it is one for streams.
pub(crate) fn run(name: &str, flags: &ArgMatches) -> Option<Result<ExitCode, Failure>> {
    let done = |remote: Remote| match name {
        "create" => remote::run(create::create(&remote, flags)),
        "append" => remote::run(append::append(&remote, flags)),
        "read" => remote::run(read::read(&remote, flags)),
        "tail" => remote::run(tail::tail(&remote, flags)),
        "head" => remote::run(manage::head(&remote, flags)),
        "close" => remote::run(manage::close(&remote, flags)),
        "fork" => remote::run(manage::fork(&remote, flags)),
        "delete" => remote::run(manage::delete(&remote, flags)),
        _ => remote::run(list::list(&remote, flags)),
    };
    command::NAMES.contains(&name).then(|| Remote::of(flags).and_then(done))
}

impl Named {
    /// The stream that the argument `argument` names: a path below the root, or a whole URL.
    fn of(remote: &Remote, flags: &ArgMatches, argument: &str) -> Result<Self, Failure> {
        let name = flags.get_one::<String>(argument).expect("clap requires it");
        Self::new(&remote.client()?, name)
    }

    /// All the streams that the argument names.
    fn all(remote: &Remote, flags: &ArgMatches, argument: &str) -> Result<Vec<Self>, Failure> {
        let client = remote.client()?;
        flags.get_many::<String>(argument).unwrap_or_default().map(|name| Self::new(&client, name)).collect()
    }

    fn new(client: &Client, name: &str) -> Result<Self, Failure> {
        let is_url = name.starts_with("http://") || name.starts_with("https://");
        let found = if is_url { client.stream_at(name) } else { client.stream(name) };
        let stream = found.map_err(|error| Failure::Usage(format!("{error}; name a stream such as chat/42")))?;
        Ok(Self { name: name.to_owned(), stream })
    }

    fn failed(&self, error: headwater_client::Error) -> Failure {
        Subject::Stream(&self.name).failed(error)
    }

    /// Finds it, and tells soon when nobody answers: what follows may wait for as long as it takes.
    async fn find(&self) -> Result<Head, Failure> {
        self.stream.head().await.map_err(|error| self.failed(error))
    }
}

fn text(flags: &ArgMatches, name: &str) -> Option<String> {
    flags.get_one::<String>(name).cloned()
}
