//! What writers post: events of channels and steps of agents, under ids that are made here, so that they can be sent
//! again.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{AgentStatus, Channel, Cursor, TerminalKind, TerminalSource, ToolStatus, WorkflowKind};

/// Something to say in a session. Has its id from the beginning: sent again, it is recognised.
///
/// ```
/// use headwater_client::sessions::{AgentStatus, Post};
///
/// let said = Post::chunk("coder", "Looking at it").turn(1);
/// let call = Post::tool_call("coder", "ls", serde_json::json!({ "path": "." }));
/// let result = Post::tool_result(call.id().unwrap(), serde_json::json!(["Cargo.toml"]));
/// let done = Post::agent_state("coder", AgentStatus::Completed).with("message", "All green");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Post {
    pub(crate) kind: PostKind,
    pub(crate) data: Map<String, Value>,
}

/// Where a post goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostKind {
    Event(Channel),
    Step(&'static str),
}

/// The steps, and whether a new one needs an id of its own to be recognised: a result belongs to a call that is there.
const STEPS: [(&str, bool); 6] = [
    ("tool:start", true),
    ("tool:invoke", false),
    ("tool:result", false),
    ("stream:token", true),
    ("agent:turn", false),
    ("agent:complete", false),
];

/// A new id: sorts after all that this process made before.
pub(crate) fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// By this machine's clock.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Post {
    /// A piece of an agent's text.
    pub fn chunk(agent_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Channel::Chunks).agent(agent_id).with("text", text.into()).with_id().now()
    }

    /// A tool call that begins.
    pub fn tool_call(agent_id: impl Into<String>, tool: impl Into<String>, input: impl Into<Value>) -> Self {
        let call = Self::new(Channel::ToolCalls).agent(agent_id).with("tool", tool.into());
        call.with("input", input).word("status", &ToolStatus::Running).with_id().now()
    }

    /// What came of the call with this id.
    pub fn tool_result(id: impl Into<String>, output: impl Into<Value>) -> Self {
        Self::tool_update(id, ToolStatus::Complete).with("output", output)
    }

    /// That the call with this id failed.
    pub fn tool_error(id: impl Into<String>, output: impl Into<Value>) -> Self {
        Self::tool_update(id, ToolStatus::Error).with("output", output)
    }

    /// How far the call with this id is.
    pub fn tool_update(id: impl Into<String>, status: ToolStatus) -> Self {
        Self::new(Channel::ToolCalls).with("id", id.into()).word("status", &status)
    }

    /// What went into or came out of a terminal.
    pub fn terminal(kind: TerminalKind, source: TerminalSource, data: impl Into<String>) -> Self {
        let line = Self::new(Channel::Terminal).word("type", &kind).word("source", &source);
        line.with("data", data.into()).with_id().now()
    }

    /// What a person typed.
    pub fn terminal_input(data: impl Into<String>) -> Self {
        Self::terminal(TerminalKind::Input, TerminalSource::User, data)
    }

    /// What an agent's program printed.
    pub fn terminal_output(data: impl Into<String>) -> Self {
        Self::terminal(TerminalKind::Output, TerminalSource::Agent, data)
    }

    /// An approval, or what happened to a worktree; `payload` is an object.
    pub fn workflow(kind: WorkflowKind, payload: impl Into<Value>) -> Self {
        Self::new(Channel::Workflow).word("type", &kind).with("payload", payload).with_id().now()
    }

    /// What an agent does now.
    pub fn agent_state(agent_id: impl Into<String>, status: AgentStatus) -> Self {
        Self::new(Channel::AgentState).agent(agent_id).word("status", &status).now()
    }

    /// That somebody is there. [`Session::join`](super::Session::join) says it again and again.
    pub fn presence(person: &Person) -> Self {
        let mut post = Self::new(Channel::Presence);
        if let Ok(Value::Object(data)) = serde_json::to_value(person) {
            post.data = data;
        }
        post
    }

    /// Step `tool:start`: a tool call that begins.
    pub fn step_tool_start(agent_id: impl Into<String>, tool: impl Into<String>, input: impl Into<Value>) -> Self {
        Self::step("tool:start").agent(agent_id).with("tool", tool.into()).with("input", input).with_id().now()
    }

    /// Step `tool:invoke` of the call with this id: it begins, or goes on.
    pub fn step_tool_invoke(
        agent_id: impl Into<String>,
        id: impl Into<String>,
        tool: impl Into<String>,
        input: impl Into<Value>,
    ) -> Self {
        let step = Self::step("tool:invoke").agent(agent_id).with("id", id.into());
        step.with("tool", tool.into()).with("input", input)
    }

    /// Step `tool:result` of the call with this id. The server tells how long it took. For one that failed:
    /// `.with("error", why)`.
    pub fn step_tool_result(agent_id: impl Into<String>, id: impl Into<String>, output: impl Into<Value>) -> Self {
        Self::step("tool:result").agent(agent_id).with("id", id.into()).with("output", output)
    }

    /// Step `stream:token`: a piece of an agent's text.
    pub fn step_token(agent_id: impl Into<String>, text: impl Into<String>) -> Self {
        Self::step("stream:token").agent(agent_id).with("text", text.into()).with_id().now()
    }

    /// Step `agent:turn`: the agent begins a turn.
    pub fn step_turn(agent_id: impl Into<String>, turn: u64) -> Self {
        Self::step("agent:turn").agent(agent_id).turn(turn).now()
    }

    /// Step `agent:complete`: the agent is done.
    pub fn step_complete(agent_id: impl Into<String>, result: impl Into<String>) -> Self {
        Self::step("agent:complete").agent(agent_id).with("result", result.into()).now()
    }

    /// An event of a channel with nothing in it yet.
    pub fn new(channel: Channel) -> Self {
        Self { kind: PostKind::Event(channel), data: Map::new() }
    }

    /// An event (`{"channel", "data"}`) or an agent step (`{"type", …}`) as it stands in a request; `None` for anything
    /// else. One whose channel or step has ids gets one, unless it names its own.
    pub fn parse(value: Value) -> Option<Self> {
        let Value::Object(mut body) = value else { return None };
        let (mut post, has_ids) = if let Some(channel) = body.get("channel").and_then(Value::as_str) {
            let post = Self::new(Channel::of(channel)?);
            let Some(Value::Object(data)) = body.remove("data") else { return None };
            body = data;
            let channel = post.channel()?;
            (post, !matches!(channel, Channel::AgentState | Channel::Presence))
        } else {
            let named = body.remove("type")?;
            let (kind, has_ids) = STEPS.into_iter().find(|(kind, _)| named == *kind)?;
            (Self::step(kind), has_ids)
        };
        post.data = body;
        Some(if has_ids && post.id().is_none() { post.with_id() } else { post })
    }

    fn step(kind: &'static str) -> Self {
        Self { kind: PostKind::Step(kind), data: Map::new() }
    }

    /// Sets a field.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    /// In which turn.
    pub fn turn(self, turn: u64) -> Self {
        self.with("turn", turn)
    }

    /// When it happened, in Unix milliseconds. Default: when it was made, by this machine's clock.
    pub fn at(self, unix_ms: u64) -> Self {
        self.with("timestamp", unix_ms)
    }

    /// The id that it has.
    pub fn id(&self) -> Option<&str> {
        self.data.get("id")?.as_str()
    }

    /// The type of a step, such as `tool:start`; `None` for an event.
    pub fn step_type(&self) -> Option<&'static str> {
        match self.kind {
            PostKind::Event(_) => None,
            PostKind::Step(kind) => Some(kind),
        }
    }

    /// The channel of an event; `None` for a step, of which the server decides what it becomes.
    pub fn channel(&self) -> Option<Channel> {
        match self.kind {
            PostKind::Event(channel) => Some(channel),
            PostKind::Step(_) => None,
        }
    }

    fn agent(self, agent_id: impl Into<String>) -> Self {
        self.with("agentId", agent_id.into())
    }

    fn with_id(self) -> Self {
        self.with("id", new_id())
    }

    fn now(self) -> Self {
        self.at(unix_ms())
    }

    fn word(self, name: &str, word: &impl Serialize) -> Self {
        let word = serde_json::to_value(word).expect("a word is a text");
        self.with(name, word)
    }

    /// The row it is about, as its channel names rows.
    pub(crate) fn key(&self) -> Option<&str> {
        let name = match self.channel()? {
            Channel::AgentState => "agentId",
            Channel::Presence => "userId",
            _ => "id",
        };
        self.data.get(name)?.as_str()
    }

    /// As it stands in a request.
    pub(crate) fn encode(&self, txid: Option<&str>) -> Value {
        let mut body = match self.kind {
            PostKind::Event(channel) => {
                let mut body = Map::new();
                body.insert("channel".into(), channel.as_str().into());
                body.insert("data".into(), Value::Object(self.data.clone()));
                body
            }
            PostKind::Step(kind) => {
                let mut body = self.data.clone();
                body.insert("type".into(), kind.into());
                body
            }
        };
        if let Some(txid) = txid {
            body.insert("txid".into(), txid.into());
        }
        Value::Object(body)
    }
}

/// Somebody who is there, as others see them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct Person {
    pub(crate) user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<Cursor>,
}

impl Person {
    /// This user.
    pub fn new(user_id: impl Into<String>) -> Self {
        Self { user_id: user_id.into(), display_name: None, avatar_url: None, cursor: None }
    }

    /// What others call them.
    pub fn name(mut self, display_name: impl Into<String>) -> Self {
        self.display_name = Some(display_name.into());
        self
    }

    /// What others see of them.
    pub fn avatar(mut self, url: impl Into<String>) -> Self {
        self.avatar_url = Some(url.into());
        self
    }
}
