//! Making sessions.

use std::io;
use std::net::SocketAddr;

use headwater_load::http::{Connection, ReadSize};
use tokio::task::JoinSet;

use super::posts::push_post;

const CONNECTIONS: usize = 32;

/// Creates so many sessions and answers their ids.
pub(super) async fn create_sessions(address: SocketAddr, count: usize) -> io::Result<Vec<String>> {
    let mut workers = JoinSet::new();
    for worker in 0..CONNECTIONS.min(count) {
        workers.spawn(async move {
            let mut connection = Connection::open(address, ReadSize::Small).await?;
            let mut ids = Vec::new();
            for number in (worker..count).step_by(CONNECTIONS) {
                let body = format!(r#"{{"projectId":"bench","title":"Session {number}"}}"#);
                ids.push(created(&mut connection, &body).await?);
            }
            io::Result::Ok(ids)
        });
    }
    let mut ids = Vec::new();
    while let Some(done) = workers.join_next().await {
        ids.extend(done.map_err(io::Error::other)??);
    }
    Ok(ids)
}

async fn created(connection: &mut Connection, body: &str) -> io::Result<String> {
    let mut request = Vec::new();
    push_post(&mut request, "/api/sessions", body);
    let answer = connection.exchange(&request).await?.success("create a session")?;
    let value: serde_json::Value = serde_json::from_slice(&answer.body)?;
    let id = value["data"]["id"].as_str();
    id.map(str::to_owned).ok_or_else(|| io::Error::other("a created session without an id"))
}
