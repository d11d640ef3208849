//! One producer: chooses what to do next by its seed, does it, and writes down what was acknowledged.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use rand::rngs::SmallRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};

use crate::request::render;
use headwater_load::http::Answer;

use super::link::{Delivered, Link};
use super::message::{Identity, SHARED, SHARED_NUMBER};
use super::model::{Content, Model, State, Stream};

/// The most requests in flight on one stream, and messages in one JSON append.
const BATCH: std::ops::RangeInclusive<usize> = 1..=4;

/// Tells all producers to end after what they are doing.
#[derive(Debug, Default)]
pub(crate) struct Stop(Cell<bool>);

impl Stop {
    pub(crate) fn set(&self) {
        self.0.set(true);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.get()
    }
}

#[derive(Debug)]
pub(crate) struct Producer {
    link: Link,
    random: SmallRng,
    model: Model,
}

impl Producer {
    pub(crate) fn new(number: usize, seed: u64, link: Link) -> Producer {
        let random = SmallRng::seed_from_u64(seed.wrapping_add(number as u64 + 1));
        let producer = u32::try_from(number).expect("there are few producers");
        Producer { link, random, model: Model { producer, ..Model::default() } }
    }

    pub(crate) async fn run(mut self, stop: Rc<Stop>) -> Model {
        while !stop.is_set() {
            if let Err(error) = self.step().await {
                self.model.refused.push(format!("producer {}: {error}", self.model.producer));
                break;
            }
        }
        self.model
    }

    async fn step(&mut self) -> io::Result<()> {
        match self.random.random_range(0..100) {
            0..55 => self.append_bytes().await,
            55..70 => self.append_json().await,
            70..88 => self.append_shared().await,
            88..92 => self.close().await,
            92..96 => self.fork().await,
            _ => self.delete().await,
        }
    }

    async fn append_bytes(&mut self) -> io::Result<()> {
        let stream = self.open_stream(Content::Bytes).await?;
        let count = self.random.random_range(BATCH);
        let messages = self.next_messages(stream, count);
        let target = &self.model.streams[stream];
        let requests: Vec<_> = (target.sequence..)
            .zip(&messages)
            .map(|(sequence, message)| self.post(&target.path, Content::Bytes, sequence, &message.message(), false))
            .collect();
        let delivered = self.link.deliver(&requests).await?;
        for (delivered, message) in delivered.into_iter().zip(messages) {
            self.accept(stream, delivered, &[message])?;
        }
        Ok(())
    }

    async fn append_json(&mut self) -> io::Result<()> {
        let stream = self.open_stream(Content::Json).await?;
        let count = self.random.random_range(BATCH);
        let messages = self.next_messages(stream, count);
        let body = json(&messages);
        let target = &self.model.streams[stream];
        let request = self.post(&target.path, Content::Json, target.sequence, &body, false);
        let delivered = self.link.exchange(request).await?;
        self.accept(stream, delivered, &messages)
    }

    async fn append_shared(&mut self) -> io::Result<()> {
        let (producer, number) = (self.model.producer, self.model.shared);
        let message = Identity { producer, stream: SHARED_NUMBER, number };
        let request = self.post(SHARED, Content::Bytes, number, &message.message(), false);
        let delivered = self.link.exchange(request).await?;
        self.note_written(&delivered)?;
        self.model.shared += 1;
        self.model.acknowledge(message);
        Ok(())
    }

    /// Appends a last message and closes, in one request.
    async fn close(&mut self) -> io::Result<()> {
        let stream = self.open_stream(Content::Bytes).await?;
        let messages = self.next_messages(stream, 1);
        let target = &self.model.streams[stream];
        let body = messages[0].message();
        let request = self.post(&target.path, Content::Bytes, target.sequence, &body, true);
        let delivered = self.link.exchange(request).await?;
        self.accept(stream, delivered, &messages)?;
        self.model.streams[stream].state = State::Closed;
        Ok(())
    }

    /// Forks a stream at its tail; the fork then lives like any other.
    async fn fork(&mut self) -> io::Result<()> {
        let source = self.open_stream(Content::Bytes).await?;
        let mut fork = self.model.streams[source].clone();
        let (Some(offset), from) = (fork.next_offset.clone(), fork.path.clone()) else { return Ok(()) };
        fork.number = self.fresh_number();
        fork.path = self.path(fork.number);
        fork.sequence = 0;
        let headers = [
            ("Content-Type", content_type(Content::Bytes)),
            ("Stream-Forked-From", from.as_str()),
            ("Stream-Fork-Offset", offset.as_str()),
        ];
        let delivered = self.link.exchange(render("PUT", &fork.path, &headers, b"")).await?;
        self.note_created(&delivered)?;
        self.model.streams.push(fork);
        Ok(())
    }

