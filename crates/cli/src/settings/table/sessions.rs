//! The options of sessions.

use super::super::setting::{Group, Setting};
use super::super::value::Kind;
use super::{DAY, GIB, MIB, MINUTE};

pub(super) const SESSIONS: Setting = Setting {
    key: "sessions",
    group: Group::Sessions,
    placeholder: "WHETHER",
    kind: Kind::Choice(&["on", "off"]),
    default: "on",
    help: "Whether agent sessions are served under /api. While they are, the streams sessions, session/... and \
           agent/... are written through /api only.",
    example: "off",
};

pub(super) const SESSIONS_RETENTION: Setting = Setting {
    key: "sessions-retention",
    group: Group::Sessions,
    placeholder: "DURATION",
    kind: Kind::Duration { min_ms: MINUTE, max_ms: 36_500 * DAY },
    default: "30d",
    help: "How long a session's events are kept, unless the session says otherwise.",
    example: "90d",
};

pub(super) const SESSIONS_MEMORY_MAX: Setting = Setting {
    key: "sessions-memory-max",
    group: Group::Sessions,
    placeholder: "SIZE",
    kind: Kind::Size { min: MIB, max: 1024 * GIB },
    default: "512MiB",
    help: "Memory for the folded states of sessions.",
    example: "512MiB",
};

pub(super) const SESSIONS_SQL: Setting = Setting {
    key: "sessions-sql",
    group: Group::Sessions,
    placeholder: "FILE",
    kind: Kind::File,
    default: "",
    help: "SQLite file that sessions are copied into, for SQL queries and search; created when missing. One server \
           at a time may keep it.",
    example: "/var/lib/headwater/sessions.sqlite",
};
