//! One agent, in all sessions: what it is doing, and each of its steps.

use std::fmt;

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::follow::{Follower, Sink, Subject};
use super::{AgentState, Channel, EventRouter, HandlerGuard, SessionClient, SessionEvent, SessionStatus};
use crate::Offset;

impl SessionClient {
    /// Follows an agent across sessions: `on_state` is called with what it does, `on_step` with all else, in order, from
    /// now on. An agent that has not begun yet is waited for. Must be called on a tokio runtime.
    ///
    /// ```no_run
    /// # async fn example(sessions: headwater_client::sessions::SessionClient) {
    /// let agent = sessions.subscribe_agent(
    ///     "coder",
    ///     |state, _event| println!("{:?}", state.status),
    ///     |event| println!("{} in {:?}", event.channel, event.session_id),
    /// );
    /// # drop(agent); // no more calls
    /// # }
    /// ```
    pub fn subscribe_agent(
        &self,
        agent_id: impl Into<String>,
        on_state: impl Fn(&AgentState, &SessionEvent) + Send + Sync + 'static,
        on_step: impl Fn(&SessionEvent) + Send + Sync + 'static,
    ) -> AgentSubscription {
        self.subscribe_agent_from(agent_id, Offset::now(), on_state, on_step)
    }

    /// The same from an offset of the agent's stream, such as the beginning.
    pub fn subscribe_agent_from(
        &self,
        agent_id: impl Into<String>,
        from: impl Into<Offset>,
        on_state: impl Fn(&AgentState, &SessionEvent) + Send + Sync + 'static,
        on_step: impl Fn(&SessionEvent) + Send + Sync + 'static,
    ) -> AgentSubscription {
        let (tell, status) = watch::channel(SessionStatus::initial());
        let router = EventRouter::new();
        let handler = router.on_any(move |event| match event.channel {
            Channel::AgentState => {
                if let Some(state) = event.row::<AgentState>() {
                    on_state(&state, event);
                }
            }
            _ => on_step(event),
        });
        let subject = Subject::Agent(agent_id.into());
        let follower = Follower::new(self.api.clone(), subject, Some(from.into()), AgentSink { router }, tell);
        let following = AbortOnDropHandle::new(tokio::spawn(follower.run()));
        AgentSubscription { status, _handler: handler, _following: following }
    }
}

/// Calls its handlers until it is dropped.
#[must_use = "dropping it ends the subscription"]
pub struct AgentSubscription {
    status: watch::Receiver<SessionStatus>,
    _handler: HandlerGuard,
    _following: AbortOnDropHandle<()>,
}

impl AgentSubscription {
    /// How its connection is doing, as that changes.
    pub fn status(&self) -> watch::Receiver<SessionStatus> {
        self.status.clone()
    }
}

impl fmt::Debug for AgentSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentSubscription").field("status", &*self.status.borrow()).finish_non_exhaustive()
    }
}

struct AgentSink {
    router: EventRouter,
}

impl Sink for AgentSink {
    fn apply(&mut self, event: SessionEvent) {
        self.router.route(&event);
    }
}
