//! Reading a long stream from its start, page after page.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::client::{Connection, ReadSize, get, stream_path};
use crate::metric::{Metric, Target, Unit};

use super::append::Payload;
use super::{Trial, setup};

const BLOCK_BYTES: usize = 1 << 20;
/// Messages in one JSON append; about as many bytes as a binary block.
const BLOCK_MESSAGES: usize = 18_000;
const ADDED_BYTES_MAX: f64 = (128u64 << 20) as f64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Binary,
    Json,
}

impl Content {
    fn block(self) -> Payload {
        match self {
            Content::Binary => Payload::Bytes(BLOCK_BYTES),
            Content::Json => Payload::Json(BLOCK_MESSAGES),
        }
    }
}

pub(crate) async fn run(
    trial: &mut Trial<'_>,
    bytes: u64,
    readers: usize,
    content: Content,
) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    fill(server.address(), &stream_path(0), bytes, content).await?;
    read_to_tail(server.address(), stream_path(0)).await?;
    let (began, cpu_before) = (Instant::now(), server.process().cpu()?);
    let read = read_for(server.address(), readers, trial.scale.measure).await? as f64;
    let (elapsed, cpu) = (began.elapsed(), server.process().cpu()? - cpu_before);
    Ok(vec![
        Metric::new("read", Unit::BytesPerSecond, read / elapsed.as_secs_f64()).target(Some(Target::RatioAtLeast(0.7))),
        Metric::new("server CPU", Unit::SecondsPerGigabyte, cpu.as_secs_f64() / (read / 1e9)),
    ])
}

/// How much resident memory several readers of one long stream add.
pub(crate) async fn run_memory(trial: &mut Trial<'_>, bytes: u64, readers: usize) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    fill(server.address(), &stream_path(0), bytes, Content::Binary).await?;
    let process = server.process();
    let resident = process.resident_bytes()?;
    process.reset_peak()?;
    read_for(server.address(), readers, Duration::ZERO).await?;
    let added = process.peak_bytes()?.saturating_sub(resident) as f64;
    Ok(vec![
        Metric::new("added resident", Unit::Bytes, added).target(Some(Target::AtMost(ADDED_BYTES_MAX))),
        Metric::new("resident before", Unit::Bytes, resident as f64),
    ])
}

pub(crate) async fn fill(address: SocketAddr, target: &str, bytes: u64, content: Content) -> io::Result<()> {
    let block = content.block();
    setup::fill_stream(address, target, bytes, block.content_type(), &block.body()).await
}

/// Every reader reads the stream at least once, and again until the time is up.
async fn read_for(address: SocketAddr, readers: usize, duration: Duration) -> io::Result<u64> {
    let (until, mut tasks, mut total) = (Instant::now() + duration, JoinSet::new(), 0);
    for _ in 0..readers {
        tasks.spawn(async move {
            let mut read = read_to_tail(address, stream_path(0)).await?;
            while Instant::now() < until {
                read += read_to_tail(address, stream_path(0)).await?;
            }
            io::Result::Ok(read)
        });
    }
    while let Some(read) = tasks.join_next().await {
        total += read.map_err(io::Error::other)??;
    }
    Ok(total)
}

/// Reads one stream from its start to its tail, and answers how many bytes that was.
pub(crate) async fn read_to_tail(address: SocketAddr, target: String) -> io::Result<u64> {
    let mut connection = Connection::open(address, ReadSize::Bulk).await?;
    let (mut offset, mut total) = ("-1".to_owned(), 0);
    loop {
        connection.send(&get(&format!("{target}?offset={offset}"))).await?;
        let head = connection.head().await?;
        connection.body(&head, &mut |bytes| total += bytes.len() as u64).await?;
        if !head.is_success() {
            return Err(io::Error::other(format!("a read was answered with status {}", head.status)));
        }
        if head.up_to_date {
            return Ok(total);
        }
        offset = match head.next_offset {
            Some(next) if next != offset => next,
            _ => return Err(io::Error::other("a page before the tail does not lead on")),
        };
    }
}
