//! Sessions as files, made while they are read.
//!
//! An exporter reads the log up to the position of the state it is given, so that both tell the same. Beyond that state
//! it holds one batch of the log and one piece of the file.
//!
//! | format | holds |
//! | --- | --- |
//! | json | one document: the session, its messages and rows, and every event |
//! | ndjson | one event per line |
//! | csv | one event per record, with a head; cells that spreadsheets would run are made text by a leading `'` |
//! | markdown | a transcript for people: a call stands where it got its result, text where its agent went on to something else |
//! | asciicast | the terminal as a recording, version 2; times count from its first line |

mod asciicast;
mod csv;
mod document;
mod markdown;
mod plain_text;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ::bytes::Bytes;
use headwater_protocol::{Offset, ReadFrom};
use headwater_streams::{Engine, Store};

use super::event::SessionEvent;
use super::failure::Subject;
use super::folded::write_json;
use super::scan::Scan;
use crate::error::SessionError;
use crate::fold::State;
use crate::id::SessionId;
use crate::limits::EXPORT_CHUNK_BYTES;
use crate::registry::SessionRow;
use asciicast::Asciicast;
use document::Document;
use markdown::Markdown;

pub use plain_text::without_escapes;

/// What a session can be taken away as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportFormat {
    /// One JSON document.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// A transcript.
    Markdown,
    /// A table.
    Csv,
    /// A recording of the terminal.
    Asciicast,
}

/// A text that names no format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("format must be json, ndjson, markdown, csv or asciicast")]
pub struct UnknownFormat;

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Json, Self::Ndjson, Self::Markdown, Self::Csv, Self::Asciicast];

    /// As clients name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Markdown => "markdown",
            Self::Csv => "csv",
            Self::Asciicast => "asciicast",
        }
    }

    /// The media type of the file.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Asciicast => "application/x-asciicast",
        }
    }

    /// What to call the file. Holds only characters that session ids may have.
    pub fn filename(self, session: &SessionId) -> String {
        let extension = match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Markdown => "md",
            Self::Csv => "csv",
            Self::Asciicast => "cast",
        };
        format!("session-{session}.{extension}")
    }
}

impl FromStr for ExportFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.as_str() == text).ok_or(UnknownFormat)
    }
}

/// A file while it is made, piece by piece.
pub struct Exporter<S: Store> {
    subject: Subject,
    scan: Scan<S>,
    writer: Writer,
    stage: Stage,
    /// What is to be handed on.
    piece: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Events,
    Over,
}

enum Writer {
    Document(Document),
    Ndjson,
    Markdown(Markdown),
    Csv,
    Asciicast(Asciicast),
}

impl<S: Store> Exporter<S> {
    /// A file of `session`, up to the position of `state`.
    pub async fn open(
        engine: &Engine<S>,
        session: &SessionId,
        row: SessionRow,
        state: Arc<State>,
        format: ExportFormat,
    ) -> Result<Self, SessionError> {
        let subject = Subject::Session(session.clone());
        let end = state.position().offset;
        let scan = Scan::open(engine, session.stream(), ReadFrom::Start, Some(end)).await;
        let scan = scan.map_err(|cause| subject.error(cause))?;
        let writer = match format {
            ExportFormat::Json => Writer::Document(Document::new(row, state)),
            ExportFormat::Ndjson => Writer::Ndjson,
            ExportFormat::Markdown => Writer::Markdown(Markdown::new(row, state)),
            ExportFormat::Csv => Writer::Csv,
            ExportFormat::Asciicast => Writer::Asciicast(Asciicast::new(row)),
        };
        Ok(Self { subject, scan, writer, stage: Stage::Head, piece: Vec::new() })
    }

    /// Up to where it tells.
    pub fn end(&self) -> Offset {
        self.scan.end()
    }

    /// The next piece, about [`EXPORT_CHUNK_BYTES`]; `None` at the end and after an error. An error, also
    /// [`SessionError::Trimmed`] when history goes while it is read, means that the file is not whole. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes, SessionError>> {
        while self.piece.len() < EXPORT_CHUNK_BYTES && self.stage != Stage::Over {
            if let Err(error) = self.step().await {
                self.stage = Stage::Over;
                self.piece = Vec::new();
                return Some(Err(error));
            }
        }
        let piece = std::mem::take(&mut self.piece);
        (!piece.is_empty()).then(|| Ok(piece.into()))
    }

    async fn step(&mut self) -> Result<(), SessionError> {
        match self.stage {
            Stage::Head => {
                if self.writer.head(&mut self.piece) {
                    self.stage = Stage::Events;
                }
            }
            Stage::Events => match self.scan.next().await.map_err(|cause| self.subject.error(cause))? {
                Some(message) => {
                    if let Some(event) = SessionEvent::read(&message) {
                        self.writer.event(&event, &mut self.piece);
                    }
                }
                None => {
                    self.writer.end(&mut self.piece);
                    self.stage = Stage::Over;
                }
            },
            Stage::Over => {}
        }
        Ok(())
    }
}

impl Writer {
    /// Writes some of what comes before the events; true when that was the last of it.
    fn head(&mut self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Document(document) => return document.head(out),
            Self::Markdown(markdown) => markdown.head(out),
            Self::Csv => csv::head(out),
            Self::Ndjson | Self::Asciicast(_) => {}
        }
        true
    }

    fn event(&mut self, event: &SessionEvent, out: &mut Vec<u8>) {
        match self {
            Self::Document(document) => document.event(event, out),
            Self::Ndjson => {
                write_json(event, out);
                out.push(b'\n');
            }
            Self::Markdown(markdown) => markdown.event(event, out),
            Self::Csv => csv::event(event, out),
            Self::Asciicast(asciicast) => asciicast.event(event, out),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Document(document) => document.end(out),
            Self::Markdown(markdown) => markdown.end(out),
            Self::Asciicast(asciicast) => asciicast.end(out),
            Self::Ndjson | Self::Csv => {}
        }
    }
}

impl<S: Store> fmt::Debug for Exporter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("subject", &self.subject).field("stage", &self.stage).finish_non_exhaustive()
    }
}
