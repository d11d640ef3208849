//! When to stop trusting SSE: a proxy that collects an answer before it passes it on turns a live stream into silence.
//!
//! Counts connections that told nothing in time and connections that ended at once; long-poll stands in for a while.

use tokio::time::Instant;

use crate::limits::{SSE_RETRY_AFTER, SSE_SHORT, SSE_SHORT_MAX, SSE_SILENT_MAX};
use crate::reader::Mode;
use crate::reader::event_stream::EventStream;

#[derive(Debug, Default)]
pub(crate) struct Fallback {
    silent: u32,
    short: u32,
    /// Until then, long-poll.
    until: Option<Instant>,
}

/// How to wait for what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Live {
    Sse,
    LongPoll,
}

impl Fallback {
    pub(crate) fn choose(&mut self, mode: Mode) -> Live {
        match mode {
            Mode::LongPoll => Live::LongPoll,
            Mode::Sse => Live::Sse,
            Mode::Auto | Mode::CatchUp => {
                if self.until.is_some_and(|until| Instant::now() < until) {
                    Live::LongPoll
                } else {
                    self.until = None;
                    Live::Sse
                }
            }
        }
    }

    /// SSE brought content: it gets through.
    pub(crate) fn works(&mut self) {
        (self.silent, self.short) = (0, 0);
    }

    /// A connection was silent from its start.
    pub(crate) fn was_silent(&mut self) {
        self.silent += 1;
        if self.silent >= SSE_SILENT_MAX {
            self.give_up();
        }
    }

    /// A connection ended, cleanly or not. Whether it ended too quickly.
    pub(crate) fn ended(&mut self, connection: &EventStream) -> bool {
        let too_quickly = connection.age() < SSE_SHORT;
        if too_quickly {
            self.short += 1;
            if self.short >= SSE_SHORT_MAX {
                self.give_up();
            }
        } else if connection.has_told() {
            self.works();
        }
        too_quickly
    }

    /// SSE is not to be had here.
    pub(crate) fn give_up(&mut self) {
        tracing::info!("server-sent events do not get through; long-poll stands in");
        *self = Self { until: Some(Instant::now() + SSE_RETRY_AFTER), ..Self::default() };
    }
}
