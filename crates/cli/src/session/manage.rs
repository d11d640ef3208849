//! `headwater session new`, `ls`, `show`, `fork` and `close`: what is asked and answered once.

use std::time::{Duration, UNIX_EPOCH};

use clap::ArgMatches;
use headwater_client::sessions::{ListSessions, NewSession, SessionDetail, SessionRow, SessionState, StateAt};
use serde_json::json;

use super::{Named, failed, sessions, text};
use crate::failure::Failure;
use crate::limits::{SESSIONS_PAGE, VIEW_SUMMARY_CHARACTERS};
use crate::output;
use crate::remote::Remote;
use crate::session::view::one_line;
use crate::table::{Align, Table};

pub(super) async fn new(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let wanted = NewSession::new(text(flags, "project").expect("it has a default"));
    let wanted = with(flags, "title", wanted, NewSession::title);
    let wanted = with(flags, "task", wanted, NewSession::task);
    let wanted = with(flags, "agent", wanted, NewSession::agent);
    let row = sessions(remote)?.create(wanted).await.map_err(|error| failed(&error))?;
    begun(remote, &row)
}

pub(super) async fn fork(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags)?;
    let wanted = with(flags, "at", NewSession::like_source(), NewSession::at);
    let wanted = with(flags, "title", wanted, NewSession::title);
    let row = named.client.fork(&named.id, wanted).await.map_err(|error| failed(&error))?;
    begun(remote, &row)
}

/// The id is the result, so that a script can go on with it.
fn begun(remote: &Remote, row: &SessionRow) -> Result<(), Failure> {
    if remote.told.json {
        return output::result(&format!("{}\n", json!(row)));
    }
    output::result(&format!("{}\n", row.id))?;
    remote.told.note(format_args!("watch it with `headwater session watch {}`", row.id));
    Ok(())
}

pub(super) async fn close(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags)?;
    let row = named.client.close(&named.id).await.map_err(|error| failed(&error))?;
    remote.told.result(&json!(row), format_args!("{}: closed", row.id))
}

pub(super) async fn list(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let client = sessions(remote)?;
    let rest = *flags.get_one::<u64>("limit").expect("it has a default");
    let mut rest = usize::try_from(rest).unwrap_or(usize::MAX);
    let mut cursor: Option<String> = None;
    let mut rows = Vec::new();
    while rest > 0 {
        let mut wanted = filters(flags).limit(rest.min(SESSIONS_PAGE));
        if let Some(cursor) = cursor {
            wanted = wanted.cursor(cursor);
        }
        let page = client.list(wanted).await.map_err(|error| failed(&error))?;
        rest = rest.saturating_sub(page.sessions.len());
        rows.extend(page.sessions);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if remote.told.json {
        return output::result(&rows.iter().map(|row| format!("{}\n", json!(row))).collect::<String>());
    }
    output::result(&table(&rows).render())?;
    if cursor.is_some() {
        remote.told.note(format_args!("there are more; --limit shows them"));
    }
    Ok(())
}

fn filters(flags: &ArgMatches) -> ListSessions {
    let wanted = with(flags, "project", ListSessions::new(), ListSessions::project);
    let wanted = with(flags, "task", wanted, ListSessions::task);
    let wanted = with(flags, "agent", wanted, ListSessions::agent);
    let wanted = with(flags, "status", wanted, ListSessions::status);
    with(flags, "search", wanted, ListSessions::search).sort("updatedAt", "desc")
}

/// What was asked for so far, and what this flag adds to it.
fn with<T>(flags: &ArgMatches, name: &str, wanted: T, set: impl Fn(T, String) -> T) -> T {
    match text(flags, name) {
        Some(value) => set(wanted, value),
        None => wanted,
    }
}

fn table(rows: &[SessionRow]) -> Table {
    let mut table = Table::new(&[
        ("SESSION", Align::Left),
        ("STATUS", Align::Left),
        ("PROJECT", Align::Left),
        ("AGENT", Align::Left),
        ("CHANGED", Align::Right),
        ("TITLE", Align::Left),
    ]);
    for row in rows {
        table.row([
            row.id.clone(),
            state(row.status).to_owned(),
            shown(&row.project_id),
            row.agent_id.as_deref().map_or_else(|| "-".to_owned(), shown),
            format!("{} ago", ago(row.updated_at)),
            row.title.as_deref().map_or_else(|| "-".to_owned(), shown),
        ]);
    }
    table
}

pub(super) async fn show(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags)?;
    let detail = named.client.get(&named.id).await.map_err(|error| failed(&error))?;
    let now = named.client.state(&named.id).await.map_err(|error| failed(&error))?;
    if remote.told.json {
        let SessionDetail { row, earliest, event_count, viewer_count, active_users, .. } = &detail;
        let value = json!({
            "session": row, "earliest": earliest, "eventCount": event_count, "viewerCount": viewer_count,
            "activeUsers": active_users, "agentState": now.agent_state,
        });
        return output::result(&format!("{value}\n"));
    }
    output::result(&facts(&detail, &now))
}

fn facts(detail: &SessionDetail, now: &StateAt) -> String {
    let row = &detail.row;
    let people: Vec<String> =
        detail.active_users.iter().map(|user| shown(user.display_name.as_deref().unwrap_or(&user.user_id))).collect();
    let or_none = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), shown);
    let facts = [
        ("session", row.id.clone()),
        ("title", or_none(row.title.as_deref())),
        ("status", state(row.status).to_owned()),
        ("project", shown(&row.project_id)),
        ("task", or_none(row.task_id.as_deref())),
        ("created", format!("{} ago", ago(row.created_at))),
        ("changed", format!("{} ago", ago(row.updated_at))),
        ("offset", row.offset.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)),
        ("events", detail.event_count.to_string()),
        (
            "holds",
            format!(
                "{} messages, {} tool calls, {} lines of terminal",
                now.messages.len(),
                now.tool_calls.len(),
                now.terminal.len()
            ),
        ),
        ("here", if people.is_empty() { "nobody".to_owned() } else { people.join(", ") }),
    ];
    let mut text: String = facts.iter().map(|(name, fact)| format!("{name:<8} {fact}\n")).collect();
    for agent in &now.agent_state {
        let word = json!(agent.status);
        let said = agent.message.as_deref().map_or_else(String::new, |message| format!(": {}", shown(message)));
        text.push_str(&format!(
            "{:<8} {} is {}{said}\n",
            "agent",
            shown(&agent.agent_id),
            word.as_str().unwrap_or("?")
        ));
    }
    text
}

fn state(state: SessionState) -> &'static str {
    match state {
        SessionState::Active => "active",
        SessionState::Paused => "paused",
        SessionState::Closed => "closed",
        _ => "?",
    }
}

/// Text of others, harmless and on one line.
fn shown(text: &str) -> String {
    one_line(text, VIEW_SUMMARY_CHARACTERS)
}

/// How long ago, in the largest unit.
pub(super) fn ago(unix_ms: u64) -> String {
    // Clocks of two machines differ: what comes from the future is new.
    output::rounded_age((UNIX_EPOCH + Duration::from_millis(unix_ms)).elapsed().unwrap_or_default())
}
