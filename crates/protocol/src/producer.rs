//! Idempotent producers and the writers' own sequence (protocol sections 5.2 and 5.2.1).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::limits::{PRODUCER_ID_BYTES_MAX, PRODUCER_NUMBER_MAX, STREAM_SEQ_BYTES_MAX};

/// Why a producer header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidProducer {
    /// `Producer-Id` is empty, too long, or not printable.
    #[error("Producer-Id must be 1 to {PRODUCER_ID_BYTES_MAX} bytes of visible text")]
    Id,
    /// An epoch or sequence number is not a plain decimal integer in range.
    #[error("{0:?} is not a decimal integer from 0 to 2^53-1")]
    Number(String),
    /// `Stream-Seq` is empty or too long.
    #[error("Stream-Seq must be 1 to {STREAM_SEQ_BYTES_MAX} bytes")]
    StreamSeq,
}

/// A producer's stable name, chosen by the client. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProducerId(Arc<str>);

impl ProducerId {
    /// Checks `text` and takes it as a producer's name.
    pub fn new(text: &str) -> Result<Self, InvalidProducer> {
        let fits = !text.is_empty() && text.len() <= PRODUCER_ID_BYTES_MAX;
        if !fits || text.chars().any(char::is_control) {
            return Err(InvalidProducer::Id);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

macro_rules! producer_number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The first one.
            pub const ZERO: Self = Self(0);

            /// `None` above 2^53 − 1.
            pub const fn new(number: u64) -> Option<Self> {
                if number <= PRODUCER_NUMBER_MAX { Some(Self(number)) } else { None }
            }

            /// The number, at most 2^53 − 1.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidProducer;

            fn from_str(text: &str) -> Result<Self, InvalidProducer> {
                parse_number(text).and_then(Self::new).ok_or_else(|| {
                    InvalidProducer::Number(text.chars().take(40).collect())
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

producer_number!(
    /// A producer's incarnation: a higher one fences every lower one.
    Epoch
);
producer_number!(
    /// The number of a request within its producer's epoch, from 0 without gaps.
    ProducerSeq
);

fn parse_number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// The three producer headers of one request: who sends it, in which incarnation, as which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerStamp {
    /// `Producer-Id`.
    pub id: ProducerId,
    /// `Producer-Epoch`.
    pub epoch: Epoch,
    /// `Producer-Seq`.
    pub seq: ProducerSeq,
}

/// A writer's own sequence mark (`Stream-Seq`), compared byte by byte; per stream, it must grow strictly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamSeq(Arc<[u8]>);

impl StreamSeq {
    /// Checks `bytes` and takes them as a mark.
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidProducer> {
        if bytes.is_empty() || bytes.len() > STREAM_SEQ_BYTES_MAX {
            return Err(InvalidProducer::StreamSeq);
        }
        Ok(Self(Arc::from(bytes)))
    }

    /// The mark as sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_plain_decimals_up_to_2_53() {
        assert_eq!("9007199254740991".parse::<Epoch>().unwrap().get(), PRODUCER_NUMBER_MAX);
        assert_eq!("007".parse::<ProducerSeq>().unwrap().get(), 7);
        for text in ["", "-1", "+1", "1.0", "1e3", " 1", "9007199254740992", "99999999999999999999999", "０"] {
            assert!(text.parse::<ProducerSeq>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn stream_seq_compares_by_bytes() {
        let seq = |text: &str| StreamSeq::new(text.as_bytes()).unwrap();
        assert!(seq("10") < seq("2"));
        assert!(seq("B") < seq("a"));
    }
}
