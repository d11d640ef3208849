//! From arguments, files and standard input to messages.
//!
//! Input is taken piece by piece and never held as a whole, so that what is typed or piped becomes a message as soon as
//! it is complete.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::pin::Pin;

use bytes::Bytes;
use headwater_protocol::Framing;
use serde::de::IgnoredAny;
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::failure::{Failure, RemoteKind};
use crate::limits::{MESSAGE_BYTES_MAX, PIECE_BYTES};

/// Where messages come from.
#[derive(Debug)]
pub(super) enum Source {
    Arguments(VecDeque<String>),
    /// `-` is standard input.
    Files(VecDeque<PathBuf>),
}

/// Where one message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    Bytes,
    Lines,
    Json,
}

/// Messages, in order.
pub(super) struct Messages {
    source: Source,
    split: Split,
    framing: Framing,
    open: Option<Open>,
}

/// An input that is being read.
struct Open {
    name: String,
    line: u64,
    input: Pin<Box<dyn AsyncBufRead + Send>>,
}

impl Source {
    pub(super) fn is_standard_input(&self) -> bool {
        matches!(self, Self::Files(files) if files.iter().any(|file| file.as_os_str() == "-"))
    }
}

impl Split {
    /// What input to a stream of this kind is, unless somebody says otherwise.
    pub(super) fn usual(framing: Framing) -> Self {
        match framing {
            Framing::Json => Self::Json,
            Framing::Text => Self::Lines,
            Framing::Binary => Self::Bytes,
        }
    }
}

impl Messages {
    pub(super) fn new(source: Source, split: Split, framing: Framing) -> Result<Self, Failure> {
        if split == Split::Bytes && framing == Framing::Json {
            return Err(Failure::Usage("a JSON stream holds values, not bytes; use --ndjson or --lines".into()));
        }
        Ok(Self { source, split, framing, open: None })
    }

    /// The next one; `None` at the end of all input.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(message) = open.next(self.split, self.framing).await? {
                    return Ok(Some(message));
                }
                self.open = None;
            }
            match &mut self.source {
                Source::Arguments(arguments) => {
                    let Some(argument) = arguments.pop_front() else { return Ok(None) };
                    return message(argument, self.split, self.framing).map(Some);
                }
                Source::Files(files) => {
                    let Some(file) = files.pop_front() else { return Ok(None) };
                    self.open = Some(Open::at(file).await?);
                }
            }
        }
    }
}

/// An argument as a message. In a text stream it is a line, as `echo` makes one.
fn message(argument: String, split: Split, framing: Framing) -> Result<Bytes, Failure> {
    match (split, framing) {
        (Split::Bytes, _) if argument.is_empty() => Err(Failure::Usage("an empty argument is no message".into())),
        (Split::Bytes, _) => Ok(argument.into()),
        (Split::Lines, Framing::Json) => json_text(argument.as_bytes()),
        (Split::Lines, _) => Ok((argument + "\n").into()),
        (Split::Json, framing) => match serde_json::from_str::<IgnoredAny>(&argument) {
            Ok(_) => Ok(ended(argument.into_bytes(), framing)),
            Err(error) => Err(unusable(format!(
                "{argument:?} is not JSON: {error}; put texts in quotes of their own ('\"text\"'), or use --lines"
            ))),
        },
    }
}

/// A JSON value in a stream that is not JSON ends its line.
fn ended(mut value: Vec<u8>, framing: Framing) -> Bytes {
    if framing != Framing::Json && !value.ends_with(b"\n") {
        value.push(b'\n');
    }
    value.into()
}

fn json_text(line: &[u8]) -> Result<Bytes, Failure> {
    let text = String::from_utf8_lossy(line);
    let json =
        serde_json::to_vec(&text).map_err(|error| Failure::Other(format!("cannot write a line as JSON: {error}")))?;
    Ok(json.into())
}

fn unusable(message: String) -> Failure {
    Failure::Remote { kind: RemoteKind::Refused, message }
}

impl Open {
    async fn at(file: PathBuf) -> Result<Self, Failure> {
        let (name, input): (String, Pin<Box<dyn AsyncBufRead + Send>>) = if file.as_os_str() == "-" {
            ("standard input".into(), Box::pin(BufReader::with_capacity(PIECE_BYTES, tokio::io::stdin())))
        } else {
            let name = file.display().to_string();
            let opened = File::open(&file).await;
            let opened =
                opened.map_err(|error| Failure::Usage(format!("cannot read {name}: {error}; check --file")))?;
            (name, Box::pin(BufReader::with_capacity(PIECE_BYTES, opened)))
        };
        Ok(Self { name, line: 0, input })
    }

    async fn next(&mut self, split: Split, framing: Framing) -> Result<Option<Bytes>, Failure> {
        match split {
            Split::Bytes => self.piece().await,
            Split::Lines => self.text_line(framing).await,
            Split::Json => self.value(framing).await,
        }
    }

    /// What is there, as soon as something is.
    async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        let filled = self.input.fill_buf().await;
        let piece = Bytes::copy_from_slice(filled.map_err(|error| unreadable(&self.name, &error))?);
        self.input.consume(piece.len());
        Ok((!piece.is_empty()).then_some(piece))
    }

    async fn text_line(&mut self, framing: Framing) -> Result<Option<Bytes>, Failure> {
        let mut line = Vec::new();
        if !self.line(&mut line).await? {
            return Ok(None);
        }
        if framing != Framing::Json {
            return Ok(Some(line.into()));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        json_text(text.strip_suffix(b"\r").unwrap_or(text)).map(Some)
    }

    /// The next JSON value, which may lie on one line or on several.
    async fn value(&mut self, framing: Framing) -> Result<Option<Bytes>, Failure> {
        let mut value = Vec::new();
        loop {
            let is_over = !self.line(&mut value).await?;
            if value.trim_ascii().is_empty() {
                if is_over {
                    return Ok(None);
                }
                value.clear();
                continue;
            }
            match serde_json::from_slice::<IgnoredAny>(&value) {
                Ok(_) => return Ok(Some(ended(value.trim_ascii().to_vec(), framing))),
                Err(error) if error.is_eof() && !is_over => {}
                Err(error) => {
                    let (name, line) = (&self.name, self.line);
                    return Err(unusable(format!(
                        "{name}, up to line {line}: not one JSON value to a line: {error}; what came before is appended"
                    )));
                }
            }
        }
    }

    /// Adds a line, line end included. False at the end of the input.
    async fn line(&mut self, into: &mut Vec<u8>) -> Result<bool, Failure> {
        let room = MESSAGE_BYTES_MAX.saturating_sub(into.len());
        let read = (&mut self.input).take(room as u64).read_until(b'\n', into).await;
        let read = read.map_err(|error| unreadable(&self.name, &error))?;
        if into.len() >= MESSAGE_BYTES_MAX {
            let (name, line) = (&self.name, self.line + 1);
            return Err(unusable(format!("{name}, line {line}: a message of more than {MESSAGE_BYTES_MAX} bytes")));
        }
        self.line += u64::from(read > 0);
        Ok(read > 0)
    }
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Failure::Other(format!("cannot read {name}: {error}; what came before is appended"))
}
