//! A stream as its users see it: the operations of the protocol, one file each.

mod append;
mod batch;
mod create;
mod metadata;
mod read;

use std::sync::{Arc, OnceLock};

use http::Method;
use url::Url;

pub(crate) use append::Post;
pub use append::{Append, Appended};
pub use batch::Batch;
pub use create::{Create, Created, Fork};
pub use metadata::Head;

use crate::fields::Fields;
use crate::producer::ProducerBuilder;
use crate::reader::ReaderBuilder;
use crate::transport::{Call, Transport, plain};
use crate::{Error, Offset};

/// A handle on one stream. Cloning is cheap; nothing is sent until an operation is called.
///
/// Every operation is cancellation safe in that dropping its future leaves the handle as it was; whether a write whose
/// future was dropped has happened is unknown, as after [`Error::Ambiguous`].
#[derive(Debug, Clone)]
pub struct Stream {
    url: Url,
    transport: Transport,
    fields: Fields,
    /// Shared by the clones: known once one of them has created or asked.
    content_type: Arc<OnceLock<String>>,
}

impl Stream {
    pub(crate) fn new(url: Url, transport: Transport) -> Self {
        Self { url, transport, fields: Fields::new(), content_type: Arc::default() }
    }

    /// Where the stream is, without query.
    pub fn url(&self) -> String {
        plain(&self.url)
    }

    /// The same stream, whose requests carry `fields` on top of the client's: headers and parameters for one call or a
    /// few.
    ///
    /// ```no_run
    /// # async fn example(stream: headwater_client::Stream) -> Result<(), headwater_client::Error> {
    /// use headwater_client::Fields;
    ///
    /// stream.with(Fields::new().header("x-request-id", "7")).append("one").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with(&self, fields: Fields) -> Self {
        Self { fields: self.fields.clone().and(fields), ..self.clone() }
    }

    /// The same stream, of which this content type is known. Appends need it; without, they ask the server once.
    #[must_use]
    pub fn with_content_type(&self, content_type: impl Into<String>) -> Self {
        Self { content_type: Arc::new(OnceLock::from(content_type.into())), ..self.clone() }
    }

    /// Begins a reader: from an offset through everything there is, then live.
    pub fn reader(&self) -> ReaderBuilder {
        ReaderBuilder::new(self.clone())
    }

    /// Begins an idempotent producer named `id`: no two of the same name may write at the same time.
    pub fn producer(&self, id: impl Into<String>) -> ProducerBuilder {
        ProducerBuilder::new(self.clone(), id.into())
    }

    pub(crate) fn call(&self, method: Method) -> Call {
        Call::new(method, &self.url, &self.fields)
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Whether asking again may give other headers or parameters.
    pub(crate) fn has_changing_fields(&self) -> bool {
        self.fields.can_change() || self.transport.settings().fields.can_change()
    }

    /// The content type, asked for unless it is known.
    pub(crate) async fn known_content_type(&self) -> Result<String, Error> {
        if let Some(known) = self.content_type.get() {
            return Ok(known.clone());
        }
        let head = self.head().await?;
        head.content_type.ok_or_else(|| Error::malformed(&self.url(), "no content type"))
    }

    /// The content type as far as it is known.
    pub(crate) fn known_now(&self) -> String {
        self.content_type.get().cloned().unwrap_or_default()
    }

    pub(crate) fn learn_content_type(&self, content_type: &str) {
        // Whoever came first knows the same.
        self.content_type.get_or_init(|| content_type.to_owned());
    }
}

/// The offset that an answer must have.
pub(crate) fn required(offset: Option<Offset>, url: &str) -> Result<Offset, Error> {
    offset.ok_or_else(|| Error::malformed(url, "no Stream-Next-Offset"))
}
