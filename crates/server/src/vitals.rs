//! What a worker knows about each of its connections, and when it gives one up.
//!
//! One sweeper per worker looks at all connections now and then, on a coarse clock, so that no request has to arm and
//! disarm timers of its own: reading, writing and answering only store a tick.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;

use crate::config::ServerConfig;
use crate::limits::{SWEEP_INTERVAL_MAX, SWEEP_INTERVAL_MIN};

/// All connections of one worker.
#[derive(Debug)]
pub(crate) struct Ward {
    tick: AtomicU64,
    patience: Patience,
    connections: Mutex<Vec<Arc<Vitals>>>,
}

/// The timeouts in ticks.
#[derive(Debug)]
struct Patience {
    interval: Duration,
    head: u64,
    idle: u64,
    write_stall: u64,
    silence: u64,
}

/// One connection's signs of life.
#[derive(Debug)]
pub(crate) struct Vitals {
    ward: Arc<Ward>,
    /// Requests whose answer is not fully handed over.
    in_flight: AtomicU32,
    /// The first bytes of a request have come, its head has not.
    in_head: AtomicBool,
    multiplexed: AtomicBool,
    /// When the connection became idle, or began to read a head.
    since: AtomicU64,
    /// When bytes last moved, in either direction.
    moved: AtomicU64,
    /// When the socket first refused the bytes that wait now; 0 when none wait.
    stalled_since: AtomicU64,
    doom: AtomicU8,
    linger: AtomicBool,
    waker: OnceLock<Waker>,
}

/// Why a connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doom {
    /// It has had no request for too long.
    Idle = 1,
    /// The head of its request does not end.
    Head = 2,
    /// It takes no bytes.
    Stalled = 3,
    /// Requests are in flight, yet nothing has moved for longer than any of them may wait.
    Silent = 4,
    /// The server stops and will wait no longer.
    Shutdown = 5,
}

/// A request in flight; the connection is not idle while one lives.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Vitals>);

impl Ward {
    pub(crate) fn new(config: &ServerConfig) -> Arc<Self> {
        Arc::new(Self { tick: AtomicU64::new(1), patience: Patience::new(config), connections: Mutex::default() })
    }

    /// Takes a connection in.
    pub(crate) fn admit(self: &Arc<Self>) -> Arc<Vitals> {
        let tick = self.tick.load(Relaxed);
        let vitals = Arc::new(Vitals {
            ward: self.clone(),
            in_flight: AtomicU32::new(0),
            in_head: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            since: AtomicU64::new(tick),
            moved: AtomicU64::new(tick),
            stalled_since: AtomicU64::new(0),
            doom: AtomicU8::new(0),
            linger: AtomicBool::new(false),
            waker: OnceLock::new(),
        });
        self.connections.lock().push(vitals.clone());
        vitals
    }

    /// Looks after the connections for as long as it is polled.
    pub(crate) async fn sweep(&self) {
        loop {
            tokio::time::sleep(self.patience.interval).await;
            let tick = self.tick.fetch_add(1, Relaxed) + 1;
            let mut connections = self.connections.lock();
            // The list itself is the last owner of a connection that has ended.
            connections.retain(|vitals| Arc::strong_count(vitals) > 1);
            for vitals in connections.iter() {
                if let Some(doom) = vitals.judge(tick, &self.patience) {
                    vitals.give_up(doom);
                }
            }
        }
    }

    /// Makes every connection look up, to find that the server is stopping.
    pub(crate) fn wake_all(&self) {
        self.connections.lock().iter().for_each(|vitals| vitals.wake());
    }

    /// Gives every connection up.
    pub(crate) fn give_up_all(&self) {
        self.connections.lock().iter().for_each(|vitals| vitals.give_up(Doom::Shutdown));
    }
}

impl Patience {
    fn new(config: &ServerConfig) -> Self {
        let limits = &config.limits;
        let shortest = limits.head_timeout.min(limits.idle_timeout).min(limits.write_stall_timeout);
        let interval = (shortest / 8).clamp(SWEEP_INTERVAL_MIN, SWEEP_INTERVAL_MAX);
        let ticks = |timeout: Duration| (timeout.as_nanos().div_ceil(interval.as_nanos()) + 1) as u64;
        let longest_wait = config.long_poll_timeout.max(config.sse_lifetime);
        Self {
            interval,
            head: ticks(limits.head_timeout),
            idle: ticks(limits.idle_timeout),
            write_stall: ticks(limits.write_stall_timeout),
            silence: ticks(longest_wait * 2 + limits.idle_timeout),
        }
    }
}

impl Vitals {
    /// Bytes came in.
    pub(crate) fn received(&self) {
        let tick = self.tick();
        self.moved.store(tick, Relaxed);
        if self.in_flight.load(Relaxed) > 0 || self.in_head.load(Relaxed) {
            return;
        }
        self.since.store(tick, Relaxed);
        // On a multiplexed connection bytes may be pings: they keep it, but begin no head.
        self.in_head.store(!self.multiplexed.load(Relaxed), Relaxed);
    }

