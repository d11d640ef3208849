//! An upstream on a port of this machine that follows a script.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};

use crate::support::PATIENCE;

/// Runs the script for every request and hands the request to the test. Ends with the process.
pub(crate) struct Upstream {
    address: SocketAddr,
    requests: mpsc::Receiver<Request>,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

impl Upstream {
    pub(crate) fn start(script: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, requests) = mpsc::channel();
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for mut socket in listener.incoming().flatten() {
                let (tell, script) = (tell.clone(), script.clone());
                std::thread::spawn(move || {
                    let Some(request) = take(&socket) else { return };
                    tell.send(request.clone()).ok();
                    script(&request, &mut socket);
                });
            }
        });
        Self { address, requests }
    }

    /// Answers every request with these bytes.
    pub(crate) fn says(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |_, socket| say(socket, &answer))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request arrives")
    }

    /// Whether anybody has called.
    pub(crate) fn was_called(&self) -> bool {
        self.requests.try_recv().is_ok()
    }
}

/// Writes to a socket whose other end may have gone.
pub(crate) fn say(socket: &mut TcpStream, bytes: &[u8]) {
    socket.write_all(bytes).and_then(|()| socket.flush()).ok();
}

/// Waits until the other end hangs up.
pub(crate) fn until_hung_up(socket: &mut TcpStream) {
    let mut buffer = [0; 1024];
    while matches!(socket.read(&mut buffer), Ok(read) if read > 0) {}
}

/// A response of this type whose end is that of the connection.
pub(crate) fn open_ended(content_type: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n").into_bytes()
}

/// A whole response.
pub(crate) fn whole(content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn take(socket: &TcpStream) -> Option<Request> {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(socket);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header =
        |line: &String| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers = lines[1..].iter().filter_map(header).collect();
    let mut request = Request { line: lines[0].clone(), headers, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}
