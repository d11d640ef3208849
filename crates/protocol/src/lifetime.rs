//! How long a stream lives (protocol section 5.1).

use std::str::FromStr;

use jiff::Timestamp;
use thiserror::Error;

/// When a stream ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is deleted.
    Forever,
    /// After so many seconds without a read or a write.
    Sliding(TtlSeconds),
    /// At a fixed time, in Unix milliseconds.
    Until {
        /// Unix milliseconds.
        at_ms: i64,
    },
}

impl Lifetime {
    /// Parses `Stream-Expires-At`, an RFC 3339 timestamp.
    pub fn parse_expires_at(text: &str) -> Result<Self, InvalidLifetime> {
        let refused = || InvalidLifetime::ExpiresAt(text.chars().take(60).collect());
        let instant: Timestamp = text.parse().map_err(|_| refused())?;
        Ok(Self::Until { at_ms: instant.as_millisecond() })
    }

    /// Parses `Stream-TTL`.
    pub fn parse_ttl(text: &str) -> Result<Self, InvalidLifetime> {
        text.parse().map(Self::Sliding)
    }

    /// The value of `Stream-Expires-At` for this lifetime, in UTC; `None` unless it is a fixed time.
    pub fn expires_at_text(&self) -> Option<String> {
        match self {
            Self::Until { at_ms } => Timestamp::from_millisecond(*at_ms).ok().map(|instant| instant.to_string()),
            Self::Forever | Self::Sliding(_) => None,
        }
    }
}

/// `Stream-TTL`: whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TtlSeconds(pub u64);

impl FromStr for TtlSeconds {
    type Err = InvalidLifetime;

    fn from_str(text: &str) -> Result<Self, InvalidLifetime> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let plain = digits && (text == "0" || !text.starts_with('0'));
        let refused = || InvalidLifetime::Ttl(text.chars().take(40).collect());
        if !plain {
            return Err(refused());
        }
        text.parse().map(Self).map_err(|_| refused())
    }
}

/// Why an expiry header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidLifetime {
    /// Not a plain decimal number of seconds.
    #[error("Stream-TTL {0:?} is not a plain decimal number of seconds (no sign, leading zero, point or exponent)")]
    Ttl(String),
    /// Not an RFC 3339 timestamp.
    #[error("Stream-Expires-At {0:?} is not an RFC 3339 timestamp")]
    ExpiresAt(String),
    /// Both headers were sent.
    #[error("Stream-TTL and Stream-Expires-At exclude each other")]
    Both,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttl_is_a_plain_decimal() {
        assert_eq!(Lifetime::parse_ttl("3600"), Ok(Lifetime::Sliding(TtlSeconds(3600))));
        for text in ["", "+3600", "-1", "03600", "3600.0", "3.6e3", "99999999999999999999", "1h"] {
            assert!(Lifetime::parse_ttl(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn expires_at_takes_every_rfc_3339_zone() {
        let utc = Lifetime::parse_expires_at("2030-01-02T03:04:05Z").unwrap();
        assert_eq!(Lifetime::parse_expires_at("2030-01-02T05:04:05+02:00").unwrap(), utc);
        assert_eq!(utc.expires_at_text().as_deref(), Some("2030-01-02T03:04:05Z"));
        assert!(Lifetime::parse_expires_at("tomorrow").is_err());
    }
}
