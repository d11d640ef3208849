//! A connection that outlives servers: what was not answered is sent again, byte for byte, until it is.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use headwater_load::http::{Answer, Connection, ReadSize};
use tokio::sync::watch;

const BACK_OFF: Duration = Duration::from_millis(5);
/// A server that keeps a request unanswered this long while it lives is wedged.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Link {
    up: watch::Receiver<Option<SocketAddr>>,
    connection: Option<Connection>,
}

/// An answer, and whether an earlier attempt at the same request may have reached a server.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) answer: Answer,
    pub(crate) retried: bool,
}

impl Link {
    pub(crate) fn new(up: watch::Receiver<Option<SocketAddr>>) -> Link {
        Link { up, connection: None }
    }

    /// Sends the requests in order, pipelined, and answers once each has a final answer.
    pub(crate) async fn deliver(&mut self, requests: &[Vec<u8>]) -> io::Result<Vec<Delivered>> {
        let mut delivered = Vec::with_capacity(requests.len());
        // How many requests an earlier attempt has sent.
        let mut attempted = 0;
        while delivered.len() < requests.len() {
            let result = tokio::time::timeout(ANSWER_TIMEOUT, self.attempt(requests, attempted, &mut delivered)).await;
            match result {
                Ok(Ok(())) => {}
                Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
                Ok(Err(_)) => {
                    attempted = requests.len();
                    self.connection = None;
                    tokio::time::sleep(BACK_OFF).await;
                }
                Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "a live server does not answer")),
            }
        }
        Ok(delivered)
    }

    pub(crate) async fn exchange(&mut self, request: Vec<u8>) -> io::Result<Delivered> {
        let delivered = self.deliver(&[request]).await?.pop();
        delivered.ok_or_else(|| io::Error::other("one request has one answer"))
    }

    async fn attempt(
        &mut self,
        requests: &[Vec<u8>],
        attempted: usize,
        delivered: &mut Vec<Delivered>,
    ) -> io::Result<()> {
        let connection = self.connection().await?;
        connection.send(&requests[delivered.len()..].concat()).await?;
        while delivered.len() < requests.len() {
            let head = connection.head().await?;
            let mut body = Vec::new();
            connection.body(&head, &mut |bytes| body.extend_from_slice(bytes)).await?;
            if matches!(head.status, 429 | 502 | 503) {
                return Err(io::Error::other("the server asks to come back later"));
            }
            let retried = delivered.len() < attempted;
            delivered.push(Delivered { answer: Answer { head, body }, retried });
        }
        Ok(())
    }

    async fn connection(&mut self) -> io::Result<&mut Connection> {
        if self.connection.is_none() {
            let address = *self.up.wait_for(Option::is_some).await.map_err(io::Error::other)?;
            let address = address.ok_or(io::ErrorKind::NotConnected)?;
            self.connection = Some(Connection::open(address, ReadSize::Small).await?);
        }
        self.connection.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}
