//! From the moment an append is sent to the moment a live reader holds its bytes: one stream, one steady writer, and as
//! many readers as it takes.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::closed_loop::reopen;
use crate::gauge::Gauge;
use crate::http::{Connection, ReadSize};
use crate::limits::{LAST_DELIVERIES, POLL, RECONNECT_PAUSE};
use crate::site::Site;
use crate::stamp::{LIVE_CONTENT_TYPE, Scanner, stamped_message};
use crate::subscription::Subscription;
use crate::window::{Outcome, Window};

/// How readers follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    LongPoll,
    Sse,
}

/// Messages to one stream, and readers of it, each on a connection of its own.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    pub mode: Mode,
    pub readers: usize,
    /// Messages per second.
    pub rate: u32,
    /// Of each message; a stamp is the least.
    pub bytes: usize,
    pub window: Window,
}

impl Delivery {
    /// Writes to stream 0, which is there and of [`LIVE_CONTENT_TYPE`], and follows it. A latency is recorded for each message
    /// and reader; what does not arrive is a failure. `at_edge` is called once all readers are there, and after the last
    /// delivery.
    ///
    /// # Errors
    /// When a reader or the writer cannot begin, or `at_edge` fails.
    pub async fn run<T>(
        self,
        site: &Site,
        gauge: &Rc<Gauge>,
        mut at_edge: impl FnMut() -> io::Result<T>,
    ) -> io::Result<Outcome<T>> {
        let clock = Instant::now();
        let (from, found) = (Rc::new(Cell::new(Duration::MAX)), Rc::new(Cell::new(0)));
        let mut readers = JoinSet::new();
        for _ in 0..self.readers {
            let scanner = Scanner::new(clock, gauge.latencies().clone()).counting(Rc::clone(&from), Rc::clone(&found));
            self.open(site, scanner, gauge, &mut readers).await?;
        }
        let connection = site.connect(ReadSize::Small).await?;
        let before = at_edge()?;
        from.set(clock.elapsed() + self.window.warm_up);
        let sent = self.write(site, connection, clock, gauge).await;
        let elapsed = gauge.end();
        let expected = sent * self.readers as u64;
        let deadline = Instant::now() + LAST_DELIVERIES;
        while found.get() < expected && Instant::now() < deadline {
            sleep(POLL).await;
        }
        let after = at_edge()?;
        let missing = expected.saturating_sub(found.get());
        if missing > 0 {
            gauge.fail(missing, &"a message was not delivered");
        }
        gauge.stop();
        Ok(Outcome { elapsed, sent, before, after })
    }

    async fn open(
        &self,
        site: &Site,
        scanner: Scanner,
        gauge: &Rc<Gauge>,
        readers: &mut JoinSet<()>,
    ) -> io::Result<()> {
        let (site, gauge) = (site.clone(), Rc::clone(gauge));
        match self.mode {
            Mode::LongPoll => {
                let connection = site.connect(ReadSize::Small).await?;
                readers.spawn_local(async move { follow_long_poll(&site, connection, scanner, &gauge).await });
            }
            Mode::Sse => {
                let subscription = Subscription::open(&site, &sse(&site, "now")).await?;
                readers.spawn_local(async move { follow_sse(&site, subscription, scanner, &gauge).await });
            }
        }
        Ok(())
    }

    /// Appends messages at their times, for the warm-up and the window, and answers how many the server took.
    async fn write(&self, site: &Site, mut connection: Connection, clock: Instant, gauge: &Gauge) -> u64 {
        let mut ticks = interval(Duration::from_secs(1) / self.rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (began, mut sent, mut recording) = (Instant::now(), 0, false);
        while began.elapsed() < self.window.warm_up + self.window.measure {
            ticks.tick().await;
            if !recording && began.elapsed() >= self.window.warm_up {
                recording = true;
                gauge.record();
            }
            let body = stamped_message(clock.elapsed(), self.bytes);
            let request = site.request("POST", &site.stream(0), &[("Content-Type", LIVE_CONTENT_TYPE)], &body);
            match connection.exchange(&request).await {
                Ok(answer) => {
                    let keep_alive = answer.head.keep_alive;
                    match answer.success("append") {
                        Ok(_) => sent += 1,
                        Err(refused) => gauge.fail(1, &refused),
                    }
                    if keep_alive {
                        continue;
                    }
                }
                Err(error) => gauge.fail(1, &error),
            }
            let Some(opened) = reopen(site, gauge).await else { break };
            connection = opened;
        }
        sent
    }
}

fn sse(site: &Site, offset: &str) -> String {
    format!("{}?offset={offset}&live=sse", site.stream(0))
}

/// Follows without an end: servers close SSE responses now and then, and readers go on where one has ended.
async fn follow_sse(site: &Site, mut subscription: Subscription, mut scanner: Scanner, gauge: &Gauge) {
    loop {
        let next = match subscription.follow(&mut scanner).await {
            Ok(Some(next)) => next,
            Ok(None) => {
                gauge.fail(1, &"an SSE response ended without an offset to go on from");
                "now".to_owned()
            }
            Err(error) => {
                gauge.fail(1, &error);
                subscription.next_offset().unwrap_or_else(|| "now".to_owned())
            }
        };
        scanner.begin_anew();
        subscription = loop {
            match Subscription::open(site, &sse(site, &next)).await {
                Ok(subscription) => break subscription,
                Err(error) => gauge.fail(1, &error),
            }
            sleep(RECONNECT_PAUSE).await;
        };
    }
}

/// Follows without an end, answer by answer.
async fn follow_long_poll(site: &Site, mut connection: Connection, mut scanner: Scanner, gauge: &Gauge) {
    let (mut offset, mut cursor) = ("-1".to_owned(), String::new());
    loop {
        let target = format!("{}?offset={offset}&live=long-poll{cursor}", site.stream(0));
        let asked = connection.exchange(&site.get(&target)).await.and_then(|answer| answer.success("long-poll"));
        match asked {
            Ok(answer) => {
                scanner.feed(&answer.body);
                offset = answer.head.next_offset.unwrap_or(offset);
                cursor = answer.head.cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
                if answer.head.keep_alive {
                    continue;
                }
            }
            Err(error) => {
                gauge.fail(1, &error);
                sleep(RECONNECT_PAUSE).await;
            }
        }
        let Some(opened) = reopen(site, gauge).await else { return };
        connection = opened;
    }
}
