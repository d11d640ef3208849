//! Ways in for the fuzz targets; not part of the API.

use bytes::BytesMut;

use crate::http1::wire::{BodyFraming, Receiving, Taken, parse};

/// What a client's bytes were understood as.
#[derive(Debug, PartialEq, Eq)]
pub struct Understood {
    /// Method, target, header fields and body of each request that came whole.
    pub requests: Vec<(String, String, usize, Vec<u8>)>,
    /// What ended the connection, if something did.
    pub refusal: Option<&'static str>,
}

/// Reads requests from `input` as a connection does, in reads of the lengths in `reads`, over and over.
pub fn understand(input: &[u8], reads: &[u8], head_bytes_max: usize) -> Understood {
    let mut understood = Understood { requests: Vec::new(), refusal: None };
    let mut unread = BytesMut::new();
    let mut body = None;
    let mut rest = input;
    let mut steps = reads.iter().map(|&step| usize::from(step).max(1)).cycle();
    while !rest.is_empty() {
        let step = steps.next().unwrap_or(input.len()).min(rest.len());
        unread.extend_from_slice(&rest[..step]);
        rest = &rest[step..];
        if !advance(&mut understood, &mut unread, &mut body, head_bytes_max) {
            break;
        }
    }
    understood
}

type Body = (Receiving, crate::http1::Inflow);

/// Takes what it can; false when the connection is over.
fn advance(understood: &mut Understood, unread: &mut BytesMut, body: &mut Option<Body>, head_bytes_max: usize) -> bool {
    loop {
        if let Some((receiving, inflow)) = body {
            let (used, is_over) = receiving.decode(unread);
            drop(unread.split_to(used));
            if let Some((.., content)) = understood.requests.last_mut() {
                while let Taken::Piece(piece) = inflow.take() {
                    content.extend_from_slice(&piece);
                }
            }
            if let Taken::Broken(why) = inflow.take() {
                understood.refusal = Some(why);
                return false;
            }
            if !is_over {
                return true;
            }
            *body = None;
        }
        if unread.is_empty() {
            return true;
        }
        match parse(unread, head_bytes_max) {
            Ok(None) => return true,
            Ok(Some((head, len))) => {
                drop(unread.split_to(len));
                let (method, target) = (head.parts.method.to_string(), head.parts.uri.to_string());
                understood.requests.push((method, target, head.parts.headers.len(), Vec::new()));
                *body = (head.framing != BodyFraming::Length(0)).then(|| Receiving::new(head.framing, false));
            }
            Err(problem) => {
                understood.refusal = Some(problem.code.parts().1);
                return false;
            }
        }
    }
}
