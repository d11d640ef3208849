//! Idempotent producers, which last from command to command.

use std::collections::HashMap;
use std::time::Duration;

use headwater_client::{Offset, Producer, ProducerBuilder};
use serde_json::{Value, json};

use crate::ATTEMPTS_MAX;
use crate::command::{Produce, ProduceBatch};
use crate::failure::Failure;
use crate::streams::Streams;

type Key = (String, String, u64);

/// Producers by stream, id and epoch.
#[derive(Default)]
pub(crate) struct Producers(HashMap<Key, State>);

enum State {
    Open(Producer),
    Closed(Option<Offset>),
}

impl Producers {
    async fn take(&mut self, streams: &Streams, produce: &Produce) -> Result<State, Failure> {
        match self.0.remove(&key(produce)) {
            Some(state) => Ok(state),
            None => Ok(State::Open(builder(streams, produce)?.linger(Duration::ZERO).start().await?)),
        }
    }

    pub(crate) async fn append(&mut self, streams: &Streams, produce: Produce) -> Result<Value, Failure> {
        let State::Open(producer) = self.take(streams, &produce).await? else {
            return Err(Failure::invalid("this producer has closed its stream".to_owned()));
        };
        producer.send(produce.data.clone().unwrap_or_default()).await?;
        producer.flush().await?;
        self.0.insert(key(&produce), State::Open(producer));
        Ok(json!({ "type": "idempotent-append", "success": true, "status": 200 }))
    }

    /// A second close of the same producer gives what the first one did.
    pub(crate) async fn close(&mut self, streams: &Streams, produce: Produce) -> Result<Value, Failure> {
        let tail = match (self.take(streams, &produce).await?, produce.data.clone()) {
            (State::Closed(tail), _) => tail,
            (State::Open(producer), Some(last)) => producer.close_with(last).await?,
            (State::Open(producer), None) => producer.close().await?,
        };
        self.0.insert(key(&produce), State::Closed(tail.clone()));
        Ok(json!({ "type": "idempotent-close", "success": true, "status": 200, "finalOffset": tail }))
    }

    pub(crate) async fn detach(&mut self, streams: &Streams, produce: Produce) -> Result<Value, Failure> {
        if let State::Open(producer) = self.take(streams, &produce).await? {
            producer.detach().await?;
        }
        Ok(json!({ "type": "idempotent-detach", "success": true, "status": 200 }))
    }
}

pub(crate) async fn append_batch(streams: &Streams, batch: ProduceBatch) -> Result<Value, Failure> {
    let mut builder = builder(streams, &batch.produce)?;
    builder = match batch.max_in_flight {
        // Many small requests at the same time, to see them overtake each other.
        Some(in_flight @ 2..) => builder.in_flight(in_flight).batch_messages(1).linger(Duration::ZERO),
        _ => builder.in_flight(1).linger(Duration::from_secs(1)),
    };
    let producer = builder.start().await?;
    for item in batch.items {
        producer.send(item).await?;
    }
    producer.detach().await?;
    Ok(json!({ "type": "idempotent-append-batch", "success": true, "status": 200 }))
}

fn builder(streams: &Streams, produce: &Produce) -> Result<ProducerBuilder, Failure> {
    let producer = streams.known(&produce.path)?.producer(produce.producer_id.as_str()).epoch(produce.epoch);
    Ok(producer.auto_claim(produce.auto_claim).attempts_max(ATTEMPTS_MAX))
}

fn key(produce: &Produce) -> Key {
    (produce.path.clone(), produce.producer_id.clone(), produce.epoch)
}
