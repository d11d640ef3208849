//! The command line: which commands there are, their flags and their help.
//!
//! The flags of `serve` are built from the list of settings and carry their texts as they were typed; what a text means
//! is decided where the other layers' texts are, so that a bad flag and a bad key read alike.

use clap::{Arg, ArgAction, Command, value_parser};
use clap_complete::Shell;

use crate::bench;
use crate::limits::{DEMO_SPEED_MAX, INSPECT_ROWS, INSPECT_ROWS_MAX};
use crate::session;
use crate::settings::{SETTINGS, Setting};
use crate::streams;

const EXAMPLES: &str = "\
Examples:
  headwater serve
      A durable server on http://127.0.0.1:4437/v1/stream, data in ./headwater-data.
  headwater serve --listen 0.0.0.0:8080 --data-dir /var/lib/headwater --log json
      All addresses, port 8080, a log for collectors.
  HEADWATER_BODY_MAX=1MiB headwater serve --config /etc/headwater.toml --sse-lifetime 5m
      Layers: flags win over the environment, which wins over the file.
  headwater serve --store memory --listen 127.0.0.1:0
      For tests: nothing on disk, any free port (the banner names it).
  headwater check-config --config /etc/headwater.toml
      What would be in force, and where each value comes from.";

const EXIT_CODES: &str = "\
Exit codes:
  0    stopped in order, or the command succeeded
  1    anything not listed here; for verify: damage was found
  2    bad flag or configuration
  3    the data directory is in use by another process
  4    the address is in use or cannot be bound
  5    the data directory cannot be read, is damaged, or was written by a newer version
  6    no permission; the server does not know you, or you may not do this
  7    no such stream or session, or it is no longer kept
  8    refused: it is closed, differs, or takes no such input
  9    no server answers
  130  ended at once by a second SIGINT; 143 by a second SIGTERM";

/// The whole command line.
pub(crate) fn command() -> Command {
    Command::new("headwater")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A durable stream server for agents")
        .long_about(
            "Headwater serves append-only streams over HTTP with the Durable Streams protocol. Every acknowledged \
             byte is on disk; readers catch up, long-poll or follow by SSE.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .after_long_help(EXIT_CODES)
        .subcommand(with_settings(serve()))
        .subcommand(demo())
        .subcommands(streams::commands())
        .subcommand(session::command())
        .subcommand(bench::command())
        .subcommand(with_settings(check_config()))
        .subcommand(verify())
        .subcommand(inspect())
        .subcommand(sessions())
        .subcommand(proxy_url())
        .subcommand(completions())
        .subcommand(man())
}

fn serve() -> Command {
    Command::new("serve")
        .about("Start the server")
        .long_about(
            "Start the server. Each option is also an environment variable (named with it) and a key of the file given \
             with --config, spelt like the flag without its dashes. A flag wins over the environment, the environment \
             over the file, the file over the default.",
        )
        .after_long_help(format!("{EXAMPLES}\n\n{EXIT_CODES}"))
}

fn demo() -> Command {
    Command::new("demo")
        .about("Play a coding session of three agents to look at")
        .long_about(
            "Start a server with a throw-away directory and play a session into it: three agents repair a bug while two \
             people watch, ask and approve, with tool calls, terminal output and presence, over several minutes. Prints \
             the URLs to follow it. The server stays when the session has ended; Ctrl-C ends it and deletes everything.",
        )
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDR:PORT")
                .default_value("127.0.0.1:4437")
                .help("Where the server listens; port 0 takes any free one"),
        )
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .conflicts_with("listen")
                .help("Play into the server there, such as http://127.0.0.1:4437, and end with the session"),
        )
        .arg(
            Arg::new("speed")
                .long("speed")
                .value_name("FACTOR")
                .default_value("1")
                .value_parser(speed)
                .help(format!("How many times as fast it is played, at most {DEMO_SPEED_MAX}")),
        )
        .after_long_help(
            "Examples:\n  headwater demo\n      A server on port 4437 and a session of some minutes.\n  \
             headwater demo --speed 4 --listen 127.0.0.1:0\n      Faster, on any free port.\n  \
             headwater demo --url http://127.0.0.1:4437\n      The same session in your own server.",
        )
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (0.01..=DEMO_SPEED_MAX).contains(speed));
    speed.ok_or_else(|| format!("it must be a number from 0.01 to {DEMO_SPEED_MAX}"))
}

fn check_config() -> Command {
    Command::new("check-config").about("Print the effective configuration with the origin of each value").long_about(
        "Print the configuration that serve would run with, as a file that --config accepts, with the origin of \
             each value behind it. Exits with 2 and lists every problem when there is one.",
    )
}

fn with_settings(command: Command) -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .help("Configuration file in TOML; its keys are the options below [env: HEADWATER_CONFIG]");
    command.arg(config).args(SETTINGS.iter().map(flag))
}

