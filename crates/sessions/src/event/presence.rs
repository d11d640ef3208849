//! `presence`: one row per user. `lastSeen` and `joinedAt` are the server's to set, whatever an event says: a client's
//! clock can neither keep somebody present nor send them away.

use crate::fields::{Field, Kind, filled, optional, required};
use crate::limits::{NAME_BYTES_MAX, URL_BYTES_MAX};

const CURSOR: &[Field] = &[required("x", Kind::Number), required("y", Kind::Number)];

pub(super) const FIELDS: &[Field] = &[
    required("userId", Kind::Id),
    filled("sessionId", Kind::Id),
    optional("displayName", Kind::Name(NAME_BYTES_MAX)),
    optional("avatarUrl", Kind::Name(URL_BYTES_MAX)),
    optional("cursor", Kind::Object(CURSOR)),
    filled("lastSeen", Kind::Timestamp),
    filled("joinedAt", Kind::Timestamp),
];
