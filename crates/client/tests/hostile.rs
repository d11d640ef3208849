//! Readers and producers behind a proxy that cuts, delays, refuses, loses and garbles, by seeded schedules: afterwards
//! the reader has every byte once, and the stream every message once.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use std::time::Duration;

use futures_util::StreamExt;
use headwater_client::{Batch, Client, Mode, Offset, Stream};
use headwater_testing::TestServer;
use support::proxy::Proxy;
use support::{PATIENCE, builder, created, fast};

/// Connections that come to harm before all goes well.
const FAULTS: usize = 20;
/// Schedules of each kind. `HOSTILE_SEED` runs one alone, `HOSTILE_SEEDS` so many.
const SEEDS: usize = 6;

fn seeds() -> Vec<u64> {
    if let Ok(seed) = std::env::var("HOSTILE_SEED") {
        return vec![seed.parse().unwrap()];
    }
    let count = std::env::var("HOSTILE_SEEDS").map_or(SEEDS, |count| count.parse().unwrap());
    (0..count).map(|_| rand::random()).collect()
}

fn hurried(url: &str) -> Client {
    let quick = Duration::from_millis(400);
    builder(url).request_timeout(quick).body_idle_timeout(quick).connect_timeout(quick).build().unwrap()
}

/// Pages of a few kilobytes and connections of a fraction of a second: many of each.
fn server() -> TestServer {
    TestServer::with(|config, limits| {
        config.sse_lifetime = Duration::from_millis(300);
        config.long_poll_timeout = Duration::from_millis(50);
        limits.page_bytes_max = 4096;
    })
}

fn message(n: u32) -> String {
    format!("{n}:{}", "\u{e9}\u{1f600} ,[]\"x".repeat(n as usize % 40))
}

/// Reads to the end through the proxy, from wherever the last reader came to.
async fn read(stream: &Stream, mode: Mode) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    loop {
        let from = batches.last().map_or(Offset::start(), |batch| batch.offset.clone());
        let reader = stream.reader().from(from).mode(mode).retry(fast()).malformed_max(1000);
        let reader =
            reader.idle_timeout(Duration::from_millis(500)).first_event_timeout(Duration::from_millis(300)).open();
        // Every now and then the consumer goes away and another one takes over.
        let some: Vec<_> = reader.take(40).map(|batch| batch.unwrap()).collect().await;
        batches.extend(some);
        if batches.last().is_some_and(|batch| batch.closed) {
            return batches;
        }
    }
}

async fn reads_once(seed: u64, mode: Mode, content_type: &str) {
    let server = server();
    let stream = created(&server, content_type).await;
    let is_json = content_type == "application/json";
    let encoded = move |n| if is_json { serde_json::to_string(&message(n)).unwrap() } else { message(n) };
    for n in 0..100 {
        stream.append(encoded(n)).await.unwrap();
    }
    let proxy = Proxy::seeded(server.address, seed, FAULTS).await;
    let through = hurried(&proxy.url()).stream("a/stream").unwrap();
    let writing = tokio::spawn(async move {
        for n in 100..300 {
            stream.append(encoded(n)).await.unwrap();
            // So that appends and faults overlap.
            tokio::task::yield_now().await;
        }
        stream.close().await.unwrap();
    });
    let batches = tokio::time::timeout(PATIENCE, read(&through, mode))
        .await
        .unwrap_or_else(|_| panic!("seed {seed} comes to no end"));
    writing.await.unwrap();
    if is_json {
        let read: Vec<String> = batches.iter().flat_map(|batch| batch.json::<String>().unwrap()).collect();
        assert!(
            read.iter().eq(&(0..300).map(message).collect::<Vec<_>>()),
            "seed {seed}, {mode:?}: {} messages",
            read.len()
        );
    } else {
        let read: Vec<u8> = batches.iter().flat_map(|batch| batch.bytes.to_vec()).collect();
        let written: String = (0..300).map(message).collect();
        assert!(read == written.as_bytes(), "seed {seed}, {mode:?}: {} of {} bytes", read.len(), written.len());
    }
}

#[tokio::test]
async fn a_reader_has_every_byte_once_after_any_schedule() {
    for (index, seed) in seeds().into_iter().enumerate() {
        let mode = [Mode::Auto, Mode::Sse, Mode::LongPoll][index % 3];
        let content_type = ["application/json", "application/octet-stream", "text/plain"][index / 2 % 3];
        println!("seed {seed}, {mode:?}, {content_type}");
        reads_once(seed, mode, content_type).await;
    }
}

async fn writes_once(seed: u64, content_type: &str) {
    let server = server();
    let stream = created(&server, content_type).await;
    let proxy = Proxy::seeded(server.address, seed, FAULTS).await;
    let through = hurried(&proxy.url()).stream("a/stream").unwrap().with_content_type(content_type);
    let producer = through.producer("p").batch_messages(3).queue_messages(40).in_flight(4).retry(fast());
    let producer = producer.linger(Duration::from_millis(1)).start().await.unwrap();
    for n in 0..300 {
        producer.send_json(&message(n)).await.unwrap();
        if n % 100 == 50 {
            producer.flush().await.unwrap();
        }
    }
    producer.close().await.unwrap();
    let all = stream.read_all(Offset::start()).await.unwrap();
    assert!(all.closed);
    let written: Vec<String> = (0..300).map(message).collect();
    let read: Vec<String> = if content_type == "application/json" {
        all.json().unwrap()
    } else {
        serde_json::Deserializer::from_slice(&all.bytes).into_iter().map(|message| message.unwrap()).collect()
    };
    assert!(read == written, "seed {seed}: {} of {} messages", read.len(), written.len());
}

#[tokio::test]
async fn a_stream_has_every_message_once_after_any_schedule() {
    for (index, seed) in seeds().into_iter().enumerate() {
        let content_type = ["application/json", "text/plain"][index % 2];
        println!("seed {seed}, {content_type}");
        tokio::time::timeout(PATIENCE, writes_once(seed, content_type))
            .await
            .unwrap_or_else(|_| panic!("seed {seed} comes to no end"));
    }
}
