//! SIGTERM and SIGINT: the first asks for an orderly end, a second one insists.

use std::process::exit;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals, listened to from the moment this exists.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// A signal that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    Terminate,
    Interrupt,
}

impl Signals {
    /// Takes both signals over from the system, whose default is to kill.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.terminate.recv() => Received::Terminate,
            _ = self.interrupt.recv() => Received::Interrupt,
        }
    }

    /// Waits for the next one and ends the process at once. What was acknowledged is durable already, so that the next
    /// start only replays more.
    pub(crate) async fn exit_on_next(mut self) -> ! {
        let received = self.next().await;
        tracing::warn!(signal = received.name(), "second signal: exiting at once");
        exit(i32::from(received.exit_code()))
    }
}

impl Received {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }

    /// 128 and the signal's number, as shells report it.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}