    async fn delete(&mut self) -> io::Result<()> {
        let alive = self.model.streams.iter_mut().filter(|stream| stream.state != State::Deleted);
        let Some(stream) = alive.choose(&mut self.random) else { return Ok(()) };
        let delivered = self.link.exchange(render("DELETE", &stream.path, &[], b"")).await?;
        let gone = matches!(delivered.answer.head.status, 404 | 410);
        if gone && delivered.retried {
            self.model.retries.resent += 1;
            self.model.retries.duplicates += 1;
        } else {
            delivered.answer.success("delete")?;
        }
        stream.state = State::Deleted;
        Ok(())
    }

    /// An open stream of that content; a new one when there is none.
    async fn open_stream(&mut self, content: Content) -> io::Result<usize> {
        let open = |stream: &&(usize, &Stream)| stream.1.content == content && stream.1.state == State::Open;
        let known: Vec<_> = self.model.streams.iter().enumerate().collect();
        if let Some((index, _)) = known.iter().filter(open).choose(&mut self.random) {
            return Ok(*index);
        }
        let number = self.fresh_number();
        let path = self.path(number);
        let request = render("PUT", &path, &[("Content-Type", content_type(content))], b"");
        let delivered = self.link.exchange(request).await?;
        self.note_created(&delivered)?;
        let next_offset = delivered.answer.head.next_offset;
        let (state, messages) = (State::Open, Vec::new());
        self.model.streams.push(Stream { path, number, content, state, messages, sequence: 0, next_offset });
        Ok(self.model.streams.len() - 1)
    }

    fn fresh_number(&self) -> u32 {
        u32::try_from(self.model.streams.len()).expect("a run makes few streams")
    }

    fn path(&self, number: u32) -> String {
        format!("/v1/stream/kill/{}/{number}", self.model.producer)
    }

    fn next_messages(&self, stream: usize, count: usize) -> Vec<Identity> {
        let stream = &self.model.streams[stream];
        let next = u32::try_from(stream.messages.len()).expect("a stream has few messages");
        let identity = |number| Identity { producer: self.model.producer, stream: stream.number, number };
        (next..).take(count).map(identity).collect()
    }

    fn post(&self, path: &str, content: Content, sequence: u32, body: &[u8], close: bool) -> Vec<u8> {
        let (producer, sequence) = (format!("producer-{}", self.model.producer), sequence.to_string());
        let mut headers = vec![
            ("Content-Type", content_type(content)),
            ("Producer-Id", producer.as_str()),
            ("Producer-Epoch", "0"),
            ("Producer-Seq", sequence.as_str()),
        ];
        if close {
            headers.push(("Stream-Closed", "true"));
        }
        render("POST", path, &headers, body)
    }

    /// Writes down one acknowledged request of a stream with one writer.
    fn accept(&mut self, stream: usize, delivered: Delivered, messages: &[Identity]) -> io::Result<()> {
        self.note_written(&delivered)?;
        let target = &mut self.model.streams[stream];
        target.sequence += 1;
        target.messages.extend(messages);
        target.next_offset = delivered.answer.head.next_offset;
        for message in messages {
            self.model.acknowledge(*message);
        }
        Ok(())
    }

    /// 200 says written now, 204 written before; the latter only ever to a request that was sent twice.
    fn note_written(&mut self, delivered: &Delivered) -> io::Result<()> {
        let (status, retries) = (delivered.answer.head.status, &mut self.model.retries);
        retries.resent += u64::from(delivered.retried);
        match (status, delivered.retried) {
            (204, true) => retries.duplicates += 1,
            (200, true) => retries.written += 1,
            (200, false) => {}
            _ => return Err(unexpected("append", delivered)),
        }
        Ok(())
    }

    fn note_created(&mut self, delivered: &Delivered) -> io::Result<()> {
        let (status, retries) = (delivered.answer.head.status, &mut self.model.retries);
        retries.resent += u64::from(delivered.retried);
        match (status, delivered.retried) {
            (200, true) => retries.duplicates += 1,
            (201, true) => retries.written += 1,
            (201, false) => {}
            _ => return Err(unexpected("create", delivered)),
        }
        Ok(())
    }
}

fn unexpected(asked: &str, delivered: &Delivered) -> io::Error {
    let Answer { head, body } = &delivered.answer;
    let (sent, said) = (if delivered.retried { "sent again" } else { "sent once" }, String::from_utf8_lossy(body));
    io::Error::other(format!("{asked}, {sent}: status {}: {}", head.status, said.trim()))
}

fn json(messages: &[Identity]) -> Vec<u8> {
    let quoted = messages.iter().map(|message| format!("\"{}\"", String::from_utf8_lossy(&message.message())));
    format!("[{}]", quoted.collect::<Vec<_>>().join(",")).into_bytes()
}

pub(crate) fn content_type(content: Content) -> &'static str {
    match content {
        Content::Bytes => "application/octet-stream",
        Content::Json => "application/json",
    }
}
