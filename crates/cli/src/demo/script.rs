//! What the demo plays, as it was written down: acts that follow each other.

use serde::Deserialize;
use serde_json::{Map, Value};

const TEXT: &str = include_str!("script.toml");

/// A session, from the first act to the last.
#[derive(Debug, Deserialize)]
pub(super) struct Script {
    pub(super) project: String,
    pub(super) task: String,
    pub(super) title: String,
    pub(super) acts: Vec<Act>,
}

/// Something that somebody does.
#[derive(Debug, Deserialize)]
pub(super) struct Act {
    /// Seconds before it begins.
    #[serde(default)]
    pub(super) pause: f64,
    /// Begins with the act before it, and not after it.
    #[serde(default)]
    pub(super) beside: bool,
    /// The scene that it opens.
    pub(super) scene: Option<String>,
    #[serde(flatten)]
    pub(super) deed: Deed,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Deed {
    Join {
        user: String,
        name: String,
    },
    Leave {
        user: String,
    },
    /// A cursor moves along these points.
    Point {
        user: String,
        path: Vec<(f64, f64)>,
        seconds: f64,
    },
    /// A person writes a line.
    Type {
        user: String,
        text: String,
    },
    State {
        agent: String,
        status: String,
        #[serde(flatten)]
        more: Map<String, Value>,
    },
    /// An agent speaks, token by token.
    Say {
        agent: String,
        turn: u32,
        text: String,
    },
    Tool {
        agent: String,
        tool: String,
        input: Value,
        output: Option<Value>,
        error: Option<String>,
        seconds: f64,
    },
    /// An agent runs a command in the terminal.
    Run {
        agent: String,
        command: String,
        output: String,
        seconds: f64,
    },
    Workflow {
        event: String,
        actor: String,
        payload: Value,
    },
    Complete {
        agent: String,
        turn: u32,
        result: String,
    },
}

impl Script {
    /// The one that comes with the binary.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub(super) fn included() -> Self {
        toml::from_str(TEXT).expect("the script is well formed")
    }
}
