//! Messages that say who wrote them, where and as which, so that a reader can tell lost from doubled from torn.
//!
//! A message is `<producer.stream.number|filler>`; the filler is drawn from its identity and never holds `<` or `>`.

use std::io;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::request::render;

use super::link::Link;

/// The one stream every producer writes to.
pub(crate) const SHARED: &str = "/v1/stream/kill/shared";
/// The stream number of [`SHARED`] in a message.
pub(crate) const SHARED_NUMBER: u32 = u32::MAX;

const FILLER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789 .,-";
const FILLER_BYTES: std::ops::Range<usize> = 0..600;
/// One message in so many is large, so that records cross the boundaries of pages and segments.
const LARGE_ONE_IN: u32 = 60;
const LARGE_BYTES: std::ops::Range<usize> = 20_000..200_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Identity {
    pub(crate) producer: u32,
    pub(crate) stream: u32,
    pub(crate) number: u32,
}

impl Identity {
    pub(crate) fn message(self) -> Vec<u8> {
        let seed = u64::from(self.producer) << 40 ^ u64::from(self.stream) << 20 ^ u64::from(self.number);
        let mut random = SmallRng::seed_from_u64(seed);
        let large = random.random_ratio(1, LARGE_ONE_IN);
        let length = random.random_range(if large { LARGE_BYTES } else { FILLER_BYTES });
        let mut message = format!("<{}.{}.{}|", self.producer, self.stream, self.number).into_bytes();
        message.extend((0..length).map(|_| FILLER[random.random_range(0..FILLER.len())]));
        message.push(b'>');
        message
    }

    fn parse(text: &[u8]) -> Option<Identity> {
        let head = text.strip_prefix(b"<")?.split(|&byte| byte == b'|').next()?;
        let mut parts = std::str::from_utf8(head).ok()?.split('.');
        let mut number = || parts.next()?.parse().ok();
        Some(Identity { producer: number()?, stream: number()?, number: number()? })
    }

    /// The identity of one whole, untouched message.
    pub(crate) fn recognise(message: &[u8]) -> Option<Identity> {
        Identity::parse(message).filter(|identity| identity.message() == message)
    }
}

/// Cuts a stream's bytes into messages; what is no message comes as a piece of its own.
pub(crate) fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'>')
}

pub(crate) async fn create_shared(link: &mut Link) -> io::Result<()> {
    let request = render("PUT", SHARED, &[("Content-Type", "application/octet-stream")], b"");
    link.exchange(request).await?.answer.success("create").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Identity = Identity { producer: 1, stream: 2, number: 3 };

    #[test]
    fn a_message_is_recognised_and_a_torn_one_is_not() {
        let message = ONE.message();
        assert_eq!(Identity::recognise(&message), Some(ONE));
        assert_eq!(Identity::recognise(&message[..message.len() - 1]), None);
    }

    #[test]
    fn joined_messages_are_cut_where_they_were_joined() {
        let two = Identity { number: 4, ..ONE };
        let joined = [ONE.message(), two.message()].concat();
        assert_eq!(split(&joined).map(Identity::recognise).collect::<Vec<_>>(), [Some(ONE), Some(two)]);
    }
}
