//! What a configuration means for the streams that are followed.

use headwater_protocol::StreamPath;
use headwater_protocol::subscription::{Delivery, SubscriptionConfig};

/// The stream that wake events go to, for pull-wake.
pub(super) fn wake_stream(config: &SubscriptionConfig) -> Option<&StreamPath> {
    match &config.delivery {
        Delivery::PullWake { wake_stream } => Some(wake_stream),
        Delivery::Webhook { .. } => None,
    }
}

/// Whether the pattern links `path`. Its own wake stream never is: each wake would be news that asks for a wake. Nor are
/// streams that no subscriber could read.
pub(super) fn selects(config: &SubscriptionConfig, path: &StreamPath) -> bool {
    !path.is_reserved()
        && wake_stream(config) != Some(path)
        && config.pattern.as_ref().is_some_and(|pattern| pattern.matches(path))
}
