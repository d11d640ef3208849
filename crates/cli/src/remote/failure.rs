//! What a client's error means to somebody at a terminal: the exit code, and what to do.

use headwater_client::Error;

use crate::failure::{Failure, RemoteKind};

/// What the failed request was about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// Only the URL itself.
    Url,
    /// A stream, as it was named.
    Stream(&'a str),
    /// The listing of streams.
    Listing,
    /// The sessions of a server.
    Sessions,
}

impl Subject<'_> {
    /// The failure that `error` is.
    pub(crate) fn failed(self, error: Error) -> Failure {
        let told = self.told(&error);
        let (kind, advice) = match &error {
            Error::Invalid(_) => return Failure::Usage(told),
            Error::Unreachable { .. } => return unreachable(&error),
            Error::Interrupted { .. } | Error::TimedOut { .. } | Error::Unavailable(_) => {
                (RemoteKind::Away, "the server is there, but did not answer; try again")
            }
            Error::NotFound(_) => (RemoteKind::NotFound, self.when_not_found()),
            Error::Gone(_) => (
                RemoteKind::NotFound,
                "the stream is deleted, or what lay there is no longer kept; --from -1 begins with what is",
            ),
            Error::Closed { .. } => {
                (RemoteKind::Refused, "a closed stream takes no more; `headwater fork` makes an open one of it")
            }
            Error::Conflict(_) => (RemoteKind::Refused, "`headwater head` shows what is there"),
            Error::Fenced { .. } => {
                (RemoteKind::Refused, "a later run of this producer has taken over; use another --producer")
            }
            Error::Denied(_) => (
                RemoteKind::Denied,
                "say who you are with --header 'Authorization: Bearer …', if that is what it wants",
            ),
            Error::Json { .. } => (RemoteKind::Refused, "the messages of this stream are JSON values"),
            Error::Malformed { .. } => {
                (RemoteKind::Other, "is --url the root of the streams of a Durable Streams server?")
            }
            Error::Ambiguous { .. } => (RemoteKind::Away, "read the stream to see whether it is there"),
            _ => (RemoteKind::Refused, "see --help"),
        };
        Failure::Remote { kind, message: format!("{told}; {advice}") }
    }

    /// What happened, in the words of whoever asked.
    fn told(self, error: &Error) -> String {
        match (self, error) {
            (Self::Stream(name), Error::NotFound(refusal)) => format!("there is no stream {name} at {}", refusal.url),
            _ => error.to_string(),
        }
    }

    fn when_not_found(self) -> &'static str {
        match self {
            Self::Url => "check --url",
            Self::Stream(_) => "`headwater create` makes a stream, `headwater ls` tells which ones there are",
            Self::Sessions => "only Headwater has sessions, unless it runs with --sessions off; check --url",
            Self::Listing => {
                "only Headwater lists streams, at the root and unless it runs with --listing off; check --url"
            }
        }
    }
}

fn unreachable(error: &Error) -> Failure {
    let Error::Unreachable { url, cause } = error else { return Failure::Other(error.to_string()) };
    let mut reason = cause.to_string();
    let mut beneath = cause.source();
    // The innermost cause is the system's own words.
    while let Some(inner) = beneath {
        reason = inner.to_string();
        beneath = inner.source();
    }
    let message =
        format!("no server answers at {url}: {reason}; start one with `headwater serve`, or name another with --url");
    Failure::Remote { kind: RemoteKind::Away, message }
}
