//! Which streams there are: GET of the stream root, page by page.

use http::Method;
use serde::Deserialize;
use url::Url;

use crate::fields::Fields;
use crate::transport::{Call, Repeat, Transport};
use crate::{Error, Offset};

/// Which streams to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Listing {
    prefix: String,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Some of the streams there are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ListingPage {
    /// In the order of their paths. There may be none although more pages follow.
    pub streams: Vec<ListedStream>,
    /// Where the next page begins; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// A stream in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ListedStream {
    /// Its path below the stream root.
    pub path: String,
    /// Its content type, as its creator wrote it.
    pub content_type: String,
    /// Where the next append will land.
    pub tail: Offset,
    /// Nothing will be appended any more.
    pub closed: bool,
    /// When it was created, in Unix milliseconds.
    pub created_at: u64,
}

impl Listing {
    /// All of them.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only those whose path begins with this, such as `chat/`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// From the cursor of the page before.
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    /// So many on a page; the server has a default and a maximum.
    pub fn limit(mut self, streams: u32) -> Self {
        self.limit = Some(streams);
        self
    }

    pub(crate) async fn page(&self, base: &Url, transport: &Transport) -> Result<ListingPage, Error> {
        let mut call = Call::new(Method::GET, base, &Fields::new());
        if !self.prefix.is_empty() {
            call.query("prefix", &*self.prefix);
        }
        if let Some(cursor) = &self.cursor {
            call.query("cursor", cursor);
        }
        if let Some(limit) = self.limit {
            call.query("limit", limit.to_string());
        }
        let mut answer = transport.send_until(&call, Repeat::Transient).await?;
        let body = answer.body(transport.settings().page_bytes_max).await?;
        serde_json::from_slice(&body)
            .map_err(|error| Error::malformed(answer.url(), format!("not a listing of streams: {error}")))
    }
}
