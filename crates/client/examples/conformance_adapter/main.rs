//! The official client conformance suite's way into this client: commands as JSON lines on stdin, one result for each on
//! stdout, as the package `client-conformance-tests` of `durable-streams/durable-streams` describes.

mod benchmark;
mod command;
mod failure;
mod producing;
mod reading;
mod streams;
mod validation;

use std::io::Write;
use std::time::Duration;

use command::Command;
use failure::Failure;
use headwater_client::{Client, Error, RetrySchedule};
use producing::Producers;
use serde_json::{Value, json};
use streams::Streams;
use tokio::io::{AsyncBufReadExt, BufReader};

/// Attempts of anything: the suite wants to see an end.
const ATTEMPTS_MAX: u32 = 6;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// What lasts from `init` to `shutdown`.
struct Adapter {
    streams: Streams,
    producers: Producers,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut adapter = None;
    while let Some(line) = lines.next_line().await? {
        let (result, goes_on) = match serde_json::from_str(&line) {
            Ok(Command::Shutdown) => (json!({ "type": "shutdown", "success": true }), false),
            Ok(Command::Init { server_url }) => {
                adapter = Some(Adapter::new(&server_url)?);
                (introduction(), true)
            }
            Ok(command) => (answer(adapter.as_mut(), &line, command).await, true),
            Err(error) => (Failure::not_supported(error.to_string()).result(&line), true),
        };
        // U+2028 and U+2029 end lines for some readers of lines.
        let text = result.to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()?;
        if !goes_on {
            break;
        }
    }
    Ok(())
}

async fn answer(adapter: Option<&mut Adapter>, line: &str, command: Command) -> Value {
    let done = match adapter {
        Some(adapter) => adapter.run(command).await,
        None => Err(Failure::not_supported("the first command must be init".to_owned())),
    };
    done.unwrap_or_else(|failure| failure.result(line))
}

fn introduction() -> Value {
    json!({
        "type": "init",
        "success": true,
        "clientName": "headwater-client",
        "clientVersion": env!("CARGO_PKG_VERSION"),
        "features": {
            "batching": true,
            "sse": true,
            "longPoll": true,
            "auto": true,
            "streaming": true,
            "dynamicHeaders": true,
            "retryOptions": true,
            "batchItems": true,
            "strictZeroValidation": true,
        },
    })
}

impl Adapter {
    fn new(server_url: &str) -> Result<Self, Error> {
        let client = Client::builder(server_url)
            .retry(RetrySchedule::new(FIRST_RETRY, 2.0, LONGEST_RETRY)?)
            .attempts_max(ATTEMPTS_MAX)
            .build()?;
        Ok(Self { streams: Streams::new(client, server_url), producers: Producers::default() })
    }

    async fn run(&mut self, command: Command) -> Result<Value, Failure> {
        let Self { streams, producers } = self;
        match command {
            Command::Init { .. } | Command::Shutdown => Err(Failure::not_supported("answered elsewhere".to_owned())),
            Command::Create(create) => streams.create(create).await,
            Command::Connect(target) => streams.connect(target).await,
            Command::Append(append) => streams.append(append).await,
            Command::Head(target) => streams.head(target).await,
            Command::Delete(target) => streams.delete(target).await,
            Command::Close(close) => streams.close(close).await,
            Command::Read(read) => reading::read(streams, read).await,
            Command::IdempotentAppend(append) => producers.append(streams, append).await,
            Command::IdempotentAppendBatch(batch) => producing::append_batch(streams, batch).await,
            Command::IdempotentClose(close) => producers.close(streams, close).await,
            Command::IdempotentDetach(detach) => producers.detach(streams, detach).await,
            Command::SetDynamicHeader(dynamic) => Ok(streams.set_header(dynamic)),
            Command::SetDynamicParam(dynamic) => Ok(streams.set_param(dynamic)),
            Command::ClearDynamic => Ok(streams.clear_dynamic()),
            Command::Validate { target } => validation::validate(streams, target),
            Command::Benchmark { iteration_id, operation } => benchmark::run(streams, iteration_id, operation).await,
        }
    }
}
