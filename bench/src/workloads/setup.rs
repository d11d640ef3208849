//! Making the streams a workload needs, and filling them.

use std::io;
use std::net::SocketAddr;

use tokio::task::JoinSet;

use crate::client::{Connection, ReadSize, render, stream_path};

const CONNECTIONS: usize = 16;
const IN_FLIGHT: usize = 16;

/// Creates streams `0..count`, each with `content` as its first bytes.
pub(crate) async fn create_streams(address: SocketAddr, count: usize, kind: &str, content: &[u8]) -> io::Result<()> {
    let mut workers = JoinSet::new();
    for worker in 0..CONNECTIONS.min(count) {
        let (kind, content) = (kind.to_owned(), content.to_vec());
        workers.spawn(async move {
            let numbers = (worker..count).step_by(CONNECTIONS);
            let requests = numbers.map(|number| {
                let headers = [("Content-Type", kind.as_str())];
                render("PUT", &stream_path(number), &headers, &content)
            });
            pipeline(address, requests).await
        });
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(io::Error::other)??;
    }
    Ok(())
}

/// Sends every request on one connection, a bounded number at a time; each must succeed.
pub(crate) async fn pipeline(address: SocketAddr, requests: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
    let mut connection = Connection::open(address, ReadSize::Small).await?;
    let mut requests = requests.peekable();
    let (mut in_flight, mut batch) = (0, Vec::new());
    loop {
        while in_flight < IN_FLIGHT
            && let Some(request) = requests.next()
        {
            batch.extend_from_slice(&request);
            in_flight += 1;
        }
        if in_flight == 0 {
            return Ok(());
        }
        connection.send(&batch).await?;
        batch.clear();
        in_flight -= take_answers(&mut connection).await?;
    }
}

async fn take_answers(connection: &mut Connection) -> io::Result<usize> {
    let mut taken = 0;
    loop {
        while let Some(head) = connection.take_response(&mut |_| ())? {
            if !head.is_success() {
                return Err(io::Error::other(format!("setup was answered with status {}", head.status)));
            }
            taken += 1;
        }
        if taken > 0 {
            return Ok(taken);
        }
        connection.fill().await?;
    }
}

/// Creates one stream and fills it with at least `bytes` bytes, in appends of `block`.
pub(crate) async fn fill_stream(
    address: SocketAddr,
    target: &str,
    bytes: u64,
    kind: &str,
    block: &[u8],
) -> io::Result<()> {
    let mut connection = Connection::open(address, ReadSize::Small).await?;
    let headers = [("Content-Type", kind)];
    connection.exchange(&render("PUT", target, &headers, b"")).await?.success("create")?;
    let request = render("POST", target, &headers, block);
    let mut left = bytes;
    while left > 0 {
        connection.exchange(&request).await?.success("append")?;
        left = left.saturating_sub(block.len() as u64);
    }
    Ok(())
}
