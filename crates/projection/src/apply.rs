//! One transaction: what was read of several streams becomes rows, and their positions move with them.

use headwater_protocol::{Offset, StreamPath};
use headwater_sessions::{Change, Message, SessionId};
use rusqlite::Connection;

use crate::clean::{self, Cleaned};
use crate::error::{During, ProjectionError};
use crate::events::{self, Place};
use crate::followed::{self, Followed};
use crate::registry;
use crate::source::Piece;
use crate::texts::Texts;

/// What is to be done about a stream.
#[derive(Debug)]
pub(crate) enum Task {
    /// Nothing.
    Nothing,
    /// Look again: it changed while it was looked at.
    Again,
    /// Its rows are to go: it is gone, it is another one, or its rows expire at another time.
    Clear,
    /// Its next messages.
    Advance(Advance),
}

/// How a stream goes on.
#[derive(Debug)]
pub(crate) struct Advance {
    /// As it stands afterwards.
    pub(crate) followed: Followed,
    /// Rows of events before this one go first; `None` when there are none.
    pub(crate) trimmed_from: Option<Offset>,
    pub(crate) piece: Piece,
    pub(crate) has_more: bool,
}

/// Does all tasks in one transaction; answers the streams that are to be looked at again.
pub(crate) fn apply(
    connection: &mut Connection,
    tasks: &[(StreamPath, Task)],
    rows_max: usize,
) -> Result<Vec<StreamPath>, ProjectionError> {
    const DURING: &str = "writing rows";
    let mut again = Vec::new();
    let transaction = connection.transaction().during("beginning a transaction")?;
    for (path, task) in tasks {
        match task {
            Task::Nothing => {}
            Task::Again => again.push(path.clone()),
            Task::Clear => {
                followed::begin_clearing(&transaction, path).during(DURING)?;
                clean::clear(&transaction, path, rows_max).during("removing rows")?;
                // Also when all is gone: a stream that is there is read from its beginning.
                again.push(path.clone());
            }
            Task::Advance(advance) => {
                let is_whole = advance.write(&transaction, path, rows_max, &mut again).during(DURING)?;
                if advance.has_more || !is_whole {
                    again.push(path.clone());
                }
            }
        }
    }
    transaction.commit().during("committing rows")?;
    Ok(again)
}

impl Advance {
    /// Whether nothing of it is left to do.
    fn write(
        &self,
        connection: &Connection,
        path: &StreamPath,
        rows_max: usize,
        again: &mut Vec<StreamPath>,
    ) -> rusqlite::Result<bool> {
        let mut followed = self.followed.clone();
        let mut is_whole = true;
        match SessionId::of_stream(path) {
            Some(session) => {
                if let Some(before) = self.trimmed_from
                    && clean::trim(connection, session.as_str(), followed.earliest, rows_max)? == Cleaned::Some
                {
                    followed.earliest = before;
                    is_whole = false;
                }
                self.write_session(connection, session.as_str())?;
            }
            None => {
                for (change, _) in self.changes() {
                    again.extend(registry::apply(connection, &change)?.map(|session| session.stream()));
                }
            }
        }
        followed::save(connection, path, &followed)?;
        Ok(is_whole)
    }

    fn write_session(&self, connection: &Connection, session: &str) -> rusqlite::Result<()> {
        let Followed { created_at_ms, retention_ms, .. } = self.followed;
        let mut texts = Texts::new(connection, session);
        for (change, offset) in self.changes().filter(|(change, _)| events::belongs(change.row_type)) {
            let place = Place::of(&change, offset, created_at_ms, retention_ms);
            events::insert(connection, session, &change, place)?;
            texts.take(&change, place)?;
        }
        texts.finish()
    }

    /// The changes with the offsets right after them. What a reader of the session would pass over has no row.
    fn changes(&self) -> impl Iterator<Item = (Change, Offset)> {
        self.piece.messages().filter_map(|(text, end)| match Message::decode(text) {
            Ok(Message::Change(change)) => Some((change, end)),
            Ok(Message::Control(_) | Message::Unknown) | Err(_) => None,
        })
    }
}
