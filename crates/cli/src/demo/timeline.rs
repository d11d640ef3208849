//! From acts to requests: what is sent to the server at which moment.
//!
//! Every event that could be stored twice has its id here, so that a request may be sent again until it is answered.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::script::{Act, Deed, Script};
use crate::limits::{DEMO_BEAT_INTERVAL, DEMO_CURSOR_INTERVAL, DEMO_THINKING, DEMO_TOKEN_INTERVAL};

/// Characters of the longest token: long words come in pieces, as from a model.
const TOKEN_CHARACTERS_MAX: usize = 7;
/// What agents see before a command.
const PROMPT: &str = "\u{1b}[1;32m➜\u{1b}[0m \u{1b}[36mkanban\u{1b}[0m $ ";

/// A request, and when it is due.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    /// Since the beginning, at the pace of the script.
    pub(super) at: Duration,
    /// Where below the session's URL it goes.
    pub(super) to: Destination,
    pub(super) body: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    Events,
    Steps,
    Join,
    Presence,
    Leave,
}

/// A part of the play with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scene {
    pub(super) at: Duration,
    pub(super) name: String,
}

/// Everything, in order of time.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) moments: Vec<Moment>,
    pub(super) scenes: Vec<Scene>,
}

impl Timeline {
    pub(super) fn of(script: &Script) -> Self {
        let mut writer = Writer::default();
        for act in &script.acts {
            writer.act(act);
        }
        let Writer { mut moments, scenes, .. } = writer;
        moments.extend(beats(&moments));
        // Stable: what is due at the same moment stays as it was written.
        moments.sort_by_key(|moment| moment.at);
        Self { moments, scenes }
    }

    /// How long it takes at the pace of the script.
    pub(super) fn length(&self) -> Duration {
        self.moments.last().map_or(Duration::ZERO, |moment| moment.at)
    }
}

#[derive(Debug, Default)]
struct Writer {
    moments: Vec<Moment>,
    scenes: Vec<Scene>,
    begun: Duration,
    ended: Duration,
}

impl Writer {
    fn act(&mut self, act: &Act) {
        let thinking = if act.deed.takes_thought() { DEMO_THINKING } else { Duration::ZERO };
        let after = if act.beside { self.begun } else { self.ended };
        self.begun = after + Duration::from_secs_f64(act.pause) + thinking;
        if let Some(name) = &act.scene {
            self.scenes.push(Scene { at: self.begun, name: name.clone() });
        }
        let ended = self.deed(&act.deed, self.begun);
        self.ended = self.ended.max(ended);
    }

    /// Writes a deed down and says when it is done.
    fn deed(&mut self, deed: &Deed, at: Duration) -> Duration {
        match deed {
            Deed::Join { user, name } => {
                self.push(at, Destination::Join, json!({"userId": user, "displayName": name}));
                at
            }
            Deed::Leave { user } => {
                self.push(at, Destination::Leave, json!({"userId": user}));
                at
            }
            Deed::Point { user, path, seconds } => self.point(user, path, *seconds, at),
            Deed::Type { user, text } => {
                self.terminal(at, "input", "user", text);
                self.terminal(at, "output", "system", &format!("\u{1b}[1;35m{user}\u{1b}[0m {text}\r\n"));
                at
            }
            Deed::State { agent, status, more } => {
                let mut data = json!({"agentId": agent, "status": status});
                data.as_object_mut().expect("it is an object").extend(more.clone());
                self.event(at, "agentState", data);
                at
            }
            Deed::Say { agent, turn, text } => self.say(agent, *turn, text, at),
            Deed::Tool { agent, tool, input, output, error, seconds } => {
                let (id, took) = (id(), Duration::from_secs_f64(*seconds));
                let start = json!({"type": "tool:start", "id": id, "agentId": agent, "tool": tool, "input": input});
                self.push(at, Destination::Steps, start);
                self.event(at, "agentState", json!({"agentId": agent, "status": "running", "currentTool": tool}));
                let mut result =
                    json!({"type": "tool:result", "id": id, "agentId": agent, "duration": took.as_millis() as u64});
                match error {
                    Some(error) => result["error"] = json!(error),
                    None => result["output"] = output.clone().unwrap_or(Value::Null),
                }
                self.push(at + took, Destination::Steps, result);
                self.event(at + took, "agentState", json!({"agentId": agent, "currentTool": null}));
                at + took
            }
            Deed::Run { agent, command, output, seconds } => self.run(agent, command, output, *seconds, at),
            Deed::Workflow { event, actor, payload } => {
                self.event(at, "workflow", json!({"id": id(), "type": event, "actor": actor, "payload": payload}));
                at
            }
            Deed::Complete { agent, turn, result } => {
                let step = json!({"type": "agent:complete", "agentId": agent, "turn": turn, "result": result});
                self.push(at, Destination::Steps, step);
                at
            }
        }
    }

