//! What `bench` takes, its help, and what it means.

use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::RangedU64ValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use headwater_load::{AppendLoad, Mode, Payload, Producers, STAMP_BYTES, Window};

use super::measurement::Measurement;
use crate::failure::Failure;
use crate::limits::{
    BENCH_BATCH_MAX, BENCH_BYTES_MAX, BENCH_CONNECTIONS_MAX, BENCH_DELIVERY_RATE, BENCH_FAN_OUT_RATE,
    BENCH_IN_FLIGHT_MAX, BENCH_SECONDS, BENCH_SECONDS_RANGE, BENCH_SIZE_MAX, BENCH_STREAMS_MAX, BENCH_WARM_UP,
};
use crate::remote;

/// What can be measured, by name.
const WHAT: [&str; 5] = ["all", "append", "delivery", "fan-out", "catch-up"];

/// Which measurements a flag is for.
const FLAGS: [(&str, &[&str]); 9] = [
    ("connections", &["append"]),
    ("in-flight", &["append"]),
    ("streams", &["append"]),
    ("producers", &["append"]),
    ("batch", &["append"]),
    ("bytes", &["append", "delivery", "fan-out"]),
    ("subscribers", &["fan-out"]),
    ("size", &["catch-up"]),
    ("readers", &["catch-up"]),
];

/// What is asked for.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) window: Window,
    pub(super) measurements: Vec<Measurement>,
}

pub(crate) fn command() -> Command {
    Command::new("bench")
        .about("Measure a server: appends, delivery, fan-out, catch-up")
        .long_about(
            "Measure any Durable Streams server over plain HTTP. It makes streams of its own below --url, under a random \
             prefix, and deletes them when it is done or interrupted. Do not point it at a server that others need now.",
        )
        .arg(Arg::new("what").value_name("WHAT").value_parser(WHAT).default_value("all").help("What to measure"))
        .arg(
            Arg::new("seconds")
                .long("seconds")
                .value_name("N")
                .default_value(BENCH_SECONDS)
                .value_parser(seconds)
                .help("How long each measurement lasts"),
        )
        .args(append_flags())
        .args(reading_flags())
        .args(remote::flags())
        .after_long_help(format!("{}\n\n{EXAMPLES}", meaning()))
}

fn append_flags() -> [Arg; 6] {
    [
        count("connections", "16", BENCH_CONNECTIONS_MAX, "Connections that append"),
        count("in-flight", "1", BENCH_IN_FLIGHT_MAX, "Requests that a connection has sent and not yet seen answered"),
        count("streams", "100", BENCH_STREAMS_MAX, "Streams that appends go to, each to one chosen at random"),
        size("bytes", "256", "Bytes of each message").help_heading("Appends, delivery and fan-out"),
        Arg::new("producers")
            .long("producers")
            .action(ArgAction::SetTrue)
            .help_heading("Appends")
            .help("Append as idempotent producers: each connection is one, with an epoch and sequence numbers"),
        Arg::new("batch")
            .long("batch")
            .value_name("N")
            .value_parser(RangedU64ValueParser::<usize>::new().range(1..=BENCH_BATCH_MAX))
            .help_heading("Appends")
            .help("Append JSON, arrays of so many messages; bytes unless given"),
    ]
}

fn reading_flags() -> [Arg; 3] {
    [
        count("subscribers", "100", BENCH_CONNECTIONS_MAX, "SSE subscribers of one stream").help_heading("Fan-out"),
        size("size", "64MiB", "How long the stream is that is read from its start").help_heading("Catch-up"),
        count("readers", "4", BENCH_CONNECTIONS_MAX, "Readers of that stream at once").help_heading("Catch-up"),
    ]
}

fn count(name: &'static str, default: &'static str, max: u64, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("N")
        .default_value(default)
        .value_parser(RangedU64ValueParser::<usize>::new().range(1..=max))
        .help_heading("Appends")
        .help(help)
}

fn size(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("SIZE").default_value(default).value_parser(value_parser!(ByteSize)).help(help)
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| BENCH_SECONDS_RANGE.contains(seconds));
    let (least, most) = (BENCH_SECONDS_RANGE.start(), BENCH_SECONDS_RANGE.end());
    seconds.ok_or_else(|| format!("it must be a number from {least} to {most}"))
}

