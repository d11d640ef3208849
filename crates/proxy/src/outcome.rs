//! What ended a generation.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a proxied stream takes no more bytes. Kept beside the stream, in the same transaction that closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The upstream's response ended as HTTP says it should.
    Complete,
    /// Somebody asked for it.
    Aborted,
    /// The upstream's connection broke off in the middle of the response.
    Cut,
    /// The upstream was silent for too long.
    IdleTimeout,
    /// The response took longer than any may.
    TimeLimit,
    /// The response was longer than any may be; the stream holds its beginning.
    TooLarge,
    /// This server was stopped or killed in the middle of the response.
    ServerStopped,
    /// Bytes that came could not be stored.
    StorageFailed,
}

impl Outcome {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Complete,
        Self::Aborted,
        Self::Cut,
        Self::IdleTimeout,
        Self::TimeLimit,
        Self::TooLarge,
        Self::ServerStopped,
        Self::StorageFailed,
    ];

    /// The word that answers carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Aborted => "aborted",
            Self::Cut => "cut",
            Self::IdleTimeout => "idle-timeout",
            Self::TimeLimit => "time-limit",
            Self::TooLarge => "too-large",
            Self::ServerStopped => "server-stopped",
            Self::StorageFailed => "storage-failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_word_is_the_word_that_answers_carry() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("{:?}", outcome.as_str()));
        }
    }
}
