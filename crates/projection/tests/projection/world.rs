//! Session streams in memory, a file beside them, and what the file should hold.

use std::collections::BTreeMap;
use std::path::PathBuf;

use headwater_projection::{ProjectionLimits, ProjectionOptions, Projector, Round, SearchIndex};
use headwater_protocol::{Offset, StreamPath};
use headwater_sessions::{
    Change, Message, Operation, RowType, SearchPage, SearchQuery, SessionSearch, State, encode_stored,
};
use headwater_streams::Append;
use headwater_testing::stage::{self, EPOCH_MS, Stage, content_type, json_stream, within};
use headwater_testing::{FaultyStore, SharedMemory};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) type Store = FaultyStore<SharedMemory>;
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
pub(crate) const RETENTION_MS: u64 = 30 * DAY_MS;

/// A row of `stream_events`, but for its number.
pub(crate) type EventRow = (String, String, String, String, String, Option<String>, i64, i64);
/// A row of `texts`, but for its number and its channel's place.
pub(crate) type TextRow = (String, String, String, i64, Option<String>, Option<String>, String, String, i64, i64);

pub(crate) struct World {
    pub(crate) stage: Stage<SharedMemory>,
    pub(crate) dir: TempDir,
    pub(crate) limits: ProjectionLimits,
}

impl World {
    pub(crate) async fn new() -> Self {
        let stage = Stage::new(SharedMemory::default()).await;
        Self { stage, dir: TempDir::new().unwrap(), limits: ProjectionLimits::default() }
    }

    /// As little in one transaction as there can be.
    pub(crate) async fn in_small_steps() -> Self {
        Self { limits: ProjectionLimits { batch_bytes: 1, clean_rows: 2 }, ..Self::new().await }
    }

    /// With these sessions, empty.
    pub(crate) async fn with(self, sessions: &[&str]) -> Self {
        for id in sessions {
            self.stage.put(json_stream(&format!("session/{id}"))).await;
        }
        self
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("sessions.sqlite")
    }

    pub(crate) fn options(&self) -> ProjectionOptions {
        ProjectionOptions { file: self.file(), retention_ms: RETENTION_MS, limits: self.limits }
    }

    pub(crate) async fn projector(&self) -> Projector<Store> {
        Projector::open(self.stage.engine.clone(), self.options()).await.unwrap()
    }

    /// A projector that has done all there is to do.
    pub(crate) async fn projected(&self) -> Projector<Store> {
        let mut projector = self.projector().await;
        catch_up(&mut projector).await;
        projector
    }

    pub(crate) async fn append(&self, stream: &str, changes: &[Change]) -> Offset {
        let (bytes, _) = encode_stored(changes);
        let append = stage::append(stream, bytes);
        self.stage.post(Append { content_type: Some(content_type("application/json")), ..append }).await
    }

    /// One chunk after the other, each an append of its own.
    pub(crate) async fn say(&self, session: &str, agent: &str, turn: u64, tokens: &[&str]) {
        for token in tokens {
            self.append(&format!("session/{session}"), &[chunk(agent, turn, token)]).await;
        }
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }

    pub(crate) fn count(&self, sql: &str) -> i64 {
        self.connection().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn events(&self) -> Vec<EventRow> {
        let connection = self.connection();
        let mut select = connection
            .prepare(
                "SELECT stream_id, offset, type, key, operation, data, timestamp, expires_at FROM stream_events \
                 ORDER BY stream_id, offset",
            )
            .unwrap();
        let rows = select.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?))
        });
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    pub(crate) fn texts(&self) -> Vec<TextRow> {
        let connection = self.connection();
        let mut select = connection
            .prepare(
                "SELECT stream_id, channel, key, part, agent_id, tool, text, offset, timestamp, expires_at FROM texts \
                 ORDER BY stream_id, channel, key, part",
            )
            .unwrap();
        let rows = select.query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
                row.get(6)?,
                row.get(7)?,
                row.get(8)?,
                row.get(9)?,
            ))
        });
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// What the streams of these sessions say `stream_events` must hold.
    pub(crate) async fn expected(&self, sessions: &[&str]) -> Vec<EventRow> {
        let mut rows = Vec::new();
        for id in sessions {
            for (message, end) in self.messages_of(id).await {
                let Message::Change(change) = message else { continue };
                let at_ms = change.at_ms.unwrap().cast_signed();
                rows.push((
                    (*id).to_owned(),
                    end.to_string(),
                    change.row_type.to_string(),
                    change.key,
                    change.operation.as_str().to_owned(),
                    change.value.map(|value| value.get().to_owned()),
                    at_ms,
                    at_ms + RETENTION_MS.cast_signed(),
                ));
            }
        }
        rows.sort();
        rows
    }

    async fn messages_of(&self, session: &str) -> Vec<(Message, Offset)> {
        let path = format!("session/{session}");
        let bytes = self.stage.read(&path).await;
        let mut end = Offset::new(self.stage.tail(&path).await - bytes.len() as u64);
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let mut messages = Vec::new();
        for line in text.lines() {
            end = end.advance(line.len() as u64 + 1);
            messages.push((Message::decode(line.trim_end_matches(',')).unwrap(), end));
        }
        messages
    }

    /// The messages that these sessions fold to, by session and id.
    pub(crate) async fn folded_messages(&self, sessions: &[&str]) -> BTreeMap<(String, String), String> {
        let mut folded = BTreeMap::new();
        for id in sessions {
            let mut state = State::default();
            for (message, end) in self.messages_of(id).await {
                state.apply_message(&message, end).ok();
            }
            for message in state.messages().iter() {
                folded.insert(((*id).to_owned(), message.id.clone()), message.text.clone());
            }
        }
        folded
    }

    /// The messages that the file holds, by session and id.
    pub(crate) fn indexed_messages(&self) -> BTreeMap<(String, String), String> {
        let mut messages: BTreeMap<_, String> = BTreeMap::new();
        for (session, channel, key, _, _, _, text, ..) in self.texts() {
            if channel == "messages" {
                messages.entry((session, key)).or_default().push_str(&text);
            }
        }
        messages
    }

    /// Fails unless the file holds exactly what the streams of these sessions do, and its full-text index what its texts
    /// do.
    pub(crate) async fn assert_in_step(&self, sessions: &[&str]) {
        assert_eq!(self.events(), self.expected(sessions).await);
        assert_eq!(self.indexed_messages(), self.folded_messages(sessions).await);
        self.assert_sound();
    }

    pub(crate) fn assert_sound(&self) {
        let connection = self.connection();
        connection.execute("INSERT INTO search(search, rank) VALUES ('integrity-check', 1)", []).unwrap();
        let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
    }

    pub(crate) fn index(&self) -> SearchIndex {
        SearchIndex::new(&self.file(), self.stage.clock.clone())
    }

    pub(crate) async fn search(&self, query: SearchQuery) -> SearchPage {
        within(self.index().search(query)).await.unwrap()
    }

    /// Session, channel and key of what is found.
    pub(crate) async fn find(&self, text: &str) -> Vec<(String, &'static str, String)> {
        let page = self.search(asking(text)).await;
        let mut found: Vec<_> =
            page.hits.into_iter().map(|hit| (hit.session_id, hit.channel.as_str(), hit.key)).collect();
        found.sort();
        found
    }
}

pub(crate) async fn catch_up(projector: &mut Projector<Store>) {
    while projector.round().await.unwrap() == Round::More {}
}

pub(crate) fn asking(text: &str) -> SearchQuery {
    SearchQuery { text: text.to_owned(), ..SearchQuery::default() }
}

pub(crate) fn path(name: &str) -> StreamPath {
    StreamPath::new(name).unwrap()
}

pub(crate) fn change(row_type: RowType, key: &str, operation: Operation, value: Option<Value>) -> Change {
    let value = value.map(|value| serde_json::from_str(&value.to_string()).unwrap());
    let (txid, at_ms) = (Some("t".to_owned()), Some(EPOCH_MS));
    Change { row_type, key: key.to_owned(), operation, value, txid, at_ms }
}

pub(crate) fn at(at_ms: u64, change: Change) -> Change {
    Change { at_ms: Some(at_ms), ..change }
}

pub(crate) fn chunk(agent: &str, turn: u64, text: &str) -> Change {
    let value = json!({
        "id": "c", "agentId": agent, "sessionId": "s", "text": text, "turn": turn, "timestamp": EPOCH_MS
    });
    change(RowType::Chunk, "c", Operation::Insert, Some(value))
}

pub(crate) fn call(key: &str, operation: Operation, input: Value, output: Option<Value>) -> Change {
    let value = json!({
        "id": key, "agentId": "a", "sessionId": "s", "tool": "read_file", "input": input, "output": output,
        "status": "running", "timestamp": EPOCH_MS
    });
    change(RowType::Tool, key, operation, Some(value))
}

pub(crate) fn line(key: &str, data: &str) -> Change {
    let value = json!({
        "id": key, "sessionId": "s", "type": "output", "data": data, "source": "agent", "timestamp": EPOCH_MS
    });
    change(RowType::Terminal, key, Operation::Insert, Some(value))
}

/// A session's row in the registry.
pub(crate) fn session(id: &str, project: &str, retention_ms: Option<u64>) -> Change {
    let value = json!({
        "id": id, "projectId": project, "title": "a title", "status": "active", "url": "/sessions/x",
        "createdAt": EPOCH_MS, "updatedAt": EPOCH_MS, "retentionMs": retention_ms
    });
    change(RowType::Session, id, Operation::Insert, Some(value))
}
