//! The projector: looks at streams that changed, reads what is new, and writes it, one bounded round at a time.

use std::path::PathBuf;

use headwater_protocol::{Framing, StreamPath};
use headwater_sessions::{SessionId, registry_stream};
use headwater_streams::{ChangeWatch, Engine, EngineError, Listed, Metadata, ReadError, Store};
use rusqlite::{Connection, ErrorCode};

use crate::apply::{Advance, Task, apply};
use crate::clean::{self, Cleaned};
use crate::error::{During, ProjectionError};
use crate::followed::{self, Entry, Followed};
use crate::limits::{
    BATCH_STREAMS, CHANGED_NAMES_MAX, CLEAN_INTERVAL_MS, LOOK_STREAMS, ProjectionLimits, SET_ASIDE_MS,
};
use crate::queue::{Look, Queue};
use crate::{schema, source};

/// Which file, and what it is to hold.
#[derive(Debug, Clone)]
pub struct ProjectionOptions {
    /// The SQLite file; created when there is none.
    pub file: PathBuf,
    /// How long events are kept unless their session says otherwise, in milliseconds.
    pub retention_ms: u64,
    /// Its bounds.
    pub limits: ProjectionLimits,
}

/// What a round has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// There is more to do now.
    More,
    /// Everything that was durable when the round began is in the file.
    CaughtUp,
}

/// Keeps one file in step with the session streams of one engine. Blocks on the file: not for an async runtime's thread.
#[derive(Debug)]
pub struct Projector<S: Store> {
    engine: Engine<S>,
    options: ProjectionOptions,
    watch: ChangeWatch,
    /// `None` after a failure that a new one may be spared.
    connection: Option<Connection>,
    queue: Queue,
    clean_at_ms: u64,
    /// When streams that could not be read are tried again.
    aside_until_ms: Option<u64>,
    read_bytes: u64,
}

impl<S: Store> Projector<S> {
    /// Opens the file. It is looked at what the streams hold beyond it in the rounds that follow.
    pub async fn open(engine: Engine<S>, options: ProjectionOptions) -> Result<Self, ProjectionError> {
        // ORDER: watch, settle what was begun unwatched, then look, so that no append goes unseen in between.
        let watch = engine.watch_changes(is_followed, CHANGED_NAMES_MAX);
        match engine.write_documents(Vec::new()).await {
            // A store that takes no changes answers in order, too.
            Ok(()) | Err(EngineError::Store(_)) => {}
            Err(cause) => return Err(cause.into()),
        }
        let connection = Some(schema::open_writer(&options.file)?);
        let queue = Queue::new();
        Ok(Self { engine, options, watch, connection, queue, clean_at_ms: 0, aside_until_ms: None, read_bytes: 0 })
    }

    /// Does a bounded piece of work in one transaction. An error leaves file and projector as they were: the next round
    /// tries the same again.
    pub async fn round(&mut self) -> Result<Round, ProjectionError> {
        let outcome = self.try_round().await;
        if let Err(error) = &outcome
            && !is_passing(error)
        {
            // The file may be another one when it is opened again.
            self.connection = None;
            self.queue.look_at_all();
        }
        outcome
    }

    /// Waits until a round has something to do.
    pub async fn changed(&mut self) {
        self.watch.changed().await;
    }

    /// Stored bytes read so far.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Writes everything into the one file and closes it.
    pub(crate) fn close(mut self) -> Result<(), ProjectionError> {
        const DURING: &str = "closing the file";
        let Some(connection) = self.connection.take() else { return Ok(()) };
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        connection.query_row(checkpoint, [], |_| Ok(())).during(DURING)?;
        connection.close().map_err(|(_, source)| ProjectionError::Sqlite { operation: DURING, source })
    }

    async fn try_round(&mut self) -> Result<Round, ProjectionError> {
        let now_ms = self.engine.now_ms();
        if self.aside_until_ms.take_if(|at_ms| *at_ms <= now_ms).is_some() {
            self.queue.look_at_all();
        }
        let changes = self.watch.look();
        self.queue.take_in(changes);
        if !self.queue.has_names() {
            self.look_further().await?;
        }
        self.advance_some().await?;
        let cleaned = self.expire(now_ms)?;
        let is_done = self.queue.is_done() && cleaned == Cleaned::All;
        Ok(if is_done { Round::CaughtUp } else { Round::More })
    }

