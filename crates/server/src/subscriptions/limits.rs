//! Named bounds of subscriptions over HTTP.

use std::time::Duration;

/// Body bytes of one subscription request.
pub(super) const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of a webhook's answer that are read; a longer one cannot say `done`.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Longest wait for a webhook's connection, name resolution included.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a name when a webhook is registered. One that takes longer is looked at when it is called.
pub(super) const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an unused connection to a receiver is kept.
pub(super) const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// Unused connections kept per receiver.
pub(super) const IDLE_CONNECTIONS_MAX: usize = 4;
/// How long a key that no longer signs stays published, in milliseconds: the replay window that receivers are told to
/// keep (five minutes), the longest delivery, and as much again for clocks that differ.
pub(super) const RETIRED_KEY_KEPT_MS: u64 = 11 * 60 * 1000;
/// How long receivers may keep the key set.
pub(super) const KEY_SET_CACHE_CONTROL: &str = "public, max-age=300";
