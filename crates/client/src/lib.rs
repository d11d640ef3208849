//! A client for Durable Streams: readers that heal, producers that write exactly once.
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
