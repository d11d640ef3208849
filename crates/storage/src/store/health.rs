//! Whether the store takes changes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_streams::StoreError;

/// Latches the first failure, and the end.
#[derive(Debug, Default)]
pub(super) struct Health {
    cause: OnceLock<String>,
    closed: AtomicBool,
}

impl Health {
    /// Refuses changes from now on, because of `cause`, unless an earlier one stands.
    pub(super) fn poison(&self, cause: String) {
        tracing::error!(cause, "the store takes no more changes");
        // A later cause is most likely a consequence of the first.
        let _ = self.cause.set(cause);
    }

    /// Refuses changes from now on, because nobody is to make any.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.cause.get().is_some()
    }

    /// Fails when no change may be made.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Closed);
        }
        self.check_poison()
    }

    /// Fails when the store is poisoned, closed or not.
    pub(super) fn check_poison(&self) -> Result<(), StoreError> {
        match self.cause.get() {
            Some(cause) => Err(StoreError::Poisoned { cause: cause.clone() }),
            None => Ok(()),
        }
    }
}
