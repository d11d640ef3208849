//! The durable proxy: one request makes any streaming HTTP response resumable.
//!
//! The proxy sends the request on, writes the answer's bytes to a stream as they come, and hands out a signed URL of that
//! stream. Whatever happens in between, the stream ends, and what ended it is kept beside it.
//!
//! Built on the engine and an HTTP client. It knows no storage, no HTTP server and no status codes of its own answers: a
//! server above it parses requests, reads the streams and renders refusals.

mod allowlist;
mod end;
mod fetch;
mod forward;
mod id;
mod outcome;
mod pipe;
mod record;
mod recovery;
mod request;
mod resolver;
mod running;
mod secrets;
mod service;
mod sweep;

pub mod limits;
pub mod outbound;

pub use allowlist::{Allowlist, InvalidPattern, NotAllowed, UrlPattern};
pub use fetch::{FetchError, UpstreamAnswer};
pub use id::GenerationId;
pub use limits::ProxyLimits;
pub use outcome::Outcome;
pub use record::Record;
pub use request::{Companion, RequestRefused, UpstreamRequest};
pub use resolver::{Lookup, Names, PrivateHosts, SystemNames};
pub use secrets::{InvalidSecret, Secrets, SignatureRefused};
pub use service::{CreateError, Figures, Proxy, ProxyConfig, Started};
