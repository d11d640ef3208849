//! Positions in a stream.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A position in a stream: the number of stored bytes before it.
///
/// On the wire it is two groups of sixteen decimal digits, `0000000000000000_0000000000000042`, so that byte-wise order
/// is position order (protocol section 8). The first group is always zero: the shape is that of the other servers,
/// whose zero offset the official conformance suite takes for everybody's. Clients treat it as opaque.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(u64);

/// What every offset begins with on the wire.
const PREFIX: &str = "0000000000000000_";
/// Decimal digits of the position: streams of up to 10^16 bytes keep byte-wise order.
const DIGITS: usize = 16;

impl Offset {
    /// Characters of an offset on the wire.
    pub const TEXT_LEN: usize = PREFIX.len() + DIGITS;

    /// The position before the first byte.
    pub const START: Self = Self(0);

    /// The position after `bytes` stored bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Stored bytes before this position.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position `bytes` further on, or `None` past the end of the number space.
    pub const fn checked_add(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The position `bytes` further on.
    ///
    /// # Panics
    /// When the sum passes 2^64: a stream would need centuries of appends to get there.
    #[must_use]
    pub fn advance(self, bytes: u64) -> Self {
        self.checked_add(bytes).expect("a stream holds fewer than 2^64 bytes")
    }

    /// Bytes from `earlier` to this position; zero when `earlier` is later.
    pub const fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:016}", self.0)
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offset({})", self.0)
    }
}

/// Why a text is not an offset this server minted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("offset is not one this server handed out: use -1, now, or a Stream-Next-Offset value unchanged")]
pub struct InvalidOffset;

impl FromStr for Offset {
    type Err = InvalidOffset;

    fn from_str(text: &str) -> Result<Self, InvalidOffset> {
        let digits = text.strip_prefix(PREFIX).ok_or(InvalidOffset)?;
        if digits.len() != DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidOffset);
        }
        digits.parse().map(Self).map_err(|_| InvalidOffset)
    }
}

impl serde::Serialize for Offset {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Offset {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a read starts: the `offset` query parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFrom {
    /// `-1`, or no parameter: the beginning of the stream.
    Start,
    /// `now`: the tail as the server sees it when the request arrives.
    Now,
    /// A position handed out earlier.
    At(Offset),
}

impl FromStr for ReadFrom {
    type Err = InvalidOffset;

    fn from_str(text: &str) -> Result<Self, InvalidOffset> {
        match text {
            "-1" => Ok(Self::Start),
            "now" => Ok(Self::Now),
            minted => minted.parse().map(Self::At),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_order_is_position_order() {
        let positions = [0, 1, 9, 10, 255, 256, u64::from(u32::MAX), 9_999_999_999_999_999];
        let texts: Vec<String> = positions.iter().map(|&p| Offset::new(p).to_string()).collect();
        assert!(texts.is_sorted());
        for (text, &position) in texts.iter().zip(&positions) {
            assert_eq!(text.parse(), Ok(Offset::new(position)));
        }
    }

    #[test]
    fn anything_not_minted_is_refused() {
        for text in [
            "",
            "0",
            "1,2",
            "a b",
            "0000000000000001",
            "0000000000000000_1",
            "0000000000000001_0000000000000000",
            "0000000000000000_+000000000000001",
            "0000000000000000_00000000000000001",
            "-2",
        ] {
            assert_eq!(text.parse::<ReadFrom>(), Err(InvalidOffset), "{text:?}");
        }
    }
}
