//! A client in a hurry, a server that plays a script, and a proxy that means harm.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

pub mod proxy;
pub mod script;

use std::time::Duration;

use headwater_client::{Client, ClientBuilder, Create, RetrySchedule, Stream};
use headwater_testing::TestServer;

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The shape of the real schedule, in milliseconds instead of seconds.
pub fn fast() -> RetrySchedule {
    RetrySchedule::new(Duration::from_millis(2), 2.0, Duration::from_millis(20)).unwrap()
}

pub fn builder(url: &str) -> ClientBuilder {
    Client::builder(url).retry(fast())
}

pub fn client(url: &str) -> Client {
    builder(url).build().unwrap()
}

/// A stream of this type on `server`.
pub async fn created(server: &TestServer, content_type: &str) -> Stream {
    let stream = client(&server.url()).stream("a/stream").unwrap();
    stream.create(Create::new(content_type)).await.unwrap();
    stream
}

/// Fails the test when `work` takes too long.
pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("done in time")
}