    /// Bytes went out.
    pub(crate) fn sent(&self) {
        self.moved.store(self.tick(), Relaxed);
        self.stalled_since.store(0, Relaxed);
    }

    /// The socket took no bytes.
    pub(crate) fn stalled(&self) {
        if self.stalled_since.load(Relaxed) == 0 {
            self.stalled_since.store(self.tick(), Relaxed);
        }
    }

    /// The connection speaks HTTP/2.
    pub(crate) fn is_multiplexed(&self) {
        self.multiplexed.store(true, Relaxed);
        self.in_head.store(false, Relaxed);
    }

    /// A head has been read.
    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.in_head.store(false, Relaxed);
        InFlight(self.clone())
    }

    /// Has the rest of the request thrown away before the connection closes, so that the client reads its answer.
    pub(crate) fn linger(&self) {
        self.linger.store(true, Relaxed);
    }

    /// Also when a head was refused before its end, which leaves bytes to read as well.
    pub(crate) fn shall_linger(&self) -> bool {
        self.linger.load(Relaxed) || self.in_head.load(Relaxed)
    }

    /// Has the connection's own task woken when it is given up. A task's waker never changes, so the first call counts.
    pub(crate) fn watch(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    /// Why the connection has been given up, if it has.
    pub(crate) fn doom(&self) -> Option<Doom> {
        match self.doom.load(Relaxed) {
            0 => None,
            1 => Some(Doom::Idle),
            2 => Some(Doom::Head),
            3 => Some(Doom::Stalled),
            4 => Some(Doom::Silent),
            _ => Some(Doom::Shutdown),
        }
    }

    fn give_up(&self, doom: Doom) {
        self.doom.store(doom as u8, Relaxed);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    fn judge(&self, tick: u64, patience: &Patience) -> Option<Doom> {
        let stalled_since = self.stalled_since.load(Relaxed);
        let waited = tick.saturating_sub(self.since.load(Relaxed));
        if stalled_since > 0 && tick.saturating_sub(stalled_since) >= patience.write_stall {
            Some(Doom::Stalled)
        } else if self.in_flight.load(Relaxed) > 0 {
            let is_silent = tick.saturating_sub(self.moved.load(Relaxed)) >= patience.silence;
            (is_silent && self.multiplexed.load(Relaxed)).then_some(Doom::Silent)
        } else if self.in_head.load(Relaxed) {
            (waited >= patience.head).then_some(Doom::Head)
        } else {
            (waited >= patience.idle).then_some(Doom::Idle)
        }
    }

    fn tick(&self) -> u64 {
        self.ward.tick.load(Relaxed)
    }
}

impl InFlight {
    /// See [`Vitals::linger`].
    pub(crate) fn linger(&self) {
        self.0.linger();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let vitals = &self.0;
        if vitals.in_flight.fetch_sub(1, Relaxed) == 1 {
            vitals.since.store(vitals.tick(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ward() -> Arc<Ward> {
        Ward::new(&ServerConfig::default())
    }

    fn judge_after(vitals: &Vitals, ticks: u64) -> Option<Doom> {
        vitals.judge(vitals.tick() + ticks, &vitals.ward.patience)
    }

    #[test]
    fn a_head_that_does_not_end_is_given_up_sooner_than_an_idle_connection() {
        let ward = ward();
        let vitals = ward.admit();
        let head = ward.patience.head;
        assert_eq!(judge_after(&vitals, head), None);
        assert_eq!(judge_after(&vitals, ward.patience.idle), Some(Doom::Idle));
        vitals.received();
        assert_eq!(judge_after(&vitals, head - 1), None);
        assert_eq!(judge_after(&vitals, head), Some(Doom::Head));
    }

    #[test]
    fn a_request_in_flight_keeps_the_connection() {
        let ward = ward();
        let vitals = ward.admit();
        vitals.received();
        let request = vitals.begin();
        assert_eq!(judge_after(&vitals, 1_000_000), None);
        drop(request);
        assert_eq!(judge_after(&vitals, ward.patience.head), None);
        assert_eq!(judge_after(&vitals, ward.patience.idle), Some(Doom::Idle));
    }

    #[test]
    fn bytes_that_nobody_takes_end_the_connection_whatever_it_does() {
        let ward = ward();
        let vitals = ward.admit();
        let _request = vitals.begin();
        vitals.stalled();
        assert_eq!(judge_after(&vitals, ward.patience.write_stall), Some(Doom::Stalled));
        vitals.sent();
        assert_eq!(judge_after(&vitals, ward.patience.write_stall), None);
    }

    #[test]
    fn pings_keep_an_http2_connection() {
        let ward = ward();
        let vitals = ward.admit();
        vitals.is_multiplexed();
        vitals.received();
        assert_eq!(judge_after(&vitals, ward.patience.head), None);
        let _request = vitals.begin();
        assert_eq!(judge_after(&vitals, ward.patience.silence), Some(Doom::Silent));
    }
}
