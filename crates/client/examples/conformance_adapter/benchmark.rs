//! Operations that the suite takes the time of.

use std::time::Instant;

use headwater_client::{Create, Mode, Offset};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::command::Operation;
use crate::failure::Failure;
use crate::streams::Streams;

pub(crate) async fn run(streams: &Streams, iteration_id: String, operation: Operation) -> Result<Value, Failure> {
    let begun = Instant::now();
    let (bytes, messages) = perform(streams, operation).await?;
    let took = begun.elapsed();
    let per_second = |count: usize| count as f64 / took.as_secs_f64();
    Ok(json!({
        "type": "benchmark",
        "success": true,
        "iterationId": iteration_id,
        "durationNs": took.as_nanos().to_string(),
        "metrics": {
            "bytesTransferred": bytes,
            "messagesProcessed": messages,
            "opsPerSecond": per_second(messages),
            "bytesPerSecond": per_second(bytes),
        },
    }))
}

/// Bytes moved and messages handled.
async fn perform(streams: &Streams, operation: Operation) -> Result<(usize, usize), Failure> {
    match operation {
        Operation::Append { path, size } => {
            streams.known(&path)?.append(vec![42; size]).await?;
            Ok((size, 1))
        }
        Operation::Read { path, offset } => {
            let from = offset.map_or_else(Offset::start, Offset::from);
            Ok((streams.known(&path)?.read_all(from).await?.bytes.len(), 1))
        }
        Operation::Roundtrip { path, size, live, content_type } => {
            let mode = if live.as_deref() == Some("sse") { Mode::Sse } else { Mode::LongPoll };
            roundtrip(streams, &path, size, mode, content_type).await
        }
        Operation::Create { path, content_type } => {
            streams.stream(&path)?.create(create(content_type)).await?;
            Ok((0, 1))
        }
        Operation::ThroughputAppend { path, count, size } => throughput_append(streams, &path, count, size).await,
        Operation::ThroughputRead { path } => throughput_read(streams, &path).await,
    }
}

fn create(content_type: Option<String>) -> Create {
    content_type.map_or_else(|| Create::new("application/octet-stream"), Create::new)
}

async fn roundtrip(
    streams: &Streams,
    path: &str,
    size: usize,
    mode: Mode,
    content_type: Option<String>,
) -> Result<(usize, usize), Failure> {
    let stream = streams.stream(path)?;
    let is_json = content_type.as_deref() == Some("application/json");
    let payload = if is_json { json!("*".repeat(size)).to_string().into_bytes() } else { vec![42; size] };
    stream.create(create(content_type)).await?;
    let mut reader = stream.reader().mode(mode).open();
    let reading = async {
        while let Some(batch) = reader.next().await {
            let batch = batch?;
            if !batch.is_empty() {
                return Ok::<usize, Failure>(batch.bytes.len());
            }
        }
        Ok(0)
    };
    let appending = async { stream.append(payload).await.map_err(Failure::from) };
    let (read, _) = tokio::try_join!(reading, appending)?;
    Ok((size + read, 1))
}

async fn throughput_append(
    streams: &Streams,
    path: &str,
    count: usize,
    size: usize,
) -> Result<(usize, usize), Failure> {
    let stream = streams.known(path)?;
    let content_type = streams.content_type(path);
    stream.create(Create::new(content_type)).await?;
    let producer = stream.producer("bench-producer").auto_claim(true).start().await?;
    let payload = bytes::Bytes::from(vec![42; size]);
    for _ in 0..count {
        producer.send(payload.clone()).await?;
    }
    producer.detach().await?;
    Ok((count * size, count))
}

async fn throughput_read(streams: &Streams, path: &str) -> Result<(usize, usize), Failure> {
    let mut reader = streams.known(path)?.reader().mode(Mode::CatchUp).open();
    let (mut bytes, mut messages) = (0, 0);
    while let Some(batch) = reader.next().await {
        let batch = batch?;
        bytes += batch.bytes.len();
        messages += batch.json::<Box<RawValue>>()?.len();
    }
    Ok((bytes, messages))
}
