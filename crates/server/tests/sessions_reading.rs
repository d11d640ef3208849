//! Reading agent sessions over HTTP: live, page by page, folded, as files, and from snapshots. Names begin with the
//! requirement they hold.

#![allow(clippy::unwrap_used, reason = "a test may fail at any line")]

#[path = "sessions/api.rs"]
#[allow(dead_code, reason = "shared with the tests of writing")]
mod api;
#[path = "sessions_reading/export.rs"]
mod export;
#[path = "sessions_reading/fold.rs"]
mod fold;
#[path = "sessions_reading/history.rs"]
mod history;
#[path = "sessions_reading/live.rs"]
mod live;
#[path = "sessions_reading/readers.rs"]
mod readers;
#[path = "sessions_reading/snapshot.rs"]
mod snapshot;
#[path = "sessions_reading/state.rs"]
mod state;
mod support;
#[path = "sessions_reading/viewer.rs"]
mod viewer;
#[path = "sessions_reading/work.rs"]
mod work;
