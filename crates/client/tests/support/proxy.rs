//! A proxy that does to connections what networks, balancers and overloaded servers do, by a seeded plan.
//!
//! Each connection gets a fault of its own until the plan's faults are used up; then all goes through.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// What happens to one connection.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is closed as soon as it is made.
    Refused,
    /// The answer breaks off after so many bytes: in the head, in a chunk, in an event.
    AnswerCut(usize),
    /// The request breaks off after so many bytes.
    RequestCut(usize),
    /// The request goes through and no answer comes back: who asked cannot know what happened.
    AnswerLost,
    /// The request goes through, and the answer is replaced by an error.
    AnswerReplaced(&'static str),
    /// The request is refused before it reaches the server.
    Status(&'static str),
    /// Every piece of the answer is held up, until the connection ends.
    Slow(u64),
    /// Where the next chunk should begin come bytes that belong to no framing, after so many pieces; or where the answer
    /// should begin, when it has no chunks. Never inside content: nobody could tell.
    Garbage(usize),
    /// After so many bytes of the answer nothing more comes, and the connection stays open.
    HalfDead(usize),
}

const REFUSALS: [&str; 5] = [
    "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    "HTTP/1.1 500 Oops\r\ncontent-length: 4\r\nconnection: close\r\n\r\noops",
    "HTTP/1.1 503 Busy\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\nconnection: close\r\n\r\n...",
];

impl Fault {
    fn draw(random: &mut StdRng) -> Self {
        let bytes = if random.random_bool(0.5) { random.random_range(0..400) } else { random.random_range(0..20_000) };
        match random.random_range(0..10) {
            0 => Self::Refused,
            1 | 2 => Self::AnswerCut(bytes),
            3 => Self::RequestCut(bytes),
            4 => Self::AnswerLost,
            5 => Self::AnswerReplaced(REFUSALS[random.random_range(1..REFUSALS.len())]),
            6 => Self::Status(REFUSALS[random.random_range(0..REFUSALS.len())]),
            7 => Self::Slow(random.random_range(1..5)),
            8 => Self::Garbage(random.random_range(0..8)),
            _ => Self::HalfDead(bytes),
        }
    }
}

/// Pieces of a slow answer, after which its connection ends.
const SLOW_PIECES_MAX: u32 = 20;

/// A running proxy.
pub struct Proxy {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Harms the first `count` connections as `seed` has it.
    pub async fn seeded(server: SocketAddr, seed: u64, count: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        Self::with(server, (0..count).map(|_| Fault::draw(&mut random)).collect()).await
    }

    /// Harms connection after connection as `faults` has it.
    pub async fn with(server: SocketAddr, faults: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let task = tokio::spawn(async move {
            // Connections live in here, so that the proxy's end is theirs.
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let fault = faults.get(count.fetch_add(1, Ordering::Relaxed)).cloned();
                open.spawn(async move {
                    // Broken connections are what this is for.
                    carry(client, server, fault).await.unwrap_or_default();
                });
            }
        });
        Self { address, connections, _task: AbortOnDropHandle::new(task) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1/stream", self.address)
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, fault: Option<Fault>) -> io::Result<()> {
    client.set_nodelay(true)?;
    match fault {
        Some(Fault::Refused) => return Ok(()),
        Some(Fault::Status(answer)) => {
            let mut request = [0; 64 * 1024];
            if client.read(&mut request).await? > 0 {
                client.write_all(answer.as_bytes()).await?;
                client.shutdown().await?;
            }
            return Ok(());
        }
        _ => {}
    }
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let request_bytes = if let Some(Fault::RequestCut(bytes)) = fault { bytes } else { usize::MAX };
    tokio::select! {
        ended = requests(from_client, to_server, request_bytes) => ended,
        ended = answers(from_server, to_client, fault) => ended,
    }
}

async fn requests(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    most: usize,
) -> io::Result<()> {
    let (mut buffer, mut left) = (vec![0; 16 * 1024], most);
    loop {
        let count = from.read(&mut buffer).await?.min(left);
        to.write_all(&buffer[..count]).await?;
        left -= count;
        if count == 0 || left == 0 {
            return Ok(());
        }
    }
}

async fn answers(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    fault: Option<Fault>,
) -> io::Result<()> {
    if let Some(Fault::Garbage(pieces)) = fault {
        return garble(from, to, pieces).await;
    }
    let (mut buffer, mut passed, mut pieces) = (vec![0; 16 * 1024], 0, 0);
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let most = match &fault {
            Some(Fault::AnswerLost) => return Ok(()),
            Some(Fault::AnswerReplaced(answer)) => return to.write_all(answer.as_bytes()).await,
            Some(Fault::AnswerCut(most) | Fault::HalfDead(most)) => *most,
            _ => usize::MAX,
        };
        if let Some(Fault::Slow(milliseconds)) = fault {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            pieces += 1;
            if pieces == SLOW_PIECES_MAX {
                return Ok(());
            }
        }
        let passing = count.min(most - passed);
        to.write_all(&buffer[..passing]).await?;
        passed += passing;
        if passed == most {
            if let Some(Fault::HalfDead(_)) = fault {
                std::future::pending::<()>().await;
            }
            return Ok(());
        }
    }
}

async fn garble(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    pieces: usize,
) -> io::Result<()> {
    let (mut buffer, mut passed) = (vec![0; 16 * 1024], Vec::new());
    for piece in 0.. {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let at_start = piece == 0 && !is_chunked(&buffer[..count]);
        if !at_start {
            to.write_all(&buffer[..count]).await?;
            passed.extend_from_slice(&buffer[..count]);
        }
        if at_start || (piece >= pieces && ends_between_chunks(&passed)) {
            return to.write_all(b"zzzz\r\n\0\xff\xfe;;;\r\n\r\n").await;
        }
    }
    Ok(())
}

fn head_of(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn is_chunked(answer: &[u8]) -> bool {
    let head = &answer[..head_of(answer).unwrap_or_default()];
    String::from_utf8_lossy(head).to_lowercase().contains("transfer-encoding: chunked")
}

fn ends_between_chunks(answer: &[u8]) -> bool {
    let mut at = head_of(answer).expect("an answer with chunks has a head");
    while at < answer.len() {
        let Some(line) = answer[at..].windows(2).position(|window| window == b"\r\n") else { return false };
        let size = usize::from_str_radix(std::str::from_utf8(&answer[at..at + line]).unwrap(), 16).unwrap();
        at += line + 2 + size + 2;
        if size == 0 {
            return false;
        }
    }
    at == answer.len()
}
