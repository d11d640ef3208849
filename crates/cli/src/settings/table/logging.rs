//! The options of logging.

use super::super::setting::{Group, Setting};
use super::super::value::Kind;

pub(super) const LOG: Setting = Setting {
    key: "log",
    group: Group::Logging,
    placeholder: "FORMAT",
    kind: Kind::Choice(&["pretty", "json"]),
    default: "pretty",
    help: "Form of the log on standard error: pretty for people, json (one object on each line) for collectors.",
    example: "json",
};

pub(super) const LOG_LEVEL: Setting = Setting {
    key: "log-level",
    group: Group::Logging,
    placeholder: "FILTER",
    kind: Kind::Filter,
    default: "info",
    help: "What is logged: a level (off, error, warn, info, debug, trace), or a list such as \
           info,headwater_server=debug.",
    example: "debug",
};
