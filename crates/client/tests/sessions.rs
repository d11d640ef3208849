//! Sessions, against a server in the process of the test.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

#[path = "sessions/following.rs"]
mod following;
#[path = "sessions/healing.rs"]
mod healing;
#[path = "sessions/operations.rs"]
mod operations;
#[path = "sessions/property.rs"]
mod property;
#[path = "sessions/writing.rs"]
mod writing;

use headwater_client::sessions::{NewSession, Session, SessionClient};
use headwater_testing::TestServer;

/// A session of its own.
struct Setup {
    server: TestServer,
    client: SessionClient,
    id: String,
}

async fn setup() -> Setup {
    let server = TestServer::start();
    let client = SessionClient::new(support::client(&server.url())).unwrap();
    let id = client.create(NewSession::new("p")).await.unwrap().id;
    Setup { server, client, id }
}

impl Setup {
    /// The session, caught up.
    async fn follow(&self) -> Session {
        let session = self.client.follow(&self.id);
        assert!(support::soon(session.caught_up()).await, "{session:?}");
        session
    }
}
