//! A closed loop: every connection keeps a fixed number of requests in flight.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::append::Render;
use crate::gauge::Gauge;
use crate::http::{Connection, ReadSize, Refused};
use crate::limits::{ANSWER_TIMEOUT, RECONNECT_PAUSE, SAID_BYTES_MAX};
use crate::site::Site;
use crate::window::{Outcome, Window};

/// How hard, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct ClosedLoop {
    /// On each connection.
    pub in_flight: usize,
    pub window: Window,
}

/// Connections that send; they end when this is dropped.
#[derive(Debug)]
pub struct Lanes {
    tasks: JoinSet<()>,
    gauge: Rc<Gauge>,
}

/// One connection and what it has in flight.
struct Lane<R> {
    site: Site,
    requests: R,
    in_flight: usize,
    gauge: Rc<Gauge>,
    /// When each unanswered request was sent.
    sent: VecDeque<Instant>,
    batch: Vec<u8>,
}

/// Why a connection is no longer used.
enum End {
    Stopped,
    /// The server has announced it.
    Closed,
}

impl ClosedLoop {
    /// Sends for the warm-up and the window, one connection for each lane. Acknowledged are the requests that were answered
    /// within the window; `at_edge` is called when it begins and when it ends.
    ///
    /// # Errors
    /// When a first connection cannot be opened, or `at_edge` fails.
    pub async fn drive<R: Render + 'static, T>(
        self,
        site: &Site,
        requests: Vec<R>,
        gauge: &Rc<Gauge>,
        mut at_edge: impl FnMut() -> io::Result<T>,
    ) -> io::Result<Outcome<T>> {
        let lanes = Lanes::start(site, requests, self.in_flight, gauge).await?;
        sleep(self.window.warm_up).await;
        let before = at_edge()?;
        gauge.record();
        sleep(self.window.measure).await;
        let elapsed = gauge.end();
        let after = at_edge()?;
        lanes.stop().await;
        Ok(Outcome { elapsed, sent: gauge.answered(), before, after })
    }
}

impl Lanes {
    /// Opens a connection for each lane and begins.
    ///
    /// # Errors
    /// When a connection cannot be opened.
    pub async fn start<R: Render + 'static>(
        site: &Site,
        requests: Vec<R>,
        in_flight: usize,
        gauge: &Rc<Gauge>,
    ) -> io::Result<Lanes> {
        let mut tasks = JoinSet::new();
        for requests in requests {
            let connection = site.connect(ReadSize::Small).await?;
            let (site, gauge, sent) = (site.clone(), gauge.clone(), VecDeque::with_capacity(in_flight));
            let lane = Lane { site, requests, in_flight, gauge, sent, batch: Vec::new() };
            tasks.spawn_local(lane.drive(connection));
        }
        Ok(Lanes { tasks, gauge: gauge.clone() })
    }

    /// Sends nothing more and waits for the last answers, but not for ever.
    pub async fn stop(mut self) {
        self.gauge.stop();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(ANSWER_TIMEOUT, ended).await.is_err() {
            self.gauge.fail(self.tasks.len() as u64, &"the last requests of a connection were not answered");
        }
    }
}

impl<R: Render> Lane<R> {
    async fn drive(mut self, mut connection: Connection) {
        loop {
            match self.exchange(&mut connection).await {
                Ok(End::Stopped) => return,
                Ok(End::Closed) if self.sent.is_empty() => {}
                Ok(End::Closed) => self.lose(&"the server closed a connection with requests in flight"),
                Err(error) => self.lose(&error),
            }
            match reopen(&self.site, &self.gauge).await {
                Some(opened) => connection = opened,
                None => return,
            }
        }
    }

    fn lose(&mut self, cause: &dyn std::fmt::Display) {
        self.gauge.fail(self.sent.len().max(1) as u64, cause);
        self.sent.clear();
        self.batch.clear();
        self.requests.failed();
    }

    async fn exchange(&mut self, connection: &mut Connection) -> io::Result<End> {
        loop {
            if !self.gauge.is_stopping() {
                self.send(connection).await?;
            } else if self.sent.is_empty() {
                return Ok(End::Stopped);
            }
            connection.fill().await?;
            if !self.take(connection)? {
                return Ok(End::Closed);
            }
        }
    }

    async fn send(&mut self, connection: &mut Connection) -> io::Result<()> {
        let now = Instant::now();
        while self.sent.len() < self.in_flight {
            self.requests.render(&mut self.batch);
            self.sent.push_back(now);
        }
        if !self.batch.is_empty() {
            connection.send(&self.batch).await?;
            self.batch.clear();
        }
        Ok(())
    }

    /// Takes the answers that have arrived. False when the server takes no more on this connection.
    fn take(&mut self, connection: &mut Connection) -> io::Result<bool> {
        let mut said = Vec::new();
        while let Some(head) = connection.take_response(&mut |bytes| keep(&mut said, bytes))? {
            let sent = self.sent.pop_front().ok_or_else(|| io::Error::other("an answer without a request"))?;
            if head.is_success() {
                self.gauge.acknowledge(sent);
            } else {
                self.gauge.fail(1, &Refused::new("append", &head, &said));
                self.requests.failed();
            }
            if !head.keep_alive {
                return Ok(false);
            }
            said.clear();
        }
        Ok(true)
    }
}

/// The beginning of what a server says.
fn keep(said: &mut Vec<u8>, bytes: &[u8]) {
    let room = SAID_BYTES_MAX.saturating_sub(said.len());
    said.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// A connection in the place of one that was lost, as soon as there is one; `None` when nothing is sent any more.
pub(crate) async fn reopen(site: &Site, gauge: &Gauge) -> Option<Connection> {
    while !gauge.is_stopping() {
        match site.connect(ReadSize::Small).await {
            Ok(connection) => return Some(connection),
            Err(error) => gauge.fail(1, &error),
        }
        sleep(RECONNECT_PAUSE).await;
    }
    None
}
