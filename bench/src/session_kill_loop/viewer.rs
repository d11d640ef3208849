//! Somebody who watches: server-sent events, resumed by `Last-Event-ID` whenever the connection is lost.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};

use crate::request::render;
use headwater_load::http::{Body, Connection, ReadSize};

use super::fold::Message;

const BACK_OFF: Duration = Duration::from_millis(5);
const POLL: Duration = Duration::from_millis(2);
/// A viewer that is this far behind a server at rest is not going to catch up.
const PATIENCE: Duration = Duration::from_secs(10);
const VIEWERS_MAX: usize = 32;

pub(super) type Up = watch::Receiver<Option<SocketAddr>>;

#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) messages: Vec<Message>,
    /// The last event's id; what a resumption asks to go on from.
    pub(super) last: Option<String>,
    pub(super) is_closed: bool,
    pub(super) connections: u64,
    /// What an event said that none may say here.
    pub(super) faults: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Viewer {
    /// The stream that holds what is watched.
    pub(super) stream: String,
    pub(super) seen: Rc<RefCell<Seen>>,
}

/// All viewers of a run.
#[derive(Debug, Clone)]
pub(super) struct Viewers {
    up: Up,
    all: Rc<RefCell<Vec<Viewer>>>,
}

impl Viewers {
    pub(super) fn new(up: Up) -> Viewers {
        Viewers { up, all: Rc::default() }
    }

    pub(super) fn all(&self) -> Vec<Viewer> {
        self.all.borrow().clone()
    }

    pub(super) fn watch_session(&self, id: &str) {
        self.watch(format!("sessionId={id}"), format!("session/{id}"));
    }

    pub(super) fn watch_agent(&self, agent: &str) {
        self.watch(format!("agentId={agent}"), format!("agent/{agent}"));
    }

    fn watch(&self, query: String, stream: String) {
        let mut all = self.all.borrow_mut();
        if all.len() < VIEWERS_MAX {
            let seen = Rc::new(RefCell::new(Seen::default()));
            spawn_local(follow(format!("/api/streams?{query}"), self.up.clone(), seen.clone()));
            all.push(Viewer { stream, seen });
        }
    }
}

impl Viewer {
    /// Waits until everything up to `tail` has been seen; whether it has.
    pub(super) async fn reaches(&self, tail: &str) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while self.seen.borrow().last.as_deref() != Some(tail) {
            if Instant::now() > deadline {
                return false;
            }
            sleep(POLL).await;
        }
        true
    }
}

/// Follows until the session is closed or gone.
async fn follow(target: String, mut up: Up, seen: Rc<RefCell<Seen>>) {
    loop {
        let Ok(address) = up.wait_for(Option::is_some).await.map(|address| *address) else { return };
        let Some(address) = address else { continue };
        // What broke a connection is of no interest: the server is killed all the time.
        let is_over = connect(address, &target, &seen).await.unwrap_or(false);
        if is_over {
            return;
        }
        sleep(BACK_OFF).await;
    }
}

/// One connection, until it ends; whether there is nothing more to follow.
async fn connect(address: SocketAddr, target: &str, seen: &RefCell<Seen>) -> io::Result<bool> {
    let mut connection = Connection::open(address, ReadSize::Small).await?;
    let last = seen.borrow().last.clone();
    let headers: Vec<(&str, &str)> = last.iter().map(|last| ("Last-Event-ID", last.as_str())).collect();
    connection.send(&render("GET", target, &headers, b"")).await?;
    let head = connection.head().await?;
    match head.status {
        200 => seen.borrow_mut().connections += 1,
        // A session that is gone does not come back; an agent's stream begins with the first thing that it does.
        404 => return Ok(target.contains("sessionId=")),
        429 | 502 | 503 => return Ok(false),
        status => seen.borrow_mut().faults.push(format!("a resumption after {last:?} is answered {status}")),
    }
    let (mut body, mut pending) = (head.body, Vec::new());
    while !seen.borrow().is_closed {
        connection.body_part(&mut body, &mut |bytes| pending.extend_from_slice(bytes)).await?;
        while let Some(end) = memchr::memmem::find(&pending, b"\n\n") {
            let frame: Vec<u8> = pending.drain(..end + 2).collect();
            seen.borrow_mut().take(&String::from_utf8_lossy(&frame));
        }
        if body == Body::Done {
            break;
        }
    }
    Ok(seen.borrow().is_closed)
}

impl Seen {
    /// Takes one whole event, as an `EventSource` does.
    fn take(&mut self, frame: &str) {
        let (mut name, mut id, mut data) = ("", None, "");
        for line in frame.lines() {
            match line.split_once(": ") {
                Some(("event", rest)) => name = rest,
                Some(("id", rest)) => id = Some(rest),
                Some(("data", rest)) => data = rest,
                _ => {}
            }
        }
        let Some(id) = id else { return };
        match (name, serde_json::from_str(data)) {
            ("", Ok(event)) => self.event(id, &event),
            ("ready" | "caught-up", Ok(_)) => {}
            ("closed", Ok(_)) => self.is_closed = true,
            _ => self.faults.push(format!("unexpected event {frame:?}")),
        }
        self.last = Some(id.to_owned());
    }

    fn event(&mut self, id: &str, event: &Value) {
        if self.last.as_deref().is_some_and(|last| last >= id) {
            self.faults.push(format!("{id} comes after {:?}", self.last));
        }
        match message(event) {
            Some(message) => self.messages.push(message),
            None => self.faults.push(format!("no event: {event}")),
        }
    }
}

/// The change message that an event tells of. In an agent's stream keys begin with the session.
fn message(event: &Value) -> Option<Message> {
    let kind = match event["channel"].as_str()? {
        "chunks" => "chunk",
        "toolCalls" => "tool",
        "agentState" => "state",
        same => same,
    };
    let key = event["key"].as_str()?;
    let key = event["sessionId"].as_str().map_or_else(|| key.to_owned(), |session| format!("{session}:{key}"));
    Some(Message {
        kind: kind.to_owned(),
        key,
        operation: event["operation"].as_str()?.to_owned(),
        txid: event["txid"].as_str()?.to_owned(),
        value: event["data"].clone(),
    })
}
