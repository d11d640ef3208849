//! A server on the memory store, and a client that sends exactly the bytes it is told to.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_proxy::{Proxy, ProxyConfig};
use headwater_server::{Metrics, Mirrors, Server, ServerConfig};
use headwater_sessions::{Sessions, SessionsConfig};
use headwater_streams::limits::EngineLimits;
use headwater_streams::memory::MemoryStore;
use headwater_streams::{Clock, Engine, SystemClock};
use tokio::sync::oneshot;

/// How long any answer may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A running server; stops when dropped.
pub struct TestServer {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl TestServer {
    pub fn start() -> Self {
        Self::with(|_, _| ())
    }

    /// Starts a server whose configuration and engine limits `adjust` has changed.
    pub fn with(adjust: impl FnOnce(&mut ServerConfig, &mut EngineLimits)) -> Self {
        Self::launch(Arc::new(SystemClock), None, adjust)
    }

    /// Starts a server whose engine goes by `clock`.
    pub fn on(clock: Arc<dyn Clock>) -> Self {
        Self::launch(clock, None, |_, _| ())
    }

    /// Starts a server with a proxy.
    pub fn proxying(proxy: ProxyConfig) -> Self {
        Self::launch(Arc::new(SystemClock), Some(proxy), |_, _| ())
    }

