//! Making the streams that a load needs, filling them, and deleting them again.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use tokio::task::JoinSet;

use crate::append::Payload;
use crate::http::{Connection, ReadSize, Refused};
use crate::limits::{FILL_BLOCK_BYTES, FILL_BLOCK_MESSAGES, SETUP_CONNECTIONS, SETUP_IN_FLIGHT};
use crate::site::Site;

/// Asks whoever makes streams to end early. What is in flight is still answered, so that nothing appears later.
#[derive(Debug, Clone, Default)]
pub struct Stop(Rc<Cell<bool>>);

/// What a long stream is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Binary,
    Json,
}

impl Stop {
    /// From now on nothing new is begun.
    pub fn ask(&self) {
        self.0.set(true);
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.get()
    }
}

impl Content {
    fn block(self) -> Payload {
        match self {
            Content::Binary => Payload::Bytes(FILL_BLOCK_BYTES),
            Content::Json => Payload::Json { messages: FILL_BLOCK_MESSAGES, bytes: 0 },
        }
    }
}

/// Creates streams `0..count`, each with `content` as its first bytes.
///
/// # Errors
/// When one of them is refused, or a connection breaks.
pub async fn create_streams(site: &Site, count: usize, kind: &str, content: &[u8], stop: &Stop) -> io::Result<()> {
    on_all(count, |numbers| {
        let (site, kind, content, stop) = (site.clone(), kind.to_owned(), content.to_vec(), stop.clone());
        async move {
            let create = |number| site.request("PUT", &site.stream(number), &[("Content-Type", &kind)], &content);
            let wanted = numbers.take_while(|_| !stop.is_asked());
            pipeline(&site, wanted.map(create)).await
        }
    })
    .await
}

/// Deletes streams `0..count`; one that is not there is no error.
///
/// # Errors
/// When a deletion is refused, or a connection breaks.
pub async fn delete_streams(site: &Site, count: usize) -> io::Result<()> {
    on_all(count, |numbers| {
        let site = site.clone();
        async move {
            let delete = |number| site.request("DELETE", &site.stream(number), &[], b"");
            let gone = |status| (200..300).contains(&status) || matches!(status, 404 | 410);
            pipelined(&site, numbers.map(delete), "delete", gone).await
        }
    })
    .await
}

/// Shares `0..count` out to a few workers.
async fn on_all<F>(count: usize, work: impl Fn(std::iter::StepBy<std::ops::Range<usize>>) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + 'static,
{
    let mut workers = JoinSet::new();
    for worker in 0..SETUP_CONNECTIONS.min(count) {
        workers.spawn_local(work((worker..count).step_by(SETUP_CONNECTIONS)));
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(io::Error::other)??;
    }
    Ok(())
}

/// Sends every request in order, a bounded number at a time; each must succeed. One that a server left unanswered when it
/// closed the connection is sent again.
///
/// # Errors
/// When one is refused, or the connection breaks.
pub async fn pipeline(site: &Site, requests: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
    pipelined(site, requests, "setup", |status| (200..300).contains(&status)).await
}

async fn pipelined(
    site: &Site,
    requests: impl Iterator<Item = Vec<u8>>,
    asked: &'static str,
    accept: impl Fn(u16) -> bool,
) -> io::Result<()> {
    let mut connection = site.connect(ReadSize::Small).await?;
    let mut requests = requests.fuse();
    let mut unanswered = VecDeque::with_capacity(SETUP_IN_FLIGHT);
    loop {
        while unanswered.len() < SETUP_IN_FLIGHT
            && let Some(request) = requests.next()
        {
            connection.send(&request).await?;
            unanswered.push_back(request);
        }
        if unanswered.is_empty() {
            return Ok(());
        }
        if !take_answers(&mut connection, &mut unanswered, asked, &accept).await? {
            // The server takes no more on this connection.
            connection = site.connect(ReadSize::Small).await?;
            for request in &unanswered {
                connection.send(request).await?;
            }
        }
    }
}

/// Takes answers off `unanswered`, one at least. False when the server takes no more on this connection.
async fn take_answers(
    connection: &mut Connection,
    unanswered: &mut VecDeque<Vec<u8>>,
    asked: &'static str,
    accept: &impl Fn(u16) -> bool,
) -> io::Result<bool> {
    let waiting = unanswered.len();
    while unanswered.len() == waiting {
        let mut said = Vec::new();
        while let Some(head) = connection.take_response(&mut |bytes| said.extend_from_slice(bytes))? {
            if !accept(head.status) {
                return Err(Refused::new(asked, &head, &said).into());
            }
            said.clear();
            unanswered.pop_front().ok_or_else(|| io::Error::other("an answer without a request"))?;
            if !head.keep_alive {
                return Ok(false);
            }
        }
        if unanswered.len() == waiting {
            connection.fill().await?;
        }
    }
    Ok(true)
}

/// Creates one stream and fills it with at least `bytes` bytes.
///
/// # Errors
/// When a request is refused, or the connection breaks.
pub async fn fill_stream(site: &Site, target: &str, bytes: u64, content: Content, stop: &Stop) -> io::Result<()> {
    let mut connection = site.connect(ReadSize::Small).await?;
    let (block, headers) = (content.block().body(), [("Content-Type", content.block().content_type())]);
    let created = connection.exchange(&site.request("PUT", target, &headers, b"")).await?.success("create")?;
    if !created.head.keep_alive {
        connection = site.connect(ReadSize::Small).await?;
    }
    let request = site.request("POST", target, &headers, &block);
    let mut left = bytes;
    while left > 0 && !stop.is_asked() {
        let answer = connection.exchange(&request).await?.success("append")?;
        if !answer.head.keep_alive {
            connection = site.connect(ReadSize::Small).await?;
        }
        left = left.saturating_sub(block.len() as u64);
    }
    Ok(())
}
