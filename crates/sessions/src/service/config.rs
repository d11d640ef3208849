//! What an operator may set.

use crate::limits::{LOADED_BYTES_MAX, LOADED_SESSIONS_MAX, RETENTION_MS_DEFAULT};

/// How a service of sessions behaves.
#[derive(Debug, Clone)]
pub struct SessionsConfig {
    /// How long events are kept unless their session says otherwise, in milliseconds.
    pub retention_ms: u64,
    /// Sessions whose folded state is in memory at once.
    pub loaded_sessions_max: usize,
    /// Bytes of folded states in memory at once.
    pub loaded_bytes_max: usize,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            retention_ms: RETENTION_MS_DEFAULT,
            loaded_sessions_max: LOADED_SESSIONS_MAX,
            loaded_bytes_max: LOADED_BYTES_MAX,
        }
    }
}
