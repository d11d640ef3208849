//! A client for [Durable Streams](https://github.com/durable-streams/durable-streams): readers that heal, producers that
//! write exactly once.
//!
//! * [`Client`] knows where streams are and how to ask: headers and parameters, also from async functions that refresh
//!   tokens, timeouts, the [schedule](RetrySchedule) of retries, one pool of connections.
//! * [`Stream`] is a handle with the operations of the protocol.
//! * [`Reader`] goes from any [`Offset`] through all there is to what comes, by SSE or long-poll, as bytes, text or typed
//!   JSON. It comes back after every failure that can heal, without a gap and without a repetition.
//! * [`Producer`] batches messages, keeps several batches in flight, and has each of them written once and in order.
//! * [`sessions`] follows and steers agent sessions: collections, handlers, optimistic writes, presence, an outbox.
//!
//! Nothing here knows an engine or a store: it speaks to every server of the protocol.
//!
//! # Resume a chat
//!
//! Offsets are kept with what was made of the content; the next start goes on there.
//!
//! ```no_run
//! use headwater_client::{Client, Offset};
//!
//! #[derive(serde::Deserialize)]
//! struct Said {
//!     who: String,
//!     text: String,
//! }
//!
//! # fn kept() -> Option<Offset> { None }
//! # fn keep(_: &Offset) {}
//! # #[tokio::main]
//! # async fn main() -> Result<(), headwater_client::Error> {
//! let client = Client::new("http://127.0.0.1:4437/v1/stream")?;
//! let chat = client.stream("chat/42")?;
//! let from = kept().unwrap_or_else(Offset::start);
//! let mut reader = chat.reader().from(from).open().json::<Said>();
//! while let Some(batch) = reader.next().await {
//!     let batch = batch?;
//!     for said in &batch.items {
//!         println!("{}: {}", said.who, said.text);
//!     }
//!     keep(&batch.offset);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Write each message once
//!
//! ```no_run
//! # async fn example() -> Result<(), headwater_client::Error> {
//! use headwater_client::{Client, Create};
//!
//! let chat = Client::new("http://127.0.0.1:4437/v1/stream")?.stream("chat/42")?;
//! chat.create(Create::json()).await?;
//! let producer = chat.producer("writer-7").auto_claim(true).start().await?;
//! for token in ["Hello", ", ", "world"] {
//!     producer.send_json(&serde_json::json!({ "who": "agent", "text": token })).await?;
//! }
//! producer.flush().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is tried again
//!
//! | operation | after a failure that may pass |
//! | --- | --- |
//! | create, fork, head, read, close, delete | again, up to 5 attempts: doing it twice is doing it once |
//! | plain [`append`](Stream::append) | again only when nothing was done for certain; otherwise [`Error::Ambiguous`] |
//! | [`Reader`] | again and again by the schedule, 1, 2, 4, 8, 16, 30, 30 s …, or later if `Retry-After` says so |
//! | [`Producer`] | the same; the server recognises what it has already |
//!
//! Errors that cannot heal (a stream that is not there, a refused token, a fence) are returned at once.
//! Every limit has a name in [`limits`].
#![deny(missing_docs)]

mod answer;
mod client;
mod error;
mod fields;
mod listing;
mod offset;
mod producer;
mod reader;
mod retry;
mod stream;
mod transport;

pub mod limits;
pub mod sessions;

pub use client::{Client, ClientBuilder};
pub use error::{Cause, Error, Refusal};
pub use fields::{FieldError, Fields};
pub use listing::{ListedStream, Listing, ListingPage};
pub use offset::Offset;
pub use producer::{Producer, ProducerBuilder, Receipt};
pub use reader::{
    JsonBatch, JsonReader, Mode, Reader, ReaderBuilder, ReaderState, ReaderStatus, TextBatch, TextReader,
};
pub use retry::RetrySchedule;
pub use stream::{Append, Appended, Batch, Create, Created, Fork, Head, Stream};
