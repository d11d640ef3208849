//! Answers searches from the file, on connections of its own that only read.

mod asked;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_protocol::Offset;
use headwater_sessions::{
    Found, SearchAnswer, SearchError, SearchHit, SearchPage, SearchQuery, SearchStatus, SessionSearch, SnippetPart,
};
use headwater_streams::Clock;
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, InterruptHandle, Row, params_from_iter};
use tokio::sync::{Semaphore, oneshot};

use crate::limits::{SEARCH_TIME_MAX, SEARCHES_MAX, SNIPPET_TOKENS};
use crate::schema;
use asked::{After, Asked};

/// The file as an index. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct SearchIndex {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    clock: Arc<dyn Clock>,
    permits: Arc<Semaphore>,
    /// Connections that nobody uses at the moment.
    idle: Mutex<Vec<Connection>>,
    status: Mutex<SearchStatus>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("file", &self.file).field("status", &self.status).finish_non_exhaustive()
    }
}

/// Marks where a match begins and ends; indexed text holds no control characters but tab and line feed.
const MATCH_BEGINS: char = '\u{2}';
const MATCH_ENDS: char = '\u{3}';

/// Ends a search that takes too long, or that nobody waits for any more.
struct InterruptOnDrop(InterruptHandle);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}

impl SearchIndex {
    /// An index over a file that somebody else keeps. `clock` tells what has expired.
    pub fn new(file: &Path, clock: Arc<dyn Clock>) -> Self {
        let inner = Inner {
            file: file.to_owned(),
            clock,
            permits: Arc::new(Semaphore::new(SEARCHES_MAX)),
            idle: Mutex::default(),
            status: Mutex::new(SearchStatus::Behind),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn set_status(&self, status: SearchStatus) {
        *self.inner.status.lock() = status;
    }

    /// The file may be another one from now on.
    pub(crate) fn reopen(&self) {
        self.inner.idle.lock().clear();
    }
}

impl SessionSearch for SearchIndex {
    fn search(&self, query: SearchQuery) -> SearchAnswer {
        let inner = self.inner.clone();
        Box::pin(async move {
            let asked = Asked::check(&query)?;
            let Some(asked) = asked else { return Ok(SearchPage::default()) };
            inner.answer(asked).await
        })
    }

    fn status(&self) -> SearchStatus {
        self.inner.status.lock().clone()
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, asked: Asked) -> Result<SearchPage, SearchError> {
        let permit = self.permits.clone().try_acquire_owned().map_err(|_| SearchError::Overloaded)?;
        let (begun, begins) = oneshot::channel();
        let mut searching = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            self.look_up(&asked, begun)
        });
        // Not sent when the file could not be opened; then there is nothing to interrupt either.
        let interrupt = begins.await.ok().map(InterruptOnDrop);
        let outcome = match tokio::time::timeout(SEARCH_TIME_MAX, &mut searching).await {
            Ok(outcome) => outcome,
            Err(_) => {
                drop(interrupt);
                searching.await
            }
        };
        outcome.unwrap_or_else(|error| Err(SearchError::Failed { why: error.to_string() }))
    }

    fn look_up(&self, asked: &Asked, begun: oneshot::Sender<InterruptHandle>) -> Result<SearchPage, SearchError> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                schema::open_reader(&self.file).map_err(|error| SearchError::Failed { why: error.with_advice() })?
            }
        };
        // Whoever asked may have gone away.
        let _ = begun.send(connection.get_interrupt_handle());
        let found = page(&connection, asked, self.clock.now_ms());
        if found.is_ok() {
            self.idle.lock().push(connection);
        }
        found.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => SearchError::TooSlow,
            _ => SearchError::Failed { why: error.to_string() },
        })
    }
}

fn page(connection: &Connection, asked: &Asked, now_ms: u64) -> rusqlite::Result<SearchPage> {
    let (sql, parameters) = asked.select(now_ms);
    let mut select = connection.prepare_cached(&sql)?;
    let mut ranked: Vec<After> = select
        .query_map(params_from_iter(&parameters), |row| Ok(After { rank: row.get(0)?, id: row.get(1)? }))?
        .collect::<Result<_, _>>()?;
    let has_more = ranked.len() > asked.limit;
    ranked.truncate(asked.limit);
    let next_cursor = ranked.last().filter(|_| has_more).map(After::to_string);
    // ORDER: only what is shown gets a snippet; making one for every match costs more than ranking them.
    let mut detail = connection.prepare_cached(&detail())?;
    let hits = ranked.iter().map(|hit| detail.query_row((&asked.expression, hit.id), |row| read(row, hit.rank)));
    Ok(SearchPage { hits: hits.collect::<Result<_, _>>()?, next_cursor })
}

fn detail() -> String {
    format!(
        "SELECT stream_id, channel, key, agent_id, texts.tool, offset, timestamp, \
         snippet(search, 1, char(2), char(3), '…', {SNIPPET_TOKENS}) \
         FROM search JOIN texts ON texts.id = search.rowid WHERE search MATCH ?1 AND search.rowid = ?2"
    )
}

fn read(row: &Row<'_>, rank: f64) -> rusqlite::Result<SearchHit> {
    let (channel, offset, marked): (String, String, String) = (row.get(1)?, row.get(5)?, row.get(7)?);
    let parts = parts(&marked);
    Ok(SearchHit {
        session_id: row.get(0)?,
        channel: channel.parse().unwrap_or(Found::Message),
        key: row.get(2)?,
        agent_id: row.get(3)?,
        tool: row.get(4)?,
        offset: offset.parse().unwrap_or(Offset::START),
        timestamp: row.get::<_, i64>(6)?.cast_unsigned(),
        snippet: parts.iter().map(|part| part.text.as_str()).collect(),
        parts,
        rank,
    })
}

/// A snippet, cut at its marks.
fn parts(marked: &str) -> Vec<SnippetPart> {
    let mut parts = Vec::new();
    for (index, stretch) in marked.split(MATCH_BEGINS).enumerate() {
        let (matched, rest) = stretch.split_once(MATCH_ENDS).filter(|_| index > 0).unwrap_or(("", stretch));
        for (text, is_match) in [(matched, true), (rest, false)] {
            if !text.is_empty() {
                parts.push(SnippetPart { text: text.to_owned(), is_match });
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_is_cut_at_its_marks() {
        let told = |marked| parts(marked).into_iter().map(|part| (part.text, part.is_match)).collect::<Vec<_>>();
        let part = |text: &str, is_match| (text.to_owned(), is_match);
        assert_eq!(told("a \u{2}b\u{3} c"), [part("a ", false), part("b", true), part(" c", false)]);
        assert_eq!(told("\u{2}b\u{3}\u{2}c\u{3}"), [part("b", true), part("c", true)]);
        assert_eq!(told("none"), [part("none", false)]);
        assert_eq!(told(""), []);
    }
}