    fn connection(&mut self) -> Result<&mut Connection, ProjectionError> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(schema::open_writer(&self.options.file)?)),
        }
    }

    /// Goes on with the look at all streams: names those that differ from what the file knows of them.
    async fn look_further(&mut self) -> Result<(), ProjectionError> {
        let Look::After(after) = self.queue.look().clone() else { return Ok(()) };
        if after.is_none() {
            self.queue.push(registry_stream());
        }
        let listed = self.engine.list(SESSIONS, after.as_ref(), LOOK_STREAMS).await?;
        // The page ends with the last stream listed, or, when that is all, with the last one known.
        let last = listed.last().filter(|_| listed.len() == LOOK_STREAMS).map(|listed| listed.path.clone());
        let retention_ms = self.options.retention_ms;
        let known = followed::between(self.connection()?, after.as_ref(), last.as_ref(), LOOK_STREAMS)
            .during("reading positions")?;
        let end = if known.len() < LOOK_STREAMS { last } else { end_of(last, &known) };
        let mut differing = differing(&listed, &known, end.as_ref(), retention_ms);
        differing.retain(is_followed);
        differing.into_iter().for_each(|path| self.queue.push(path));
        self.queue.set_look(end.map_or(Look::Done, |end| Look::After(Some(end))));
        Ok(())
    }

    /// Takes streams from the queue until there is enough for one transaction.
    async fn advance_some(&mut self) -> Result<(), ProjectionError> {
        let (mut tasks, mut bytes) = (Vec::new(), 0);
        let mut failed = None;
        while bytes < self.options.limits.batch_bytes
            && tasks.len() < BATCH_STREAMS
            && let Some(path) = self.queue.pop()
        {
            let task = match self.examine(&path).await {
                Ok(task) => task,
                Err(error) => {
                    failed = Some(error);
                    Task::Again
                }
            };
            if let Task::Advance(advance) = &task {
                bytes += advance.piece.len();
            }
            tasks.push((path, task));
            if failed.is_some() {
                break;
            }
        }
        if tasks.is_empty() {
            return Ok(());
        }
        let rows_max = self.options.limits.clean_rows;
        let applied = match failed {
            Some(error) => Err(error),
            None => self.connection().and_then(|connection| apply(connection, &tasks, rows_max)),
        };
        match applied {
            Ok(again) => {
                again.into_iter().for_each(|path| self.queue.push(path));
                self.read_bytes += bytes;
                Ok(())
            }
            Err(error) => {
                tasks.into_iter().for_each(|(path, _)| self.queue.push(path));
                Err(error)
            }
        }
    }

    /// Finds out what is to be done about a stream, and reads what there is to read.
    async fn examine(&mut self, path: &StreamPath) -> Result<Task, ProjectionError> {
        let known = followed::load(self.connection()?, path).during("reading a position")?;
        if known.as_ref().is_some_and(|known| known.followed.is_clearing) {
            return Ok(Task::Clear);
        }
        let metadata = match self.engine.metadata(path).await {
            Ok(metadata) if metadata.content_type.framing() == Framing::Json => metadata,
            Ok(_) | Err(ReadError::NotFound | ReadError::Gone) => {
                return Ok(if known.is_some() { Task::Clear } else { Task::Nothing });
            }
            Err(cause) => return self.refused(path, cause),
        };
        let retention_ms = self.retention_ms(path, known.as_ref())?;
        let Some(before) = go_on(known, &metadata, retention_ms) else { return Ok(Task::Clear) };
        let from = before.position.max(metadata.earliest);
        match source::read(&self.engine, path, metadata.id, from).await {
            Ok(Some(piece)) => {
                let followed = Followed { position: piece.next, earliest: metadata.earliest, ..before };
                let trimmed_from = (before.earliest < metadata.earliest).then_some(before.earliest);
                let has_more = piece.next < metadata.tail;
                Ok(Task::Advance(Advance { followed, trimmed_from, piece, has_more }))
            }
            Ok(None) | Err(ReadError::NotFound | ReadError::Gone | ReadError::Trimmed { .. }) => Ok(Task::Again),
            // It is not the history that the rows were made from.
            Err(ReadError::NotAnOffset) => Ok(Task::Clear),
            Err(cause) => self.refused(path, cause),
        }
    }

    fn retention_ms(&mut self, path: &StreamPath, known: Option<&Entry>) -> Result<u64, ProjectionError> {
        // The registry's rows do not expire.
        let Some(session) = SessionId::of_stream(path) else { return Ok(0) };
        let own_ms = match known {
            Some(known) => known.own_retention_ms,
            None => followed::own_retention_ms(self.connection()?, session.as_str()).during("reading a session")?,
        };
        Ok(own_ms.unwrap_or(self.options.retention_ms))
    }

    /// A stream that cannot be read is set aside, so that it does not stand in the way of the others; anything else is
    /// everybody's trouble.
    fn refused(&mut self, path: &StreamPath, cause: ReadError) -> Result<Task, ProjectionError> {
        match cause {
            ReadError::Engine(cause @ (EngineError::Stopping | EngineError::Overloaded)) => Err(cause.into()),
            cause => {
                tracing::warn!(%path, %cause, "a stream cannot be read into the SQL projection; trying again later");
                self.aside_until_ms.get_or_insert(self.engine.now_ms() + SET_ASIDE_MS);
                Ok(Task::Nothing)
            }
        }
    }

    fn expire(&mut self, now_ms: u64) -> Result<Cleaned, ProjectionError> {
        if now_ms < self.clean_at_ms {
            return Ok(Cleaned::All);
        }
        let rows_max = self.options.limits.clean_rows;
        let cleaned = clean::expire(self.connection()?, now_ms, rows_max).during("removing expired rows")?;
        if cleaned == Cleaned::All {
            self.clean_at_ms = now_ms + CLEAN_INTERVAL_MS;
        }
        Ok(cleaned)
    }
}

