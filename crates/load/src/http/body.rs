//! Body framing: by length, by chunks, or until the connection closes.
//!
//! A body is fed whatever bytes have arrived, hands the payload to a sink, and says how many bytes it took; what it left
//! (half a chunk's size line, the next pipelined response) stays with the caller.

use std::io;

/// The longest size or trailer line a chunked body may carry, in bytes.
const CHUNK_LINE_BYTES_MAX: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Done,
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer,
    UntilClose,
}

impl Body {
    /// Takes what it can from `input`, and answers how many bytes it took.
    pub fn feed(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> io::Result<usize> {
        let mut taken = 0;
        while *self != Body::Done {
            let step = self.step(&input[taken..], sink)?;
            if step == 0 {
                break;
            }
            taken += step;
        }
        Ok(taken)
    }

    fn step(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> io::Result<usize> {
        match *self {
            Body::Done => Ok(0),
            Body::UntilClose => {
                sink(input);
                Ok(input.len())
            }
            Body::Length(left) => {
                let (taken, left) = deliver(input, left, sink);
                *self = if left == 0 { Body::Done } else { Body::Length(left) };
                Ok(taken)
            }
            Body::ChunkData(left) => {
                let (taken, left) = deliver(input, left, sink);
                *self = if left == 0 { Body::ChunkEnd } else { Body::ChunkData(left) };
                Ok(taken)
            }
            Body::ChunkSize | Body::ChunkEnd | Body::Trailer => self.line(input),
        }
    }

    fn line(&mut self, input: &[u8]) -> io::Result<usize> {
        let Some(end) = memchr::memchr(b'\n', input) else {
            return if input.len() > CHUNK_LINE_BYTES_MAX { Err(broken("endless chunk line")) } else { Ok(0) };
        };
        let line = input[..end].trim_ascii_end();
        *self = match self {
            Body::ChunkSize => match chunk_size(line)? {
                0 => Body::Trailer,
                size => Body::ChunkData(size),
            },
            Body::Trailer if line.is_empty() => Body::Done,
            Body::Trailer => Body::Trailer,
            _ => Body::ChunkSize,
        };
        Ok(end + 1)
    }
}

fn deliver(input: &[u8], left: u64, sink: &mut impl FnMut(&[u8])) -> (usize, u64) {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
    if taken > 0 {
        sink(&input[..taken]);
    }
    (taken, left - taken as u64)
}

fn chunk_size(line: &[u8]) -> io::Result<u64> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let text = std::str::from_utf8(digits).map_err(|_| broken("chunk size is not text"))?;
    u64::from_str_radix(text, 16).map_err(|_| broken("chunk size is not hexadecimal"))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(body: Body, pieces: &[&[u8]]) -> (Vec<u8>, Body, Vec<u8>) {
        let (mut state, mut payload, mut pending) = (body, Vec::new(), Vec::new());
        for piece in pieces {
            pending.extend_from_slice(piece);
            let taken = state.feed(&pending, &mut |bytes| payload.extend_from_slice(bytes)).unwrap();
            pending.drain(..taken);
        }
        (payload, state, pending)
    }

    #[test]
    fn a_chunked_body_decodes_the_same_wherever_the_network_cuts_it() {
        let wire: &[u8] = b"5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\nTrailer: x\r\n\r\nHTTP/1.1";
        for cut in 0..wire.len() {
            let (payload, state, rest) = decode(Body::ChunkSize, &[&wire[..cut], &wire[cut..]]);
            assert_eq!(
                (payload.as_slice(), state, rest.as_slice()),
                (&b"hello, world"[..], Body::Done, &b"HTTP/1.1"[..])
            );
        }
    }

    #[test]
    fn a_body_of_known_length_leaves_the_next_response_alone() {
        let (payload, state, rest) = decode(Body::Length(3), &[b"ab", b"cHTTP"]);
        assert_eq!((payload.as_slice(), state, rest.as_slice()), (&b"abc"[..], Body::Done, &b"HTTP"[..]));
    }

    #[test]
    fn a_chunk_size_that_is_no_number_is_an_error() {
        assert!(Body::ChunkSize.feed(b"zz\r\n", &mut |_| ()).is_err());
    }
}
