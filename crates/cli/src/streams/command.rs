//! What the commands for streams take, and their help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};

use crate::limits::TAIL_MESSAGES_MAX;
use crate::remote;

/// The commands, in the order in which they are listed.
pub(super) const NAMES: [&str; 9] = ["create", "append", "read", "tail", "head", "close", "fork", "delete", "ls"];

/// All of them.
pub(crate) fn commands() -> [Command; 9] {
    [create(), append(), read(), tail(), head(), close(), fork(), delete(), list()]
        .map(|command| command.args(remote::flags()))
}

fn create() -> Command {
    Command::new("create")
        .about("Create a stream")
        .long_about(
            "Create a stream. To ask again for what is there already is no error; for something else under the same \
             name, it is one.",
        )
        .arg(stream())
        .args(kind_and_lifetime())
        .arg(
            Arg::new("closed")
                .long("closed")
                .action(ArgAction::SetTrue)
                .help("Close it in the same step: what it holds is all there will ever be"),
        )
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("TEXT")
                .conflicts_with("file")
                .help("Its first content, part of the same step"),
        )
        .arg(file("Its first content from a file, - for standard input"))
        .after_long_help(
            "Examples:\n  headwater create notes\n      A stream of text.\n  \
             headwater create chat/42 --type json --ttl 7d\n      A stream of JSON messages that ends a week after its \
             last use.\n  headwater create report --file report.pdf --type application/pdf --closed\n      All in one \
             step.",
        )
}

fn append() -> Command {
    Command::new("append")
        .about("Append messages from arguments, files or standard input")
        .long_about(
            "Append messages, each exactly once and in order, whatever happens on the way: while the server is away this \
             waits. Messages are the arguments, else what is in the files, else standard input.\n\nUnless told otherwise, \
             input to a JSON stream is JSON values (one to a line, or written over several), input to a text stream \
             is lines with their line ends, and input to any other stream is bytes as they come.",
        )
        .arg(stream())
        .arg(
            Arg::new("message")
                .value_name("MESSAGE")
                .num_args(0..)
                .conflicts_with("file")
                .help("A message: a JSON value for a JSON stream, a line for a text stream"),
        )
        .arg(file("Input from a file, - for standard input; repeat it for several").action(ArgAction::Append))
        .arg(flag("bytes", "Take input as bytes: nothing is looked at, nothing is changed"))
        .arg(flag("lines", "Each line is a message; in a JSON stream, a JSON string"))
        .arg(flag("ndjson", "Each JSON value is a message"))
        .group(ArgGroup::new("split").args(["bytes", "lines", "ndjson"]))
        .arg(flag("create", "Create the stream first, unless it is there; --type says of which type").short('c'))
        .arg(kind())
        .arg(flag("close", "Close the stream after the last message"))
        .arg(
            Arg::new("producer")
                .long("producer")
                .value_name("ID")
                .help("The producer's id; a random one unless given. A later run of the same id fences off an earlier one"),
        )
        .after_long_help(
            "Examples:\n  headwater append notes 'one line' 'another'\n  \
             headwater append chat/42 '{\"role\": \"user\", \"text\": \"hello\"}'\n  \
             make 2>&1 | headwater append --create builds/7 --close\n      A build's output as it comes, and its end.\n  \
             headwater append events --file events.ndjson\n      With a progress bar when standard error is a terminal.",
        )
}

fn read() -> Command {
    Command::new("read")
        .about("Read a stream, and follow it")
        .long_about(
            "Read a stream from an offset to its end as it is now; with --follow, go on as it grows, until it is closed. \
             Lost connections heal without a gap or a repetition.",
        )
        .arg(stream())
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("OFFSET")
                .default_value("-1")
                .allow_hyphen_values(true)
                .help("Where to begin: an offset, -1 for the beginning, now for the end"),
        )
        .arg(flag("follow", "Go on as the stream grows, until it is closed").short('f'))
        .arg(format_flag())
        .after_long_help(
            "With --json, each piece is one line {offset, upToDate, closed} with messages (JSON streams), text or base64: \
             who keeps the offset can go on there.\n\nExamples:\n  headwater read notes\n  \
             headwater read chat/42 --follow | jq -r .text\n  headwater read report > report.pdf\n  \
             headwater read chat/42 --format json | jq length",
        )
}

