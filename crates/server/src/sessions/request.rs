//! What handlers take from a request: a session's id, a JSON body, query parameters, the URL of this server. All refuse
//! in the form of sessions.

use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use bytes::Bytes;
use headwater_sessions::{SessionError, SessionId};
use headwater_streams::Store;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use url::form_urlencoded;

use super::{Api, Failure};
use crate::edge;
use crate::problem::{Code, Problem};
use crate::request::plain_encoding;

/// The session that the path names.
pub(super) struct Id(pub(super) SessionId);

impl<T: Send + Sync> FromRequestParts<T> for Id {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, Failure> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(SessionError::InvalidId { name: "sessionId", rule: "is not UTF-8".into() }.into());
        };
        Ok(Self(SessionId::new(&text)?))
    }
}

/// A body that says it is JSON; nobody has looked inside. Empty when none was sent.
pub(super) struct Json(pub(super) Bytes);

impl Json {
    /// Takes a body that has arrived with these headers.
    pub(super) fn of(headers: &HeaderMap, body: Bytes) -> Result<Self, Failure> {
        plain_encoding(headers)?;
        if is_json(headers) || body.is_empty() { Ok(Self(body)) } else { Err(Failure::media_type()) }
    }

    /// The body, with an object that says nothing in the place of none.
    pub(super) fn or_empty_object(self) -> Bytes {
        if self.0.is_empty() { Bytes::from_static(b"{}") } else { self.0 }
    }
}

impl<T: Send + Sync> FromRequest<T> for Json {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &T) -> Result<Self, Failure> {
        plain_encoding(request.headers())?;
        let is_json = is_json(request.headers());
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|error| Problem::new(Code::UnreadableBody, error.body_text()))?;
        if !is_json && !body.is_empty() {
            return Err(Failure::media_type());
        }
        Ok(Self(body))
    }
}

/// Whether the body is JSON by its type, parameters aside. A type that browsers send without asking first is not enough.
fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).map(HeaderValue::to_str).and_then(Result::ok).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return true;
    }
    let essence = essence.to_ascii_lowercase();
    essence.starts_with("application/") && essence.ends_with("+json")
}

/// The query's parameters. Those nobody asks for are ignored.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The only value of a parameter; `None` when it is absent or empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Failure> {
        let mut values = self.0.iter().filter(|(have, _)| have == name).map(|(_, value)| value.as_str());
        let value = values.next().filter(|value| !value.is_empty());
        if values.next().is_some() {
            return Err(Failure::params(name, "was sent more than once"));
        }
        Ok(value)
    }

    /// The same, as its own text.
    pub(super) fn owned(&self, name: &'static str) -> Result<Option<String>, Failure> {
        Ok(self.text(name)?.map(str::to_owned))
    }

    /// A whole number.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let digits = Some(text).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(Failure::params(name, "must be a whole number")),
        }
    }

    /// Things on a page. The sessions crate knows how many a page may hold; a number that no page can hold is as good as
    /// any.
    pub(super) fn limit(&self) -> Result<Option<usize>, Failure> {
        Ok(self.number("limit")?.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)))
    }

    /// `startTime` and `endTime`, in Unix milliseconds.
    pub(super) fn period(&self) -> Result<(Option<u64>, Option<u64>), Failure> {
        let (start_ms, end_ms) = (self.number("startTime")?, self.number("endTime")?);
        if start_ms.zip(end_ms).is_some_and(|(start_ms, end_ms)| end_ms < start_ms) {
            return Err(Failure::params("endTime", "must not be before startTime"));
        }
        Ok((start_ms, end_ms))
    }

    /// Names among `known`, separated by commas; none when the parameter is absent.
    pub(super) fn names<T: FromStr>(&self, name: &'static str, known: &[&str]) -> Result<Vec<T>, Failure> {
        let Some(text) = self.text(name)? else { return Ok(Vec::new()) };
        let named: Result<Vec<T>, T::Err> = text.split(',').map(str::parse).collect();
        named.map_err(|_| Failure::params(name, format!("must be some of {}, separated by commas", known.join(", "))))
    }

    /// `sessionId`, which must be there.
    pub(super) fn session(&self) -> Result<SessionId, Failure> {
        let text = self.text("sessionId")?.ok_or_else(|| Failure::params("sessionId", "is required"))?;
        Ok(SessionId::new(text)?)
    }
}

impl<T: Send + Sync> FromRequestParts<T> for Params {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &T) -> Result<Self, Failure> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

/// Scheme and host that the client knows this server under.
pub(super) struct Origin(pub(super) String);

impl<S: Store> FromRequestParts<Api<S>> for Origin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api<S>) -> Result<Self, Failure> {
        Ok(Self(edge::origin(&api.config, parts)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_once_and_decoded() {
        let params = Params::parse("title=a+b%26c&limit=5&limit=6&empty=&n=-1");
        assert_eq!(params.text("title").unwrap(), Some("a b&c"));
        assert_eq!(params.text("empty").unwrap(), None);
        assert_eq!(params.text("absent").unwrap(), None);
        assert!(params.number("limit").is_err() && params.number("n").is_err());
        assert!(params.session().is_err());
    }

    #[test]
    fn a_json_body_says_so() {
        let is_json = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(text).unwrap());
            super::is_json(&headers)
        };
        assert!(is_json("application/json") && is_json("Application/JSON; charset=utf-8"));
        assert!(is_json("application/vnd.api+json"));
        assert!(!is_json("text/plain") && !is_json("text/x+json") && !is_json(""));
    }
}
