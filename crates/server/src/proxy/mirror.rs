//! A model's response as part of a session: what passes through the proxy becomes chunks and the state of an agent.
//!
//! A mirror is a reader of the proxied stream like any other: it slows nobody down and holds one batch. A document that is
//! written with the stream names each response that has not been mirrored to its end, so that the next start goes on with
//! what this one leaves. What becomes of a mirror never changes the proxied response.

mod dialect;
mod task;
mod turns;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use headwater_proxy::{Companion, GenerationId, Proxy};
use headwater_sessions::{AgentId, SessionError, SessionId, Sessions};
use headwater_streams::{DocumentKey, EngineError, Store};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits::MIRROR_STOP_TIMEOUT;
use task::Task;
use turns::{Turn, Turns};

const MARKS: &str = "proxy-session/";
/// Who speaks in a session that names no agent.
const ASSISTANT: &str = "assistant";

/// The responses that are mirrored into sessions. Cloning is cheap; all clones are one. Shut down after its proxy is and
/// before its sessions are.
pub struct Mirrors<S: Store> {
    inner: Arc<Inner<S>>,
}

struct Inner<S: Store> {
    sessions: Sessions<S>,
    proxy: Proxy<S>,
    turns: Turns,
    /// Where mirrors run: they outlive the request that began them, and the thread that answered it.
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Where a response is mirrored to, as it is kept until it has been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    session_id: String,
    agent_id: String,
    turn: u64,
}

impl<S: Store> Mirrors<S> {
    /// Goes on with what the last run left. Must be called on the runtime that outlives the server.
    pub async fn open(sessions: Sessions<S>, proxy: Proxy<S>) -> Result<Self, EngineError> {
        let left = sessions.engine().documents(MARKS).await?;
        let mirrors = Self {
            inner: Arc::new(Inner {
                sessions,
                proxy,
                turns: Turns::default(),
                runtime: Handle::current(),
                tasks: TaskTracker::new(),
                stop: CancellationToken::new(),
            }),
        };
        for (key, value) in left {
            mirrors.go_on(&key, &value);
        }
        Ok(mirrors)
    }

    /// What makes the next response of this agent part of the session. The session must exist and be open; the agent is
    /// the session's own when none is named.
    pub(crate) async fn companion(
        &self,
        session: SessionId,
        agent: Option<AgentId>,
    ) -> Result<Companion, SessionError> {
        let row = self.inner.sessions.row(&session).await?;
        row.check_open()?;
        let agent = match (agent, row.agent_id) {
            (Some(agent), _) => agent,
            (None, own) => AgentId::new(own.as_deref().unwrap_or(ASSISTANT))?,
        };
        let state = self.inner.sessions.state(&session).await?.state;
        let turn = self.inner.turns.take(session.clone(), agent.clone(), &state);
        let mark = Mark { session_id: session.as_str().into(), agent_id: agent.as_str().into(), turn: turn.number };
        let mirrors = self.clone();
        Ok(Companion {
            prefix: MARKS,
            value: mark.to_bytes(),
            begun: Box::new(move |id| mirrors.start(id, session, agent, turn)),
        })
    }

    /// Waits until the responses, which the proxy has ended by now, are told of to their end. What takes too long is left
    /// to the next start.
    pub async fn shutdown(&self) {
        self.inner.tasks.close();
        if tokio::time::timeout(MIRROR_STOP_TIMEOUT, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!(responses = self.inner.tasks.len(), "the next start tells sessions how responses ended");
            self.inner.stop.cancel();
            self.inner.tasks.wait().await;
        }
    }

    fn start(&self, id: GenerationId, session: SessionId, agent: AgentId, turn: Turn) {
        let inner = &self.inner;
        let task = Task { sessions: inner.sessions.clone(), proxy: inner.proxy.clone(), id, session, agent, turn };
        let stop = inner.stop.clone();
        let run = async move { stop.run_until_cancelled(task.run()).await.unwrap_or_default() };
        inner.tasks.spawn_on(run, &inner.runtime);
    }

    fn go_on(&self, key: &DocumentKey, value: &[u8]) {
        let id = key.0.strip_prefix(MARKS).and_then(GenerationId::parse);
        let mark = serde_json::from_slice::<Mark>(value).ok();
        let place = mark.and_then(|mark| {
            Some((SessionId::new(&mark.session_id).ok()?, AgentId::new(&mark.agent_id).ok()?, mark.turn))
        });
        match (id, place) {
            (Some(id), Some((session, agent, turn))) => {
                let turn = self.inner.turns.take_again(session.clone(), agent.clone(), turn);
                self.start(id, session, agent, turn);
            }
            _ => tracing::warn!(key = %key.0, "a mark of a mirrored response cannot be read"),
        }
    }
}

impl Mark {
    fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and a number always become JSON").into()
    }
}

/// The mark of a response.
fn key(id: GenerationId) -> DocumentKey {
    DocumentKey(format!("{MARKS}{id}").into())
}

impl<S: Store> Clone for Mirrors<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S: Store> fmt::Debug for Mirrors<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirrors").field("responses", &self.inner.tasks.len()).finish_non_exhaustive()
    }
}
