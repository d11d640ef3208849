//! Headers and query parameters that requests carry besides the protocol's own.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::Error;

/// What a function that makes a value may fail with.
pub type FieldError = Box<dyn std::error::Error + Send + Sync>;

/// Headers and query parameters: fixed texts, or functions that are called anew for every attempt of every request, so
/// that a refreshed token is used at once.
///
/// ```
/// use headwater_client::Fields;
///
/// let fields = Fields::new()
///     .header("x-tenant", "acme")
///     .query("region", "eu")
///     .header_fn("authorization", || async { Ok(format!("Bearer {}", "token-of-now")) });
/// ```
#[derive(Clone, Default)]
pub struct Fields {
    headers: Vec<(String, Value)>,
    query: Vec<(String, Value)>,
}

#[derive(Clone)]
enum Value {
    Fixed(String),
    Made(Arc<dyn Fn() -> BoxFuture<'static, Result<String, FieldError>> + Send + Sync>),
}

/// The values for one attempt.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) headers: HeaderMap,
    pub(crate) query: Vec<(String, String)>,
}

impl Fields {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header; one of the same name given earlier is replaced.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Value::Fixed(value.into())));
        self
    }

    /// Adds a header whose value is asked for with every attempt.
    #[must_use]
    pub fn header_fn<F, V>(mut self, name: impl Into<String>, value: F) -> Self
    where
        F: Fn() -> V + Send + Sync + 'static,
        V: Future<Output = Result<String, FieldError>> + Send + 'static,
    {
        self.headers.push((name.into(), made(value)));
        self
    }

    /// Adds a query parameter; one of the same name given earlier is replaced.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), Value::Fixed(value.into())));
        self
    }

    /// Adds a query parameter whose value is asked for with every attempt.
    #[must_use]
    pub fn query_fn<F, V>(mut self, name: impl Into<String>, value: F) -> Self
    where
        F: Fn() -> V + Send + Sync + 'static,
        V: Future<Output = Result<String, FieldError>> + Send + 'static,
    {
        self.query.push((name.into(), made(value)));
        self
    }

    /// These, then those of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.headers.extend(other.headers);
        self.query.extend(other.query);
        self
    }

    /// Whether asking again may give other values.
    pub(crate) fn can_change(&self) -> bool {
        self.headers.iter().chain(&self.query).any(|(_, value)| matches!(value, Value::Made(_)))
    }

    pub(crate) async fn resolve(&self) -> Result<Resolved, Error> {
        let mut resolved = Resolved::default();
        for (name, value) in &self.headers {
            let text = value.get(name).await?;
            let (name, value) = header(name, &text)?;
            resolved.headers.insert(name, value);
        }
        for (name, value) in &self.query {
            let text = value.get(name).await?;
            resolved.query.retain(|(earlier, _)| earlier != name);
            resolved.query.push((name.clone(), text));
        }
        Ok(resolved)
    }

    /// Refuses names and fixed values that no request can carry.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for (name, value) in &self.headers {
            header(name, if let Value::Fixed(text) = value { text } else { "" })?;
        }
        Ok(())
    }
}

impl Value {
    async fn get(&self, name: &str) -> Result<String, Error> {
        match self {
            Self::Fixed(text) => Ok(text.clone()),
            Self::Made(make) => {
                make().await.map_err(|cause| Error::Fields { name: name.to_owned(), cause: cause.into() })
            }
        }
    }
}

fn made<F, V>(value: F) -> Value
where
    F: Fn() -> V + Send + Sync + 'static,
    V: Future<Output = Result<String, FieldError>> + Send + 'static,
{
    Value::Made(Arc::new(move || Box::pin(value())))
}

/// A header, kept out of logs: what callers add is often a secret.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let parsed = HeaderName::try_from(name).map_err(|_| Error::invalid(format!("{name:?} is not a header's name")))?;
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| Error::invalid(format!("value of header {name} has characters that headers cannot hold")))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |fields: &[(String, Value)]| fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        f.debug_struct("Fields").field("headers", &names(&self.headers)).field("query", &names(&self.query)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn functions_are_called_for_every_request_and_later_fields_win() {
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let fields = Fields::new().header("x-n", "fixed").query("q", "1").and(
            Fields::new()
                .header_fn("X-N", move || {
                    let n = counted.fetch_add(1, Ordering::Relaxed);
                    async move { Ok(n.to_string()) }
                })
                .query("q", "2"),
        );
        for expected in ["0", "1"] {
            let resolved = fields.resolve().await.unwrap();
            assert_eq!(resolved.headers["x-n"], expected);
            assert_eq!(resolved.query, [("q".to_owned(), "2".to_owned())]);
        }
    }

    #[test]
    fn what_no_header_can_hold_is_refused() {
        assert!(Fields::new().header("two words", "x").check().is_err());
        assert!(Fields::new().header("x", "line\nbreak").check().is_err());
        assert!(Fields::new().header("x", "fine").check().is_ok());
    }
}
