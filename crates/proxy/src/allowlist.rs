//! Which URLs may be called.
//!
//! A URL is parsed and normalised once (letter case, default ports, internationalised names, dot segments, unusual forms
//! of addresses), the parsed URL is compared, and the parsed URL is what is called: nothing is read twice in two ways.
//! What is in doubt is refused.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::{Host, Url};

/// The patterns of which one must match. Without any, nothing may be called.
#[derive(Debug, Clone, Default)]
pub struct Allowlist(Vec<UrlPattern>);

/// `[scheme://]host[:port][/path]`: the host is exact or `*.domain`, the port a number or `*`, the path exact or a prefix
/// that ends with `/*` or `/**`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPattern {
    text: String,
    /// `None` for http and https alike.
    scheme: Option<&'static str>,
    host: HostPattern,
    port: PortPattern,
    path: PathPattern,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Exact(Host),
    /// With the dot: `.example.com`.
    Below(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PortPattern {
    /// That of the scheme.
    Default,
    Any,
    Exact(u16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PathPattern {
    Any,
    Exact(String),
    /// Without a slash at its end: itself and everything below.
    Prefix(String),
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not of the form [http(s)://]host[:port][/path], with *.domain, :* and a final /* or /** as wildcards"
)]
pub struct InvalidPattern(pub String);

/// Why a URL may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotAllowed {
    /// No URL, or of another kind.
    #[error("Upstream-URL is not an http or https URL")]
    NotHttp,
    /// It holds a user name or a password.
    #[error("Upstream-URL must not hold a user name or password; send Upstream-Authorization")]
    Credentials,
    /// No pattern matches.
    #[error("Upstream-URL is not on the list of allowed URLs")]
    NotListed,
}

impl Allowlist {
    /// Of these patterns.
    pub fn new(patterns: Vec<UrlPattern>) -> Self {
        Self(patterns)
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The URL to call, or why not.
    pub fn check(&self, text: &str) -> Result<Url, NotAllowed> {
        let url = Url::parse(text).map_err(|_| NotAllowed::NotHttp)?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(NotAllowed::NotHttp);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAllowed::Credentials);
        }
        if self.0.iter().any(|pattern| pattern.matches(&url)) { Ok(url) } else { Err(NotAllowed::NotListed) }
    }

    /// Whether a pattern names this host, letter for letter.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| matches!(&pattern.host, HostPattern::Exact(Host::Domain(named)) if named == name))
    }

    /// Whether it has no pattern, and so allows nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl UrlPattern {
    fn matches(&self, url: &Url) -> bool {
        self.scheme.is_none_or(|scheme| scheme == url.scheme())
            && url.host().is_some_and(|host| self.host.matches(&host))
            && self.port.matches(url)
            && self.path.matches(url.path())
    }
}

impl HostPattern {
    fn matches(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Exact(Host::Domain(named)), Host::Domain(name)) => named == name,
            (Self::Exact(Host::Ipv4(named)), Host::Ipv4(address)) => named == address,
            (Self::Exact(Host::Ipv6(named)), Host::Ipv6(address)) => named == address,
            // An address has no subdomains.
            (Self::Below(domain), Host::Domain(name)) => name.len() > domain.len() && name.ends_with(domain.as_str()),
            _ => false,
        }
    }
}

impl PortPattern {
    fn matches(self, url: &Url) -> bool {
        match self {
            // The parser drops the port that the scheme implies.
            Self::Default => url.port().is_none(),
            Self::Any => true,
            Self::Exact(port) => url.port_or_known_default() == Some(port),
        }
    }
}

impl PathPattern {
    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => path == exact,
            Self::Prefix(prefix) => {
                let below = path.strip_prefix(prefix.as_str());
                below.is_some_and(|below| below.is_empty() || below.starts_with('/')) && is_unambiguous(path)
            }
        }
    }
}

/// Whether every server understands the path as we do. One that decodes escapes before it splits segments would leave the
/// prefix on `/v1/x%2f..%2f..%2fadmin`, and one that cuts off parameters on `/v1/..;/admin`.
fn is_unambiguous(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let is_escaped = ["%2f", "%5c", "%2e", "%25", "%00"].iter().any(|escape| lower.contains(escape));
    let mut names = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default());
    !is_escaped && !path.contains('\\') && !names.any(|name| matches!(name, "." | ".."))
}

impl FromStr for UrlPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        parse(text.trim()).ok_or_else(|| InvalidPattern(text.chars().take(200).collect()))
    }
}

fn parse(text: &str) -> Option<UrlPattern> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Some("http"), rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Some("https"), rest),
        Some(_) => return None,
        None => (None, text),
    };
    let (authority, path) = rest.find('/').map_or((rest, None), |slash| (&rest[..slash], Some(&rest[slash..])));
    let (host, port) = split_port(authority)?;
    Some(UrlPattern {
        text: text.to_owned(),
        scheme,
        host: parse_host(host)?,
        port: normal_port(scheme, port),
        path: path.map_or(Some(PathPattern::Any), parse_path)?,
    })
}

fn split_port(authority: &str) -> Option<(&str, PortPattern)> {
    let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority[after_host..].rfind(':') else { return Some((authority, PortPattern::Default)) };
    let (host, port) = (&authority[..after_host + colon], &authority[after_host + colon + 1..]);
    let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match port {
        "*" => Some((host, PortPattern::Any)),
        _ if is_number => Some((host, PortPattern::Exact(port.parse().ok()?))),
        _ => None,
    }
}

fn normal_port(scheme: Option<&str>, port: PortPattern) -> PortPattern {
    match (scheme, port) {
        (Some("http"), PortPattern::Exact(80)) | (Some("https"), PortPattern::Exact(443)) => PortPattern::Default,
        (_, port) => port,
    }
}

fn parse_host(text: &str) -> Option<HostPattern> {
    let (below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
    if name.is_empty() || name.contains(['*', '@', '?', '#', '\\', '%']) || name.contains(char::is_whitespace) {
        return None;
    }
    if name.contains(':') && !name.starts_with('[') {
        return None;
    }
    // As the parser of URLs would have it, so that both sides are normalised alike.
    match (below, Url::parse(&format!("https://{name}/")).ok()?.host()?.to_owned()) {
        (false, host) => Some(HostPattern::Exact(host)),
        (true, Host::Domain(name)) => Some(HostPattern::Below(format!(".{name}"))),
        (true, _) => None,
    }
}

fn parse_path(text: &str) -> Option<PathPattern> {
    let prefix = text.strip_suffix("/**").or_else(|| text.strip_suffix("/*"));
    let literal = prefix.unwrap_or(text);
    if literal.contains(['*', '?', '#', '\\']) || literal.contains(char::is_whitespace) {
        return None;
    }
    let mut url = Url::parse("https://host/").expect("a constant URL");
    url.set_path(literal);
    let is_normal = literal.is_empty() || url.path() == literal;
    match prefix {
        _ if !is_normal || !is_unambiguous(literal) => None,
        Some("") => Some(PathPattern::Any),
        Some(prefix) => Some(PathPattern::Prefix(prefix.to_owned())),
        None => Some(PathPattern::Exact(literal.to_owned())),
    }
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