fn meaning() -> String {
    format!(
        "What is measured:\n  \
         append     As many appends as the connections and the requests in flight allow. The rate is appends acknowledged\n             \
         per second, the latency from sending one to its answer.\n  \
         delivery   {BENCH_DELIVERY_RATE} appends a second to one stream with one reader, by SSE and then by long-poll. The \
         latency is from\n             before the append is sent to when the reader has the message.\n  \
         fan-out    {BENCH_FAN_OUT_RATE} appends a second to one stream with many SSE subscribers. The rate is deliveries per \
         second, the\n             latency that of each delivery.\n  \
         catch-up   A long stream is read from its start, again and again. The rate is bytes per second, the latency that\n             \
         of one page.\n\n\
         p50 and p99 are latencies that 50 and 99 of 100 did not exceed. Errors are requests that failed and messages that\n\
         did not arrive; what they say is told. The load warms up for a second first, and all of it comes from one thread:\n\
         with a fast server, that thread may be what is measured. On the server's own machine it takes cores from it. Figures\n\
         of one machine and one run compare with each other and with nothing else."
    )
}

const EXAMPLES: &str = "\
Examples:
  headwater bench
      Everything, against http://127.0.0.1:4437/v1/stream, in half a minute.
  headwater bench append --connections 64 --in-flight 8 --seconds 10
      What it takes when many write.
  headwater bench append --batch 100 --producers
      JSON in batches, from idempotent producers.
  headwater bench fan-out --subscribers 5000 --url http://10.0.0.7:4437/v1/stream
      A server on another machine.
  headwater bench --json | jq '{measurement, rate, p99Us}'
      A line for each measurement, for programs.";

impl Plan {
    /// What the flags say.
    pub(super) fn of(flags: &ArgMatches) -> Result<Self, Failure> {
        let what = flags.get_one::<String>("what").expect("the argument has a default").as_str();
        for (flag, of) in FLAGS {
            if flags.value_source(flag) == Some(ValueSource::CommandLine) && what != "all" && !of.contains(&what) {
                let of = of.join(", ");
                return Err(Failure::Usage(format!("--{flag} is for {of}, not for {what}; see --help")));
            }
        }
        let measure = Duration::from_secs_f64(*flags.get_one("seconds").expect("the flag has a default"));
        let window = Window { warm_up: BENCH_WARM_UP.min(measure / 4), measure };
        let wanted = |measurement: &Measurement| what == "all" || measurement.of() == what;
        let measurements = all(flags)?.into_iter().filter(wanted).collect();
        Ok(Self { window, measurements })
    }
}

fn all(flags: &ArgMatches) -> Result<[Measurement; 5], Failure> {
    let number = |name| *flags.get_one::<usize>(name).expect("the flag has a default");
    let bytes = usize::try_from(sized(flags, "bytes", BENCH_BYTES_MAX)?).expect("the limit is a small number");
    let payload = match flags.get_one::<usize>("batch") {
        Some(&messages) => Payload::Json { messages, bytes },
        None => Payload::Bytes(bytes),
    };
    let producers = if flags.get_flag("producers") { Producers::Idempotent } else { Producers::None };
    let (connections, in_flight, streams) = (number("connections"), number("in-flight"), number("streams"));
    let live = bytes.max(STAMP_BYTES);
    Ok([
        Measurement::Append(AppendLoad { connections, in_flight, streams, payload, producers }),
        Measurement::Delivery { mode: Mode::Sse, bytes: live },
        Measurement::Delivery { mode: Mode::LongPoll, bytes: live },
        Measurement::FanOut { subscribers: number("subscribers"), bytes: live },
        Measurement::CatchUp { bytes: sized(flags, "size", BENCH_SIZE_MAX)?, readers: number("readers") },
    ])
}

fn sized(flags: &ArgMatches, name: &str, max: u64) -> Result<u64, Failure> {
    let bytes = flags.get_one::<ByteSize>(name).expect("the flag has a default").0;
    let told = || Failure::Usage(format!("--{name} must be from 1 to {} bytes, such as 4KiB; see --help", max));
    if (1..=max).contains(&bytes) { Ok(bytes) } else { Err(told()) }
}
