//! A live reader, as a browser's `EventSource` is one.

use serde_json::Value;

use crate::support::{Connection, Response, TestServer};

/// One event, or a comment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    /// Empty for what happened in the session.
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

pub(crate) struct Viewer {
    pub(crate) connection: Connection,
    pub(crate) head: Response,
    text: String,
    /// The largest piece that came in one chunk.
    pub(crate) piece_bytes_max: usize,
}

impl Viewer {
    pub(crate) fn open(server: &TestServer, target: &str, last_event_id: Option<&str>) -> Self {
        let mut connection = server.connect();
        let last = last_event_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        connection.write(format!("GET /api/{target} HTTP/1.1\r\nhost: test\r\n{last}\r\n").as_bytes());
        let head = connection.head();
        assert_eq!(head.status, 200, "{head:?}");
        Self { connection, head, text: String::new(), piece_bytes_max: 0 }
    }

    pub(crate) fn of(server: &TestServer, session: &str) -> Self {
        Self::open(server, &format!("streams?sessionId={session}"), None)
    }

    /// The next event; `None` once the server has ended the answer.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let frame = parse(frame);
                self.text = rest.to_owned();
                return Some(frame);
            }
            match self.connection.chunk() {
                Some(chunk) => {
                    self.piece_bytes_max = self.piece_bytes_max.max(chunk.len());
                    self.text += std::str::from_utf8(&chunk).expect("pieces end between events");
                }
                None => {
                    assert_eq!(self.text, "", "the answer ended inside an event");
                    return None;
                }
            }
        }
    }

    pub(crate) fn expect(&mut self) -> Frame {
        self.next().expect("one more event")
    }

    /// The next event, which has this name.
    pub(crate) fn named(&mut self, name: &str) -> Frame {
        let frame = self.expect();
        assert_eq!(frame.name, name, "{frame:?}");
        frame
    }

    /// What happened, up to where the reader has caught up.
    pub(crate) fn until_caught_up(&mut self) -> Vec<Frame> {
        self.named("ready");
        std::iter::from_fn(|| Some(self.expect()).filter(|frame| frame.name != "caught-up")).collect()
    }
}

fn parse(text: &str) -> Frame {
    let mut frame = Frame { name: String::new(), id: None, data: Value::Null };
    for line in text.split('\n') {
        let (field, value) = line.split_once(": ").expect("a field and its value");
        match field {
            "event" => frame.name = value.to_owned(),
            "id" => frame.id = Some(value.to_owned()),
            "data" => frame.data = serde_json::from_str(value).unwrap(),
            _ => panic!("unexpected field {field:?}"),
        }
    }
    frame
}
