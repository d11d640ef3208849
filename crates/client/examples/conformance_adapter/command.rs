//! The commands, as the suite writes them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

pub(crate) type Headers = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Command {
    Init { server_url: String },
    Create(Create),
    Connect(Target),
    Append(Append),
    Read(Read),
    Head(Target),
    Delete(Target),
    Close(Close),
    IdempotentAppend(Produce),
    IdempotentAppendBatch(ProduceBatch),
    IdempotentClose(Produce),
    IdempotentDetach(Produce),
    SetDynamicHeader(Dynamic),
    SetDynamicParam(Dynamic),
    ClearDynamic,
    Validate { target: Validation },
    Benchmark { iteration_id: String, operation: Operation },
    Shutdown,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) headers: Headers,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Create {
    #[serde(flatten)]
    pub(crate) target: Target,
    pub(crate) content_type: Option<String>,
    pub(crate) ttl_seconds: Option<u64>,
    pub(crate) expires_at: Option<String>,
    #[serde(default)]
    pub(crate) closed: bool,
    pub(crate) data: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Append {
    #[serde(flatten)]
    pub(crate) target: Target,
    pub(crate) data: String,
    #[serde(default)]
    pub(crate) binary: bool,
    pub(crate) seq: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Close {
    pub(crate) path: String,
    pub(crate) data: Option<String>,
    pub(crate) content_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Read {
    #[serde(flatten)]
    pub(crate) target: Target,
    pub(crate) offset: Option<String>,
    /// `false`, `true`, or the name of a mode.
    pub(crate) live: Option<Value>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) max_chunks: Option<usize>,
    #[serde(default)]
    pub(crate) wait_for_up_to_date: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Produce {
    pub(crate) path: String,
    pub(crate) producer_id: String,
    #[serde(default)]
    pub(crate) epoch: u64,
    #[serde(default)]
    pub(crate) auto_claim: bool,
    pub(crate) data: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProduceBatch {
    #[serde(flatten)]
    pub(crate) produce: Produce,
    pub(crate) items: Vec<String>,
    pub(crate) max_in_flight: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dynamic {
    pub(crate) name: String,
    pub(crate) value_type: String,
    pub(crate) initial_value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "target", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Validation {
    RetryOptions {
        max_retries: Option<i64>,
        initial_delay_ms: Option<i64>,
        max_delay_ms: Option<i64>,
        multiplier: Option<f64>,
    },
    IdempotentProducer {
        producer_id: Option<String>,
        epoch: Option<i64>,
        max_batch_bytes: Option<i64>,
        max_batch_items: Option<i64>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum Operation {
    Append { path: String, size: usize },
    Read { path: String, offset: Option<String> },
    Roundtrip { path: String, size: usize, live: Option<String>, content_type: Option<String> },
    Create { path: String, content_type: Option<String> },
    ThroughputAppend { path: String, count: usize, size: usize },
    ThroughputRead { path: String },
}
