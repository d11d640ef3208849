//! Which server is measured, and where the streams of a measurement are on it.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use url::{Host, Url};

use crate::http::{self, Connection, ReadSize};

/// Digits of a stream's number in its path; fixed, so that every request of a load has the same length.
const DIGITS: usize = 7;

/// A server, the headers that every request to it carries, and the path of numbered streams.
#[derive(Debug, Clone)]
pub struct Site {
    address: SocketAddr,
    /// Whole header lines, `Host` first.
    common: String,
    /// What stands before a stream's number in its path.
    prefix: String,
}

/// Why a URL cannot be measured.
#[derive(Debug, Error)]
pub enum UrlError {
    #[error("{0} is no URL")]
    Invalid(String),
    /// Encryption would be most of what is measured on the load generator's side.
    #[error("load is sent over plain HTTP, not over {0}")]
    Scheme(String),
    #[error("{host} has no address: {cause}")]
    Unknown { host: String, cause: io::Error },
}

impl Site {
    /// A server at `address`; its streams are those whose path begins with `prefix`.
    pub fn new(address: SocketAddr, prefix: impl Into<String>) -> Site {
        Site { address, common: format!("Host: {address}\r\n"), prefix: prefix.into() }
    }

    /// The server whose stream root is `url`; its streams are those below it that begin with `name`.
    ///
    /// # Errors
    /// When the URL is not of plain HTTP, or its host has no address.
    pub async fn of_url(url: &str, name: &str) -> Result<Site, UrlError> {
        let parsed = Url::parse(url).map_err(|_| UrlError::Invalid(url.to_owned()))?;
        if parsed.scheme() != "http" {
            return Err(UrlError::Scheme(parsed.scheme().to_owned()));
        }
        let host = parsed.host().ok_or_else(|| UrlError::Invalid(url.to_owned()))?;
        let port = parsed.port_or_known_default().expect("HTTP has a default port");
        let address = resolve(&host, port).await?;
        let common = match parsed.port() {
            Some(port) => format!("Host: {host}:{port}\r\n"),
            None => format!("Host: {host}\r\n"),
        };
        let prefix = format!("{}/{name}", parsed.path().trim_end_matches('/'));
        Ok(Site { address, common, prefix })
    }

    /// The same with one more header on every request. Neither may hold a line break.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Site {
        assert!(![name, value].iter().any(|text| text.contains(['\r', '\n'])), "a header is one line");
        self.common.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// The same server with other streams: `suffix` is added to what their paths begin with.
    #[must_use]
    pub fn below(&self, suffix: &str) -> Site {
        Site { prefix: format!("{}{suffix}", self.prefix), ..self.clone() }
    }

    /// The path of a stream.
    pub fn stream(&self, number: usize) -> String {
        format!("{}{number:0width$}", self.prefix, width = DIGITS)
    }

    /// One whole request.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        http::render(&self.common, method, target, headers, body)
    }

    /// One whole GET.
    pub fn get(&self, target: &str) -> Vec<u8> {
        self.request("GET", target, &[], &[])
    }

    /// A new connection.
    ///
    /// # Errors
    /// When the server does not accept it.
    pub async fn connect(&self, size: ReadSize) -> io::Result<Connection> {
        Connection::open(self.address, size).await
    }

    /// Where the server is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn common(&self) -> &str {
        &self.common
    }

    /// The path of a stream whose number is written later by [`push_digits`].
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// A stream's number as it stands in its path.
pub(crate) fn push_digits(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

async fn resolve(host: &Host<&str>, port: u16) -> Result<SocketAddr, UrlError> {
    let name = match host {
        Host::Ipv4(ip) => return Ok(SocketAddr::from((*ip, port))),
        Host::Ipv6(ip) => return Ok(SocketAddr::from((*ip, port))),
        Host::Domain(name) => (*name).to_owned(),
    };
    let unknown = |cause| UrlError::Unknown { host: name.clone(), cause };
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), port)).await.map_err(unknown)?.collect();
    // A name may have an address that nobody listens at, such as ::1 of localhost.
    for address in &found {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return Ok(*address);
        }
    }
    found.first().copied().ok_or_else(|| unknown(io::ErrorKind::NotFound.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_becomes_an_address_a_host_and_paths_below_its_root() {
        let site = Site::of_url("http://127.0.0.1:4437/v1/stream/", "run-1/").await.unwrap().header("X-Tenant", "acme");
        assert_eq!(site.address(), "127.0.0.1:4437".parse().unwrap());
        assert_eq!(site.below("append-").stream(42), "/v1/stream/run-1/append-0000042");
        let request = String::from_utf8(site.get("/x")).unwrap();
        assert_eq!(request, "GET /x HTTP/1.1\r\nHost: 127.0.0.1:4437\r\nX-Tenant: acme\r\n\r\n");
    }

    #[tokio::test]
    async fn only_plain_http_is_measured() {
        for (url, said) in
            [("https://example.com/v1", "plain HTTP"), ("nothing", "is no URL"), ("ftp://x/", "not over ftp")]
        {
            let error = Site::of_url(url, "").await.unwrap_err().to_string();
            assert!(error.contains(said), "{url}: {error}");
        }
    }

    #[test]
    fn a_number_is_written_as_it_stands_in_the_path() {
        let site = Site::new(SocketAddr::from(([127, 0, 0, 1], 1)), "/b");
        let mut path = site.prefix().as_bytes().to_vec();
        push_digits(&mut path, 1_203);
        assert_eq!(String::from_utf8(path).unwrap(), site.stream(1_203));
    }
}
