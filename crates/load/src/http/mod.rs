//! The smallest HTTP/1.1 client that can drive a server hard from the cores it shares with it.
//!
//! Requests are rendered by the caller and may be pipelined; responses are parsed in place. It knows the framing of HTTP
//! and the few headers the measurements need, and nothing of what the bytes mean.

mod body;
mod connection;
mod request;
mod response;

pub use body::Body;
pub use connection::{Connection, ReadSize};
pub use request::render;
pub use response::{Answer, Head, Refused};