    fn point(&mut self, user: &str, path: &[(f64, f64)], seconds: f64, at: Duration) -> Duration {
        let took = Duration::from_secs_f64(seconds);
        let count = (took.as_millis() / DEMO_CURSOR_INTERVAL.as_millis()) as u32;
        for number in 0..=count {
            let (x, y) = along(path, f64::from(number) / f64::from(count.max(1)));
            let cursor = json!({"userId": user, "cursor": {"x": x.round(), "y": y.round()}});
            self.push(at + DEMO_CURSOR_INTERVAL * number, Destination::Presence, cursor);
        }
        at + took
    }

    fn say(&mut self, agent: &str, turn: u32, text: &str, at: Duration) -> Duration {
        self.push(at, Destination::Steps, json!({"type": "agent:turn", "agentId": agent, "turn": turn}));
        let mut at = at;
        for token in tokens(text.trim_end()) {
            let step = json!({"type": "stream:token", "id": id(), "agentId": agent, "turn": turn, "text": token});
            self.push(at, Destination::Steps, step);
            // Sentences end with a breath.
            let breath = if token.ends_with(['.', ':', '?', '\n']) { 4 } else { 1 };
            at += DEMO_TOKEN_INTERVAL * breath;
        }
        at
    }

    fn run(&mut self, agent: &str, command: &str, output: &str, seconds: f64, at: Duration) -> Duration {
        self.event(at, "agentState", json!({"agentId": agent, "status": "running", "currentTool": "terminal"}));
        self.terminal(at, "input", "agent", command);
        self.terminal(at, "output", "system", &format!("{PROMPT}{command}\r\n"));
        let lines: Vec<&str> = output.lines().collect();
        let each = Duration::from_secs_f64(seconds) / (lines.len() as u32 + 1);
        let mut at = at;
        for line in lines {
            at += each;
            self.terminal(at, "output", "system", &format!("{line}\r\n"));
        }
        self.event(at + each, "agentState", json!({"agentId": agent, "currentTool": null}));
        at + each
    }

    fn terminal(&mut self, at: Duration, kind: &str, source: &str, text: &str) {
        self.event(at, "terminal", json!({"id": id(), "type": kind, "source": source, "data": text}));
    }

    fn event(&mut self, at: Duration, channel: &str, data: Value) {
        self.push(at, Destination::Events, json!({"channel": channel, "data": data}));
    }

    fn push(&mut self, at: Duration, to: Destination, body: Value) {
        self.moments.push(Moment { at, to, body });
    }
}

impl Deed {
    fn takes_thought(&self) -> bool {
        matches!(self, Self::Say { .. } | Self::Tool { .. } | Self::Run { .. } | Self::Type { .. })
    }
}

fn id() -> String {
    Uuid::now_v7().to_string()
}

/// Signs of life of everybody who has joined and not left.
fn beats(moments: &[Moment]) -> Vec<Moment> {
    let of = |to: Destination| moments.iter().filter(move |moment| moment.to == to);
    let mut beats = Vec::new();
    for joined in of(Destination::Join) {
        let user = &joined.body["userId"];
        let left = of(Destination::Leave).find(|left| left.body["userId"] == *user).map_or(joined.at, |left| left.at);
        let mut at = joined.at + DEMO_BEAT_INTERVAL;
        while at < left {
            beats.push(Moment { at, to: Destination::Presence, body: json!({ "userId": user }) });
            at += DEMO_BEAT_INTERVAL;
        }
    }
    beats
}

