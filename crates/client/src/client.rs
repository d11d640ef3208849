//! The client: where streams are, how requests are made, and one pool of connections.

use std::time::Duration;

use headwater_protocol::{StreamPath, path_to_url};
use url::Url;

use crate::fields::{FieldError, Fields};
use crate::limits::{BODY_IDLE_TIMEOUT, CONNECT_TIMEOUT, OPERATION_ATTEMPTS_MAX, PAGE_BYTES_MAX, REQUEST_TIMEOUT};
use crate::listing::{Listing, ListingPage};
use crate::retry::RetrySchedule;
use crate::transport::{Settings, Transport};
use crate::{Error, Stream};

/// A way to the streams below one URL. Cloning is cheap; clones share the connections.
///
/// ```
/// # fn main() -> Result<(), headwater_client::Error> {
/// use headwater_client::Client;
///
/// let client = Client::builder("http://127.0.0.1:4437/v1/stream")
///     .header_fn("authorization", || async { Ok(format!("Bearer {}", "fresh")) })
///     .build()?;
/// let chat = client.stream("chat/42")?;
/// # assert_eq!(chat.url(), "http://127.0.0.1:4437/v1/stream/chat/42");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
    transport: Transport,
}

impl Client {
    /// A client with all defaults for the streams below `base_url`, such as `http://127.0.0.1:4437/v1/stream`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the URL is not `http` or `https`.
    pub fn new(base_url: &str) -> Result<Self, Error> {
        Self::builder(base_url).build()
    }

    /// Begins a client for the streams below `base_url`.
    pub fn builder(base_url: &str) -> ClientBuilder {
        ClientBuilder {
            base: base_url.to_owned(),
            settings: Settings {
                fields: Fields::new(),
                connect_timeout: CONNECT_TIMEOUT,
                request_timeout: REQUEST_TIMEOUT,
                body_idle_timeout: BODY_IDLE_TIMEOUT,
                retry: RetrySchedule::default(),
                attempts_max: OPERATION_ATTEMPTS_MAX,
                page_bytes_max: PAGE_BYTES_MAX,
                authorities: Vec::new(),
            },
        }
    }

    /// The stream at `path`, such as `chat/42`. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Invalid`] when no stream can have this path.
    pub fn stream(&self, path: &str) -> Result<Stream, Error> {
        let path = StreamPath::new(path).map_err(|error| Error::invalid(error.to_string()))?;
        let text = format!("{}/{}", self.base.as_str().trim_end_matches('/'), path_to_url(&path));
        self.stream_at(&text)
    }

    /// The stream at a URL of any server, which gets this client's headers and parameters. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the URL is not `http` or `https`.
    pub fn stream_at(&self, url: &str) -> Result<Stream, Error> {
        Ok(Stream::new(parse(url)?, self.transport.clone()))
    }

    /// One page of the streams below the base URL, in the order of their paths. An extension of Headwater: other servers
    /// answer [`Error::NotFound`], and so does one that was told not to tell.
    ///
    /// ```no_run
    /// # async fn example(client: headwater_client::Client) -> Result<(), headwater_client::Error> {
    /// use headwater_client::Listing;
    ///
    /// let mut wanted = Some(Listing::all().prefix("chat/"));
    /// while let Some(listing) = wanted {
    ///     let page = client.list(&listing).await?;
    ///     for stream in &page.streams {
    ///         println!("{} ends at {}", stream.path, stream.tail);
    ///     }
    ///     wanted = page.next_cursor.map(|cursor| listing.after(cursor));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], and [`Error::Refused`] for a cursor or a limit that the server does not take.
    pub async fn list(&self, listing: &Listing) -> Result<ListingPage, Error> {
        listing.page(&self.base, &self.transport).await
    }

    /// Finds the stream at `path` and learns its content type.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not there, and whatever [`Stream::head`] may say.
    pub async fn connect(&self, path: &str) -> Result<Stream, Error> {
        let stream = self.stream(path)?;
        stream.head().await?;
        Ok(stream)
    }
}

/// Options of a [`Client`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    base: String,
    settings: Settings,
}

impl ClientBuilder {
    /// Adds headers and query parameters to all requests.
    pub fn fields(mut self, fields: Fields) -> Self {
        self.settings.fields = self.settings.fields.and(fields);
        self
    }

    /// Adds a header to all requests.
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields(Fields::new().header(name, value))
    }

    /// Adds a header to all requests whose value is asked for with every attempt: for tokens that expire.
    pub fn header_fn<F, V>(self, name: impl Into<String>, value: F) -> Self
    where
        F: Fn() -> V + Send + Sync + 'static,
        V: Future<Output = Result<String, FieldError>> + Send + 'static,
    {
        self.fields(Fields::new().header_fn(name, value))
    }

    /// Adds a query parameter to all requests.
    pub fn query(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields(Fields::new().query(name, value))
    }

    /// How long a connection may take to be made. Default: 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long the head of an answer that does not wait for data may take. Default: 30 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.settings.request_timeout = timeout;
        self
    }

    /// How long an answer's body may pause. Default: 30 s.
    pub fn body_idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.body_idle_timeout = timeout;
        self
    }

    /// When failed requests are tried again. Default: after 1, 2, 4, 8, 16, 30, 30 s …
    pub fn retry(mut self, schedule: RetrySchedule) -> Self {
        self.settings.retry = schedule;
        self
    }

    /// How often an operation is tried in all; readers and producers have a number of their own. Default: 5.
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.settings.attempts_max = attempts;
        self
    }

    /// Bytes of one page, or of the events up to one position, that are held at most. Default: 64 MiB.
    pub fn page_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.page_bytes_max = bytes;
        self
    }

    /// Trusts servers whose certificates these authorities signed (PEM, one or more certificates), besides those that the
    /// system trusts: for servers behind a company's own authority.
    pub fn trust(mut self, pem: &[u8]) -> Self {
        self.settings.authorities.extend_from_slice(pem);
        self.settings.authorities.push(b'\n');
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the URL is not `http` or `https`, a header cannot be sent, or the system's certificates or
    /// the trusted ones cannot be used.
    pub fn build(self) -> Result<Client, Error> {
        self.settings.fields.check()?;
        Ok(Client { base: parse(&self.base)?, transport: Transport::new(self.settings)? })
    }
}

fn parse(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|error| Error::invalid(format!("{text:?} is not a URL: {error}")))?;
    if !(matches!(url.scheme(), "http" | "https") && url.has_host()) {
        return Err(Error::invalid(format!("{text:?} is not an http or https URL")));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_lie_below_the_base_and_paths_are_escaped() {
        let client = Client::new("http://a.example/v1/stream/").unwrap();
        assert_eq!(client.stream("a b/c%").unwrap().url(), "http://a.example/v1/stream/a%20b/c%25");
        assert!(client.stream("a/../b").is_err());
        assert!(client.stream_at("ftp://a.example/x").is_err());
        assert!(Client::new("no url").is_err());
    }
}
