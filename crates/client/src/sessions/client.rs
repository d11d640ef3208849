//! Sessions from outside: begin, look, change, end.

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::api::Api;
use super::{
    HistoryPage, HistoryQuery, Joined, ListSessions, MessagesAt, NewSession, Participant, Person, Search, SearchPage,
    SessionDetail, SessionError, SessionPage, SessionPatch, SessionRow, ShareLinks, StateAt,
};
use crate::{Client, Offset};

/// A way to the agent sessions of a server. Cloning is cheap; clones share the connections.
///
/// Requests are tried again by the client's schedule; but what could happen twice is not, once an attempt
/// [may have been applied](SessionError::may_have_been_applied): then look.
///
/// ```no_run
/// # async fn example() -> Result<(), headwater_client::sessions::SessionError> {
/// use headwater_client::Client;
/// use headwater_client::sessions::{ListSessions, NewSession, SessionClient};
///
/// let sessions = SessionClient::new(Client::new("http://127.0.0.1:4437/v1/stream")?)?;
/// let session = sessions.create(NewSession::new("web").title("Fix the build")).await?;
/// let page = sessions.list(ListSessions::new().project("web").status("active")).await?;
/// assert!(page.sessions.iter().any(|row| row.id == session.id));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SessionClient {
    pub(crate) api: Api,
}

impl SessionClient {
    /// The sessions of the server that `client` reads streams of: their API is `/api` on the same host.
    ///
    /// # Errors
    /// [`SessionError::Client`] when that is no URL.
    pub fn new(client: Client) -> Result<Self, SessionError> {
        Ok(Self { api: Api::new(client, None)? })
    }

    /// The same for an API that lives somewhere else, behind a proxy.
    ///
    /// # Errors
    /// [`SessionError::Client`] when `api_url` is no URL.
    pub fn with_api(client: Client, api_url: &str) -> Result<Self, SessionError> {
        Ok(Self { api: Api::new(client, Some(api_url))? })
    }

