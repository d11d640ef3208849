//! From the moment an append is sent to the moment a live reader holds its bytes.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{LocalSet, spawn_local};
use tokio::time::{MissedTickBehavior, interval};

use crate::client::{Connection, ReadSize, get, render, stream_path};
use crate::metric::{Metric, Target, Unit};

use super::latency::Latencies;
use super::{Trial, setup};

pub(crate) const CONTENT_TYPE: &str = "text/plain";
/// Appends per second: slow enough that each is delivered alone.
const RATE: u32 = 200;
const MESSAGE_BYTES: usize = 256;
const MARK: &[u8] = b"@@";
const STAMP_DIGITS: usize = 19;
/// Nanoseconds that a stamp counts before it begins again: ten to the power of its digits but one.
pub(crate) const STAMP_RANGE: u64 = 10u64.pow(STAMP_DIGITS as u32 - 1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    LongPoll,
    Sse,
}

pub(crate) async fn run(trial: &mut Trial<'_>, mode: Mode) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let address = server.address();
    setup::create_streams(address, 1, CONTENT_TYPE, b"").await?;
    let (clock, latencies) = (Instant::now(), Latencies::new());
    let local = LocalSet::new();
    let sent = local.run_until(async {
        let scanner = Scanner::new(clock, latencies.clone());
        let reader = match mode {
            Mode::LongPoll => spawn_local(follow_long_poll(address, stream_path(0), scanner)),
            Mode::Sse => {
                let subscription = Subscription::open(address, &stream_path(0)).await?;
                spawn_local(subscription.follow(scanner))
            }
        };
        let sent = write_stamps(address, &stream_path(0), clock, RATE, trial.scale.measure).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        finish(reader).await?;
        io::Result::Ok(sent)
    });
    let sent = sent.await?;
    let mut metrics = latencies.metrics(None, Some(Target::RatioAtMost(1.0))).to_vec();
    metrics.push(Metric::new("undelivered", Unit::Count, sent as f64 - latencies.count() as f64));
    Ok(metrics)
}

/// Ends a reader that would go on for ever; one that ended by itself has failed.
pub(crate) async fn finish(reader: tokio::task::JoinHandle<io::Result<()>>) -> io::Result<()> {
    if reader.is_finished() {
        return reader.await.map_err(io::Error::other)?;
    }
    reader.abort();
    Ok(())
}

/// Appends stamped messages at a fixed rate, and answers how many.
pub(crate) async fn write_stamps(
    address: SocketAddr,
    target: &str,
    clock: Instant,
    rate: u32,
    duration: Duration,
) -> io::Result<u64> {
    let mut connection = Connection::open(address, ReadSize::Small).await?;
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (until, mut sent) = (Instant::now() + duration, 0);
    while Instant::now() < until {
        ticks.tick().await;
        let body = stamp(clock.elapsed());
        let request = render("POST", target, &[("Content-Type", CONTENT_TYPE)], &body);
        connection.exchange(&request).await?.success("append")?;
        sent += 1;
    }
    Ok(sent)
}

fn stamp(now: Duration) -> Vec<u8> {
    let mut body = stamp_text(now).into_bytes();
    body.resize(MESSAGE_BYTES, b'x');
    body
}

/// A stamp as it stands in a text.
pub(crate) fn stamp_text(now: Duration) -> String {
    format!("@@{:0width$}", now.as_nanos(), width = STAMP_DIGITS)
}

/// Finds stamps in delivered bytes, however the bytes were cut.
#[derive(Debug)]
pub(crate) struct Scanner {
    clock: Instant,
    latencies: Latencies,
    /// What stands before a stamp.
    mark: &'static [u8],
    /// Stamps before this are found and not recorded.
    from: Rc<Cell<Duration>>,
    found: Rc<Cell<u64>>,
    carried: Vec<u8>,
}

impl Scanner {
    pub(crate) fn new(clock: Instant, latencies: Latencies) -> Scanner {
        let (mark, from, found) = (MARK, Rc::default(), Rc::default());
        Scanner { clock, latencies, mark, from, found, carried: Vec::new() }
    }

    pub(crate) fn marked(self, mark: &'static [u8]) -> Scanner {
        Scanner { mark, ..self }
    }

    /// Records from a moment on, and counts every stamp into `found`.
    pub(crate) fn counting(self, from: Rc<Cell<Duration>>, found: Rc<Cell<u64>>) -> Scanner {
        Scanner { from, found, ..self }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let now = self.clock.elapsed();
        self.carried.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(at) = memchr::memmem::find(&self.carried[from..], self.mark) {
            let digits = from + at + self.mark.len();
            let Some(stamp) = self.carried.get(digits..digits + STAMP_DIGITS) else {
                self.carried.drain(..from + at);
                return;
            };
            let sent = std::str::from_utf8(stamp).ok().and_then(|digits| digits.parse().ok());
            // A number of JSON cannot begin with zeros, so a stamp may begin with another digit.
            if let Some(sent) = sent.map(|nanos: u64| Duration::from_nanos(nanos % STAMP_RANGE)) {
                self.found.set(self.found.get() + 1);
                if sent >= self.from.get() {
                    self.latencies.record(now.saturating_sub(sent));
                }
            }
            from = digits + STAMP_DIGITS;
        }
        // A mark may be cut in two.
        let keep = self.carried.len().saturating_sub(self.mark.len() - 1).max(from);
        self.carried.drain(..keep);
    }
}

/// An open SSE response.
#[derive(Debug)]
pub(crate) struct Subscription {
    connection: Connection,
    body: crate::client::Body,
}

impl Subscription {
    pub(crate) async fn open(address: SocketAddr, target: &str) -> io::Result<Subscription> {
        Subscription::open_at(address, &format!("{target}?offset=now&live=sse")).await
    }

    pub(crate) async fn open_at(address: SocketAddr, url: &str) -> io::Result<Subscription> {
        let mut connection = Connection::open(address, ReadSize::Small).await?;
        connection.send(&get(url)).await?;
        let head = connection.head().await?;
        if !head.is_success() {
            return Err(io::Error::other(format!("an SSE request was answered with status {}", head.status)));
        }
        Ok(Subscription { connection, body: head.body })
    }

    pub(crate) async fn follow(mut self, mut scanner: Scanner) -> io::Result<()> {
        while self.body != crate::client::Body::Done {
            self.connection.body_part(&mut self.body, &mut |bytes| scanner.feed(bytes)).await?;
        }
        Err(io::Error::other("the server ended an SSE response during the measurement"))
    }
}

async fn follow_long_poll(address: SocketAddr, target: String, mut scanner: Scanner) -> io::Result<()> {
    let mut connection = Connection::open(address, ReadSize::Small).await?;
    let (mut offset, mut cursor) = ("-1".to_owned(), String::new());
    loop {
        let answer = connection.exchange(&get(&format!("{target}?offset={offset}&live=long-poll{cursor}"))).await?;
        let answer = answer.success("long-poll")?;
        scanner.feed(&answer.body);
        offset = answer.head.next_offset.ok_or_else(|| io::Error::other("a long-poll answer without an offset"))?;
        cursor = answer.head.cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_wherever_the_bytes_are_cut() {
        let wire = [b"data:".to_vec(), stamp(Duration::ZERO), stamp(Duration::ZERO), b"\n\n".to_vec()].concat();
        for cut in 0..wire.len() {
            let latencies = Latencies::new();
            let mut scanner = Scanner::new(Instant::now(), latencies.clone());
            scanner.feed(&wire[..cut]);
            scanner.feed(&wire[cut..]);
            assert_eq!(latencies.count(), 2, "cut at {cut}");
        }
    }
}
