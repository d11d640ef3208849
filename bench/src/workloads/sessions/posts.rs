//! What writers of sessions send: rendered requests, as client libraries send them, ids included.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use headwater_load::{Render, stamp_text};

/// Tokens of one turn; then the next turn begins.
const TURN_TOKENS: usize = 200;
const WORDS: [&str; 16] = [
    " the",
    " build",
    " fails",
    " because",
    " of",
    " a",
    " missing",
    " import",
    " in",
    " `main.rs`",
    ",",
    " so",
    " I",
    " add",
    " it",
    ".\\n",
];

/// What the texts say.
#[derive(Debug, Clone, Copy)]
pub(super) enum Text {
    Words,
    /// When they were sent, counted from this moment.
    Stamps(Instant),
}

/// One connection's token events, its sessions in turn.
#[derive(Debug)]
pub(super) struct TokenPosts {
    connection: usize,
    sessions: Vec<Target>,
    next: usize,
    events: usize,
    text: Text,
    body: String,
}

#[derive(Debug)]
struct Target {
    path: String,
    sent: usize,
}

impl TokenPosts {
    /// Posts of `events` tokens each to `sessions`, which no other connection writes to.
    pub(super) fn new(connection: usize, sessions: Vec<String>, events: usize, text: Text) -> TokenPosts {
        let sessions =
            sessions.into_iter().map(|id| Target { path: format!("/api/streams?sessionId={id}"), sent: 0 }).collect();
        TokenPosts { connection, sessions, next: 0, events, text, body: String::new() }
    }

    /// One for each connection; every session belongs to one of them.
    pub(super) fn lanes(ids: &[String], connections: usize, events: usize, text: Text) -> Vec<TokenPosts> {
        let of = |number: usize| ids.iter().skip(number).step_by(connections).cloned().collect();
        (0..connections).map(|number| TokenPosts::new(number, of(number), events, text)).collect()
    }
}

impl Render for TokenPosts {
    fn render(&mut self, out: &mut Vec<u8>) {
        let count = self.sessions.len();
        let target = &mut self.sessions[self.next % count];
        self.body.clear();
        for number in 0..self.events {
            let token = target.sent + number;
            let text = match self.text {
                Text::Words => Cow::Borrowed(WORDS[token % WORDS.len()]),
                Text::Stamps(clock) => Cow::Owned(stamp_text(clock.elapsed())),
            };
            let separator = if number == 0 { "" } else { "," };
            self.body.push_str(separator);
            write_chunk(self.connection, self.next % count, token, &text, &mut self.body);
        }
        if self.events > 1 {
            self.body = format!("[{}]", self.body);
        }
        target.sent += self.events;
        self.next += 1;
        push_post(out, &target.path, &self.body);
    }
}

fn write_chunk(connection: usize, session: usize, token: usize, text: &str, out: &mut String) {
    let turn = token / TURN_TOKENS;
    write!(
        out,
        r#"{{"channel":"chunks","data":{{"id":"c{connection:04}{session:06}-{token:010}","agentId":"coder-{connection}-{session}","text":"{text}","turn":{turn}}}}}"#
    )
    .expect("memory takes everything");
}

/// One POST of JSON.
pub(super) fn push_post(out: &mut Vec<u8>, path: &str, body: &str) {
    let length = body.len();
    write!(
        out,
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    .expect("memory takes everything");
    out.extend_from_slice(body.as_bytes());
}

/// One whole turn of a transcript: its tokens, and a tool call between its halves.
pub(super) fn turn_bodies(turn: usize, tokens: usize) -> Vec<String> {
    let token = |number: usize| {
        let (index, word) = (turn * tokens + number, WORDS[(turn + number) % WORDS.len()]);
        format!(
            r#"{{"channel":"chunks","data":{{"id":"token-{index:010}","agentId":"coder","text":"{word}","turn":{turn}}}}}"#
        )
    };
    let half = |range: std::ops::Range<usize>| format!("[{}]", range.map(token).collect::<Vec<_>>().join(","));
    let call = |rest: &str| {
        let data = format!(r#"{{"id":"call-{turn}","agentId":"coder","tool":"read_file",{rest}}}"#);
        format!(r#"{{"channel":"toolCalls","data":{data}}}"#)
    };
    let started = call(&format!(r#""input":{{"path":"src/module_{turn}.rs"}},"status":"running""#));
    let output = "fn main() { println!(); }".repeat(8);
    let done = call(&format!(r#""output":"{output}","status":"complete","duration":12"#));
    vec![half(0..tokens / 2), started, done, half(tokens / 2..tokens)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendered_post_is_one_whole_request_with_a_json_body() {
        for events in [1, 3] {
            let (mut posts, mut out) = (TokenPosts::new(1, vec!["s1".into()], events, Text::Words), Vec::new());
            posts.render(&mut out);
            let text = String::from_utf8(out).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("POST /api/streams?sessionId=s1 HTTP/1.1\r\n"), "{head}");
            assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
            let value: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(value.as_array().map_or(1, Vec::len), events);
        }
    }

    #[test]
    fn every_session_belongs_to_one_connection() {
        let ids: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        let lanes = TokenPosts::lanes(&ids, 4, 1, Text::Words);
        let mut all: Vec<_> = lanes.iter().flat_map(|lane| &lane.sessions).map(|target| target.path.clone()).collect();
        all.sort();
        assert_eq!(all.len(), ids.len());
        all.dedup();
        assert_eq!(all.len(), ids.len());
    }

    #[test]
    fn a_turn_is_valid_json() {
        for body in turn_bodies(3, 200) {
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
        }
    }
}