fn tail() -> Command {
    Command::new("tail")
        .about("Follow a stream from its end")
        .long_about(
            "Follow a stream from its end, until it is closed. With -n, begin so many messages (of a JSON stream) or lines \
             earlier; they are found by reading the stream from its beginning.",
        )
        .arg(stream())
        .arg(
            Arg::new("count")
                .short('n')
                .long("last")
                .value_name("N")
                .default_value("0")
                .value_parser(value_parser!(u64).range(..=TAIL_MESSAGES_MAX))
                .help(format!("Begin so many messages or lines before the end, at most {TAIL_MESSAGES_MAX}")),
        )
        .arg(format_flag())
        .after_long_help("Examples:\n  headwater tail builds/7\n  headwater tail -n 20 chat/42")
}

fn head() -> Command {
    Command::new("head")
        .about("Tell what a stream is")
        .long_about("Tell a stream's type, where it ends, whether it is closed and how long it lives.")
        .arg(stream())
        .after_long_help("Examples:\n  headwater head chat/42\n  headwater head chat/42 --json | jq -r .tail")
}

fn close() -> Command {
    Command::new("close")
        .about("Close a stream for good")
        .long_about("Close a stream for good: readers reach its end. To close it again is no error.")
        .arg(stream())
        .after_long_help("Example:\n  headwater close builds/7")
}

fn fork() -> Command {
    Command::new("fork")
        .about("Create a stream that shares the past of another")
        .long_about("Create a stream that shares everything of another up to a point, without copying it.")
        .arg(stream_argument("source", "SOURCE", "The stream whose past is shared"))
        .arg(stream_argument("target", "TARGET", "The stream to create"))
        .arg(
            Arg::new("at")
                .long("at")
                .value_name("OFFSET")
                .allow_hyphen_values(true)
                .help("Where the two part: an offset of the source, -1 for its beginning; its end unless given"),
        )
        .arg(
            Arg::new("plus")
                .long("plus")
                .value_name("N")
                .requires("at")
                .value_parser(value_parser!(u64))
                .help("So many messages (JSON) or bytes after --at"),
        )
        .args(lifetime())
        .after_long_help(
            "Examples:\n  headwater fork chat/42 chat/42-retry\n  headwater fork chat/42 early --at -1 --plus 3",
        )
}

fn delete() -> Command {
    Command::new("delete")
        .about("Delete streams")
        .long_about("Delete streams, durably. What was deleted cannot be had back; forks keep what they share.")
        .arg(stream().num_args(1..).action(ArgAction::Append))
        .after_long_help("Example:\n  headwater delete chat/42 builds/7")
}

fn list() -> Command {
    Command::new("ls")
        .about("List streams")
        .long_about(
            "List the streams there are, in the order of their paths. The listing is an extension of Headwater; a server \
             that runs with --listing off has none.",
        )
        .arg(
            Arg::new("prefix")
                .long("prefix")
                .value_name("PATH")
                .default_value("")
                .hide_default_value(true)
                .help("Only streams whose path begins with this"),
        )
        .arg(flag("long", "Tell type, end, state and age too").short('l'))
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..))
                .help("End after so many"),
        )
        .after_long_help(
            "With --json, each stream is one line {path, contentType, tail, closed, createdAt}.\n\nExamples:\n  \
             headwater ls -l --prefix chat/\n  headwater ls --prefix builds/ | xargs -d '\\n' headwater delete",
        )
}

fn stream() -> Arg {
    stream_argument("stream", "STREAM", "A path below the stream root, such as chat/42, or a whole URL")
}

fn stream_argument(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(id).value_name(name).required(true).help(help)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn file(help: &'static str) -> Arg {
    Arg::new("file").long("file").value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
}

fn kind() -> Arg {
    Arg::new("type")
        .long("type")
        .short('t')
        .value_name("TYPE")
        .default_value("text")
        .help("Content type of a new stream: text, json, bytes, or a media type such as application/pdf")
}

fn kind_and_lifetime() -> [Arg; 3] {
    let [ttl, expires_at] = lifetime();
    [kind(), ttl, expires_at]
}

fn lifetime() -> [Arg; 2] {
    [
        Arg::new("ttl")
            .long("ttl")
            .value_name("DURATION")
            .value_parser(duration)
            .conflicts_with("expires-at")
            .help("End so long after the last use, such as 90m or 7d"),
        Arg::new("expires-at")
            .long("expires-at")
            .value_name("TIME")
            .help("End at a time, such as 2030-01-01T00:00:00Z"),
    ]
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 30s, 90m or 7d"))
}

fn format_flag() -> Arg {
    Arg::new("format").long("format").value_name("FORMAT").value_parser(["raw", "json", "ndjson"]).help(
        "raw: content as it is; ndjson: each message on a line; json: one array of all messages. Of a JSON stream ndjson \
         unless given, of any other raw",
    )
}
