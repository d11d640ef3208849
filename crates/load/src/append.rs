//! Appends as rendered requests: what they carry, which streams they go to, who sends them.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::site::{Site, push_digits};

/// What one append carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    Bytes(usize),
    /// A JSON array of so many messages, each of at least so many bytes.
    Json {
        messages: usize,
        bytes: usize,
    },
}

/// Whether appends carry producer headers, so that a server can tell a retry from a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Producers {
    None,
    /// Each connection is a producer on every stream.
    Idempotent,
}

/// Appends of one kind to streams `0..streams`.
#[derive(Debug, Clone, Copy)]
pub struct AppendLoad {
    pub connections: usize,
    /// Requests that a connection has sent and not yet seen answered.
    pub in_flight: usize,
    pub streams: usize,
    pub payload: Payload,
    pub producers: Producers,
}

/// One connection's requests, one after another.
pub trait Render {
    /// Writes the next request behind what `out` holds.
    fn render(&mut self, out: &mut Vec<u8>);

    /// An earlier request failed, so that what follows it may be refused for being out of order.
    fn failed(&mut self) {}
}

/// Renders one connection's appends, each to a stream chosen at random.
#[derive(Debug)]
pub struct Requests {
    before_stream: Vec<u8>,
    after_stream: Vec<u8>,
    body: Vec<u8>,
    streams: usize,
    producer: Option<Producer>,
    random: SmallRng,
}

/// The producer that a connection is.
#[derive(Debug)]
struct Producer {
    epoch: u32,
    /// The next sequence number, by stream.
    sequences: Vec<u32>,
}

impl AppendLoad {
    /// The requests of every connection.
    pub fn lanes(&self, site: &Site) -> Vec<Requests> {
        (0..self.connections).map(|number| Requests::new(site, self, number)).collect()
    }
}

impl Payload {
    pub fn content_type(self) -> &'static str {
        match self {
            Payload::Bytes(_) => "application/octet-stream",
            Payload::Json { .. } => "application/json",
        }
    }

    /// The body of one append.
    pub fn body(self) -> Vec<u8> {
        match self {
            Payload::Bytes(bytes) => (0..bytes).map(|index| b'a' + (index % 26) as u8).collect(),
            Payload::Json { messages, bytes } => {
                let all = (0..messages).map(|index| json_message(index, bytes)).collect::<Vec<_>>();
                format!("[{}]", all.join(",")).into_bytes()
            }
        }
    }

    /// Bytes of that body.
    pub fn bytes(self) -> usize {
        self.body().len()
    }
}

fn json_message(index: usize, bytes: usize) -> String {
    let mut message = format!(r#"{{"id":{:08},"type":"token","text":"headwater {index:04}"#, 10_000_000 + index);
    const END: &str = "\"}";
    while message.len() + END.len() < bytes {
        message.push('x');
    }
    message + END
}

impl Requests {
    fn new(site: &Site, load: &AppendLoad, connection: usize) -> Requests {
        let body = load.payload.body();
        let (kind, length) = (load.payload.content_type(), body.len());
        let mut after = format!(" HTTP/1.1\r\n{}Content-Type: {kind}\r\nContent-Length: {length}\r\n", site.common());
        let producer = match load.producers {
            Producers::None => None,
            Producers::Idempotent => {
                after.push_str(&format!("Producer-Id: producer-{connection}\r\nProducer-Epoch: "));
                Some(Producer { epoch: 0, sequences: vec![0; load.streams] })
            }
        };
        Requests {
            before_stream: format!("POST {}", site.prefix()).into_bytes(),
            after_stream: after.into_bytes(),
            body,
            streams: load.streams,
            producer,
            random: SmallRng::seed_from_u64(connection as u64),
        }
    }
}

impl Render for Requests {
    fn render(&mut self, out: &mut Vec<u8>) {
        let stream = self.random.random_range(0..self.streams);
        out.extend_from_slice(&self.before_stream);
        push_digits(out, stream);
        out.extend_from_slice(&self.after_stream);
        if let Some(Producer { epoch, sequences }) = &mut self.producer {
            let next = &mut sequences[stream];
            out.extend_from_slice(format!("{epoch}\r\nProducer-Seq: {next}\r\n").as_bytes());
            *next += 1;
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }

    fn failed(&mut self) {
        // Nobody knows which sequence numbers the server has seen; a new epoch begins them anew.
        if let Some(Producer { epoch, sequences }) = &mut self.producer {
            *epoch += 1;
            sequences.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(producers: Producers, connection: usize) -> Requests {
        let site = Site::new("127.0.0.1:4437".parse().unwrap(), "/v1/stream/b");
        let load = AppendLoad { connections: 4, in_flight: 1, streams: 1, payload: Payload::Bytes(4), producers };
        load.lanes(&site).remove(connection)
    }

    fn next(requests: &mut Requests) -> String {
        let mut out = Vec::new();
        requests.render(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_rendered_append_is_one_whole_request() {
        let text = next(&mut requests(Producers::None, 0));
        assert!(text.starts_with("POST /v1/stream/b0000000 HTTP/1.1\r\nHost: 127.0.0.1:4437\r\n"), "{text}");
        assert!(text.ends_with("Content-Length: 4\r\n\r\nabcd"), "{text}");
    }

    #[test]
    fn a_producer_counts_from_zero_on_each_stream() {
        let mut requests = requests(Producers::Idempotent, 3);
        let first = next(&mut requests);
        assert!(first.contains("Producer-Id: producer-3\r\nProducer-Epoch: 0\r\nProducer-Seq: 0\r\n\r\n"), "{first}");
        assert!(next(&mut requests).contains("Producer-Epoch: 0\r\nProducer-Seq: 1\r\n\r\n"));
    }

    #[test]
    fn a_producer_begins_a_new_epoch_after_a_failure() {
        let mut requests = requests(Producers::Idempotent, 0);
        next(&mut requests);
        requests.failed();
        assert!(next(&mut requests).contains("Producer-Epoch: 1\r\nProducer-Seq: 0\r\n\r\n"));
    }

    #[test]
    fn a_json_batch_holds_as_many_messages_as_it_says_and_none_is_shorter() {
        for bytes in [0, 256] {
            let body = Payload::Json { messages: 10, bytes }.body();
            let values: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
            assert_eq!(values.len(), 10);
            assert!(bytes == 0 || body.len() == 10 * bytes + 11);
        }
    }
}
