//! An open SSE response, and where its stream goes on when it ends.

use std::io;

use crate::http::{Body, Connection, ReadSize, Refused};
use crate::limits::SSE_KEPT_BYTES;
use crate::site::Site;
use crate::stamp::Scanner;

/// One open SSE response.
#[derive(Debug)]
pub struct Subscription {
    connection: Connection,
    body: Body,
    /// The latest bytes: servers end responses, and the last control event says where to go on.
    kept: Vec<u8>,
}

impl Subscription {
    /// Subscribes to what is at `target`, which names the live mode itself where it takes one.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn open(site: &Site, target: &str) -> io::Result<Subscription> {
        let mut connection = site.connect(ReadSize::Small).await?;
        connection.send(&site.get(target)).await?;
        let head = connection.head().await?;
        if !head.is_success() {
            return Err(Refused::new("subscribe", &head, b"").into());
        }
        Ok(Subscription { connection, body: head.body, kept: Vec::new() })
    }

    /// Reads to the end of the response, and answers the offset at which the stream goes on when it was told.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn follow(&mut self, scanner: &mut Scanner) -> io::Result<Option<String>> {
        while self.body != Body::Done {
            let kept = &mut self.kept;
            let mut take = |bytes: &[u8]| {
                scanner.feed(bytes);
                keep_last(kept, bytes);
            };
            self.connection.body_part(&mut self.body, &mut take).await?;
        }
        Ok(self.next_offset())
    }

    /// The offset in the last control event.
    pub(crate) fn next_offset(&self) -> Option<String> {
        const NAME: &[u8] = b"\"streamNextOffset\"";
        let after = &self.kept[memchr::memmem::rfind(&self.kept, NAME)? + NAME.len()..];
        let mut quoted = after.split(|&byte| byte == b'"');
        let (colon, offset, end) = (quoted.next()?, quoted.next()?, quoted.next());
        let whole = colon.trim_ascii() == b":" && end.is_some();
        whole.then(|| String::from_utf8_lossy(offset).into_owned())
    }
}

fn keep_last(kept: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = &bytes[bytes.len().saturating_sub(SSE_KEPT_BYTES)..];
    let surplus = (kept.len() + bytes.len()).saturating_sub(SSE_KEPT_BYTES);
    kept.drain(..surplus);
    kept.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_bytes_are_kept_however_they_come() {
        let wire: Vec<u8> = (0..5000u32).map(|number| (number % 251) as u8).collect();
        for piece in [1, 7, 1000, 4999] {
            let mut kept = Vec::new();
            wire.chunks(piece).for_each(|bytes| keep_last(&mut kept, bytes));
            assert_eq!(kept, wire[wire.len() - SSE_KEPT_BYTES..], "{piece}");
        }
    }
}
