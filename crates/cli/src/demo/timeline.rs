//! From acts to what happens in the session at which moment.

use std::time::Duration;

use headwater_client::sessions::{Channel, Post};
use serde_json::{Value, json};
use uuid::Uuid;

use super::script::{Act, Deed, Script};
use crate::limits::{DEMO_CURSOR_INTERVAL, DEMO_THINKING, DEMO_TOKEN_INTERVAL};

/// Characters of the longest token: long words come in pieces, as from a model.
const TOKEN_CHARACTERS_MAX: usize = 7;
/// What agents see before a command.
const PROMPT: &str = "\u{1b}[1;32m➜\u{1b}[0m \u{1b}[36mkanban\u{1b}[0m $ ";

/// Something that happens, and when.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    /// Since the beginning, at the pace of the script.
    pub(super) at: Duration,
    pub(super) what: Happening,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Happening {
    /// An agent says or does something, or a person writes.
    Said(Post),
    Joined {
        user: String,
        name: String,
    },
    /// A cursor moves.
    Pointed {
        user: String,
        x: f64,
        y: f64,
    },
    Left {
        user: String,
    },
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
                self.push(at, Happening::Joined { user: user.clone(), name: name.clone() });
                at
            }
            Deed::Leave { user } => {
                self.push(at, Happening::Left { user: user.clone() });
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
                self.event(at, Channel::AgentState, data);
                at
            }
            Deed::Say { agent, turn, text } => self.say(agent, *turn, text, at),
            Deed::Tool { agent, tool, input, output, error, seconds } => {
                let (id, took) = (id(), Duration::from_secs_f64(*seconds));
                self.post(at, Post::step_tool_start(agent, &**tool, input.clone()).with("id", &*id));
                self.event(
                    at,
                    Channel::AgentState,
                    json!({"agentId": agent, "status": "running", "currentTool": tool}),
                );
                let result = Post::step_tool_result(agent, id, output.clone().unwrap_or(Value::Null));
                let result = result.with("duration", took.as_millis() as u64);
                let result = if let Some(error) = error { result.with("error", &**error) } else { result };
                self.post(at + took, result);
                self.event(at + took, Channel::AgentState, json!({"agentId": agent, "currentTool": null}));
                at + took
            }
            Deed::Run { agent, command, output, seconds } => self.run(agent, command, output, *seconds, at),
            Deed::Workflow { event, actor, payload } => {
                let data = json!({"id": id(), "type": event, "actor": actor, "payload": payload});
                self.event(at, Channel::Workflow, data);
                at
            }
            Deed::Complete { agent, turn, result } => {
                self.post(at, Post::step_complete(agent, result).turn(u64::from(*turn)));
                at
            }
        }
    }

    fn point(&mut self, user: &str, path: &[(f64, f64)], seconds: f64, at: Duration) -> Duration {
        let took = Duration::from_secs_f64(seconds);
        let count = (took.as_millis() / DEMO_CURSOR_INTERVAL.as_millis()) as u32;
        for number in 0..=count {
            let (x, y) = along(path, f64::from(number) / f64::from(count.max(1)));
            let what = Happening::Pointed { user: user.to_owned(), x: x.round(), y: y.round() };
            self.push(at + DEMO_CURSOR_INTERVAL * number, what);
        }
        at + took
    }

    fn say(&mut self, agent: &str, turn: u32, text: &str, at: Duration) -> Duration {
        let turn = u64::from(turn);
        self.post(at, Post::step_turn(agent, turn));
        let mut at = at;
        for token in tokens(text.trim_end()) {
            self.post(at, Post::step_token(agent, &*token).turn(turn));
            // Sentences end with a breath.
            let breath = if token.ends_with(['.', ':', '?', '\n']) { 4 } else { 1 };
            at += DEMO_TOKEN_INTERVAL * breath;
        }
        at
    }

    fn run(&mut self, agent: &str, command: &str, output: &str, seconds: f64, at: Duration) -> Duration {
        let busy = json!({"agentId": agent, "status": "running", "currentTool": "terminal"});
        self.event(at, Channel::AgentState, busy);
        self.terminal(at, "input", "agent", command);
        self.terminal(at, "output", "system", &format!("{PROMPT}{command}\r\n"));
        let lines: Vec<&str> = output.lines().collect();
        let each = Duration::from_secs_f64(seconds) / (lines.len() as u32 + 1);
        let mut at = at;
        for line in lines {
            at += each;
            self.terminal(at, "output", "system", &format!("{line}\r\n"));
        }
        self.event(at + each, Channel::AgentState, json!({"agentId": agent, "currentTool": null}));
        at + each
    }

    fn terminal(&mut self, at: Duration, kind: &str, source: &str, text: &str) {
        self.event(at, Channel::Terminal, json!({"id": id(), "type": kind, "source": source, "data": text}));
    }

    /// An event with these fields, an object.
    fn event(&mut self, at: Duration, channel: Channel, fields: Value) {
        let fields = fields.as_object().cloned().unwrap_or_default();
        let post = fields.into_iter().fold(Post::new(channel), |post, (name, value)| post.with(&name, value));
        self.post(at, post);
    }

    fn post(&mut self, at: Duration, post: Post) {
        self.push(at, Happening::Said(post));
    }

    fn push(&mut self, at: Duration, what: Happening) {
        self.moments.push(Moment { at, what });
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

    fn posts(timeline: &Timeline) -> impl Iterator<Item = &Post> {
        timeline.moments.iter().filter_map(|moment| match &moment.what {
            Happening::Said(post) => Some(post),
            _ => None,
        })
    }

    #[test]
    fn the_script_is_several_minutes_of_every_channel() {
        let timeline = timeline();
        assert!((120..600).contains(&timeline.length().as_secs()), "{:?}", timeline.length());
        let channels: BTreeSet<Channel> = posts(&timeline).filter_map(Post::channel).collect();
        let all = [Channel::Terminal, Channel::Workflow, Channel::AgentState];
        assert_eq!(channels.into_iter().collect::<Vec<_>>(), all);
        let steps: BTreeSet<&str> = posts(&timeline).filter_map(Post::step_type).collect();
        let all = ["agent:complete", "agent:turn", "stream:token", "tool:result", "tool:start"];
        assert_eq!(steps.into_iter().collect::<Vec<_>>(), all);
    }

    #[test]
    fn moments_are_in_order_and_everybody_who_comes_leaves() {
        let timeline = timeline();
        assert!(timeline.moments.is_sorted_by_key(|moment| moment.at));
        for person in ["mara", "theo"] {
            let of_person = |moment: &&Moment| match &moment.what {
                Happening::Joined { user, .. } | Happening::Pointed { user, .. } | Happening::Left { user } => {
                    user == person
                }
                Happening::Said(_) => false,
            };
            let deeds: Vec<&Moment> = timeline.moments.iter().filter(of_person).collect();
            assert!(deeds.first().is_some_and(|deed| matches!(deed.what, Happening::Joined { .. })));
            assert!(deeds.last().is_some_and(|deed| matches!(deed.what, Happening::Left { .. })));
        }
    }

    #[test]
    fn a_tool_ends_on_the_row_of_its_start() {
        let timeline = timeline();
        let ids = |kind: &str| -> Vec<&str> {
            posts(&timeline).filter(|post| post.step_type() == Some(kind)).filter_map(Post::id).collect()
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
