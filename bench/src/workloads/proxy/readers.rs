//! Who listens: over SSE to the durable proxy, whose bytes come as base64, and plainly to everybody else.

use std::io;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headwater_load::Scanner;
use headwater_load::http::{Body, Connection, Head, ReadSize};

use crate::request::{get, render};

pub(super) const SECRET: &str = "the-secret-of-this-benchmark";

/// One open response.
pub(super) struct Reader {
    connection: Connection,
    head: Head,
    /// Lines of events that have not ended; `None` when the bytes are plain.
    events: Option<Vec<u8>>,
}

impl Reader {
    /// Asks the proxy at `server` for a response and follows it.
    pub(super) async fn durable(server: SocketAddr, upstream: SocketAddr) -> io::Result<Reader> {
        let mut connection = Connection::open(server, ReadSize::Small).await?;
        let (bearer, url) = (format!("Bearer {SECRET}"), format!("http://{upstream}/v1/chat/completions"));
        let headers = [("Authorization", &*bearer), ("Upstream-URL", &url), ("Upstream-Method", "POST")];
        let answer = connection.exchange(&render("POST", "/v1/proxy", &headers, b"")).await?.success("create")?;
        let location = answer.head.location.ok_or_else(|| io::Error::other("a response without a location"))?;
        let path = location.find("/v1/").map_or("", |at| &location[at..]);
        connection.send(&get(&format!("{path}&offset=-1&live=sse"))).await?;
        Self::begin(connection, Some(Vec::new())).await
    }

    /// Asks for a response itself.
    pub(super) async fn plain(address: SocketAddr) -> io::Result<Reader> {
        let mut connection = Connection::open(address, ReadSize::Small).await?;
        connection.send(&render("POST", "/v1/chat/completions", &[], b"")).await?;
        Self::begin(connection, None).await
    }

    async fn begin(mut connection: Connection, events: Option<Vec<u8>>) -> io::Result<Reader> {
        let head = connection.head().await?;
        if !head.is_success() {
            return Err(io::Error::other(format!("a response was refused with {}", head.status)));
        }
        Ok(Reader { connection, head, events })
    }

    /// Reads to the end.
    pub(super) async fn follow(mut self, mut scanner: Scanner) -> io::Result<()> {
        let mut body = self.head.body;
        while body != Body::Done {
            let events = &mut self.events;
            let mut sink = |bytes: &[u8]| match events {
                Some(lines) => decode(lines, bytes, &mut scanner),
                None => scanner.feed(bytes),
            };
            self.connection.body_part(&mut body, &mut sink).await?;
        }
        Ok(())
    }
}

/// Takes the next bytes of an event stream, and hands on what its data events carry.
fn decode(lines: &mut Vec<u8>, bytes: &[u8], scanner: &mut Scanner) {
    lines.extend_from_slice(bytes);
    let mut from = 0;
    while let Some(length) = memchr::memchr(b'\n', &lines[from..]) {
        let line = &lines[from..from + length];
        // Control events carry JSON, which is no base64.
        if let Some(data) = line.strip_prefix(b"data:")
            && let Ok(decoded) = STANDARD.decode(data.trim_ascii())
        {
            scanner.feed(&decoded);
        }
        from += length + 1;
    }
    lines.drain(..from);
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use headwater_load::{Latencies, stamp_text};

    use super::*;

    #[test]
    fn stamps_are_found_in_data_events_however_they_are_cut() {
        let data = STANDARD.encode(stamp_text(Duration::ZERO));
        let wire = format!("event: data\ndata:{data}\n\nevent: control\ndata:{{\"upToDate\":true}}\n\n");
        for cut in 0..wire.len() {
            let (latencies, mut lines) = (Latencies::new(), Vec::new());
            let mut scanner = Scanner::new(Instant::now(), latencies.clone());
            decode(&mut lines, &wire.as_bytes()[..cut], &mut scanner);
            decode(&mut lines, &wire.as_bytes()[cut..], &mut scanner);
            assert_eq!(latencies.count(), 1, "cut at {cut}");
        }
    }
}
