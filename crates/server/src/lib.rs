//! The HTTP edge: Durable Streams over HTTP/1.1 and cleartext HTTP/2.
//!
//! Streams are served on worker threads that share nothing but the engine (`http1` is ours, HTTP/2 is hyper's);
//! everything else (health, metrics, subscriptions) is an axum router. This is the only crate that knows status codes,
//! and `problem` the only file in it that gives one to an error.

mod acceptor;
mod body;
mod config;
mod connection;
mod console;
mod cors;
mod edge;
mod health;
mod http1;
mod metrics;
mod operation;
mod problem;
mod proxy;
mod request;
mod response;
mod router;
mod server;
mod sessions;
mod socket;
mod streams;
mod throttle;
mod vitals;
mod workers;

#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
pub mod subscriptions;

pub use config::{CorsOrigins, DEFAULT_PORT, InvalidConfig, PublicUrl, ServerConfig, StreamRoot};
pub use limits::ServerLimits;
pub use metrics::Metrics;
pub use proxy::Mirrors;
pub use server::{BindError, Server};
