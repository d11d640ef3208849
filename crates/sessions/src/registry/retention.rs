//! How long a session may ask for its events to be kept.

use crate::error::SessionError;
use crate::limits::{RETENTION_MS_MAX, RETENTION_MS_MIN};

pub(super) fn check(retention_ms: Option<u64>) -> Result<Option<u64>, SessionError> {
    match retention_ms {
        Some(ms) if !(RETENTION_MS_MIN..=RETENTION_MS_MAX).contains(&ms) => {
            let rule = format!("must be {RETENTION_MS_MIN} to {RETENTION_MS_MAX} milliseconds");
            Err(SessionError::field("retentionMs", rule))
        }
        allowed => Ok(allowed),
    }
}
