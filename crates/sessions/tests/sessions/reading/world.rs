//! A session whose messages are in a real stream, and short words for reading it.

use bytes::Bytes;
use headwater_protocol::{Offset, ReadFrom};
use headwater_sessions::{
    Change, Item, SessionError, SessionEvent, SessionFollower, SessionId, encode_stored, presence_companion,
};
use headwater_streams::Append;
use headwater_testing::stage::{self, EPOCH_MS, Stage, content_type, json_stream, within};
use headwater_testing::{FaultyStore, SharedMemory};
use serde_json::Value;

use crate::harness::Harness;

pub(crate) type Store = FaultyStore<SharedMemory>;

pub(crate) struct World {
    pub(crate) stage: Stage<SharedMemory>,
    pub(crate) harness: Harness,
}

impl World {
    /// An empty session `s`.
    pub(crate) async fn new() -> Self {
        let world = Self { stage: Stage::new(SharedMemory::default()).await, harness: Harness::new("s") };
        world.stage.put(json_stream("session/s")).await;
        world
    }

    pub(crate) fn id(&self) -> SessionId {
        self.harness.session.clone()
    }

    /// Posts events; what becomes of them is one append to each stream.
    pub(crate) async fn post(&mut self, events: Value, now_ms: u64) -> Offset {
        let (log, presence) = (self.harness.log.len(), self.harness.presence_log.len());
        self.harness.events(&events.to_string(), now_ms).unwrap();
        let last = append(&self.stage, "session/s", &self.harness.log[log..]).await;
        append(&self.stage, "session/s/presence", &self.harness.presence_log[presence..]).await;
        last.unwrap_or_default()
    }

    /// Somebody gives a sign of life.
    pub(crate) async fn beat(&mut self, user: &str, now_ms: u64) {
        self.post(serde_json::json!([{"channel": "presence", "data": {"userId": user}}]), now_ms).await;
    }

    pub(crate) async fn leave(&mut self, user: &str, now_ms: u64) {
        let left: Vec<Change> = self.harness.leave(user, now_ms);
        let (bytes, _) = encode_stored(&left);
        self.stage.post(stored("session/s/presence", bytes)).await;
    }

    /// The companion stream, as the first who needs it makes it.
    pub(crate) async fn open_presence(&self) {
        self.stage.engine.create(presence_companion(&self.id())).await.unwrap();
    }

    pub(crate) async fn close(&self) {
        self.stage.post(stage::close("session/s")).await;
    }

    pub(crate) async fn follow(&self, from: ReadFrom) -> SessionFollower<Store> {
        self.try_follow(from).await.unwrap()
    }

    pub(crate) async fn try_follow(&self, from: ReadFrom) -> Result<SessionFollower<Store>, SessionError> {
        SessionFollower::open(&self.stage.engine, &self.id(), from, None).await
    }

    /// Every message of the session's stream as an event.
    pub(crate) async fn all(&self) -> Vec<SessionEvent> {
        until_caught_up(&mut self.follow(ReadFrom::Start).await).await
    }

    pub(crate) fn now_ms(&self) -> u64 {
        EPOCH_MS
    }
}

async fn append(stage: &Stage<SharedMemory>, name: &str, messages: &[(String, Offset)]) -> Option<Offset> {
    let bytes: String = messages.iter().map(|(text, _)| format!("{text},\n")).collect();
    if bytes.is_empty() {
        return None;
    }
    let tail = stage.post(stored(name, bytes.into())).await;
    assert_eq!(messages.last().map(|(_, next)| *next), Some(tail));
    Some(tail)
}

pub(crate) fn stored(name: &str, bytes: Bytes) -> Append {
    Append { content_type: Some(content_type("application/json")), ..stage::append(name, bytes) }
}

pub(crate) async fn next(follower: &mut SessionFollower<Store>) -> Item {
    within(follower.next()).await.unwrap()
}

pub(crate) async fn next_event(follower: &mut SessionFollower<Store>) -> SessionEvent {
    match next(follower).await {
        Item::Event(event) => event,
        other => panic!("expected an event, got {other:?}"),
    }
}

pub(crate) fn is_waiting(follower: &mut SessionFollower<Store>) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    follower.poll_next(&mut context).is_pending()
}

/// The session's own events up to the tail.
pub(crate) async fn until_caught_up(follower: &mut SessionFollower<Store>) -> Vec<SessionEvent> {
    let mut events = Vec::new();
    loop {
        match next(follower).await {
            Item::Event(event) if event.offset.is_some() => events.push(event),
            Item::Event(_) => {}
            Item::CaughtUp => return events,
            other => panic!("expected history, got {other:?}"),
        }
    }
}