    /// How long a live connection may be silent before it is taken for half-dead. Default: 40 s; servers say every 15 s
    /// that a connection lives.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.api.idle_timeout = timeout;
        self
    }

    /// Begins a session.
    ///
    /// # Errors
    /// [`SessionError::Refused`] with what is wrong with it.
    pub async fn create(&self, new: NewSession) -> Result<SessionRow, SessionError> {
        self.api.once(&self.api.post(&["sessions"], &new)?).await
    }

    /// A session, and who is there.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`] when there is none.
    pub async fn get(&self, id: &str) -> Result<SessionDetail, SessionError> {
        self.api.get(&self.api.call(Method::GET, &["sessions", id])?).await
    }

    /// One page of sessions.
    ///
    /// # Errors
    /// [`SessionError::Refused`] when a filter or the cursor cannot be.
    pub async fn list(&self, list: ListSessions) -> Result<SessionPage, SessionError> {
        let mut call = self.api.call(Method::GET, &["sessions"])?;
        list.add_to(&mut call);
        self.api.get(&call).await
    }

    /// Changes a session's row.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`], and [`SessionError::Refused`] with what is wrong.
    pub async fn update(&self, id: &str, patch: SessionPatch) -> Result<SessionRow, SessionError> {
        // The same change twice is the same change.
        self.api.get(&self.api.send_json(Method::PATCH, &["sessions", id], &patch)?).await
    }

    /// Says that a session rests.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`]; code `SESSION_CLOSED`.
    pub async fn pause(&self, id: &str) -> Result<SessionRow, SessionError> {
        self.api.get(&self.api.call(Method::POST, &["sessions", id, "pause"])?).await
    }

    /// Says that a session goes on.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub async fn resume(&self, id: &str) -> Result<SessionRow, SessionError> {
        self.api.get(&self.api.call(Method::POST, &["sessions", id, "resume"])?).await
    }

    /// Ends a session for good.
    ///
    /// # Errors
    /// As [`pause`](Self::pause): a second close is refused.
    pub async fn close(&self, id: &str) -> Result<SessionRow, SessionError> {
        self.api.once(&self.api.call(Method::POST, &["sessions", id, "close"])?).await
    }

    /// Removes a session and its streams.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`].
    pub async fn delete(&self, id: &str) -> Result<(), SessionError> {
        let _id: serde_json::Value = self.api.once(&self.api.call(Method::DELETE, &["sessions", id])?).await?;
        Ok(())
    }

    /// Begins a session with the history of another, up to an offset.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`]; code `OFFSET_TRIMMED`.
    pub async fn fork(&self, id: &str, fork: NewSession) -> Result<SessionRow, SessionError> {
        self.api.once(&self.api.post(&["sessions", id, "fork"], &fork)?).await
    }

    /// Links to hand on.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`].
    pub async fn share(&self, id: &str) -> Result<ShareLinks, SessionError> {
        self.api.get(&self.api.call(Method::POST, &["sessions", id, "share"])?).await
    }

    /// Comes to a session, for 30 seconds. [`Session::join`](super::Session::join) stays.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`]; codes `SESSION_CLOSED`, `SESSION_FULL`.
    pub async fn join(&self, id: &str, person: &Person) -> Result<Joined, SessionError> {
        let mut call = self.api.post(&["sessions", id, "join"], person)?;
        call.query("snapshot", "false");
        self.api.get(&call).await
    }

    /// Leaves a session; also when nobody was there.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`].
    pub async fn leave(&self, id: &str, user_id: &str) -> Result<(), SessionError> {
        let call = self.api.post(&["sessions", id, "leave"], &json!({ "userId": user_id }))?;
        let _who: serde_json::Value = self.api.get(&call).await?;
        Ok(())
    }

    /// Gives a sign of life and says who is there by it.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub async fn beat(&self, id: &str, person: &Person) -> Result<Option<Participant>, SessionError> {
        self.api.beat(&self.api.post(&["sessions", id, "presence"], person)?).await
    }

    /// Who is there.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`].
    pub async fn present(&self, id: &str) -> Result<Vec<Participant>, SessionError> {
        self.api.get(&self.api.call(Method::GET, &["sessions", id, "presence"])?).await
    }

    /// Everything, folded.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`].
    pub async fn state(&self, id: &str) -> Result<StateAt, SessionError> {
        self.api.get(&self.api.call(Method::GET, &["sessions", id, "state"])?).await
    }

    /// What was said.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`].
    pub async fn messages(&self, id: &str) -> Result<MessagesAt, SessionError> {
        self.api.get(&self.api.call(Method::GET, &["sessions", id, "messages"])?).await
    }

    /// One page of what happened.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`], and [`SessionError::Refused`] when the query cannot be.
    pub async fn history(&self, id: &str, query: HistoryQuery) -> Result<HistoryPage, SessionError> {
        let mut call = self.api.call(Method::GET, &["sessions", id, "history"])?;
        query.add_to(&mut call);
        self.api.get(&call).await
    }

    /// Where something was said, in all sessions.
    ///
    /// # Errors
    /// Code `SEARCH_OFF` when the server keeps no index, and [`SessionError::Refused`] when the query cannot be.
    pub async fn search(&self, search: Search) -> Result<SearchPage, SessionError> {
        let mut call = self.api.call(Method::GET, &["search"])?;
        search.add_to(&mut call);
        self.api.get(&call).await
    }

    /// The offset at which a session's stream ends now.
    ///
    /// # Errors
    /// [`SessionError::is_not_found`].
    pub async fn tail(&self, id: &str) -> Result<Offset, SessionError> {
        #[derive(Deserialize)]
        struct At {
            offset: Offset,
        }
        let at: At = self.api.get(&self.api.call(Method::GET, &["sessions", id])?).await?;
        Ok(at.offset)
    }
}
