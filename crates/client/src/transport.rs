//! One attempt of one request, and the loop that repeats it where that is safe.
//!
//! Everything HTTP is in here and in `answer`; the rest of the crate speaks of calls, answers and errors. One pool of
//! connections serves all streams of a client, over HTTP/2 where a TLS server offers it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::timeout;
use url::Url;

use crate::Error;
use crate::answer::{Answer, Expected};
use crate::fields::Fields;
use crate::limits::{IDLE_CONNECTION_TIMEOUT, IDLE_CONNECTIONS_MAX};
use crate::retry::{Backoff, RetrySchedule};

/// What all requests of a client have in common.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) fields: Fields,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) body_idle_timeout: Duration,
    pub(crate) retry: RetrySchedule,
    pub(crate) attempts_max: u32,
    pub(crate) page_bytes_max: usize,
    /// PEM certificates of authorities that are trusted on top of the system's.
    pub(crate) authorities: Vec<u8>,
}

/// Sends calls. Cloning is cheap and shares the connections.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    settings: Arc<Settings>,
}

/// A request, to be sent as often as it takes.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// On top of the client's own.
    pub(crate) fields: Fields,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    /// For the answer's head; the client's own unless given.
    pub(crate) head_timeout: Option<Duration>,
    /// What a conflict would be about.
    pub(crate) expected: Expected,
}

impl Call {
    pub(crate) fn new(method: Method, url: &Url, fields: &Fields) -> Self {
        Self {
            method,
            url: url.clone(),
            fields: fields.clone(),
            headers: HeaderMap::new(),
            query: Vec::new(),
            body: Bytes::new(),
            head_timeout: None,
            expected: Expected::default(),
        }
    }

    /// Adds a header of the protocol.
    pub(crate) fn header(&mut self, name: &'static str, value: &str) -> Result<(), Error> {
        let value = HeaderValue::try_from(value)
            .map_err(|_| Error::invalid(format!("{name} {value:?} has characters that headers cannot hold")))?;
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(())
    }

    pub(crate) fn query(&mut self, name: &'static str, value: impl Into<String>) {
        self.query.push((name, value.into()));
    }
}

impl Transport {
    pub(crate) fn new(settings: Settings) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("headwater-client/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls(&settings.authorities)?)
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| Error::invalid(format!("HTTP client cannot be made: {error}")))?;
        Ok(Self { http, settings: Arc::new(settings) })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// One attempt. Refusals are errors; the answer's body is yet to come.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Error> {
        self.exchange(call).await?.accepted(&call.expected).await
    }

    /// One attempt, whatever the answer's status: for those who give refusals a meaning of their own.
    pub(crate) async fn exchange(&self, call: &Call) -> Result<Answer, Error> {
        let request = self.request(call).await?;
        let head_timeout = call.head_timeout.unwrap_or(self.settings.request_timeout);
        let url = plain(&call.url);
        let response = match timeout(head_timeout, self.http.execute(request)).await {
            Err(_) => return Err(Error::TimedOut { url, after: head_timeout }),
            Ok(Err(error)) if error.is_connect() => return Err(Error::Unreachable { url, cause: bare(error) }),
            Ok(Err(error)) => return Err(Error::Interrupted { url, cause: bare(error) }),
            Ok(Ok(response)) => response,
        };
        Ok(Answer::new(response, url, self.settings.body_idle_timeout))
    }

    /// Attempts until one succeeds, fails for good, or was the last one.
    pub(crate) async fn send_until(&self, call: &Call, repeat: Repeat) -> Result<Answer, Error> {
        let mut attempts = self.attempts(repeat);
        loop {
            match self.send(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    /// Begins an operation that is tried by the schedule.
    pub(crate) fn attempts(&self, repeat: Repeat) -> Attempts {
        Attempts {
            backoff: Backoff::new(self.settings.retry.clone()),
            most: self.settings.attempts_max,
            repeat,
            may_have_been_applied: false,
        }
    }

    async fn request(&self, call: &Call) -> Result<reqwest::Request, Error> {
        let resolved = self.settings.fields.clone().and(call.fields.clone()).resolve().await?;
        let mut url = call.url.clone();
        if !(resolved.query.is_empty() && call.query.is_empty()) {
            let own = call.query.iter().map(|(name, value)| (*name, value.as_str()));
            let others = resolved.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            url.query_pairs_mut().extend_pairs(others.chain(own));
        }
        let mut request = reqwest::Request::new(call.method.clone(), url);
        *request.headers_mut() = resolved.headers;
        request.headers_mut().extend(call.headers.clone());
        if !call.body.is_empty() {
            *request.body_mut() = Some(call.body.clone().into());
        }
        Ok(request)
    }
}

/// Which failures an operation is tried again after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// All that may pass: doing it twice is as good as once.
    Transient,
    /// Those that leave no doubt that nothing was done.
    NotBegun,
}

/// The attempts of one operation.
#[derive(Debug)]
pub(crate) struct Attempts {
    backoff: Backoff,
    most: u32,
    repeat: Repeat,
    /// One of the failed attempts may have done its work.
    pub(crate) may_have_been_applied: bool,
}

impl Attempts {
    /// Waits until it is time to try again, or gives the error back.
    pub(crate) async fn failed(&mut self, error: Error) -> Result<(), Error> {
        self.may_have_been_applied |= error.may_have_been_applied();
        let repeats = match self.repeat {
            Repeat::Transient => error.is_transient(),
            Repeat::NotBegun => error.is_transient() && !error.may_have_been_applied(),
        };
        let delay = self.backoff.failed(&error);
        if !repeats || self.backoff.attempt() >= self.most {
            return Err(error);
        }
        tracing::debug!(%error, attempt = self.backoff.attempt(), ?delay, "request is tried again");
        tokio::time::sleep(delay).await;
        Ok(())
    }
}

/// A URL fit for logs and errors: tokens travel in queries, names and passwords before the host.
pub(crate) fn plain(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // A URL without a host has no name and password to hide.
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return url.path().to_owned();
    }
    url.into()
}

/// An error without its URL, which has a query.
pub(crate) fn bare(error: reqwest::Error) -> crate::error::Cause {
    Arc::new(error.without_url())
}

/// rustls on ring, trusting whom the system trusts and those who signed as `authorities`. Told here and not installed for
/// the process: a library does not choose for the program it is part of.
fn tls(authorities: &[u8]) -> Result<rustls::ClientConfig, Error> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use rustls_platform_verifier::Verifier;

    let roots: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(authorities)
        .collect::<Result<_, _>>()
        .map_err(|error| Error::invalid(format!("an authority's certificate is no PEM: {error}")))?;
    if roots.is_empty() && !authorities.is_empty() {
        return Err(Error::invalid("the authorities' certificates hold no BEGIN CERTIFICATE"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let failed = |error: rustls::Error| Error::invalid(format!("TLS cannot be set up: {error}"));
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(failed)?;
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_in_a_url_does_not_show() {
        let url = Url::parse("https://user:pass@a.example/v1/stream/x?token=secret#f").unwrap();
        assert_eq!(plain(&url), "https://a.example/v1/stream/x");
    }
}
