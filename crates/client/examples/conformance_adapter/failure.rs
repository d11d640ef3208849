//! Errors, by the suite's names.

use headwater_client::Error;
use serde_json::{Value, json};

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    code: &'static str,
    status: Option<u16>,
    message: String,
}

impl Failure {
    pub(crate) fn not_supported(message: String) -> Self {
        Self { code: "NOT_SUPPORTED", status: None, message }
    }

    pub(crate) fn invalid(message: String) -> Self {
        Self { code: "INVALID_ARGUMENT", status: None, message }
    }

    /// The result for the command on `line`.
    pub(crate) fn result(&self, line: &str) -> Value {
        let command: Value = serde_json::from_str(line).unwrap_or_default();
        json!({
            "type": "error",
            "success": false,
            "commandType": command["type"],
            "status": self.status,
            "errorCode": self.code,
            "message": self.message,
        })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { code: code(&error), status: error.status(), message: error.to_string() }
    }
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::NotFound(_) => "NOT_FOUND",
        Error::Closed { .. } => "STREAM_CLOSED",
        Error::SequenceConflict(_) => "SEQUENCE_CONFLICT",
        Error::Conflict(_) => "CONFLICT",
        Error::Refused(refusal) if refusal.status == 400 => "INVALID_OFFSET",
        Error::Malformed { .. } | Error::Json { .. } => "PARSE_ERROR",
        Error::Invalid(_) => "INVALID_ARGUMENT",
        Error::TimedOut { .. } => "TIMEOUT",
        Error::Unreachable { .. } | Error::Interrupted { .. } => "NETWORK_ERROR",
        Error::Ambiguous { cause } => code(cause),
        other if other.status().is_some() => "UNEXPECTED_STATUS",
        _ => "INTERNAL_ERROR",
    }
}
