//! What happened, page by page: as events that a query chooses from, or raw as stored.

use headwater_protocol::{Offset, ReadFrom};
use headwater_streams::{Engine, ReadError, Store};

use super::event::SessionEvent;
use super::failure::Subject;
use super::scan::Scan;
use crate::channel::Channel;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::json::{Json, Object};
use crate::limits::{HISTORY_LIMIT_MAX, HISTORY_PAGE_BYTES_MAX, HISTORY_SCAN_BYTES_MAX};

/// Which events, and where to go on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Decided then or later, in Unix milliseconds.
    pub start_ms: Option<u64>,
    /// Decided then or earlier, in Unix milliseconds.
    pub end_ms: Option<u64>,
    /// Of these channels; none for all.
    pub channels: Vec<Channel>,
    /// From the page before.
    pub cursor: Option<Offset>,
    /// Events on the page, from 1 to [`HISTORY_LIMIT_MAX`]; `None` for as many as there may be.
    pub limit: Option<usize>,
}

/// A page of events, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// Those that the query chose. May be few or none while there are more: a page looks through a bounded number of
    /// bytes.
    pub events: Vec<SessionEvent>,
    /// Where the next page begins; `None` at the tail.
    pub next_cursor: Option<Offset>,
    /// Where the page ends: what to follow the session from, after the last one.
    pub offset: Offset,
    /// Set when what the cursor pointed at is no longer kept: the page begins here.
    pub gap: Option<Offset>,
}

/// A change message as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// The offset right after it.
    pub offset: Offset,
    /// Its text.
    pub message: Json,
}

/// A page of change messages, in stream order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsPage {
    /// The messages.
    pub events: Vec<RawEvent>,
    /// Where the next page begins.
    pub next: Offset,
    /// Whether the page reaches the tail.
    pub up_to_date: bool,
}

/// A page of what happened in a session.
pub async fn history<S: Store>(
    engine: &Engine<S>,
    session: &SessionId,
    query: &HistoryQuery,
) -> Result<HistoryPage, SessionError> {
    let limit = checked_limit(query.limit)?;
    let subject = Subject::Session(session.clone());
    let told = |cause| subject.error(cause);
    let (mut scan, gap) = match open(engine, session, query.cursor).await {
        Ok(scan) => (scan, None),
        Err(ReadError::Trimmed { earliest }) => (open(engine, session, None).await.map_err(told)?, Some(earliest)),
        Err(cause) => return Err(told(cause)),
    };
    let begin = scan.position();
    let (mut events, mut bytes) = (Vec::new(), 0);
    while events.len() < limit
        && bytes < HISTORY_PAGE_BYTES_MAX
        && scan.position().bytes_since(begin) < HISTORY_SCAN_BYTES_MAX
        && let Some(message) = scan.next().await.map_err(told)?
    {
        if let Some(event) = SessionEvent::read(&message).filter(|event| query.chooses(event)) {
            bytes += message.json.len();
            events.push(event);
        }
    }
    let offset = scan.position();
    Ok(HistoryPage { events, next_cursor: (!scan.is_done()).then_some(offset), offset, gap: gap.map(|_| begin) })
}

/// A page of a session's change messages exactly as stored. A position before what is kept is refused with the earliest
/// one there is.
pub async fn events<S: Store>(
    engine: &Engine<S>,
    session: &SessionId,
    from: ReadFrom,
    limit: Option<usize>,
) -> Result<EventsPage, SessionError> {
    let limit = checked_limit(limit)?;
    let subject = Subject::Session(session.clone());
    let told = |cause| subject.error(cause);
    let mut scan = Scan::open(engine, session.stream(), from, None).await.map_err(told)?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    while events.len() < limit
        && bytes < HISTORY_PAGE_BYTES_MAX
        && let Some(message) = scan.next().await.map_err(told)?
    {
        if let Some(text) = message.text() {
            bytes += text.len();
            events.push(RawEvent { offset: message.end, message: Json::from_valid(text.to_owned()) });
        }
    }
    Ok(EventsPage { events, next: scan.position(), up_to_date: scan.is_done() })
}

async fn open<S: Store>(engine: &Engine<S>, session: &SessionId, cursor: Option<Offset>) -> Result<Scan<S>, ReadError> {
    let from = cursor.map_or(ReadFrom::Start, ReadFrom::At);
    Scan::open(engine, session.stream(), from, None).await
}

fn checked_limit(limit: Option<usize>) -> Result<usize, SessionError> {
    match limit.unwrap_or(HISTORY_LIMIT_MAX) {
        limit @ 1..=HISTORY_LIMIT_MAX => Ok(limit),
        _ => Err(SessionError::params("limit", format!("must be a whole number from 1 to {HISTORY_LIMIT_MAX}"))),
    }
}

impl HistoryQuery {
    fn chooses(&self, event: &SessionEvent) -> bool {
        let is_wanted = self.channels.is_empty() || self.channels.contains(&event.channel);
        if !is_wanted || (self.start_ms.is_none() && self.end_ms.is_none()) {
            return is_wanted;
        }
        let Some(at_ms) = event.moment_ms() else { return false };
        self.start_ms.is_none_or(|start_ms| start_ms <= at_ms) && self.end_ms.is_none_or(|end_ms| at_ms <= end_ms)
    }
}

impl SessionEvent {
    /// When it was decided or, for want of that, what its row says.
    pub(super) fn moment_ms(&self) -> Option<u64> {
        self.at_ms.or_else(|| Object::parse(self.data.as_ref()?.get())?.whole("timestamp"))
    }
}
