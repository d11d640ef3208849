//! What all commands that talk to a server have in common: where it is, what requests carry, how failures are told.

mod failure;

use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches};
use headwater_client::{Client, Fields, RetrySchedule};

pub(crate) use failure::Subject;

use crate::failure::Failure;
use crate::limits::{
    FLAG_FILE_BYTES_MAX, REMOTE_ATTEMPTS_MAX, REMOTE_RETRY_CAP, REMOTE_RETRY_FACTOR, REMOTE_RETRY_INITIAL,
};
use crate::output;

/// Where streams are unless somebody says otherwise: what `headwater serve` serves.
const DEFAULT_URL: &str = "http://127.0.0.1:4437/v1/stream";

/// A server, and how its answers are to be told.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    /// The stream root.
    pub(crate) url: String,
    /// Headers for every request, as they were given.
    pub(crate) headers: Vec<(String, String)>,
    /// PEM of an authority that is trusted besides the system's.
    pub(crate) authority: Option<Vec<u8>>,
    pub(crate) told: Told,
}

/// How much is told, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// Nothing but results that were asked for by name.
    pub(crate) quiet: bool,
    /// Results for programs.
    pub(crate) json: bool,
}

/// The flags of a command that talks to a server.
pub(crate) fn flags() -> [Arg; 5] {
    [
        Arg::new("url")
            .long("url")
            .value_name("URL")
            .env("HEADWATER_URL")
            .hide_env_values(true)
            .default_value(DEFAULT_URL)
            .help_heading("Server")
            .help("Where the server's streams are"),
        Arg::new("header")
            .long("header")
            .value_name("NAME:VALUE")
            .action(ArgAction::Append)
            .help_heading("Server")
            .help("Header for all requests, such as 'Authorization: Bearer …'; @FILE reads headers from a file"),
        Arg::new("ca-cert")
            .long("ca-cert")
            .value_name("FILE")
            .env("HEADWATER_CA_CERT")
            .hide_env_values(true)
            .help_heading("Server")
            .help("Trust this authority (PEM) for https, besides those the system trusts"),
        Arg::new("quiet")
            .long("quiet")
            .short('q')
            .action(ArgAction::SetTrue)
            .help_heading("Output")
            .help("Say nothing about how it goes; failures are still told"),
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .help_heading("Output")
            .help("Print results as JSON, for programs"),
    ]
}

impl Remote {
    /// What the flags say.
    pub(crate) fn of(flags: &ArgMatches) -> Result<Self, Failure> {
        let url = flags.get_one::<String>("url").expect("the flag has a default").clone();
        let told = Told { quiet: flags.get_flag("quiet"), json: flags.get_flag("json") };
        Ok(Self { url, headers: headers(flags)?, authority: authority(flags)?, told })
    }

    /// A client for streams. It gives up soon: somebody waits.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let mut client = Client::builder(&self.url).fields(self.fields()).retry(schedule());
        if let Some(authority) = &self.authority {
            client = client.trust(authority);
        }
        client.attempts_max(REMOTE_ATTEMPTS_MAX).build().map_err(|error| Subject::Url.failed(error))
    }

    fn fields(&self) -> Fields {
        self.headers.iter().fold(Fields::new(), |fields, (name, value)| fields.header(name, value))
    }
}

impl Told {
    /// Tells somebody who watches, unless they want to hear nothing.
    pub(crate) fn note(self, line: std::fmt::Arguments<'_>) {
        if !self.quiet {
            output::note(line);
        }
    }

    /// A result: for programs, or a line for people unless they want to hear nothing.
    pub(crate) fn result(self, value: &serde_json::Value, line: std::fmt::Arguments<'_>) -> Result<(), Failure> {
        match self {
            Self { json: true, .. } => output::result(&format!("{value}\n")),
            Self { quiet: true, .. } => Ok(()),
            Self { .. } => output::result(&format!("{line}\n")),
        }
    }
}

/// When requests are tried again: soon at first, since most servers that go away are restarted.
pub(crate) fn schedule() -> RetrySchedule {
    RetrySchedule::new(REMOTE_RETRY_INITIAL, REMOTE_RETRY_FACTOR, REMOTE_RETRY_CAP)
        .expect("the delays of the command line grow")
        .with_jitter(0.2)
}

/// Runs a command to its end.
pub(crate) fn run(work: impl Future<Output = Result<(), Failure>>) -> Result<ExitCode, Failure> {
    run_to_code(async { work.await.map(|()| ExitCode::SUCCESS) })
}

/// The same for one that ends with a code of its own.
pub(crate) fn run_to_code(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}; check the limit of processes")))?;
    let done = runtime.block_on(work);
    // A read of standard input that nobody waits for any more would hold up the end.
    runtime.shutdown_background();
    done
}

fn headers(flags: &ArgMatches) -> Result<Vec<(String, String)>, Failure> {
    let mut headers = Vec::new();
    for given in flags.get_many::<String>("header").unwrap_or_default() {
        let lines = match given.strip_prefix('@') {
            Some(file) => header_file(Path::new(file))?,
            None => given.clone(),
        };
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            // The value is not repeated: it is often a secret.
            let refused = || Failure::Usage("--header takes NAME:VALUE, such as 'Authorization: Bearer …'".into());
            let (name, value) = line.split_once(':').ok_or_else(refused)?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    Ok(headers)
}

fn header_file(file: &Path) -> Result<String, Failure> {
    text_file(file, "the headers", "--header @")
}

fn authority(flags: &ArgMatches) -> Result<Option<Vec<u8>>, Failure> {
    let Some(file) = flags.get_one::<String>("ca-cert") else { return Ok(None) };
    text_file(Path::new(file), "the certificates", "--ca-cert").map(|text| Some(text.into_bytes()))
}

/// Reads a file that a flag names.
fn text_file(file: &Path, what: &str, flag: &str) -> Result<String, Failure> {
    let failed = |error: String| {
        let file = file.display();
        Failure::Usage(format!("cannot read {what} in {file}: {error}; check the path after {flag}"))
    };
    let bytes = std::fs::metadata(file).map_err(|error| failed(error.to_string()))?.len();
    if bytes > FLAG_FILE_BYTES_MAX {
        return Err(failed(format!("it is larger than {FLAG_FILE_BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))
}
