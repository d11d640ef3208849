//! Positions in a stream.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A position in a stream: the number of stored bytes before it.
///
/// On the wire it is sixteen lower-case hexadecimal digits, so that byte-wise order is position order
/// (protocol section 8). Clients treat it as opaque.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(u64);

impl Offset {
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
        write!(f, "{:016x}", self.0)
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
        let minted = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !minted {
            return Err(InvalidOffset);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| InvalidOffset)
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
        let positions = [0, 1, 9, 10, 255, 256, u64::from(u32::MAX), u64::MAX];
        let texts: Vec<String> = positions.iter().map(|&p| Offset::new(p).to_string()).collect();
        assert!(texts.is_sorted());
        for (text, &position) in texts.iter().zip(&positions) {
            assert_eq!(text.parse(), Ok(Offset::new(position)));
        }
    }

    #[test]
    fn anything_not_minted_is_refused() {
        for text in ["", "0", "1,2", "a b", "000000000000000G", "000000000000000A", "+00000000000000a", "-2"] {
            assert_eq!(text.parse::<ReadFrom>(), Err(InvalidOffset), "{text:?}");
        }
    }
}
