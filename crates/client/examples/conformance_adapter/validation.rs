//! Options that cannot work must be refused before anything is sent.

use std::time::Duration;

use headwater_client::RetrySchedule;
use serde_json::{Value, json};

use crate::command::Validation;
use crate::failure::Failure;
use crate::streams::Streams;

pub(crate) fn validate(streams: &Streams, target: Validation) -> Result<Value, Failure> {
    match target {
        Validation::RetryOptions { max_retries, initial_delay_ms, max_delay_ms, multiplier } => {
            number::<u32>("maxRetries", max_retries.unwrap_or(3))?;
            let initial = number("initialDelayMs", initial_delay_ms.unwrap_or(1000))?;
            let cap = number("maxDelayMs", max_delay_ms.unwrap_or(30_000))?;
            let (initial, cap) = (Duration::from_millis(initial), Duration::from_millis(cap));
            RetrySchedule::new(initial, multiplier.unwrap_or(2.0), cap)
                .map_err(|error| Failure::invalid(format!("initialDelayMs, maxDelayMs, multiplier: {error}")))?;
        }
        Validation::IdempotentProducer { producer_id, epoch, max_batch_bytes, max_batch_items } => {
            let id = producer_id.as_deref().unwrap_or("test-producer");
            let mut producer =
                streams.stream("/test-validate")?.producer(id).epoch(number("epoch", epoch.unwrap_or(0))?);
            if let Some(bytes) = max_batch_bytes {
                producer = producer.batch_bytes(number("maxBatchBytes", bytes)?);
            }
            if let Some(items) = max_batch_items {
                producer = producer.batch_messages(number("maxBatchItems", items)?);
            }
            producer
                .check()
                .map_err(|error| Failure::invalid(format!("producerId, maxBatchBytes, maxBatchItems: {error}")))?;
        }
    }
    Ok(json!({ "type": "validate", "success": true }))
}

/// A number of the type that the client takes: its types leave no room for less than zero.
fn number<T: TryFrom<i64>>(name: &str, number: i64) -> Result<T, Failure> {
    T::try_from(number).map_err(|_| Failure::invalid(format!("{name} {number} is out of range")))
}
