//! Models that speak: every request is answered with tokens at a steady rate until all are told to stop.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use headwater_load::stamp_text;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval_at};

const TOKEN_INTERVAL: Duration = Duration::from_millis(20);
const REQUEST_BYTES_MAX: usize = 16 * 1024;
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const END: &[u8] = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
const EMPTY: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// All of them, on this thread.
pub(super) struct Upstream {
    address: SocketAddr,
    state: Rc<State>,
}

struct State {
    clock: Instant,
    said: Cell<u64>,
    is_over: Cell<bool>,
}

impl Upstream {
    pub(super) async fn start() -> io::Result<Upstream> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let state = State { clock: Instant::now(), said: Cell::new(0), is_over: Cell::new(false) };
        let upstream = Upstream { address: listener.local_addr()?, state: Rc::new(state) };
        let state = Rc::clone(&upstream.state);
        tokio::task::spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let state = Rc::clone(&state);
                // A reader that leaves ends its response.
                tokio::task::spawn_local(async move { serve(socket, &state).await.ok() });
            }
        });
        Ok(upstream)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stamps count from.
    pub(super) fn clock(&self) -> Instant {
        self.state.clock
    }

    /// Tokens so far.
    pub(super) fn said(&self) -> u64 {
        self.state.said.get()
    }

    /// Lets every response end in its turn.
    pub(super) fn stop(&self) {
        self.state.is_over.set(true);
    }
}

async fn serve(mut socket: TcpStream, state: &State) -> io::Result<()> {
    socket.set_nodelay(true)?;
    while let Some(request) = request(&mut socket).await? {
        if !request.starts_with(b"POST") {
            socket.write_all(EMPTY).await?;
            continue;
        }
        socket.write_all(HEAD).await?;
        // Models do not speak in step.
        let first = tokio::time::Instant::now() + TOKEN_INTERVAL.mul_f64(rand::random::<f64>());
        let mut ticks = interval_at(first, TOKEN_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !state.is_over.get() {
            ticks.tick().await;
            let event = event(state.clock.elapsed());
            socket.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
            state.said.set(state.said.get() + 1);
        }
        socket.write_all(END).await?;
    }
    Ok(())
}

/// One token, as OpenAI's chat completions send it.
fn event(now: Duration) -> String {
    let token = stamp_text(now);
    format!(
        "data: {{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":\"chat.completion.chunk\",\"created\":1741569952,\
         \"model\":\"gpt-4.1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{token}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// The head of a request without a body; `None` when there is none any more.
async fn request(socket: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > REQUEST_BYTES_MAX || socket.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(head))
}
