//! A receiver of webhooks on a port of this machine.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;

use crate::support::PATIENCE;

/// Answers every request and hands it to the test. Ends with the process.
pub(crate) struct Receiver {
    address: SocketAddr,
    received: mpsc::Receiver<Received>,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(have, _)| have == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no {name}: {:?}", self.headers))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("webhooks are JSON")
    }
}

impl Receiver {
    /// Answers each request with the status and body that `answer` gives.
    pub(crate) fn start(answer: impl Fn(&Received) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let (tell, received) = mpsc::channel();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (tell, answer) = (tell.clone(), answer.clone());
                std::thread::spawn(move || serve(&socket, &tell, &*answer));
            }
        });
        Self { address, received }
    }

    /// Its URL, with a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The next request.
    pub(crate) fn next(&self) -> Received {
        self.received.recv_timeout(PATIENCE).expect("a webhook arrives")
    }
}

fn serve(socket: &TcpStream, tell: &mpsc::Sender<Received>, answer: &dyn Fn(&Received) -> (u16, String)) {
    let mut reader = BufReader::new(socket);
    let mut writer = socket;
    while let Some(received) = read(&mut reader) {
        let (status, body) = answer(&received);
        let location = if status == 302 { "location: /elsewhere\r\n" } else { "" };
        let head = format!("HTTP/1.1 {status} X\r\n{location}content-length: {}\r\n\r\n", body.len());
        // The test may have seen enough, and the server may hang up in the middle of a long answer.
        if tell.send(received).is_err() || writer.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Received> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&bytes| bytes > 0).map(|_| line.trim_end().to_owned())
    };
    let path = line()?.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(':') {
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received { path, headers, body })
}
