//! Holds what the server has against what was acknowledged, while all writers rest.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::{Value, json};

use crate::kill_loop::link::Link;

use super::calls::{self, Log, is_refusal, post};
use super::findings::Findings;
use super::fold::{Message, fold, rows_of};
use super::model::{Expected, Model, Session, Status};
use super::viewer::Viewer;

/// What is verified: the sessions in which something happened since the last time, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Touched,
    All,
}

pub(super) struct Verifier<'a> {
    pub(super) models: &'a [&'a Model],
    pub(super) viewers: &'a [Viewer],
    pub(super) link: &'a mut Link,
    pub(super) findings: &'a mut Findings,
}

impl Verifier<'_> {
    pub(super) async fn verify(&mut self, scope: Scope) -> io::Result<()> {
        let models = self.models;
        if let Some(shared) = models.first().and_then(|model| model.sessions.first()) {
            self.session(shared).await?;
        }
        for session in models.iter().flat_map(|model| &model.sessions) {
            if !session.is_shared && (scope == Scope::All || session.is_touched) {
                self.session(session).await?;
            }
        }
        for model in models {
            self.agent(model).await?;
        }
        for viewer in self.viewers {
            self.viewer(viewer).await?;
        }
        self.registry().await
    }

    async fn session(&mut self, session: &Session) -> io::Result<()> {
        let id = &session.id;
        let found = calls::log(self.link, &format!("session/{id}")).await?;
        let log = match found {
            Err(404 | 410) if session.status == Status::Deleted => {
                let answer = calls::data(self.link, &format!("/api/sessions/{id}")).await?;
                self.findings
                    .check("deleted", answer == Err(404), || format!("{id} is deleted, and answers {answer:?}"));
                return Ok(());
            }
            Ok(_) if session.status == Status::Deleted => {
                self.findings.fail("deleted", format!("{id} is back after its delete"));
                return Ok(());
            }
            Err(status) => {
                self.findings.fail("log", format!("{id} answers {status}"));
                return Ok(());
            }
            Ok(log) => log,
        };
        self.log(session, &log);
        self.inherited(session, &log).await?;
        self.state(id, &log).await?;
        let is_closed = session.status == Status::Closed;
        self.findings.check("closed", log.is_closed == is_closed, || format!("{id}: {}", session.status.as_str()));
        if is_closed { self.refuses(id).await } else { Ok(()) }
    }

    /// Each writer's messages are there once, in its order, and nothing else.
    fn log(&mut self, session: &Session, log: &Log) {
        let id = &session.id;
        self.findings.check("log", log.foreign == 0, || format!("{id}: {} foreign messages", log.foreign));
        let mut left = log.messages.len();
        let writers: Vec<&Session> = match session.is_shared {
            true => self.models.iter().filter_map(|model| model.sessions.first()).collect(),
            false => vec![session],
        };
        for (writer, part) in writers.iter().enumerate() {
            let prefix = format!("w{writer}.");
            let is_its = |message: &&Message| !session.is_shared || message.key.starts_with(&prefix);
            let found: Vec<&Message> = log.messages.iter().filter(is_its).collect();
            left -= found.len();
            self.findings.compare("log", id, &part.expected, &found);
        }
        self.findings.check("log", left == 0, || format!("{id}: {left} messages of nobody"));
    }

    /// A fork has its source's messages, to the letter.
    async fn inherited(&mut self, session: &Session, log: &Log) -> io::Result<()> {
        let Some((source, length)) = &session.forked else { return Ok(()) };
        // It may have been deleted.
        let Ok(original) = calls::log(self.link, &format!("session/{source}")).await? else { return Ok(()) };
        let is_same = log.messages.get(..*length).is_some_and(|head| original.messages.get(..*length) == Some(head));
        let id = &session.id;
        self.findings.check("fork", is_same, || format!("{id} does not begin with {length} messages of {source}"));
        Ok(())
    }

    async fn state(&mut self, id: &str, log: &Log) -> io::Result<()> {
        match calls::data(self.link, &format!("/api/sessions/{id}/state")).await? {
            Ok(state) => {
                let (folded, told) = (fold(&log.messages), rows_of(&state));
                let differ = folded.keys().chain(told.keys()).find(|&row| folded.get(row) != told.get(row));
                self.findings.check("state", differ.is_none(), || {
                    let row = differ.expect("they differ");
                    format!("{id}: {row:?} folds to {:?} and is told as {:?}", folded.get(row), told.get(row))
                });
                let is_at_tail = state["offset"] == log.tail.as_str();
                self.findings
                    .check("state", is_at_tail, || format!("{id}: a state at {}, not {}", state["offset"], log.tail));
            }
            Err(status) => self.findings.fail("state", format!("{id}: {status}")),
        }
        Ok(())
    }

    /// A closed session takes nothing more, and no second close.
    async fn refuses(&mut self, id: &str) -> io::Result<()> {
        let event = json!({"channel": "chunks", "data": {"agentId": "late", "text": "late"}});
        let late = post(&format!("/api/streams?sessionId={id}"), &[], &event);
        let again = post(&format!("/api/sessions/{id}/close"), &[], &Value::Null);
        for request in [late, again] {
            let answer = self.link.exchange(request).await?.answer;
            let is_refused = is_refusal(&answer, 400, "SESSION_CLOSED");
            self.findings.check("closed", is_refused, || format!("{id} is closed, and answers {}", answer.head.status));
        }
        Ok(())
    }

    /// An agent's stream holds what it did in all sessions, under keys that name them.
    async fn agent(&mut self, model: &Model) -> io::Result<()> {
        let stream = format!("agent/{}", model.agent_id());
        match calls::log(self.link, &stream).await? {
            Ok(log) => {
                let keyed = |message: &Expected| {
                    let key = format!("{}:{}", message.session, message.key);
                    Expected { key, ..message.clone() }
                };
                let expected: Vec<Expected> = model.agent.iter().map(keyed).collect();
                self.findings.compare("agent", &stream, &expected, &log.messages.iter().collect::<Vec<_>>());
            }
            Err(404) if model.agent.is_empty() => {}
            Err(status) => self.findings.fail("agent", format!("{stream} answers {status}")),
        }
        Ok(())
    }

    /// A viewer has seen each message once, in order, whatever became of its connections.
    async fn viewer(&mut self, viewer: &Viewer) -> io::Result<()> {
        let stream = &viewer.stream;
        let Ok(log) = calls::log(self.link, stream).await? else { return Ok(()) };
        let has_seen_all = viewer.reaches(&log.tail).await;
        let seen = viewer.seen.borrow();
        let last = &seen.last;
        self.findings.check("viewer", has_seen_all, || format!("{stream} is at {}, its viewer at {last:?}", log.tail));
        let differ = log.messages.iter().zip(&seen.messages).position(|(stored, seen)| stored != seen);
        let is_same = differ.is_none() && log.messages.len() == seen.messages.len();
        self.findings.check("viewer", is_same, || {
            let (stored, seen) = (log.messages.len(), seen.messages.len());
            format!("{stream} holds {stored} messages, its viewer saw {seen}; the first that differs is {differ:?}")
        });
        self.findings.check("viewer", seen.faults.is_empty(), || format!("{stream}: {:?}", seen.faults.first()));
        Ok(())
    }

    /// The list and the registry's stream hold what was created, and not what was deleted.
    async fn registry(&mut self) -> io::Result<()> {
        let listed = calls::sessions(self.link).await?;
        let field = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let mut rows: BTreeMap<String, (String, String)> = BTreeMap::new();
        for row in &listed {
            rows.insert(field(row, "id"), (field(row, "status"), field(row, "title")));
        }
        self.findings.check("registry", rows.len() == listed.len(), || "a session is listed twice".to_owned());
        let folded = match calls::log(self.link, "sessions").await? {
            Ok(log) => fold(&log.messages),
            Err(status) => return Err(io::Error::other(format!("the registry answers {status}"))),
        };
        let streamed: BTreeSet<&String> = folded.keys().map(|(_, id)| id).collect();
        let is_same = streamed == rows.keys().collect();
        self.findings.check("registry", is_same, || "the list is not what the registry's stream folds to".to_owned());
        for session in self.models.iter().flat_map(|model| &model.sessions) {
            let (status, title) =
                rows.get(&session.id).map_or(("deleted", None), |(status, title)| (status.as_str(), Some(title)));
            let should = session.status.as_str();
            let is_so = status == should && title.is_none_or(|title| *title == session.title);
            self.findings.check("registry", is_so, || format!("{} is {status}, not {should}: {title:?}", session.id));
        }
        let known: BTreeSet<&String> = self.models.iter().flat_map(|model| &model.sessions).map(|s| &s.id).collect();
        let repeated: BTreeSet<&String> = self.models.iter().flat_map(|model| &model.repeated).collect();
        for (id, (_, title)) in rows.iter().filter(|(id, _)| !known.contains(id)) {
            // A creation without an answer may have happened; then it was asked for again, and the first is nobody's.
            let is_repeated = repeated.contains(title);
            self.findings.check("registry", is_repeated, || format!("nobody has created {id}, {title}"));
        }
        Ok(())
    }
}
