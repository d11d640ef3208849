//! A server that answers each connection with the next of the bytes it was given, and writes down what was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// What happens to one connection after its request has come.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These bytes, then the end.
    Say(String),
    /// These bytes, then silence on an open connection.
    Hold(String),
    /// The connection breaks without an answer.
    Break,
}

/// A server; the last reply is repeated for all connections that follow.
pub struct Script {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Script {
    pub async fn play(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Vec<Reply> = replies.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = requests.clone();
        let task = tokio::spawn(async move {
            let mut played = 0;
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let Some(request) = request(&mut socket).await else { continue };
                noted.lock().unwrap().push(request);
                let reply = replies[played.min(replies.len() - 1)].clone();
                played += 1;
                tokio::spawn(answer(socket, reply));
            }
        });
        Self { address, requests, _task: AbortOnDropHandle::new(task) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/s", self.address)
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The targets of the requests so far.
    pub fn targets(&self) -> Vec<String> {
        self.requests().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

async fn answer(mut socket: TcpStream, reply: Reply) {
    let (Reply::Say(text) | Reply::Hold(text)) = &reply else { return };
    // Whoever hung up does not want the rest.
    if socket.write_all(text.as_bytes()).await.is_err() {
        return;
    }
    if let Reply::Hold(_) = reply {
        let mut rest = [0; 64];
        while socket.read(&mut rest).await.is_ok_and(|count| count > 0) {}
    }
}

/// A request's head; its body, which is small here, has come with it.
async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer).await.ok()?;
        bytes.extend_from_slice(&buffer[..count]);
        if bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            return String::from_utf8(bytes).ok();
        }
        if count == 0 {
            return None;
        }
    }
}

/// A page of a catch-up read.
pub fn page(content_type: &str, offset: &str, flags: &str, body: &str) -> Reply {
    Reply::Say(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nstream-next-offset: {offset}\r\n\
         {flags}connection: close\r\n\r\n{body}",
        body.len()
    ))
}

/// The head of an event stream that lasts as long as its connection, and its first events.
pub fn events(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{text}")
}

/// A control event.
pub fn control(offset: &str, rest: &str) -> String {
    format!("event: control\ndata:{{\"streamNextOffset\":\"{offset}\",\"streamCursor\":\"7\"{rest}}}\n\n")
}

/// A refusal.
pub fn status(status: u16, headers: &str, body: &str) -> Reply {
    Reply::Say(format!(
        "HTTP/1.1 {status} No\r\ncontent-length: {}\r\n{headers}connection: close\r\n\r\n{body}",
        body.len()
    ))
}
