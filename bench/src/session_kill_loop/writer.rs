//! One writer: chooses what to do next by its seed, does it, and writes down what was acknowledged.

use std::io;
use std::rc::Rc;

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IteratorRandom;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::kill_loop::link::{Delivered, Link};
use crate::kill_loop::producer::Stop;

use super::calls::{self, is_refusal, post, succeed};
use super::model::{Model, Session, Status};
use super::traffic::{Draft, Form, States, Traffic};
use super::viewer::Viewers;

/// The most requests in flight on one session.
const PIPELINED: std::ops::RangeInclusive<usize> = 1..=4;
const ARRAY: std::ops::RangeInclusive<usize> = 2..=12;
const OPEN_SESSIONS_MAX: usize = 3;
/// One new session in so many is watched.
const WATCHED_ONE_IN: u32 = 3;

#[derive(Debug)]
pub(super) struct Writer {
    link: Link,
    traffic: Traffic,
    viewers: Viewers,
    model: Rc<Mutex<Model>>,
}

impl Writer {
    pub(super) fn new(link: Link, random: SmallRng, viewers: Viewers, model: Model) -> Writer {
        let traffic = Traffic::new(model.writer, random);
        Writer { link, traffic, viewers, model: Rc::new(Mutex::new(model)) }
    }

    /// Who holds it sees the writer at rest, with nothing in flight.
    pub(super) fn model(&self) -> Rc<Mutex<Model>> {
        self.model.clone()
    }

    pub(super) async fn run(mut self, stop: Rc<Stop>) {
        let model = self.model.clone();
        while !stop.is_set() {
            let mut model = model.lock().await;
            if let Err(error) = self.step(&mut model).await {
                let writer = model.writer;
                model.refused.push(format!("writer {writer}: {error}"));
                break;
            }
        }
    }

    async fn step(&mut self, model: &mut Model) -> io::Result<()> {
        let action = self.traffic.random().random_range(0..100);
        if action < 12 {
            // The shared session is the first.
            return self.publish(model, 0).await;
        }
        let open = model.sessions.iter().filter(|session| session.is_open() && !session.is_shared).count();
        let session = self.choose(model);
        match (action, session) {
            (_, None) => self.create(model).await,
            (12..15, _) if open < OPEN_SESSIONS_MAX => self.create(model).await,
            (15..85, Some(session)) => self.publish(model, session).await,
            (85..91, Some(session)) => self.be_present(model, session).await,
            (91..94, Some(session)) => self.pause_or_resume(model, session).await,
            (94..96, Some(session)) => self.close(model, session).await,
            (96..98, Some(session)) => self.fork(model, session).await,
            (98.., _) => self.delete(model).await,
            (_, Some(session)) => self.publish(model, session).await,
        }
    }

    fn choose(&mut self, model: &Model) -> Option<usize> {
        let open =
            (0..model.sessions.len()).filter(|&at| model.sessions[at].is_open() && !model.sessions[at].is_shared);
        open.choose(self.traffic.random())
    }

    async fn create(&mut self, model: &mut Model) -> io::Result<()> {
        let title = self.traffic.unique();
        let delivered = self.link.exchange(calls::create(&model.agent_id(), &title)).await?;
        let session = self.begun(model, &title, &delivered)?;
        model.sessions.push(session);
        Ok(())
    }

    /// Forks a session at any offset that it handed out.
    async fn fork(&mut self, model: &mut Model, source: usize) -> io::Result<()> {
        let mark = self.traffic.random().random_range(0..model.sessions[source].marks.len());
        let (title, offset) = (self.traffic.unique(), &model.sessions[source].marks[mark].0);
        let target = format!("/api/sessions/{}/fork", model.sessions[source].id);
        let request = post(&target, &[], &json!({"title": title, "offset": offset}));
        let delivered = self.link.exchange(request).await?;
        let begun = self.begun(model, &title, &delivered)?;
        let mut fork = model.sessions[source].fork(begun.id, title, mark);
        fork.sequence = begun.sequence;
        if fork.marks[0].0 != begun.marks[0].0 {
            return Err(io::Error::other(format!("fork {} ends at another offset than asked for", fork.id)));
        }
        model.sessions.push(fork);
        Ok(())
    }

    /// The session that an answer tells of.
    fn begun(&mut self, model: &mut Model, title: &str, delivered: &Delivered) -> io::Result<Session> {
        let row = succeed("create", delivered)?["data"].take();
        let (Some(id), Some(offset)) = (row["id"].as_str(), row["offset"].as_str()) else {
            return Err(io::Error::other(format!("no session: {row}")));
        };
        if delivered.retried {
            model.retries.resent += 1;
            model.repeated.push(title.to_owned());
        }
        let mut session = Session::new(id.to_owned(), title.to_owned(), offset.to_owned());
        session.sequence = self.traffic.random().random_bool(0.5).then_some(0);
        if self.traffic.random().random_ratio(1, WATCHED_ONE_IN) {
            self.viewers.watch_session(id);
        }
        Ok(session)
    }

    /// Requests of one event each, pipelined, or one request with an array; in a session that is paused, too.
    async fn publish(&mut self, model: &mut Model, at: usize) -> io::Result<()> {
        let form = if self.traffic.random().random_bool(0.6) { Form::Event } else { Form::Step };
        let is_array = self.traffic.random().random_bool(0.4);
        let range = if is_array { ARRAY } else { PIPELINED };
        let count = self.traffic.random().random_range(range);
        let is_stamped = model.sessions[at].sequence.is_some();
        let states = if is_array || is_stamped || count == 1 { States::Allowed } else { States::Withheld };
        let drafts = self.traffic.drafts(&model.sessions[at], form, states, count);
        let requests = if is_array { vec![drafts] } else { drafts.into_iter().map(|draft| vec![draft]).collect() };
        let session = &model.sessions[at];
        let rendered: Vec<Vec<u8>> =
            (0..).zip(&requests).map(|(nth, drafts)| render(model, session, form, is_array, drafts, nth)).collect();
        let delivered = self.link.deliver(&rendered).await?;
        for (delivered, drafts) in delivered.iter().zip(requests) {
            accept(model, at, delivered, drafts)?;
        }
        Ok(())
    }

