//! Writing: requests of events and steps, their answers, and how often they are tried.

use std::future::Future;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::api::Api;
use super::limits::{EVENT_BYTES_MAX, WRITE_RETRIES, WRITE_RETRY_DELAY};
use super::post::{Post, PostKind};
use super::{SessionClient, SessionError};
use crate::transport::Call;
use crate::{Error, Offset};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Published {
    /// The end of the session's stream after the write; of duplicates alone that of the originals, and of presence alone
    /// that of the companion stream.
    pub offset: Offset,
    /// All changes of the request have it.
    pub txid: String,
    /// One for each post, in order. Empty when a request of a producer was recognised without its events.
    #[serde(default)]
    pub results: Vec<PublishedEvent>,
    /// All of it had been written before.
    #[serde(default)]
    pub duplicate: bool,
}

/// What became of a post.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PublishedEvent {
    /// Where.
    pub channel: String,
    /// Its key.
    pub id: String,
    /// Its place in the stream, counting from 1.
    pub seq: u64,
    /// Right after it.
    pub offset: Offset,
    /// It had been written before.
    #[serde(default)]
    pub duplicate: bool,
}

impl SessionClient {
    /// Writes posts, all or none, and waits until they are durable. They have ids, so that a request whose answer was lost
    /// is sent again: 3 times, a second apart. All must be events, or all steps.
    ///
    /// ```no_run
    /// # async fn example(sessions: headwater_client::sessions::SessionClient)
    /// # -> Result<(), headwater_client::sessions::SessionError> {
    /// use headwater_client::sessions::Post;
    ///
    /// let written = sessions.publish("a-session", [Post::chunk("coder", "Looking"), Post::chunk("coder", " at it")]).await?;
    /// println!("{} (go on at {})", written.txid, written.offset);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SessionError::Refused`] with the post and the field that are wrong; [`SessionError::Client`] when nothing was
    /// heard after all attempts, so that it may have been written or not.
    pub async fn publish(&self, id: &str, posts: impl IntoIterator<Item = Post>) -> Result<Published, SessionError> {
        let posts: Vec<Post> = posts.into_iter().collect();
        let call = call(&self.api, id, &posts, None)?;
        with_retries(|| self.api.ask(&call)).await
    }
}

/// The request that writes these posts.
pub(crate) fn call(api: &Api, id: &str, posts: &[Post], txid: Option<&str>) -> Result<Call, SessionError> {
    let is_steps = |post: &Post| matches!(post.kind, PostKind::Step(_));
    let Some(first) = posts.first().map(is_steps) else {
        return Err(Error::invalid("there is nothing to write").into());
    };
    if posts.iter().any(|post| is_steps(post) != first) {
        return Err(Error::invalid("events and steps are written apart").into());
    }
    let body: Vec<Value> = posts.iter().map(|post| post.encode(txid)).collect();
    for post in posts {
        check_size(serde_json::to_string(&post.data).map_err(Error::json)?.len())?;
    }
    Ok(if first { steps_call(api, id, &body)? } else { events_call(api, id, &body)? })
}

pub(crate) fn check_size(bytes: usize) -> Result<(), SessionError> {
    if bytes > EVENT_BYTES_MAX {
        return Err(SessionError::EventTooLarge { bytes, limit: EVENT_BYTES_MAX });
    }
    Ok(())
}

pub(crate) fn events_call(api: &Api, id: &str, body: &impl serde::Serialize) -> Result<Call, SessionError> {
    let mut call = api.post(&["streams"], body)?;
    call.query("sessionId", id);
    Ok(call)
}

pub(crate) fn steps_call(api: &Api, id: &str, body: &impl serde::Serialize) -> Result<Call, SessionError> {
    api.post(&["sessions", id, "steps"], body)
}

/// Attempts until one succeeds or fails for good, at most 3 times more, a second apart.
pub(crate) async fn with_retries<T, A>(mut attempt: impl FnMut() -> A) -> Result<T, SessionError>
where
    A: Future<Output = Result<T, SessionError>>,
{
    let mut retries = 0;
    loop {
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if !error.is_transient() || retries == WRITE_RETRIES {
            return Err(error);
        }
        retries += 1;
        sleep(WRITE_RETRY_DELAY.max(error.retry_after().unwrap_or_default())).await;
    }
}

/// The same, given up once `within` has gone by since `begun`.
pub(crate) async fn with_retries_until<T, A>(
    begun: Instant,
    within: Duration,
    attempt: impl FnMut() -> A,
) -> Result<T, SessionError>
where
    A: Future<Output = Result<T, SessionError>>,
{
    let given_up = Err(SessionError::Unacknowledged { after: within });
    if begun.elapsed() >= within {
        return given_up;
    }
    timeout_at(begun + within, with_retries(attempt)).await.unwrap_or(given_up)
}

#[cfg(test)]
mod tests;
