//! Looks now and then for streams whose lifetime has ended, and for more streams in memory than there should be.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::engine::Inner;
use crate::operation::EngineError;
use crate::store::Store;
use crate::submission::Submission;

/// Runs until the engine stops or its last handle is gone.
pub(crate) async fn run<S: Store>(engine: Weak<Inner<S>>) {
    let Some(interval) = engine.upgrade().map(|inner| inner.limits.reap_interval) else { return };
    let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = engine.upgrade() else { return };
        match round(&inner).await {
            Ok(()) => {}
            Err(EngineError::Stopping) => return,
            Err(cause) => tracing::warn!(%cause, "looking for expired streams failed; trying again later"),
        }
    }
}

async fn round<S: Store>(inner: &Inner<S>) -> Result<(), EngineError> {
    inner.submit(Submission::Sweep)?;
    for path in inner.store.expired(inner.clock.now_ms(), inner.limits.reap_streams_max).await? {
        inner.submit(Submission::Reap(path))?;
    }
    Ok(())
}
