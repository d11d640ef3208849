//! A service set up for one test, and short words for what tests do all the time.

use headwater_protocol::{Offset, ProducerStamp, ReadFrom};
use headwater_sessions::{
    ErrorCode, Message, NewSession, Published, Request, SessionError, SessionId, SessionRow, Sessions, SessionsConfig,
    State,
};
use headwater_testing::stage::{self, Stage};
use headwater_testing::{FaultyStore, Reopen, SharedMemory};
use serde_json::{Value, json};

pub(crate) struct House<R: Reopen> {
    pub(crate) stage: Stage<R>,
    pub(crate) sessions: Sessions<FaultyStore<R::Store>>,
    config: SessionsConfig,
}

/// One over a store in memory.
pub(crate) async fn house() -> House<SharedMemory> {
    House::new(SharedMemory::default(), SessionsConfig::default()).await
}

impl<R: Reopen> House<R> {
    pub(crate) async fn new(factory: R, config: SessionsConfig) -> Self {
        Self::over(Stage::new(factory).await, config).await
    }

    async fn over(stage: Stage<R>, config: SessionsConfig) -> Self {
        let sessions = Sessions::open(stage.engine.clone(), config.clone()).await.unwrap();
        Self { stage, sessions, config }
    }

    /// Another service over the same engine, that remembers nothing.
    pub(crate) async fn forgetful(&self) -> Sessions<FaultyStore<R::Store>> {
        Sessions::open(self.stage.engine.clone(), self.config.clone()).await.unwrap()
    }

    pub(crate) async fn crash(self) -> Self {
        let Self { stage, sessions, config } = self;
        drop(sessions);
        Self::over(stage.crash().await, config).await
    }

    pub(crate) async fn reopen(self) -> Self {
        let Self { stage, sessions, config } = self;
        sessions.shutdown().await;
        drop(sessions);
        Self::over(stage.reopen().await, config).await
    }

    pub(crate) async fn session(&self) -> SessionId {
        id_of(&self.sessions.create(new_session("p")).await.unwrap())
    }

    pub(crate) async fn post(&self, id: &SessionId, events: Value) -> Published {
        self.try_post(id, events).await.unwrap()
    }

    pub(crate) async fn try_post(&self, id: &SessionId, events: Value) -> Result<Published, SessionError> {
        self.sessions.publish(id, request(id, &events), None).await
    }

    pub(crate) async fn refused(&self, id: &SessionId, events: Value) -> ErrorCode {
        self.try_post(id, events).await.unwrap_err().code()
    }

    pub(crate) async fn stamped(
        &self,
        id: &SessionId,
        events: Value,
        stamp: ProducerStamp,
    ) -> Result<Published, SessionError> {
        self.sessions.publish(id, request(id, &events), Some(stamp)).await
    }

    pub(crate) async fn state(&self, id: &SessionId) -> State {
        State::clone(&self.sessions.state(id).await.unwrap().state)
    }

    /// Every message of a stream with the offset after it, from its beginning.
    pub(crate) async fn log(&self, stream: &str) -> Vec<(Value, Offset)> {
        let (page, bytes) = self.stage.page(stream, ReadFrom::Start).await.unwrap();
        assert!(page.up_to_date, "tests write little");
        let mut next = page.start;
        let mut messages = Vec::new();
        for line in std::str::from_utf8(&bytes).unwrap().split_inclusive('\n') {
            next = next.advance(line.len() as u64);
            messages.push((serde_json::from_str(line.trim_end_matches(",\n")).unwrap(), next));
        }
        messages
    }

    pub(crate) async fn log_of(&self, id: &SessionId) -> Vec<(Value, Offset)> {
        self.log(id.stream().as_str()).await
    }
}

pub(crate) fn request(id: &SessionId, events: &Value) -> Request {
    Request::parse_events(events.to_string().as_bytes(), id).unwrap()
}

pub(crate) fn new_session(project: &str) -> NewSession {
    NewSession { project_id: project.into(), ..NewSession::default() }
}

pub(crate) fn id_of(row: &SessionRow) -> SessionId {
    SessionId::new(&row.id).unwrap()
}

pub(crate) fn chunk(id: &str, text: &str) -> Value {
    json!({"channel": "chunks", "data": {"id": id, "agentId": "coder", "text": text}})
}

pub(crate) fn line(text: &str) -> Value {
    json!({"channel": "terminal", "data": {"type": "output", "source": "agent", "data": text}})
}

pub(crate) fn user(name: &str) -> Value {
    json!({"channel": "presence", "data": {"userId": name}})
}

pub(crate) fn stamp(seq: u64) -> ProducerStamp {
    stage::stamp("producer", 0, seq)
}

/// What a log folds to.
pub(crate) fn fold(log: &[(Value, Offset)]) -> State {
    let mut state = State::default();
    for (message, next) in log {
        state.apply_message(&Message::decode(&message.to_string()).unwrap(), *next).unwrap();
    }
    state
}
