//! What the load generator's errors mean to somebody at a terminal.

use std::io::{Error, ErrorKind};

use headwater_load::UrlError;
use headwater_load::http::Refused;

use crate::failure::{Failure, RemoteKind};

/// A URL that cannot be measured.
pub(super) fn of_url(error: UrlError) -> Failure {
    match error {
        UrlError::Invalid(_) => Failure::Usage(format!("{error}; name the stream root with --url, see --help")),
        UrlError::Scheme(_) => Failure::Usage(format!(
            "{error}: encryption would be most of what is measured; name the server itself with --url http://…, behind \
             whatever ends TLS"
        )),
        UrlError::Unknown { .. } => {
            Failure::Remote { kind: RemoteKind::Away, message: format!("{error}; name another server with --url") }
        }
    }
}

/// A measurement that could not begin at `url`.
pub(super) fn of(error: &Error, url: &str) -> Failure {
    if let Some(refused) = Refused::within(error) {
        return of_refusal(refused, url);
    }
    let (kind, message) = match error.kind() {
        ErrorKind::InvalidData => (
            RemoteKind::Other,
            format!("{url} does not answer in HTTP/1.1: {error}; is --url the root of the streams of a server?"),
        ),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            (RemoteKind::Away, format!("the server at {url} closed a connection: {error}; try again"))
        }
        ErrorKind::ConnectionRefused | ErrorKind::TimedOut | ErrorKind::HostUnreachable => (
            RemoteKind::Away,
            format!(
                "no server answers at {url}: {error}; start one with `headwater serve`, or name another with --url"
            ),
        ),
        _ => (RemoteKind::Other, format!("cannot measure {url}: {error}; fewer connections may help")),
    };
    Failure::Remote { kind, message }
}

fn of_refusal(refused: &Refused, url: &str) -> Failure {
    let (kind, advice) = match refused.status {
        401 | 403 => {
            (RemoteKind::Denied, "say who you are with --header 'Authorization: Bearer …', if that is what it wants")
        }
        404 | 405 => (RemoteKind::NotFound, "is --url the root of the streams of a Durable Streams server?"),
        429 | 503 => (RemoteKind::Away, "the server has too much to do; ask for less"),
        _ => (RemoteKind::Refused, "see --help"),
    };
    Failure::Remote { kind, message: format!("{url} refused to {refused}; {advice}") }
}
