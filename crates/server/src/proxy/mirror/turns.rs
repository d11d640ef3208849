//! Which turn of its agent a response is, while responses that have not been told of yet may take the same one.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_sessions::{AgentId, RowType, SessionId, State, message_id};
use parking_lot::Mutex;
use serde_json::Value;

type Speaker = (SessionId, AgentId);

/// The turns of responses under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<Speaker, UnderWay>>>);

#[derive(Debug, Default)]
struct UnderWay {
    responses: usize,
    last: u64,
}

/// A turn that nobody else takes while this lives.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    speaker: Speaker,
    pub(super) number: u64,
}

impl Turns {
    /// The turn after all that the session knows of and all that are taken.
    pub(super) fn take(&self, session: SessionId, agent: AgentId, state: &State) -> Turn {
        self.hold(session, agent, |agent, last| {
            let mut number = last.max(last_turn(state, agent)).map_or(0, |last| last + 1);
            while state.messages().get(&message_id(agent.as_str(), number)).is_some() {
                number += 1;
            }
            number
        })
    }

    /// The turn that a response took in an earlier run.
    pub(super) fn take_again(&self, session: SessionId, agent: AgentId, number: u64) -> Turn {
        self.hold(session, agent, |_, _| number)
    }

    fn hold(&self, session: SessionId, agent: AgentId, choose: impl FnOnce(&AgentId, Option<u64>) -> u64) -> Turn {
        let speaker = (session, agent);
        let mut turns = self.0.lock();
        let last = turns.get(&speaker).map(|under_way| under_way.last);
        let number = choose(&speaker.1, last);
        let under_way = turns.entry(speaker.clone()).or_default();
        under_way.responses += 1;
        under_way.last = under_way.last.max(number);
        drop(turns);
        Turn { turns: self.clone(), speaker, number }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = self.turns.0.lock();
        if let Some(under_way) = turns.get_mut(&self.speaker) {
            under_way.responses -= 1;
            if under_way.responses == 0 {
                turns.remove(&self.speaker);
            }
        }
    }
}

fn last_turn(state: &State, agent: &AgentId) -> Option<u64> {
    let row = state.row(RowType::State, agent.as_str())?;
    serde_json::from_str::<Value>(row.value.get()).ok()?["turn"].as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker() -> Speaker {
        (SessionId::new("s").unwrap(), AgentId::new("a").unwrap())
    }

    #[test]
    fn responses_at_the_same_time_take_different_turns() {
        let (turns, state) = (Turns::default(), State::default());
        let take = || turns.take(speaker().0, speaker().1, &state);
        let (first, second) = (take(), take());
        assert_eq!((first.number, second.number), (0, 1));
        drop(first);
        assert_eq!(take().number, 2);
        drop(second);
        assert_eq!(take().number, 0, "nobody has said anything");
        let again = turns.take_again(speaker().0, speaker().1, 7);
        assert_eq!((again.number, take().number), (7, 8));
    }
}