fn flag(setting: &'static Setting) -> Arg {
    let Setting { help, placeholder, key, .. } = setting;
    let shown = format!("{help} [default: {}] [env: {}]", setting.default_text(), setting.variable());
    let explained = format!(
        "{help}\n[default: {}] [accepts: {}] [env: {}]",
        setting.default_text(),
        setting.kind.accepted(),
        setting.variable()
    );
    Arg::new(*key)
        .long(*key)
        .value_name(*placeholder)
        .help(shown)
        .long_help(explained)
        .help_heading(setting.group.title())
        .action(if setting.kind.is_list() { ArgAction::Append } else { ArgAction::Set })
}

fn verify() -> Command {
    Command::new("verify")
        .about("Check every checksum and index of a data directory")
        .long_about(
            "Check every checksum and index of a data directory and report damage. Nothing is changed. No server may \
             be using the directory. Exits with 0 when no stream lost a byte and with 1 when damage was found.",
        )
        .arg(data_dir())
        .arg(json())
}

fn inspect() -> Command {
    Command::new("inspect")
        .about("Print what a data directory holds")
        .long_about(
            "Print what a data directory holds: a summary, streams, journal segments, archive files, or the extents of \
             one stream. Nothing is changed. No server may be using the directory.",
        )
        .arg(
            Arg::new("what")
                .value_name("WHAT")
                .value_parser(["summary", "streams", "segments", "archive-files", "extents"])
                .default_value("summary")
                .help("What to print"),
        )
        .arg(
            Arg::new("stream")
                .value_name("STREAM")
                .required_if_eq("what", "extents")
                .help("The stream whose extents to print, such as chat/42"),
        )
        .arg(data_dir())
        .arg(
            Arg::new("prefix")
                .long("prefix")
                .value_name("PATH")
                .default_value("")
                .hide_default_value(true)
                .help("Only streams whose path begins with this"),
        )
        .arg(
            Arg::new("skip")
                .long("skip")
                .value_name("N")
                .value_parser(value_parser!(u64))
                .default_value("0")
                .help("Leave out so many rows: those of the pages before"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..=INSPECT_ROWS_MAX))
                .default_value(INSPECT_ROWS)
                .help(format!("Print at most so many rows, from 1 to {INSPECT_ROWS_MAX}")),
        )
        .arg(json())
}

fn sessions() -> Command {
    let reindex = Command::new("reindex").about("Build the SQL copy of sessions anew").long_about(
        "Build the file of --sessions-sql anew from the session streams of a data directory: after damage, after \
         restoring a backup, or to begin one without waiting for the server. The file that is there is replaced when all \
         is done. No server may be using the directory. Takes every option of serve, so that it can be given the same \
         --config.",
    );
    let shown = |arg: &Arg| ["config", "data-dir", "sessions-sql"].contains(&arg.get_id().as_str());
    let reindex = with_settings(reindex).mut_args(|arg| if shown(&arg) { arg } else { arg.hide(true) });
    Command::new("sessions")
        .about("Look after what is derived from sessions in a data directory")
        .long_about(
            "Look after what is derived from the sessions in a data directory, while no server uses it. (`headwater \
             session` works with the sessions of a running server.)",
        )
        .subcommand_required(true)
        .subcommand(reindex)
}

fn proxy_url() -> Command {
    let command = Command::new("proxy-url").about("Sign the URL of a proxied stream").long_about(
        "Sign the URL of a stream of the durable proxy by hand, such as for one more reader, and print it. It is good for \
         proxy-ttl from now, or until the stream ends. No server is asked. Takes every option of serve, so that it can be \
         given the same --config.",
    );
    let used = ["config", "listen", "public-url", "proxy-secret", "proxy-secret-file", "proxy-ttl"];
    let id = Arg::new("id").value_name("ID").required(true).help("The stream's id: what follows /v1/proxy/ in its URL");
    let shown = |arg: &Arg| used.contains(&arg.get_id().as_str());
    with_settings(command).mut_args(|arg| if shown(&arg) { arg } else { arg.hide(true) }).arg(id)
}

fn completions() -> Command {
    Command::new("completions").about("Print a completion script for a shell").arg(
        Arg::new("shell")
            .value_name("SHELL")
            .required(true)
            .value_parser(value_parser!(Shell))
            .help("The shell to complete for"),
    )
}

fn man() -> Command {
    Command::new("man").about("Print the manual page").arg(
        Arg::new("out")
            .long("out")
            .value_name("DIR")
            .value_parser(value_parser!(std::path::PathBuf))
            .help("Write a page for each command into this directory instead"),
    )
}

fn data_dir() -> Arg {
    Arg::new("data-dir")
        .long("data-dir")
        .value_name("DIR")
        .value_parser(value_parser!(std::path::PathBuf))
        .env("HEADWATER_DATA_DIR")
        .hide_env_values(true)
        .default_value("./headwater-data")
        .help("The data directory")
}

fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON instead of text")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
