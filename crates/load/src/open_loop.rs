//! An open loop: requests at their appointed times.
//!
//! A thread of its own writes each request at its time, whether or not earlier ones were answered, so that a server that
//! stalls is charged for every request it kept waiting. Only when very many are unanswered it waits: then the rate does
//! not hold, which shows in what was sent.

use std::io::{self, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::append::Render;
use crate::gauge::Gauge;
use crate::http::{Connection, Refused};
use crate::limits::{ANSWER_TIMEOUT, OPEN_LOOP_IN_FLIGHT_MAX, OPEN_LOOP_OVERLOADED, OPEN_LOOP_RETRY_WRITE, POLL};
use crate::site::Site;
use crate::window::{Outcome, Window};

/// How often, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct OpenLoop {
    rate: f64,
    window: Window,
    /// The shortest sleep: requests due by then go out together.
    grain: Duration,
}

/// One connection's writing half.
struct Lane<R> {
    socket: TcpStream,
    requests: R,
    sent: Sender<Instant>,
}

/// What the pacing thread and the readers know of each other.
#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    answered: AtomicU64,
}

impl OpenLoop {
    /// `rate` is in requests per second, on all connections together.
    pub fn new(rate: f64, window: Window) -> OpenLoop {
        OpenLoop { rate, window, grain: Duration::ZERO }
    }

    /// The same at rates at which to wake up for each request would cost more than to send it.
    pub fn in_ticks(rate: f64, window: Window) -> OpenLoop {
        OpenLoop { grain: Duration::from_millis(1), ..OpenLoop::new(rate, window) }
    }

    /// Sends for the warm-up and the window, one connection for each lane, and waits for the last answer. Acknowledged are
    /// the requests that were sent within the window; `at_edge` is called when it begins and when it ends.
    ///
    /// # Errors
    /// When a connection cannot be opened or breaks, the last answers do not come, or `at_edge` fails.
    pub async fn drive<R: Render + Send + 'static, T>(
        self,
        site: &Site,
        requests: Vec<R>,
        gauge: &Rc<Gauge>,
        mut at_edge: impl FnMut() -> io::Result<T>,
    ) -> io::Result<Outcome<T>> {
        let shared = Arc::new(Shared::default());
        let from = Instant::now() + self.window.warm_up;
        let (mut lanes, mut readers) = (Vec::new(), JoinSet::new());
        for requests in requests {
            let (connection, socket) = Connection::split(site.address())?;
            let (sent, times) = channel();
            lanes.push(Lane { socket, requests, sent });
            readers.spawn_local(read(connection, times, from, Arc::clone(&shared), Rc::clone(gauge)));
        }
        let pacer = thread::spawn({
            let shared = Arc::clone(&shared);
            move || self.pace(lanes, &shared)
        });
        tokio::time::sleep(self.window.warm_up).await;
        let before = at_edge()?;
        gauge.record();
        tokio::time::sleep(self.window.measure).await;
        shared.stopping.store(true, Ordering::Relaxed);
        let elapsed = gauge.end();
        let after = at_edge()?;
        let sent = pacer.join().map_err(|_| io::Error::other("the pacing thread panicked"))??;
        shared.wait_for(sent).await?;
        Ok(Outcome { elapsed, sent, before, after })
    }

    /// Writes until told to stop, and answers how many requests it sent.
    fn pace<R: Render>(self, mut lanes: Vec<Lane<R>>, shared: &Shared) -> io::Result<u64> {
        let (began, gap, count) = (Instant::now(), Duration::from_secs_f64(1.0 / self.rate), lanes.len());
        let (mut request, mut number) = (Vec::new(), 0u32);
        loop {
            let due = began + gap * number;
            let early = due.saturating_duration_since(Instant::now());
            if !early.is_zero() {
                thread::sleep(early.max(self.grain));
            }
            while u64::from(number) - shared.answered.load(Ordering::Relaxed).min(u64::from(number))
                >= OPEN_LOOP_IN_FLIGHT_MAX
                && !shared.stopping.load(Ordering::Relaxed)
            {
                thread::sleep(OPEN_LOOP_OVERLOADED);
            }
            if shared.stopping.load(Ordering::Relaxed) {
                return Ok(u64::from(number));
            }
            request.clear();
            let lane = &mut lanes[number as usize % count];
            lane.requests.render(&mut request);
            lane.sent.send(Instant::now()).map_err(|_| io::Error::other("a reader ended early"))?;
            write_all(&mut lane.socket, &request)?;
            number += 1;
        }
    }
}

fn write_all(socket: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(OPEN_LOOP_RETRY_WRITE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Shared {
    async fn wait_for(&self, sent: u64) -> io::Result<()> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            let answered = self.answered.load(Ordering::Relaxed);
            if answered >= sent {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{answered} of {sent} requests were answered")));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

async fn read(
    mut connection: Connection,
    times: Receiver<Instant>,
    from: Instant,
    shared: Arc<Shared>,
    gauge: Rc<Gauge>,
) -> io::Result<()> {
    loop {
        while let Some(head) = connection.take_response(&mut |_| ())? {
            let sent = times.try_recv().map_err(|_| io::Error::other("an answer without a request"))?;
            shared.answered.fetch_add(1, Ordering::Relaxed);
            if head.is_success() {
                gauge.acknowledge_from(from, sent);
            } else {
                gauge.fail(1, &Refused::new("request", &head, b""));
            }
        }
        connection.fill().await?;
    }
}
