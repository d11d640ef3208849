//! `headwater session run -- COMMAND …`: any program, as a session that others follow.
//!
//! The program runs in a pseudo-terminal, so that it behaves as it would without us, and what it prints goes to the
//! terminal here and, through an outbox, to the session. The program does not wait for the server: what the server has not
//! taken is kept in memory, up to a limit, and written when it is back. With `--format`, standard output is read as the
//! structured output of an agent and becomes messages, tool calls and states.

mod format;
mod pipe;
mod posts;
mod pty;
mod record;
mod typing;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::ArgMatches;
use headwater_client::sessions::{AgentStatus, NewSession, Outbox, Post, SessionClient};
use tokio::signal::unix::{SignalKind, signal};

use super::{failed, sessions, text};
use crate::failure::Failure;
use crate::limits::RUN_BUFFER_EVENTS;
use crate::remote::Remote;
use format::{ClaudeStreamJson, Format, Ndjson, Text};

/// What is run, and as what.
struct Run {
    client: SessionClient,
    session: String,
    agent: String,
    command: Vec<OsString>,
    outbox: Outbox,
    allow_input: bool,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Exited(u8),
    Killed,
}

/// Runs the program and ends as it did.
pub(super) async fn run(remote: &Remote, flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let command: Vec<OsString> = flags.get_many("command").expect("clap requires it").cloned().collect();
    let line: Vec<_> = command.iter().map(|part| part.to_string_lossy()).collect();
    let line = line.join(" ");
    let agent = text(flags, "agent").unwrap_or_else(|| agent_of(&command[0]));
    let client = sessions(remote)?;
    let given = text(flags, "session");
    let session = match &given {
        Some(id) => client.get(id).await.map_err(|error| failed(&error))?.row.id,
        None => begin(&client, flags, &agent, &line).await?,
    };
    remote.told.note(format_args!("recording; watch it with `headwater session watch {session}`"));
    let buffer = *flags.get_one::<usize>("buffer").expect("it has a default");
    let outbox = client.outbox_with(&session, buffer, RUN_BUFFER_EVENTS);
    let allow_input = flags.get_flag("allow-input");
    let run = Run { client, session, agent, command, outbox, allow_input };
    run.say(Post::agent_state(&run.agent, AgentStatus::Running).with("message", fitted(&line))).await?;
    let (ended, is_told) = match format(flags) {
        Some(format) => pipe::run(&run, format).await?,
        None => (pty::run(&run).await?, false),
    };
    // What the agent said of its own end is worth more than an exit code that says the same.
    if !(is_told && ended == Ended::Exited(0)) {
        run.say(ended.state(&run.agent)).await?;
    }
    let ends_session = given.is_none() && !flags.get_flag("keep-open");
    run.end(remote, ended.code(), ends_session).await
}

/// Makes the session. It has to be there before the program: without a server there is nothing to share.
async fn begin(client: &SessionClient, flags: &ArgMatches, agent: &str, line: &str) -> Result<String, Failure> {
    let title = text(flags, "title").unwrap_or_else(|| fitted(line));
    let mut new = NewSession::new(text(flags, "project").expect("it has a default")).title(title).agent(agent);
    if let Some(task) = text(flags, "task") {
        new = new.task(task);
    }
    Ok(client.create(new).await.map_err(|error| failed(&error))?.id)
}

impl Run {
    /// Hands a post to the outbox; waits when that is full.
    async fn say(&self, post: Post) -> Result<(), Failure> {
        self.outbox.send(post).await.map_err(|error| failed(&error))
    }

    /// Waits until all of it is written.
    async fn end(self, remote: &Remote, code: ExitCode, ends_session: bool) -> Result<ExitCode, Failure> {
        let flushed = {
            let mut patience = Box::pin(self.outbox.flush());
            let mut interrupts = interrupts()?;
            tokio::select! {
                flushed = &mut patience => Some(flushed),
                _ = interrupts.recv() => None,
                () = self.tell_if_it_waits(remote) => unreachable!("it tells once and waits for ever"),
            }
        };
        match flushed {
            Some(flushed) => flushed.map_err(|error| failed(&error))?,
            None => {
                let waiting = self.outbox.status().borrow().waiting;
                return Err(Failure::Other(format!("given up: {waiting} events were not written")));
            }
        }
        if ends_session {
            self.client.close(&self.session).await.map_err(|error| failed(&error))?;
        }
        Ok(code)
    }

    /// Says why it does not end, when that takes long.
    async fn tell_if_it_waits(&self, remote: &Remote) {
        tokio::time::sleep(crate::limits::RUN_SILENCE).await;
        let waiting = self.outbox.status().borrow().waiting;
        remote.told.note(format_args!("{waiting} events are not written yet; Ctrl-C gives them up"));
        std::future::pending::<()>().await;
    }
}

fn interrupts() -> Result<tokio::signal::unix::Signal, Failure> {
    signal(SignalKind::interrupt()).map_err(|error| Failure::Other(format!("cannot listen to signals: {error}")))
}

impl Ended {
    /// As the last state of the agent.
    fn state(self, agent: &str) -> Post {
        match self {
            Self::Exited(0) => Post::agent_state(agent, AgentStatus::Completed).with("message", "exited with 0"),
            Self::Exited(code) => {
                Post::agent_state(agent, AgentStatus::Error).with("error", format!("exited with {code}"))
            }
            Self::Killed => Post::agent_state(agent, AgentStatus::Error).with("error", "was ended by a signal"),
        }
    }

    fn code(self) -> ExitCode {
        match self {
            Self::Exited(code) => ExitCode::from(code),
            // As shells tell it; which signal it was is not told to us.
            Self::Killed => ExitCode::from(128),
        }
    }
}

fn format(flags: &ArgMatches) -> Option<Box<dyn Format>> {
    match text(flags, "format").as_deref() {
        Some("claude-stream-json") => Some(Box::new(ClaudeStreamJson::default())),
        Some("ndjson") => Some(Box::new(Ndjson)),
        Some("text") => Some(Box::new(Text::default())),
        _ => None,
    }
}

/// What a program is called, as an agent: its file's name, as far as ids may hold it.
fn agent_of(program: &std::ffi::OsStr) -> String {
    let name = std::path::Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    let plain: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).take(64).collect();
    if plain.is_empty() { "program".to_owned() } else { plain }
}

/// A line for people that fits any field.
fn fitted(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_an_agent_by_its_name() {
        assert_eq!(agent_of("/usr/bin/git".as_ref()), "git");
        assert_eq!(agent_of("./my agent!.sh".as_ref()), "myagent.sh");
        assert_eq!(agent_of("日本".as_ref()), "program");
    }
}
