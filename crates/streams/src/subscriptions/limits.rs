//! Named bounds of subscriptions.

use std::time::Duration;

/// Acks one request may carry.
pub const ACKS_PER_REQUEST_MAX: usize = 10_000;
/// Streams one wake or claim lists. The others that have pending work come with the next one.
pub const WAKE_STREAMS_MAX: usize = 1_000;
/// Deleted subscriptions whose generation is remembered, so that an id that is used again goes on counting.
pub const TOMBSTONES_MAX: usize = 10_000;

/// Wait after the first failed notice, in milliseconds; it doubles with each further failure.
pub const RETRY_DELAY_MS_MIN: u64 = 1_000;
/// Longest wait after a failed notice, in milliseconds, before jitter.
pub const RETRY_DELAY_MS_MAX: u64 = 60_000;
/// Largest part of the wait that jitter adds or takes away.
pub const RETRY_JITTER: f64 = 0.2;

/// Requests waiting for the subscription task; more are refused as overload.
pub const COMMANDS_MAX: usize = 1_024;
/// Requests decided in one round and made durable by one write.
pub const ROUND_COMMANDS_MAX: usize = 256;
/// Documents written in one step when a subscription with many links is created or deleted.
pub const DOCUMENTS_PER_WRITE_MAX: usize = 1_024;
/// Streams asked for at a time while a pattern looks for those that exist.
pub const SCAN_PAGE_STREAMS: usize = 1_024;
/// Longest time one webhook delivery may take; never longer than the subscription's lease either.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest sleep between two looks at the clock, so that a clock that was set forward is noticed.
pub const CLOCK_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Wait before a change that could not be written is tried again.
pub const WRITE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// What an operator may tune.
#[derive(Debug, Clone)]
pub struct SubscriptionLimits {
    /// Live subscriptions.
    pub subscriptions_max: usize,
    /// Streams linked to one subscription.
    pub links_per_subscription_max: usize,
    /// Links over all subscriptions.
    pub links_max: usize,
    /// Webhook deliveries and wake events under way at a time.
    pub notices_in_flight_max: usize,
}

impl Default for SubscriptionLimits {
    fn default() -> Self {
        Self {
            subscriptions_max: 10_000,
            links_per_subscription_max: 100_000,
            links_max: 1_000_000,
            notices_in_flight_max: 256,
        }
    }
}