/// The point at `share` of a path whose legs take equally long.
fn along(path: &[(f64, f64)], share: f64) -> (f64, f64) {
    let legs = path.len().saturating_sub(1);
    let place = share * legs as f64;
    let leg = (place as usize).min(legs.saturating_sub(1));
    let (from, to) = (path[leg], path[(leg + 1).min(legs)]);
    // Slow, fast, slow: as a hand moves.
    let part = place - leg as f64;
    let eased = part * part * (3.0 - 2.0 * part);
    (from.0 + (to.0 - from.0) * eased, from.1 + (to.1 - from.1) * eased)
}

/// Cuts a text as models do: words with the space before them, long ones in pieces.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut length = usize::MAX;
    for character in text.chars() {
        let begins = matches!(character, ' ' | '\n') || length >= TOKEN_CHARACTERS_MAX;
        if begins {
            tokens.push(String::new());
            length = 0;
        }
        tokens.last_mut().expect("the first character begins a token").push(character);
        length += 1;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn timeline() -> Timeline {
        Timeline::of(&Script::included())
    }

    #[test]
    fn the_script_is_several_minutes_of_every_channel() {
        let timeline = timeline();
        assert!((120..600).contains(&timeline.length().as_secs()), "{:?}", timeline.length());
        let channels: BTreeSet<&str> = timeline.moments.iter().filter_map(|m| m.body["channel"].as_str()).collect();
        assert_eq!(channels.into_iter().collect::<Vec<_>>(), ["agentState", "terminal", "workflow"]);
        let steps: BTreeSet<&str> = timeline
            .moments
            .iter()
            .filter(|moment| moment.to == Destination::Steps)
            .filter_map(|moment| moment.body["type"].as_str())
            .collect();
        let all = ["agent:complete", "agent:turn", "stream:token", "tool:result", "tool:start"];
        assert_eq!(steps.into_iter().collect::<Vec<_>>(), all);
    }

    #[test]
    fn moments_are_in_order_and_everybody_beats_until_they_leave() {
        let timeline = timeline();
        assert!(timeline.moments.is_sorted_by_key(|moment| moment.at));
        for user in ["mara", "theo"] {
            let of_user: Vec<&Moment> = timeline.moments.iter().filter(|m| m.body["userId"] == user).collect();
            assert_eq!(of_user.first().map(|m| m.to), Some(Destination::Join));
            assert_eq!(of_user.last().map(|m| m.to), Some(Destination::Leave));
            let gaps = of_user.windows(2).map(|pair| pair[1].at - pair[0].at);
            assert!(gaps.max().is_some_and(|gap| gap <= DEMO_BEAT_INTERVAL));
        }
    }

    #[test]
    fn a_tool_ends_on_the_row_of_its_start() {
        let timeline = timeline();
        let ids = |kind: &str| -> Vec<String> {
            let of = |moment: &&Moment| moment.body["type"] == kind;
            timeline.moments.iter().filter(of).map(|moment| moment.body["id"].to_string()).collect()
        };
        let started = ids("tool:start");
        assert!(started.len() >= 8);
        assert_eq!(started, ids("tool:result"));
    }

    #[test]
    fn tokens_join_to_the_text() {
        let text = "It fails: `expected 'doing'`.\n\n1. **Wren** 日本語 🚀 extraordinarily";
        assert_eq!(tokens(text).concat(), text);
        assert!(tokens(text).iter().all(|token| token.chars().count() <= TOKEN_CHARACTERS_MAX));
        assert!(tokens("").is_empty());
    }

    #[test]
    fn a_cursor_ends_where_its_path_ends() {
        let path = [(0.0, 0.0), (10.0, 20.0), (30.0, 5.0)];
        assert_eq!(along(&path, 0.0), (0.0, 0.0));
        assert_eq!(along(&path, 0.5), (10.0, 20.0));
        assert_eq!(along(&path, 1.0), (30.0, 5.0));
        assert_eq!(along(&path[..1], 1.0), (0.0, 0.0));
    }
}