    async fn be_present(&mut self, model: &mut Model, at: usize) -> io::Result<()> {
        let target = format!("/api/sessions/{}/presence", model.sessions[at].id);
        let (user, x) = (format!("w{}.user", model.writer), self.traffic.random().random_range(0..1_000));
        let request = post(&target, &[], &json!({"userId": user, "cursor": {"x": x, "y": 0}}));
        let answer = succeed("presence", &self.link.exchange(request).await?)?;
        if answer["data"]["cursor"]["x"] != x || answer["data"]["userId"] != user.as_str() {
            return Err(io::Error::other(format!("presence at {x} is answered {answer}")));
        }
        model.presence += 1;
        Ok(())
    }

    async fn pause_or_resume(&mut self, model: &mut Model, at: usize) -> io::Result<()> {
        let session = &mut model.sessions[at];
        let (verb, status) =
            if session.status == Status::Active { ("pause", Status::Paused) } else { ("resume", Status::Active) };
        let request = post(&format!("/api/sessions/{}/{verb}", session.id), &[], &Value::Null);
        let delivered = self.link.exchange(request).await?;
        succeed(verb, &delivered)?;
        session.status = status;
        session.is_touched = true;
        Ok(())
    }

    async fn close(&mut self, model: &mut Model, at: usize) -> io::Result<()> {
        let request = post(&format!("/api/sessions/{}/close", model.sessions[at].id), &[], &Value::Null);
        let delivered = self.link.exchange(request).await?;
        if delivered.retried && is_refusal(&delivered.answer, 400, "SESSION_CLOSED") {
            model.retries.duplicates += 1;
        } else {
            succeed("close", &delivered)?;
        }
        model.sessions[at].status = Status::Closed;
        model.sessions[at].is_touched = true;
        Ok(())
    }

    async fn delete(&mut self, model: &mut Model) -> io::Result<()> {
        let alive = model.sessions.iter_mut().filter(|session| !session.is_shared && session.status != Status::Deleted);
        let Some(session) = alive.choose(self.traffic.random()) else { return Ok(()) };
        let delivered = self.link.exchange(calls::delete(&session.id)).await?;
        if delivered.retried && is_refusal(&delivered.answer, 404, "SESSION_NOT_FOUND") {
            model.retries.duplicates += 1;
        } else {
            succeed("delete", &delivered)?;
        }
        session.status = Status::Deleted;
        session.is_touched = true;
        Ok(())
    }
}

/// The `nth` of several requests that are sent together.
fn render(model: &Model, session: &Session, form: Form, is_array: bool, drafts: &[Draft], nth: u64) -> Vec<u8> {
    let target = match form {
        Form::Event => format!("/api/streams?sessionId={}", session.id),
        Form::Step => format!("/api/sessions/{}/steps", session.id),
    };
    let bodies: Vec<Value> = drafts.iter().map(|draft| draft.body.clone()).collect();
    let body = if is_array { Value::Array(bodies) } else { bodies.into_iter().next().unwrap_or_default() };
    let Some(sequence) = session.sequence else { return post(&target, &[], &body) };
    let (producer, sequence) = (format!("producer-{}", model.writer), (sequence + nth).to_string());
    let stamp = [("Producer-Id", producer.as_str()), ("Producer-Epoch", "0"), ("Producer-Seq", sequence.as_str())];
    post(&target, &stamp, &body)
}

/// Writes down one acknowledged request; a duplicate is the answer to what was sent twice, and to nothing else.
fn accept(model: &mut Model, at: usize, delivered: &Delivered, drafts: Vec<Draft>) -> io::Result<()> {
    let answer = succeed("publish", delivered)?;
    let is_duplicate = answer["duplicate"] == true;
    if is_duplicate && !delivered.retried {
        return Err(io::Error::other(format!("sent once, and a duplicate: {answer}")));
    }
    let ids = answer["results"].as_array().map_or_else(|| vec![&answer], |results| results.iter().collect());
    for (told, draft) in ids.into_iter().zip(&drafts) {
        // A producer's duplicate may be known without its events.
        if told.get("id").is_some_and(|id| *id != draft.expected.key.as_str()) {
            return Err(io::Error::other(format!("{} is answered {answer}", draft.expected.key)));
        }
    }
    model.retries.resent += u64::from(delivered.retried);
    model.retries.duplicates += u64::from(is_duplicate);
    let session = &mut model.sessions[at];
    for message in drafts.iter().map(|draft| &draft.expected).filter(|message| message.kind == "tool") {
        match message.operation {
            "insert" => session.calls.push(message.key.clone()),
            _ => session.calls.retain(|call| *call != message.key),
        }
    }
    session.sequence = session.sequence.map(|sequence| sequence + 1);
    // For a duplicate the offset is the original's, or the tail: not a mark of what is known to lie before it. Others write
    // to the shared session.
    let tail = answer["offset"].as_str().filter(|_| !is_duplicate && !session.is_shared).map(str::to_owned);
    model.acknowledge(at, drafts.into_iter().map(|draft| draft.expected).collect(), tail);
    Ok(())
}
