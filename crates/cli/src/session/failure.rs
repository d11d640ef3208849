//! What a refusal of the sessions API means to somebody at a terminal.

use headwater_client::sessions::{ErrorCode, SessionError};

use crate::failure::{Failure, RemoteKind};
use crate::remote::Subject;

/// The failure that `error` is.
pub(super) fn failed(error: &SessionError) -> Failure {
    let (kind, advice) = match error {
        SessionError::Client(error) => return Subject::Sessions.failed(error.clone()),
        SessionError::Refused(refused) => match refused.code {
            ErrorCode::SessionNotFound | ErrorCode::InvalidId => {
                (RemoteKind::NotFound, "`headwater session ls` tells which ones there are")
            }
            ErrorCode::OffsetTrimmed => {
                (RemoteKind::NotFound, "what lay there has expired; --from -1 begins with what is kept")
            }
            ErrorCode::SessionClosed => (RemoteKind::Refused, "`headwater session fork` makes an open one of it"),
            ErrorCode::Unauthorized | ErrorCode::Forbidden => (
                RemoteKind::Denied,
                "say who you are with --header 'Authorization: Bearer …', if that is what it wants",
            ),
            _ if error.is_transient() => (RemoteKind::Away, "try again"),
            _ => (RemoteKind::Refused, "see docs/sessions.md for what the server takes"),
        },
        SessionError::Unacknowledged { .. } => (RemoteKind::Away, "look whether it is there before you try again"),
        _ => (RemoteKind::Refused, "see --help"),
    };
    Failure::Remote { kind, message: format!("{error}; {advice}") }
}
