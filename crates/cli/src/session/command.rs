//! What the commands for sessions take, and their help.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::limits::{REPLAY_SPEED_MAX, RUN_BUFFER, RUN_PIECE_BYTES, SESSIONS_LISTED};
use crate::remote;

/// `session` with all that can be done to one.
pub(crate) fn command() -> Command {
    let commands = [new(), list(), show(), run(), watch(), send(), presence(), replay(), export(), fork(), close()];
    Command::new("session")
        .about("Begin, watch, steer and export agent sessions of a server")
        .long_about(
            "Begin, watch, steer and export the agent sessions of a running server, over HTTP. (`headwater sessions` \
             looks after what is derived from sessions in a data directory while no server uses it.)",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(commands.map(|command| command.args(remote::flags())))
}

fn new() -> Command {
    Command::new("new")
        .about("Begin a session, and print its id")
        .arg(option("project", "PROJECT", "The project it belongs to").default_value("default"))
        .arg(option("title", "TEXT", "What it is about, for people"))
        .arg(option("task", "TASK", "The task it is about"))
        .arg(option("agent", "AGENT", "The agent at work"))
        .after_long_help(
            "Examples:\n  ID=$(headwater session new --title 'Fix the build')\n  headwater session new --project web \
             --agent coder --json",
        )
}

fn list() -> Command {
    Command::new("ls")
        .about("List sessions, those that changed last first")
        .arg(option("project", "PROJECT", "Only those of a project"))
        .arg(option("task", "TASK", "Only those about a task"))
        .arg(option("agent", "AGENT", "Only those of an agent"))
        .arg(option("status", "STATUS", "Only those that are so").value_parser(["active", "paused", "closed"]))
        .arg(option("search", "TEXT", "Only those with this in their title"))
        .arg(
            option("limit", "N", "End after so many")
                .value_parser(value_parser!(u64).range(1..))
                .default_value(SESSIONS_LISTED),
        )
        .after_long_help(
            "With --json, each session is one line, as in docs/sessions.md.\n\nExamples:\n  headwater session ls --status \
             active\n  headwater session ls --json | jq -r .id",
        )
}

fn run() -> Command {
    let switch =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new("run")
        .about("Run a program as a session that others follow")
        .long_about(
            "Run a program in a pseudo-terminal as a session: what it prints is shown here and recorded, with changes of \
             the window's size and how it ended. The program goes on while the server is away, and what was printed \
             meanwhile is written when it is back. Ends with the program's own exit code.",
        )
        .arg(option("session", "SESSION", "Run it in a session that is there, instead of a new one"))
        .arg(option("project", "PROJECT", "The project of the new session").default_value("default"))
        .arg(option("title", "TEXT", "What the new session is about [default: the command]"))
        .arg(option("task", "TASK", "The task that the new session is about"))
        .arg(option("agent", "AGENT", "Who is at work [default: the program's name]"))
        .arg(
            option("format", "FORMAT", "What its standard output is: terminal, or lines that tell what an agent does")
                .value_parser(["terminal", "claude-stream-json", "ndjson", "text"])
                .default_value("terminal"),
        )
        .arg(switch("allow-input", "Let everybody who can write to the session type into the program"))
        .arg(switch("keep-open", "Leave the new session open when the program has ended"))
        .arg(
            option("buffer", "SIZE", "Memory for what the server has not taken; then the program waits")
                .value_parser(size)
                .default_value(RUN_BUFFER),
        )
        .arg(
            Arg::new("command")
                .value_name("COMMAND")
                .value_parser(value_parser!(std::ffi::OsString))
                .num_args(1..)
                .required(true)
                .last(true)
                .help("The program and its arguments, after --"),
        )
        .after_long_help(
            "Formats: claude-stream-json is what agent command lines print with --output-format stream-json; ndjson is an \
             event or an agent step of the sessions API a line; text is what an agent says.\n\nExamples:\n  headwater \
             session run -- bash\n  headwater session run --allow-input --title 'Pair on the build' -- zsh\n  headwater \
             session run --format claude-stream-json -- claude -p --verbose --output-format stream-json 'Fix the build'",
        )
}

fn size(text: &str) -> Result<usize, String> {
    let size = text.parse::<bytesize::ByteSize>().ok().and_then(|size| usize::try_from(size.0).ok());
    size.filter(|size| *size >= RUN_PIECE_BYTES).ok_or_else(|| "it must be a size such as 64MiB".to_owned())
}

fn show() -> Command {
    Command::new("show")
        .about("Tell what a session is, what its agents do and who is there")
        .arg(session())
        .after_long_help("Example:\n  headwater session show $ID")
}

fn watch() -> Command {
    Command::new("watch")
        .about("Follow a session in the terminal")
        .long_about(
            "Follow a session: what agents say, the tools they call, the terminal, decisions, and who comes and goes, from \
             the beginning until it is closed. A lost connection heals without a gap or a repetition. Ctrl-C leaves; the \
             session goes on, and can be joined again.\n\n  \
             ▸ ✓ ✗   a tool call begins, ends, fails        ●   what an agent does\n  \
             │       the terminal, $ what was typed          ◆   approvals and worktrees\n  \
             + -     somebody comes, leaves                  --  about the watching itself",
        )
        .arg(session())
        .arg(
            option("from", "OFFSET", "Where to begin: an offset, -1 for the beginning, now for what comes")
                .default_value("-1")
                .allow_hyphen_values(true),
        )
        .arg(option("as", "NAME", "Be seen in the session under this name"))
        .arg(
            Arg::new("terminal")
                .long("terminal")
                .action(ArgAction::SetTrue)
                .conflicts_with("json")
                .help("Show only the terminal, byte by byte, as it was where the program runs"),
        )
        .arg(color())
        .after_long_help(
            "With --json, each event is one line, as in docs/sessions.md.\n\nExamples:\n  headwater session watch $ID\n  \
             headwater session watch $ID --as Ada --from now",
        )
}

fn send() -> Command {
    Command::new("send")
        .about("Type into a session's terminal, or post to another channel")
        .long_about(
            "Type into a session's terminal: each argument is an input, else each line of standard input. With --channel \
             and --data, post an event to any channel.",
        )
        .arg(session())
        .arg(Arg::new("text").value_name("TEXT").num_args(0..).conflicts_with("channel").help("What to type"))
        .arg(
            option("channel", "CHANNEL", "Post to this channel")
                .value_parser(["chunks", "toolCalls", "presence", "terminal", "workflow", "agentState"])
                .requires("data"),
        )
        .arg(option("data", "JSON", "The event's fields, an object").requires("channel"))
        .after_long_help(
            "Examples:\n  headwater session send $ID 'cargo test'\n  headwater session send $ID --channel workflow \\\n    \
             --data '{\"type\": \"approval:approved\", \"payload\": {}, \"actor\": \"ada\"}'",
        )
}

fn presence() -> Command {
    Command::new("presence")
        .about("Tell who is in a session, or be there")
        .long_about("Tell who is in a session. With --as, be there until Ctrl-C, without watching.")
        .arg(session())
        .arg(option("as", "NAME", "Be there under this name"))
        .after_long_help("Examples:\n  headwater session presence $ID\n  headwater session presence $ID --as Ada")
}

fn replay() -> Command {
    Command::new("replay")
        .about("Play what happened in a session, at its own pace")
        .arg(session())
        .arg(
            option("speed", "FACTOR", "How many times as fast")
                .default_value("1")
                .value_parser(speed)
                .help(format!("How many times as fast, from 0.01 to {REPLAY_SPEED_MAX}")),
        )
        .arg(
            option("pause-max", "DURATION", "No pause longer than this, at speed 1")
                .value_parser(humantime::parse_duration),
        )
        .arg(color())
        .after_long_help(
            "Examples:\n  headwater session replay $ID --speed 4\n  headwater session replay $ID --pause-max 2s",
        )
}

fn export() -> Command {
    Command::new("export")
        .about("Write a session to a file or to standard output")
        .arg(session())
        .arg(
            option("format", "FORMAT", "json, ndjson, csv, markdown or asciicast (the terminal, for asciinema)")
                .value_parser(["json", "ndjson", "csv", "markdown", "asciicast"])
                .default_value("markdown"),
        )
        .arg(
            option("output", "FILE", "Where to write; standard output unless given")
                .short('o')
                .value_parser(value_parser!(PathBuf)),
        )
        .after_long_help(
            "Examples:\n  headwater session export $ID | less\n  headwater session export $ID --format asciicast -o \
             session.cast",
        )
}

fn fork() -> Command {
    Command::new("fork")
        .about("Begin a session with the past of another, and print its id")
        .arg(session())
        .arg(option("at", "OFFSET", "Where the two part; the end unless given").allow_hyphen_values(true))
        .arg(option("title", "TEXT", "What the new one is about; as the source unless given"))
        .after_long_help("Example:\n  headwater session fork $ID --title 'Another way'")
}

fn close() -> Command {
    Command::new("close")
        .about("Close a session for good")
        .arg(session())
        .after_long_help("Example:\n  headwater session close $ID")
}

fn session() -> Arg {
    Arg::new("session").value_name("SESSION").required(true).help("The session's id")
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).action(ArgAction::Set).help(help)
}

fn color() -> Arg {
    option("color", "WHEN", "Colours: on a terminal unless NO_COLOR is set, or always, or never")
        .value_parser(["auto", "always", "never"])
        .default_value("auto")
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.01..=REPLAY_SPEED_MAX).contains(speed));
    speed.ok_or_else(|| format!("it must be a number from 0.01 to {REPLAY_SPEED_MAX}"))
}
