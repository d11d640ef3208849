//! The requests of the session API, and what their answers hold.

use std::io;

use serde_json::{Value, json};

use crate::kill_loop::link::{Delivered, Link};
use crate::request::{get, render};
use headwater_load::http::Answer;

use super::fold::Message;

const STREAMS: &str = "/v1/stream";
pub(super) const PROJECT: &str = "kill";

/// A log as it is stored.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) messages: Vec<Message>,
    /// Messages that are no change messages; there must be none.
    pub(super) foreign: usize,
    pub(super) tail: String,
    pub(super) is_closed: bool,
}

pub(super) fn post(target: &str, headers: &[(&str, &str)], body: &Value) -> Vec<u8> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    render("POST", target, &[&[("Content-Type", "application/json")], headers].concat(), body.as_bytes())
}

pub(super) fn create(agent: &str, title: &str) -> Vec<u8> {
    post("/api/sessions", &[], &json!({"projectId": PROJECT, "agentId": agent, "title": title}))
}

pub(super) fn delete(id: &str) -> Vec<u8> {
    render("DELETE", &format!("/api/sessions/{id}"), &[], b"")
}

pub(super) fn is_refusal(answer: &Answer, status: u16, code: &str) -> bool {
    answer.head.status == status && parse(answer).is_ok_and(|body| body["error"]["code"] == code)
}

pub(super) fn parse(answer: &Answer) -> io::Result<Value> {
    serde_json::from_slice(&answer.body).map_err(io::Error::other)
}

/// The body of an answer that must be a success.
pub(super) fn succeed(asked: &str, delivered: &Delivered) -> io::Result<Value> {
    let Answer { head, body } = &delivered.answer;
    if head.is_success() {
        return parse(&delivered.answer);
    }
    let sent = if delivered.retried { "sent again" } else { "sent once" };
    let said = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
    Err(io::Error::other(format!("{asked}, {sent}: status {}: {said}", head.status)))
}

/// What a read of `/api/…` answers in `data`; the status when it is refused.
pub(super) async fn data(link: &mut Link, target: &str) -> io::Result<Result<Value, u16>> {
    let answer = link.exchange(get(target)).await?.answer;
    if answer.head.status != 200 {
        return Ok(Err(answer.head.status));
    }
    Ok(Ok(parse(&answer)?["data"].take()))
}

/// A stream of change messages from its beginning to its tail; the status when it cannot be read.
pub(super) async fn log(link: &mut Link, stream: &str) -> io::Result<Result<Log, u16>> {
    let (mut log, mut offset) = (Log::default(), "-1".to_owned());
    loop {
        let answer = link.exchange(get(&format!("{STREAMS}/{stream}?offset={offset}"))).await?.answer;
        if answer.head.status != 200 {
            return Ok(Err(answer.head.status));
        }
        let page: Vec<Value> = serde_json::from_slice(&answer.body).map_err(io::Error::other)?;
        let whole = log.messages.len() + page.len();
        log.messages.extend(page.iter().filter_map(Message::parse));
        log.foreign += whole - log.messages.len();
        let Some(next) = answer.head.next_offset else { return Err(io::Error::other("a page tells no offset")) };
        if answer.head.up_to_date {
            return Ok(Ok(Log { tail: next, is_closed: answer.head.closed, ..log }));
        }
        if next == offset {
            return Err(io::Error::other(format!("{stream}: a page before the tail does not lead on")));
        }
        offset = next;
    }
}

/// Every row of the list of sessions.
pub(super) async fn sessions(link: &mut Link) -> io::Result<Vec<Value>> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let target = format!("/api/sessions?projectId={PROJECT}&sort=createdAt&limit=100{cursor}");
        let mut page = data(link, &target).await?.map_err(|status| io::Error::other(format!("list: {status}")))?;
        if let Value::Array(sessions) = page["sessions"].take() {
            rows.extend(sessions);
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(rows),
        }
    }
}
