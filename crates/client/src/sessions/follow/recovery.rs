//! What a follower makes of failures: wait and come back, begin anew, look another way, or give up.

use std::time::Duration;

use tokio::time::Instant;

use super::connection::Subject;
use super::follower::{Follower, Sink};
use super::status::ConnectionState;
use crate::limits::{MALFORMED_MAX, SSE_RETRY_AFTER, SSE_SILENT_MAX};
use crate::retry::Backoff;
use crate::sessions::api::{Api, failed};
use crate::sessions::limits::{ABSENT_AGENT_PAUSE, NOT_FOUND_ATTEMPTS_MAX};
use crate::sessions::{ErrorCode, SessionError};
use crate::{Error, Offset};

/// Failures in a row, by kind.
pub(super) struct Recovery {
    backoff: Backoff,
    /// Headers can be asked for again after a 401.
    can_refresh: bool,
    has_refreshed: bool,
    malformed: u32,
    has_begun_anew: bool,
    has_ever_succeeded: bool,
    /// Live connections in a row that told nothing in time: something on the way holds them back.
    silent: u32,
    polls_until: Option<Instant>,
}

/// What a failure leads to.
enum Remedy {
    AtOnce,
    BeginAnew,
    /// By the schedule, but no longer than this.
    Wait(Duration),
    GiveUp,
}

impl Recovery {
    pub(super) fn new(api: &Api) -> Self {
        let settings = api.transport().settings();
        Self {
            backoff: Backoff::new(settings.retry.clone()),
            can_refresh: settings.fields.can_change(),
            has_refreshed: false,
            malformed: 0,
            has_begun_anew: false,
            has_ever_succeeded: false,
            silent: 0,
            polls_until: None,
        }
    }

    /// Whether live connections are held back on the way.
    pub(super) fn polls(&self) -> bool {
        self.polls_until.is_some_and(|until| Instant::now() < until)
    }

    pub(super) fn succeeded(&mut self) {
        self.backoff.succeeded();
        self.has_ever_succeeded = true;
        (self.has_refreshed, self.malformed) = (false, 0);
    }

    /// Events are told: what was begun anew has come to something.
    pub(super) fn connected(&mut self) {
        self.succeeded();
        self.has_begun_anew = false;
    }

    /// A live connection did not come about.
    pub(super) fn not_opened(&mut self, error: &SessionError) {
        self.lost(false, error);
    }

    /// A live connection was lost.
    pub(super) fn lost(&mut self, has_told: bool, error: &SessionError) {
        if has_told {
            self.silent = 0;
        } else if matches!(error, SessionError::Client(Error::TimedOut { .. } | Error::Malformed { .. })) {
            self.silent += 1;
            if self.silent >= SSE_SILENT_MAX {
                self.silent = 0;
                self.polls_until = Some(Instant::now() + SSE_RETRY_AFTER);
            }
        }
    }

    fn remedy(&mut self, error: &SessionError, subject: &Subject) -> Remedy {
        if error.status() == Some(401) && self.can_refresh && !self.has_refreshed {
            self.has_refreshed = true;
            return Remedy::AtOnce;
        }
        if is_lost_position(error) {
            return if std::mem::replace(&mut self.has_begun_anew, true) {
                Remedy::Wait(Duration::MAX)
            } else {
                Remedy::BeginAnew
            };
        }
        if error.is_not_found() {
            return match subject {
                Subject::Agent(_) => Remedy::Wait(ABSENT_AGENT_PAUSE),
                Subject::Session(_) if self.has_ever_succeeded => Remedy::GiveUp,
                Subject::Session(_) if self.backoff.attempt() + 1 < NOT_FOUND_ATTEMPTS_MAX => {
                    Remedy::Wait(Duration::MAX)
                }
                Subject::Session(_) => Remedy::GiveUp,
            };
        }
        if let SessionError::Client(Error::Malformed { .. }) = error {
            self.malformed += 1;
            return if self.malformed < MALFORMED_MAX { Remedy::Wait(Duration::MAX) } else { Remedy::GiveUp };
        }
        if error.is_transient() { Remedy::Wait(Duration::MAX) } else { Remedy::GiveUp }
    }
}

/// Whether the server no longer has the offset that was asked for: trimmed, or of a history that was replaced.
fn is_lost_position(error: &SessionError) -> bool {
    match error {
        SessionError::Client(Error::Gone(_)) => true,
        SessionError::Refused(refused) => {
            refused.code == ErrorCode::OffsetTrimmed
                || (refused.code == ErrorCode::InvalidParams
                    && matches!(refused.field(), Some("offset" | "fromOffset" | "Last-Event-ID")))
        }
        _ => false,
    }
}

impl<S: Sink> Follower<S> {
    /// Waits until it is time to try again; or gives the error back when that would not help.
    pub(super) async fn recover(&mut self, error: SessionError) -> Option<SessionError> {
        let at_most = match self.recovery.remedy(&error, &self.subject) {
            Remedy::AtOnce => return None,
            Remedy::BeginAnew => {
                self.discontinuity(None);
                return None;
            }
            Remedy::GiveUp => return Some(error),
            Remedy::Wait(at_most) => at_most,
        };
        if error.is_not_found() && matches!(self.subject, Subject::Agent(_)) {
            // What it does first when it begins is news, too.
            self.offset = Some(Offset::start());
        }
        let delay = failed(&mut self.recovery.backoff, &error).min(at_most);
        let attempt = self.recovery.backoff.attempt();
        let next_retry = Instant::now() + delay;
        tracing::debug!(subject = self.subject.path(), %error, attempt, ?delay, "follower comes back");
        self.status.send_modify(|status| {
            status.state = match self.recovery.has_ever_succeeded {
                true => ConnectionState::Reconnecting,
                false => ConnectionState::Connecting,
            };
            (status.attempt, status.next_retry, status.error) = (attempt, Some(next_retry), Some(error));
        });
        self.wait_until(next_retry).await;
        None
    }
}
