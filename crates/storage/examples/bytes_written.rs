//! Tells what the disk is given for each byte appended, and by which part of the store.
//!
//! `cargo run --profile fast -p headwater-storage --example bytes_written -- DIR STREAMS BATCH MEBIBYTES`: appends of 256
//! bytes, round robin over the streams, as many in each commit as BATCH says. The kernel counts bytes per thread, and
//! the store's threads are its parts: commits on the main one, zero filling and upkeep on their own.
#![allow(clippy::print_stdout, reason = "it answers to the terminal")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_protocol::{ContentType, Lifetime, Offset, StreamPath};
use headwater_storage::{EmbeddedStore, StoreOptions};
use headwater_streams::{
    AppendDelta, BatchId, Change, Closure, Durability, Head, Store, StoreError, StreamId, Transaction, Version,
};

const PAYLOAD_BYTES: usize = 256;
const CREATES_PER_COMMIT: usize = 1000;
/// Upkeep counts as done after this long without a write.
const QUIET: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, streams, batch, mebibytes] = &arguments[..] else { return Err("DIR STREAMS BATCH MEBIBYTES".into()) };
    let (streams, batch, mebibytes) = (streams.parse()?, batch.parse::<usize>()?, mebibytes.parse::<usize>()?);
    let dir = PathBuf::from(dir);
    let store = EmbeddedStore::open(&dir, StoreOptions::default())?;
    let mut heads = create(&store, streams).await?;
    store.checkpoint()?;
    settle()?;
    let (half, commits) = (mebibytes * 1024 * 1024 / PAYLOAD_BYTES / 2, Instant::now());
    let start = written()?;
    let next = append(&store, &mut heads, batch, 0, half).await?;
    let middle = written()?;
    append(&store, &mut heads, batch, next, half).await?;
    println!("{} appends in {:.1} s", 2 * half, commits.elapsed().as_secs_f64());
    let at_once = written()?;
    settle()?;
    let in_all = written()?;
    print("first half", half, &start, &middle);
    print("second half", half, &middle, &at_once);
    print("with all that was put off", 2 * half, &start, &in_all);
    for part in ["journal", "archive"] {
        println!("{part} on disk: {} MiB", bytes_in(&dir.join(part))? >> 20);
    }
    store.close().await?;
    Ok(())
}

/// One stream after another.
async fn create(store: &EmbeddedStore, count: usize) -> Result<Vec<Head>, Box<dyn std::error::Error>> {
    let mut heads = Vec::with_capacity(count);
    for number in 0..count {
        heads.push(head(store.allocate_id().await?, StreamPath::new(&format!("stream/{number}"))?));
    }
    for some in heads.chunks(CREATES_PER_COMMIT) {
        let create = |head: &Head| Change::Create { head: Box::new(head.clone()), payload: Bytes::new() };
        let batch = some.iter().map(|head| Transaction { changes: vec![create(head)] });
        store.commit(BatchId(0), batch.collect()).await?;
    }
    Ok(heads)
}

fn head(id: StreamId, path: StreamPath) -> Head {
    Head {
        id,
        path,
        content_type: ContentType::octet_stream(),
        lifetime: Lifetime::Forever,
        durability: Durability::Durable,
        created_at_ms: now_ms(),
        accessed_at_ms: now_ms(),
        earliest: Offset::START,
        tail: Offset::START,
        closure: Closure::Open,
        stream_seq: None,
        producers: Default::default(),
        fork: None,
        inherited: [].into(),
        forks: 0,
        soft_deleted: false,
        version: Version(1),
    }
}

/// Appends `count` times in commits of `batch`, from stream `next` on; returns the stream after the last one.
async fn append(
    store: &EmbeddedStore,
    heads: &mut [Head],
    batch: usize,
    mut next: usize,
    count: usize,
) -> Result<usize, StoreError> {
    let payload = Bytes::from(vec![b'x'; PAYLOAD_BYTES]);
    let mut left = count;
    while left > 0 {
        let mut transactions = Vec::with_capacity(batch);
        for _ in 0..batch.min(left) {
            let head = &mut heads[next];
            let delta = AppendDelta { payload: payload.clone(), ..AppendDelta::touch(head.tail, now_ms()) };
            let (path, expected) = (head.path.clone(), head.version);
            transactions.push(Transaction { changes: vec![Change::Append { id: head.id, path, expected, delta }] });
            head.tail = head.tail.advance(PAYLOAD_BYTES as u64);
            head.version.0 += 1;
            next = (next + 1) % heads.len();
        }
        left -= transactions.len();
        store.reserve(transactions.len(), transactions.len() * PAYLOAD_BYTES).await?;
        store.commit(BatchId(0), transactions).await?;
    }
    Ok(next)
}

/// Bytes written so far by each thread, by name.
fn written() -> io::Result<BTreeMap<String, u64>> {
    let mut written = BTreeMap::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        let io = fs::read_to_string(thread.join("io"))?;
        let bytes = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or(0);
        *written.entry(fs::read_to_string(thread.join("comm"))?.trim().to_owned()).or_default() += bytes;
    }
    Ok(written)
}

/// Waits until nothing has been written for a while.
fn settle() -> io::Result<()> {
    let (mut before, mut since) = (written()?, Instant::now());
    while since.elapsed() < QUIET {
        std::thread::sleep(Duration::from_millis(100));
        let now = written()?;
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
    Ok(())
}

fn print(what: &str, appends: usize, from: &BTreeMap<String, u64>, to: &BTreeMap<String, u64>) {
    let per_byte = |bytes: u64| bytes as f64 / (appends * PAYLOAD_BYTES) as f64;
    let since = |thread: &str, bytes: u64| bytes - from.get(thread).copied().unwrap_or(0);
    let parts: Vec<(&str, u64)> = to.iter().map(|(thread, &bytes)| (thread.as_str(), since(thread, bytes))).collect();
    let sum = per_byte(parts.iter().map(|(_, bytes)| bytes).sum());
    let parts: Vec<String> = parts.iter().map(|(thread, bytes)| format!("{thread} {:.3}", per_byte(*bytes))).collect();
    println!("{what}: {sum:.3} ({})", parts.join(", "));
}

fn bytes_in(dir: &Path) -> io::Result<u64> {
    fs::read_dir(dir)?.map(|file| Ok(file?.metadata()?.len())).sum()
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
