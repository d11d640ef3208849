//! A session as a file, streamed.

use bytes::Bytes;
use http::Method;

use super::{SessionClient, SessionError};
use crate::answer::Answer;
use crate::limits::BODY_IDLE_TIMEOUT;

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExportFormat {
    /// One document with everything.
    Json,
    /// One event per line.
    Ndjson,
    /// The same as a table.
    Csv,
    /// A transcript for people.
    Markdown,
    /// The terminal as an asciinema recording.
    Asciicast,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Json, Self::Ndjson, Self::Csv, Self::Markdown, Self::Asciicast];

    /// As it stands in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
            Self::Asciicast => "asciicast",
        }
    }

    /// The format of this name, if there is one.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

/// A file on its way.
#[derive(Debug)]
#[must_use = "nothing is read unless it is asked for"]
pub struct Export {
    answer: Answer,
}

impl SessionClient {
    /// Writes a session to a file: what had happened when this was called. It comes piece by piece and is never held as a
    /// whole.
    ///
    /// ```no_run
    /// # async fn example(sessions: headwater_client::sessions::SessionClient)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use std::io::Write;
    ///
    /// use headwater_client::sessions::ExportFormat;
    ///
    /// let mut export = sessions.export("a-session", ExportFormat::Markdown).await?;
    /// let mut file = std::fs::File::create("session.md")?;
    /// while let Some(piece) = export.next().await? {
    ///     file.write_all(&piece)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SessionError::is_not_found`].
    pub async fn export(&self, id: &str, format: ExportFormat) -> Result<Export, SessionError> {
        let mut call = self.api.call(Method::GET, &["sessions", id, "export"])?;
        call.query("format", format.as_str());
        Ok(Export { answer: self.api.exchange(&call).await? })
    }
}

impl Export {
    /// The next piece; `None` when the file is complete. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`SessionError::Client`] when it broke off: what came is not all.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SessionError> {
        Ok(self.answer.chunk(BODY_IDLE_TIMEOUT).await?)
    }
}