    fn launch(
        clock: Arc<dyn Clock>,
        proxy: Option<ProxyConfig>,
        adjust: impl FnOnce(&mut ServerConfig, &mut EngineLimits),
    ) -> Self {
        let mut config =
            ServerConfig { listen: ([127, 0, 0, 1], 0).into(), workers: 2.try_into().ok(), ..Default::default() };
        let mut limits = EngineLimits::default();
        adjust(&mut config, &mut limits);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let metrics = Metrics::new();
                let engine = Engine::start(MemoryStore::new(), clock, limits, metrics.clone());
                let sessions = Sessions::open(engine.clone(), SessionsConfig::default()).await.unwrap();
                let server = Server::bind(config, engine.clone()).unwrap();
                let mut server = server.with_metrics(metrics).with_sessions(sessions.clone());
                let proxy = match proxy {
                    Some(config) => Some(Proxy::open(engine.clone(), config).await.unwrap()),
                    None => None,
                };
                let mut mirrors = None;
                if let Some(proxy) = &proxy {
                    let opened = Mirrors::open(sessions.clone(), proxy.clone()).await.unwrap();
                    server = server.with_proxy(proxy.clone()).with_mirrors(opened.clone());
                    mirrors = Some(opened);
                }
                let upkeep = tokio::spawn(sessions.run());
                tell.send(server.local_addr()).unwrap();
                server.run(async { stopped.await.unwrap_or_default() }).await.unwrap();
                if let Some(proxy) = proxy {
                    proxy.shutdown().await;
                }
                if let Some(mirrors) = mirrors {
                    mirrors.shutdown().await;
                }
                upkeep.abort();
                sessions.shutdown().await;
                engine.shutdown().await.unwrap();
            });
        });
        Self { address: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// Tells the server to stop, without waiting for it.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until the server has stopped.
    pub fn join(&mut self) {
        self.begin_stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub fn connect(&self) -> Connection {
        Connection::new(self.address)
    }

    /// One request on a connection of its own.
    pub fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response {
        self.connect().request(method, target, headers, body)
    }

    pub fn put(&self, path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Response {
        self.send("PUT", &stream(path), &[("content-type", content_type)], body)
    }

    pub fn post(&self, path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Response {
        self.send("POST", &stream(path), &[("content-type", content_type)], body)
    }

    pub fn get(&self, target: &str) -> Response {
        self.send("GET", &stream(target), &[], "")
    }

    pub fn close(&self, path: &str) -> Response {
        self.send("POST", &stream(path), &[("stream-closed", "true")], "")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.begin_stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

/// The URL path of a stream.
pub fn stream(path: &str) -> String {
    format!("/v1/stream/{path}")
}

/// An HTTP/1.1 connection.
pub struct Connection {
    pub socket: TcpStream,
    unread: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The stable code of a problem document.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        self.json()["code"].as_str().unwrap().to_owned()
    }

    pub fn next_offset(&self) -> &str {
        self.header("stream-next-offset").unwrap_or_else(|| panic!("no offset: {self:?}"))
    }
}

impl Connection {
    pub fn new(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, unread: Vec::new() }
    }

    pub fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Response {
        let body = body.as_ref();
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        self.write(&[head.as_bytes(), b"\r\n", body].concat());
        self.response_to(method)
    }

    /// Sends bytes as they are. A server that has hung up is no failure: its answer may be there to read.
    pub fn write(&mut self, bytes: &[u8]) {
        match self.socket.write_all(bytes) {
            Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                panic!("{error}")
            }
            _ => {}
        }
    }

    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// The next answer, whole.
    pub fn response_to(&mut self, method: &str) -> Response {
        let mut response = self.head();
        response.body = self.body(method, &response);
        response
    }

    /// The next answer's head.
    pub fn head(&mut self) -> Response {
        let end = self.read_until(b"\r\n\r\n");
        let text = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let mut lines = text.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        Response { status, headers: lines.filter_map(header).collect(), body: Vec::new() }
    }

    fn body(&mut self, method: &str, head: &Response) -> Vec<u8> {
        if method == "HEAD" || matches!(head.status, 204 | 304) {
            return Vec::new();
        }
        if head.header("transfer-encoding") == Some("chunked") {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk() {
                body.extend(chunk);
            }
            return body;
        }
        let length = head.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length {
            assert!(self.read_more(), "the connection ended inside a body");
        }
        self.unread.drain(..length).collect()
    }

    /// The next chunk of a chunked body; `None` after the last.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = self.read_until(b"\r\n");
        let line = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
        while self.unread.len() < length + 2 {
            assert!(self.read_more(), "the connection ended inside a chunk");
        }
        let chunk: Vec<u8> = self.unread.drain(..length).collect();
        self.unread.drain(..2);
        (length > 0).then_some(chunk)
    }

    /// Everything until the server hangs up; fails when it does not.
    pub fn until_closed(&mut self) -> Vec<u8> {
        while self.read_more() {}
        std::mem::take(&mut self.unread)
    }

    fn read_until(&mut self, mark: &[u8]) -> usize {
        loop {
            if let Some(at) = self.unread.windows(mark.len()).position(|window| window == mark) {
                return at + mark.len();
            }
            assert!(self.read_more(), "the connection ended: {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    fn read_more(&mut self) -> bool {
        let mut buffer = [0; 64 * 1024];
        match self.socket.read(&mut buffer) {
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => {
                panic!("no answer in time: {error}; read so far: {:?}", String::from_utf8_lossy(&self.unread))
            }
        }
    }
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub data: String,
}

impl Event {
    pub fn control(&self) -> serde_json::Value {
        assert_eq!(self.name, "control", "{self:?}");
        serde_json::from_str(&self.data).unwrap()
    }
}

/// A connection on which events arrive.
pub struct Events {
    pub connection: Connection,
    pub head: Response,
    text: String,
}

impl Events {
    pub fn open(server: &TestServer, target: &str) -> Self {
        let mut connection = server.connect();
        connection.write(format!("GET {} HTTP/1.1\r\nhost: test\r\n\r\n", stream(target)).as_bytes());
        let head = connection.head();
        Self::on(connection, head)
    }

    /// Events of an answer whose head has been read.
    pub fn on(connection: Connection, head: Response) -> Self {
        Self { connection, head, text: String::new() }
    }

    /// The next event; `None` once the server has ended the answer.
    pub fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = parse_event(event);
                self.text = rest.to_owned();
                return Some(event);
            }
            match self.connection.chunk() {
                Some(chunk) => self.text += std::str::from_utf8(&chunk).expect("chunks end between characters"),
                None => {
                    assert_eq!(self.text, "", "the answer ended inside an event");
                    return None;
                }
            }
        }
    }

    pub fn expect(&mut self) -> Event {
        self.next().expect("one more event")
    }
}

fn parse_event(text: &str) -> Event {
    let mut event = Event { name: String::new(), data: String::new() };
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let (field, value) = line.split_once(':').expect("a field");
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event.name = value.to_owned(),
            "data" => lines.push(value),
            _ => panic!("unexpected field {field:?}"),
        }
    }
    event.data = lines.join("\n");
    event
}

/// Polls until `holds`, for what the server does in its own time.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::yield_now();
    }
}
