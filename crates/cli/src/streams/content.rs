//! Of what kind a stream's content is, and how pieces of it are written to standard output.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::ArgMatches;
use headwater_client::{Batch, Head};
use headwater_protocol::{ContentType, Framing};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::output;
use crate::remote::Remote;

/// What a stream's content type makes of its content. What is no type is bytes.
pub(super) fn framing(head: &Head) -> Framing {
    let known = head.content_type.as_deref().and_then(|text| ContentType::new(text).ok());
    known.map_or(Framing::Binary, |content_type| content_type.framing())
}

/// The content type that a short name stands for.
pub(super) fn content_type(name: &str) -> &str {
    match name {
        "text" => "text/plain; charset=utf-8",
        "json" => "application/json",
        "bytes" => "application/octet-stream",
        other => other,
    }
}

/// How content is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Raw,
    /// Each message on a line, as it was sent.
    Lines,
    /// One array of all messages.
    Array,
    /// Each piece on a line, with its offset.
    Pieces,
}

impl Form {
    pub(super) fn of(remote: &Remote, flags: &ArgMatches, framing: Framing) -> Result<Self, Failure> {
        let format = flags.get_one::<String>("format").map(String::as_str);
        let form = match format {
            _ if remote.told.json => Self::Pieces,
            Some("raw") => Self::Raw,
            Some("ndjson") => Self::Lines,
            Some("json") => Self::Array,
            _ if framing == Framing::Json => Self::Lines,
            _ => Self::Raw,
        };
        if matches!(form, Self::Lines | Self::Array) && framing != Framing::Json {
            return Err(Failure::Usage("only JSON streams have messages to be told apart; use --format raw".into()));
        }
        Ok(form)
    }
}

/// Writes the pieces of one stream, each as soon as it is there.
#[derive(Debug)]
pub(super) struct Printer {
    form: Form,
    framing: Framing,
    /// Messages so far.
    count: u64,
}

impl Printer {
    pub(super) fn new(form: Form, framing: Framing) -> Self {
        Self { form, framing, count: 0 }
    }

    /// Writes a piece.
    pub(super) fn batch(&mut self, batch: &Batch) -> Result<(), Failure> {
        match self.form {
            Form::Pieces => output::result(&self.piece(batch)?),
            _ if batch.is_empty() => Ok(()),
            Form::Raw => output::result_bytes(&batch.bytes),
            Form::Lines | Form::Array => self.messages(&messages(batch)?),
        }
    }

    /// Writes messages.
    pub(super) fn messages(&mut self, messages: &[Box<RawValue>]) -> Result<(), Failure> {
        let mut text = String::new();
        for message in messages {
            match (self.form, self.count) {
                (Form::Array, 0) => text.push_str("[\n"),
                (Form::Array, _) => text.push_str(",\n"),
                _ => {}
            }
            self.count += 1;
            text.push_str(message.get());
            if self.form != Form::Array {
                text.push('\n');
            }
        }
        output::result(&text)
    }

    /// Writes what belongs behind the last piece.
    pub(super) fn end(&self) -> Result<(), Failure> {
        match (self.form, self.count) {
            (Form::Array, 0) => output::result("[]\n"),
            (Form::Array, _) => output::result("\n]\n"),
            _ => Ok(()),
        }
    }

    fn piece(&self, batch: &Batch) -> Result<String, Failure> {
        let mut piece = Piece::at(batch);
        match (self.framing, std::str::from_utf8(&batch.bytes)) {
            (Framing::Json, _) => piece.messages = Some(messages(batch)?),
            (_, Ok(text)) => piece.text = Some(text),
            (_, Err(_)) => piece.base64 = Some(BASE64_STANDARD.encode(&batch.bytes)),
        }
        let text = serde_json::to_string(&piece);
        text.map(|text| text + "\n")
            .map_err(|error| Failure::Other(format!("a piece cannot be written as JSON: {error}")))
    }
}

/// Content up to an offset, for programs. Written as texts and never through a value: numbers keep their digits.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Piece<'a> {
    offset: &'a str,
    up_to_date: bool,
    closed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Box<RawValue>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> Piece<'a> {
    fn at(batch: &'a Batch) -> Self {
        let Batch { offset, up_to_date, closed, .. } = batch;
        let (offset, up_to_date, closed) = (offset.as_str(), *up_to_date, *closed);
        Self { offset, up_to_date, closed, messages: None, text: None, base64: None }
    }
}

/// The messages of a piece, as they were sent.
pub(super) fn messages(batch: &Batch) -> Result<Vec<Box<RawValue>>, Failure> {
    batch.json().map_err(|error| Failure::Other(format!("the server sent no JSON messages: {error}")))
}