/// What the paths of session streams begin with.
pub(crate) const SESSIONS: &str = "session/";

pub(crate) fn is_followed(path: &StreamPath) -> bool {
    SessionId::of_stream(path).is_some() || path.as_str() == registry_stream().as_str()
}

/// Whether the same connection may be used again.
fn is_passing(error: &ProjectionError) -> bool {
    match error {
        ProjectionError::Engine(_) => true,
        ProjectionError::Sqlite { source, .. } => matches!(
            source.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull)
        ),
        _ => false,
    }
}

/// Where a stream's rows stand; `None` when they are not of this stream, or expire at another time.
fn go_on(known: Option<Entry>, metadata: &Metadata, retention_ms: u64) -> Option<Followed> {
    let Some(known) = known else {
        return Some(Followed {
            incarnation: metadata.id.0,
            created_at_ms: metadata.created_at_ms,
            position: metadata.earliest,
            earliest: metadata.earliest,
            retention_ms,
            is_clearing: false,
        });
    };
    let followed = known.followed;
    let holds = followed.is_of(metadata) && followed.position <= metadata.tail && followed.retention_ms == retention_ms;
    holds.then_some(followed)
}

/// The earlier of two ends of a page.
fn end_of(last: Option<StreamPath>, known: &[Entry]) -> Option<StreamPath> {
    let known = known.last().and_then(|entry| StreamPath::new(&entry.path).ok());
    match (last, known) {
        (Some(last), Some(known)) => Some(last.min(known)),
        (last, known) => last.or(known),
    }
}

/// The streams up to `end` of which the store and the file do not say the same.
fn differing(listed: &[Listed], known: &[Entry], end: Option<&StreamPath>, retention_ms: u64) -> Vec<StreamPath> {
    let is_inside = |path: &str| end.is_none_or(|end| path <= end.as_str());
    let stands = |entry: &Entry, listed: &Listed| {
        let Followed { incarnation, created_at_ms, position, retention_ms: reckoned_ms, .. } = entry.followed;
        !entry.followed.is_clearing
            && !listed.soft_deleted
            && (incarnation, created_at_ms, position) == (listed.id.0, listed.created_at_ms, listed.tail)
            && reckoned_ms == entry.own_retention_ms.unwrap_or(retention_ms)
    };
    let find = |path: &str| known.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok();
    let grown = listed
        .iter()
        .filter(|listed| is_inside(listed.path.as_str()))
        .filter(|listed| !find(listed.path.as_str()).is_some_and(|at| stands(&known[at], listed)))
        .map(|listed| listed.path.clone());
    let gone = known
        .iter()
        .filter(|entry| is_inside(&entry.path))
        .filter(|entry| listed.binary_search_by(|listed| listed.path.as_str().cmp(&entry.path)).is_err())
        .filter_map(|entry| StreamPath::new(&entry.path).ok());
    grown.chain(gone).collect()
}
