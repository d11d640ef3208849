//! Reading a long stream from its start, page after page.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::gauge::Gauge;
use crate::http::{ReadSize, Refused};
use crate::limits::RECONNECT_PAUSE;
use crate::site::Site;

/// Every reader reads the stream at least once, and again until the time is up. A latency is recorded for each page.
pub async fn read_for(site: &Site, target: &str, readers: usize, duration: Duration, gauge: &Rc<Gauge>) {
    let until = Instant::now() + duration;
    let mut tasks = JoinSet::new();
    gauge.record();
    for _ in 0..readers {
        let (site, target, gauge) = (site.clone(), target.to_owned(), Rc::clone(gauge));
        tasks.spawn_local(async move {
            loop {
                if let Err(error) = read_to_tail(&site, &target, &gauge).await {
                    gauge.fail(1, &error);
                    sleep(RECONNECT_PAUSE).await;
                }
                if Instant::now() >= until {
                    return;
                }
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    gauge.end();
}

/// Reads one stream from its start to its tail on a connection of its own, and answers how many bytes that was.
///
/// # Errors
/// When a page is refused or does not lead on, or the connection breaks.
pub async fn read_to_tail(site: &Site, target: &str, gauge: &Gauge) -> io::Result<u64> {
    let mut connection = site.connect(ReadSize::Bulk).await?;
    let (mut offset, mut total) = ("-1".to_owned(), 0);
    loop {
        let asked = Instant::now();
        connection.send(&site.get(&format!("{target}?offset={offset}"))).await?;
        let head = connection.head().await?;
        if !head.is_success() {
            return Err(Refused::new("read", &head, b"").into());
        }
        let take = &mut |bytes: &[u8]| {
            total += bytes.len() as u64;
            gauge.add_bytes(bytes.len() as u64);
        };
        connection.body(&head, take).await?;
        gauge.acknowledge(asked);
        if head.up_to_date {
            return Ok(total);
        }
        offset = match head.next_offset {
            Some(next) if next != offset => next,
            _ => return Err(io::Error::other("a page before the tail does not lead on")),
        };
        if !head.keep_alive {
            connection = site.connect(ReadSize::Bulk).await?;
        }
    }
}
