//! One request to the sessions API and its answer: `{ok: true, data}`, or an error by its code.

use std::time::{Duration, SystemTime};

use headwater_protocol::segment_to_url;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::SessionError;
use super::limits::{ANSWER_BYTES_MAX, LIVE_IDLE_TIMEOUT};
use crate::answer::Answer;
use crate::fields::Fields;
use crate::retry::{Backoff, parse_retry_after};
use crate::transport::{Call, Transport, plain};
use crate::{Client, Error, Refusal, Stream};

/// Where the API is, and how requests get there. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    client: Client,
    transport: Transport,
    base: Url,
    /// How long a live connection may be silent.
    pub(crate) idle_timeout: Duration,
}

#[derive(serde::Deserialize)]
struct Envelope<T> {
    data: T,
}

impl Api {
    /// The API beside the streams of `client`: `/api` on the same host, unless it is said where.
    pub(crate) fn new(client: Client, base: Option<&str>) -> Result<Self, SessionError> {
        let streams = client.stream("sessions")?;
        let mut url = Url::parse(base.unwrap_or(&streams.url()))
            .map_err(|error| Error::invalid(format!("{:?} is not a URL: {error}", base.unwrap_or_default())))?;
        if base.is_none() {
            url.set_path("/api");
        }
        if url.cannot_be_a_base() {
            return Err(Error::invalid(format!("{url} is not an http or https URL")).into());
        }
        Ok(Self { transport: streams.transport().clone(), client, base: url, idle_timeout: LIVE_IDLE_TIMEOUT })
    }

    /// A stream beside the API, which can be read as any other.
    pub(crate) fn stream(&self, path: &str) -> Result<Stream, SessionError> {
        Ok(self.client.stream(path)?)
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// A call of a route, such as `["sessions", id]`.
    pub(crate) fn call(&self, method: Method, route: &[&str]) -> Result<Call, SessionError> {
        let mut path = self.base.path().trim_end_matches('/').to_owned();
        for segment in route {
            // A dot is a segment that URLs take for a way up.
            if matches!(*segment, "" | "." | "..") {
                return Err(Error::invalid(format!("{segment:?} is no id")).into());
            }
            path.push('/');
            path.push_str(&segment_to_url(segment));
        }
        let mut url = self.base.clone();
        url.set_path(&path);
        Ok(Call::new(method, &url, &Fields::new()))
    }

    /// The same with a body.
    pub(crate) fn post(&self, route: &[&str], body: &impl Serialize) -> Result<Call, SessionError> {
        self.send_json(Method::POST, route, body)
    }

    pub(crate) fn send_json(
        &self,
        method: Method,
        route: &[&str],
        body: &impl Serialize,
    ) -> Result<Call, SessionError> {
        let mut call = self.call(method, route)?;
        call.header("content-type", "application/json")?;
        call.body = serde_json::to_vec(body).map_err(Error::json)?.into();
        Ok(call)
    }

    /// One attempt; a refusal is an error.
    pub(crate) async fn exchange(&self, call: &Call) -> Result<Answer, SessionError> {
        let mut answer = self.transport.exchange(call).await?;
        if (200..300).contains(&answer.status()) {
            return Ok(answer);
        }
        // A refusal whose reasons cannot be read is still one.
        let body = answer.body(crate::limits::REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        let text: String = text.trim().chars().take(crate::limits::REFUSAL_CHARACTERS_MAX).collect();
        let refusal = Refusal {
            url: plain(&call.url),
            status: answer.status(),
            code: None,
            detail: (!text.is_empty()).then_some(text),
            retry_after: answer.header("retry-after").and_then(|text| parse_retry_after(text, SystemTime::now())),
        };
        Err(SessionError::of(refusal, &body))
    }

    /// One attempt, and its answer as JSON of this form.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, SessionError> {
        let mut answer = self.exchange(call).await?;
        let body = answer.body(ANSWER_BYTES_MAX).await?;
        Ok(serde_json::from_slice(&body).map_err(|error| Error::malformed(answer.url(), error.to_string()))?)
    }

    /// The `data` of the answer to something that may be asked again and again.
    pub(crate) async fn get<T: DeserializeOwned>(&self, call: &Call) -> Result<T, SessionError> {
        self.data(call, SessionError::is_transient).await
    }

    /// The `data` of the answer to something that must not happen twice.
    pub(crate) async fn once<T: DeserializeOwned>(&self, call: &Call) -> Result<T, SessionError> {
        self.data(call, |error| error.is_transient() && !error.may_have_been_applied()).await
    }

    /// The `data` of the answer to something that will be asked again soon anyway.
    pub(crate) async fn beat<T: DeserializeOwned>(&self, call: &Call) -> Result<T, SessionError> {
        Ok(self.ask::<Envelope<T>>(call).await?.data)
    }

    async fn data<T: DeserializeOwned>(
        &self,
        call: &Call,
        repeats: impl Fn(&SessionError) -> bool,
    ) -> Result<T, SessionError> {
        let mut backoff = Backoff::new(self.transport.settings().retry.clone());
        loop {
            let error = match self.beat(call).await {
                Ok(data) => return Ok(data),
                Err(error) => error,
            };
            let delay = failed(&mut backoff, &error);
            if !repeats(&error) || backoff.attempt() >= self.transport.settings().attempts_max {
                return Err(error);
            }
            tokio::time::sleep(delay).await;
        }
    }
}

/// Counts a failure and says how long to wait.
pub(crate) fn failed(backoff: &mut Backoff, error: &SessionError) -> Duration {
    let asked = Refusal { retry_after: error.retry_after(), ..Refusal::default() };
    backoff.failed(&Error::Unavailable(asked))
}
