//! What one producer knows to be acknowledged.

use std::collections::BTreeMap;

use super::message::Identity;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Bytes,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Closed,
    Deleted,
}

/// A stream with one writer: its exact content, in order.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) path: String,
    pub(crate) number: u32,
    pub(crate) content: Content,
    pub(crate) state: State,
    pub(crate) messages: Vec<Identity>,
    /// The next producer sequence number.
    pub(crate) sequence: u32,
    /// What the last acknowledgement said.
    pub(crate) next_offset: Option<String>,
}

/// How requests that were in flight at a kill ended.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Retries {
    pub(crate) resent: u64,
    pub(crate) duplicates: u64,
    pub(crate) written: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) producer: u32,
    pub(crate) streams: Vec<Stream>,
    /// How many messages this producer has on the shared stream.
    pub(crate) shared: u32,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) retries: Retries,
    /// Answers that no server may give.
    pub(crate) refused: Vec<String>,
}

impl Model {
    pub(crate) fn acknowledge(&mut self, message: Identity) {
        self.messages += 1;
        self.bytes += message.message().len() as u64;
    }

    /// The counts of all models together.
    pub(crate) fn total(models: &[Model]) -> Model {
        let mut total = Model::default();
        for model in models {
            total.messages += model.messages;
            total.bytes += model.bytes;
            total.retries.resent += model.retries.resent;
            total.retries.duplicates += model.retries.duplicates;
            total.retries.written += model.retries.written;
            total.refused.extend(model.refused.iter().cloned());
        }
        total
    }

    /// How many messages each producer has on the shared stream.
    pub(crate) fn shared(models: &[Model]) -> BTreeMap<u32, u32> {
        models.iter().map(|model| (model.producer, model.shared)).collect()
    }
}
