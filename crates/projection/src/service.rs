//! The projection of a running engine, on a thread of its own.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use headwater_sessions::{SearchStatus, SessionSearch};
use headwater_streams::{Clock, Engine, EngineError, Store};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::error::ProjectionError;
use crate::limits::{IDLE_INTERVAL, RETRY_DELAY, RETRY_DELAY_MAX, STOP_WAIT, TRANSACTION_INTERVAL};
use crate::projector::{ProjectionOptions, Projector, Round};
use crate::search::SearchIndex;

/// Follows the session streams of an engine until it is shut down or the engine stops. A file that cannot be used is
/// tried again and again; what goes wrong is in the log and in [`Projection::status`].
#[derive(Debug)]
pub struct Projection {
    commands: mpsc::UnboundedSender<Command>,
    index: SearchIndex,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
    _thread: JoinHandle<()>,
}

#[derive(Debug)]
enum Command {
    /// Tell when everything durable now is in the file.
    CatchUp(oneshot::Sender<()>),
    Stop,
}

/// The thread's side.
struct Follower<S: Store> {
    engine: Engine<S>,
    options: ProjectionOptions,
    commands: mpsc::UnboundedReceiver<Command>,
    index: SearchIndex,
    projector: Option<Projector<S>>,
    /// Who is to be told.
    asked: Vec<oneshot::Sender<()>>,
    retry_delay: Duration,
    told: Option<String>,
}

/// What to do after a round, or instead of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Round,
    End,
}

impl Projection {
    /// Starts the thread. `clock` is the engine's.
    ///
    /// # Panics
    /// Outside a tokio runtime, or when the system cannot start a thread.
    pub fn start<S: Store>(engine: Engine<S>, clock: Arc<dyn Clock>, options: ProjectionOptions) -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let index = SearchIndex::new(&options.file, clock);
        let follower = Follower {
            engine,
            options,
            commands: receiver,
            index: index.clone(),
            projector: None,
            asked: Vec::new(),
            retry_delay: RETRY_DELAY,
            told: None,
        };
        let runtime = tokio::runtime::Handle::current();
        let thread = std::thread::Builder::new()
            .name("projection".into())
            .spawn(move || {
                // Dropped last, after a panic, too.
                let _end = end;
                runtime.block_on(follower.run());
            })
            .expect("the system can start one thread");
        Self { commands, index, ended: Mutex::new(Some(ended)), _thread: thread }
    }

    /// What searches are asked of.
    pub fn index(&self) -> SearchIndex {
        self.index.clone()
    }

    /// How it is doing.
    pub fn status(&self) -> SearchStatus {
        self.index.status()
    }

    /// Waits until all that was acknowledged before is in the file, however long the file cannot be used; false when the
    /// projection has ended.
    pub async fn caught_up(&self) -> bool {
        let (tell, told) = oneshot::channel();
        self.commands.send(Command::CatchUp(tell)).is_ok() && told.await.is_ok()
    }

    /// Ends the thread after the transaction under way. What the file lacks is read from the streams after the next start.
    pub async fn shutdown(&self) {
        // It may have ended by itself.
        self.commands.send(Command::Stop).ok();
        let Some(ended) = self.ended.lock().take() else { return };
        if tokio::time::timeout(STOP_WAIT, ended).await.is_err() {
            tracing::warn!(
                "the SQL projection is still busy; its transaction is undone and done again at the next start"
            );
        }
    }
}

impl<S: Store> Follower<S> {
    async fn run(mut self) {
        loop {
            let next = match self.round().await {
                Ok(Round::More) => {
                    self.recover(SearchStatus::Behind);
                    self.take_commands()
                }
                Ok(Round::CaughtUp) => {
                    self.recover(SearchStatus::CaughtUp);
                    for tell in self.asked.drain(..) {
                        // Who asked may have gone away.
                        tell.send(()).ok();
                    }
                    self.wait().await
                }
                Err(ProjectionError::Engine(EngineError::Stopping)) => Next::End,
                Err(error) => self.fail(&error).await,
            };
            if next == Next::End {
                break;
            }
        }
        self.index.set_status(SearchStatus::Stopped);
    }

    async fn round(&mut self) -> Result<Round, ProjectionError> {
        match &mut self.projector {
            Some(projector) => projector.round().await,
            none => {
                self.index.reopen();
                let opened = Projector::open(self.engine.clone(), self.options.clone()).await?;
                none.insert(opened).round().await
            }
        }
    }

    fn recover(&mut self, status: SearchStatus) {
        if self.told.take().is_some() {
            tracing::info!(file = %self.options.file.display(), "the SQL projection goes on");
            self.index.reopen();
        }
        self.retry_delay = RETRY_DELAY;
        self.index.set_status(status);
    }

    /// Waits for changes, for the clock, or for somebody who asks.
    async fn wait(&mut self) -> Next {
        let Some(projector) = &mut self.projector else { return Next::Round };
        tokio::select! {
            command = self.commands.recv() => return self.take(command),
            () = projector.changed() => {}
            () = tokio::time::sleep(IDLE_INTERVAL) => {}
        }
        // More comes soon where something came: let it share the transaction, unless somebody is waiting.
        tokio::select! {
            command = self.commands.recv() => self.take(command),
            () = tokio::time::sleep(TRANSACTION_INTERVAL) => Next::Round,
        }
    }

    /// Says what is wrong, once for each reason, and waits longer each time.
    async fn fail(&mut self, error: &ProjectionError) -> Next {
        let why = error.with_advice();
        let file = self.options.file.display();
        if self.told.as_ref() == Some(&why) {
            tracing::debug!(%file, %why, "the SQL projection still cannot go on");
        } else {
            tracing::error!(%file, %why, "the SQL projection cannot go on; trying again, sessions are not affected");
        }
        self.index.set_status(SearchStatus::Failing { why: why.clone() });
        self.told = Some(why);
        let delay = self.retry_delay;
        self.retry_delay = (delay * 2).min(RETRY_DELAY_MAX);
        let until = tokio::time::Instant::now() + delay;
        loop {
            let next = tokio::select! {
                command = self.commands.recv() => self.take(command),
                () = tokio::time::sleep_until(until) => return Next::Round,
            };
            if next == Next::End {
                return next;
            }
        }
    }

    fn take_commands(&mut self) -> Next {
        while let Ok(command) = self.commands.try_recv() {
            if self.take(Some(command)) == Next::End {
                return Next::End;
            }
        }
        Next::Round
    }

    fn take(&mut self, command: Option<Command>) -> Next {
        match command {
            Some(Command::CatchUp(tell)) => {
                self.asked.push(tell);
                Next::Round
            }
            Some(Command::Stop) | None => Next::End,
        }
    }
}
