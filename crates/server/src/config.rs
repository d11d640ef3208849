//! The server's configuration: a value, checked when it is made, printable, passed down.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use headwater_streams::Durability;
use http::HeaderValue;
use thiserror::Error;
use url::Url;

use crate::limits::ServerLimits;

/// The port the protocol reserves for standalone servers (section 13.1).
pub const DEFAULT_PORT: u16 = 4437;

/// All that a server can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// URL prefix of all streams.
    pub root: StreamRoot,
    /// What clients reach this server under; `None` takes each request's own `Host`.
    pub public_url: Option<PublicUrl>,
    /// Whose pages may call this server from a browser.
    pub cors_origins: CorsOrigins,
    /// Whether the stream root answers which streams there are.
    pub lists_streams: bool,
    /// Whether `/console/` shows pages for people.
    pub serves_console: bool,
    /// How long a long-poll waits for data.
    pub long_poll_timeout: Duration,
    /// How long an SSE connection lives at most.
    pub sse_lifetime: Duration,
    /// What new streams are: durable, or gone with the process.
    pub durability: Durability,
    /// Worker threads; `None` takes one per core.
    pub workers: Option<NonZeroUsize>,
    /// Bounds of connections and requests.
    pub limits: ServerLimits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            root: StreamRoot::default(),
            public_url: None,
            cors_origins: CorsOrigins::Any,
            lists_streams: true,
            serves_console: true,
            long_poll_timeout: Duration::from_secs(30),
            sse_lifetime: Duration::from_secs(60),
            durability: Durability::Durable,
            workers: None,
            limits: ServerLimits::default(),
        }
    }
}

/// Why a configured value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidConfig {
    /// The stream root is no URL path.
    #[error(
        "stream root {0:?} must be a path such as /v1/stream, of unreserved URL characters, without a slash at the end"
    )]
    Root(String),
    /// The public URL is no origin.
    #[error("public URL {0:?} must be http:// or https:// with a host and no path, query or user")]
    PublicUrl(String),
    /// A CORS origin is no origin.
    #[error("CORS origin {0:?} must be *, none, or http(s) origins separated by commas")]
    CorsOrigin(String),
}

/// The URL prefix of all streams: `/v1/stream`, or empty when streams begin right after the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRoot(String);

impl StreamRoot {
    /// The prefix without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `path` is the root itself, with or without a slash at the end.
    pub fn is(&self, path: &str) -> bool {
        path == self.0 || self.strip(path) == Some("")
    }

    /// What follows the root and its slash in `path`; `None` when `path` lies outside.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(&self.0)?.strip_prefix('/')
    }
}

impl Default for StreamRoot {
    fn default() -> Self {
        Self("/v1/stream".into())
    }
}

impl FromStr for StreamRoot {
    type Err = InvalidConfig;

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        let segment_fits = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain);
        match text.strip_prefix('/') {
            Some("") => Ok(Self(String::new())),
            Some(rest) if rest.split('/').all(segment_fits) => Ok(Self(text.into())),
            _ => Err(InvalidConfig::Root(text.into())),
        }
    }
}

impl fmt::Display for StreamRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

/// Scheme and host that clients reach this server under, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// `https://streams.example.com`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = InvalidConfig;

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        origin_of(text).map(Self).ok_or_else(|| InvalidConfig::PublicUrl(text.into()))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which web pages may call this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Every page.
    Any,
    /// No page of another origin.
    None,
    /// Pages of these origins.
    Only(Vec<HeaderValue>),
}

impl FromStr for CorsOrigins {
    type Err = InvalidConfig;

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        match text.trim() {
            "*" => Ok(Self::Any),
            "none" => Ok(Self::None),
            list => list.split(',').map(cors_origin).collect::<Result<_, _>>().map(Self::Only),
        }
    }
}

impl fmt::Display for CorsOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::None => f.write_str("none"),
            Self::Only(origins) => {
                let texts: Vec<&str> = origins.iter().filter_map(|origin| origin.to_str().ok()).collect();
                f.write_str(&texts.join(","))
            }
        }
    }
}

fn cors_origin(text: &str) -> Result<HeaderValue, InvalidConfig> {
    let refused = || InvalidConfig::CorsOrigin(text.trim().into());
    let origin = origin_of(text.trim()).ok_or_else(refused)?;
    HeaderValue::try_from(origin).map_err(|_| refused())
}

/// `scheme://host[:port]` of a URL that has nothing else.
fn origin_of(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    (is_bare && is_anonymous && is_web).then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_a_plain_path() {
        assert_eq!("/".parse::<StreamRoot>().unwrap().strip("/a/b"), Some("a/b"));
        assert_eq!("/v1/stream".parse::<StreamRoot>().unwrap().strip("/v1/stream/a"), Some("a"));
        assert_eq!(StreamRoot::default().strip("/v1/streams/a"), None);
        assert!(StreamRoot::default().is("/v1/stream") && StreamRoot::default().is("/v1/stream/"));
        assert!("/".parse::<StreamRoot>().unwrap().is("/") && !StreamRoot::default().is("/v1/streams"));
        for text in ["", "v1", "/v1/", "//", "/a b", "/../a", "/a%2f"] {
            assert!(text.parse::<StreamRoot>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_public_url_is_an_origin() {
        assert_eq!("https://a.example:8443/".parse::<PublicUrl>().unwrap().as_str(), "https://a.example:8443");
        for text in ["a.example", "ftp://a.example", "https://a.example/x", "https://u@a.example", "https://a?b"] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn cors_origins_are_all_none_or_a_list() {
        assert_eq!("*".parse(), Ok(CorsOrigins::Any));
        assert_eq!("none".parse(), Ok(CorsOrigins::None));
        let listed: CorsOrigins = "https://a.example, http://localhost:3000".parse().unwrap();
        assert_eq!(listed.to_string(), "https://a.example,http://localhost:3000");
        assert!("https://a.example,b".parse::<CorsOrigins>().is_err());
    }
}
