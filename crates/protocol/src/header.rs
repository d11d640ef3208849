//! The names of the protocol's headers and query parameters, lower-case as HTTP/2 sends them.

/// Seconds a stream lives without a read or a write.
pub const STREAM_TTL: &str = "stream-ttl";
/// When a stream ends, as an RFC 3339 timestamp.
pub const STREAM_EXPIRES_AT: &str = "stream-expires-at";
/// A writer's own sequence mark.
pub const STREAM_SEQ: &str = "stream-seq";
/// What a live reader echoes in its next request.
pub const STREAM_CURSOR: &str = "stream-cursor";
/// Where the next read starts, and where the next append will land.
pub const STREAM_NEXT_OFFSET: &str = "stream-next-offset";
/// Present when an answer reaches the tail.
pub const STREAM_UP_TO_DATE: &str = "stream-up-to-date";
/// `true` closes a stream, or tells that it is closed; see [`is_true`].
pub const STREAM_CLOSED: &str = "stream-closed";
/// The URL path of a fork's source.
pub const STREAM_FORKED_FROM: &str = "stream-forked-from";
/// Where a fork leaves its source.
pub const STREAM_FORK_OFFSET: &str = "stream-fork-offset";
/// Messages (JSON) or bytes past [`STREAM_FORK_OFFSET`].
pub const STREAM_FORK_SUB_OFFSET: &str = "stream-fork-sub-offset";
/// `base64` on an SSE answer whose data events are encoded.
pub const STREAM_SSE_DATA_ENCODING: &str = "stream-sse-data-encoding";
/// An idempotent producer's name.
pub const PRODUCER_ID: &str = "producer-id";
/// An idempotent producer's incarnation.
pub const PRODUCER_EPOCH: &str = "producer-epoch";
/// The number of a producer's request within its epoch.
pub const PRODUCER_SEQ: &str = "producer-seq";
/// On a gap: the number that would have been accepted.
pub const PRODUCER_EXPECTED_SEQ: &str = "producer-expected-seq";
/// On a gap: the number that came.
pub const PRODUCER_RECEIVED_SEQ: &str = "producer-received-seq";
/// Signs a webhook delivery.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";

/// To the proxy: the URL to call.
pub const UPSTREAM_URL: &str = "upstream-url";
/// To the proxy: the method to call it with.
pub const UPSTREAM_METHOD: &str = "upstream-method";
/// To the proxy: the `Authorization` that the upstream gets.
pub const UPSTREAM_AUTHORIZATION: &str = "upstream-authorization";
/// From the proxy: the `Content-Type` of the upstream's response.
pub const UPSTREAM_CONTENT_TYPE: &str = "upstream-content-type";
/// From the proxy: the status of an upstream that refused.
pub const UPSTREAM_STATUS: &str = "upstream-status";
/// From the proxy: what ended the upstream's response; an extension of Headwater.
pub const UPSTREAM_OUTCOME: &str = "upstream-outcome";

/// The proxy's headers that requests carry.
pub const PROXY_REQUEST_HEADERS: [&str; 3] = [UPSTREAM_URL, UPSTREAM_METHOD, UPSTREAM_AUTHORIZATION];
/// The proxy's headers that answers carry.
pub const PROXY_RESPONSE_HEADERS: [&str; 3] = [UPSTREAM_CONTENT_TYPE, UPSTREAM_STATUS, UPSTREAM_OUTCOME];

/// The protocol's headers that requests carry: what a browser must be allowed to send.
pub const REQUEST_HEADERS: [&str; 10] = [
    STREAM_TTL,
    STREAM_EXPIRES_AT,
    STREAM_SEQ,
    STREAM_CLOSED,
    STREAM_FORKED_FROM,
    STREAM_FORK_OFFSET,
    STREAM_FORK_SUB_OFFSET,
    PRODUCER_ID,
    PRODUCER_EPOCH,
    PRODUCER_SEQ,
];

/// The protocol's headers that answers carry: what a browser must be allowed to see.
pub const RESPONSE_HEADERS: [&str; 11] = [
    STREAM_TTL,
    STREAM_EXPIRES_AT,
    STREAM_CURSOR,
    STREAM_NEXT_OFFSET,
    STREAM_UP_TO_DATE,
    STREAM_CLOSED,
    STREAM_SSE_DATA_ENCODING,
    PRODUCER_EPOCH,
    PRODUCER_SEQ,
    PRODUCER_EXPECTED_SEQ,
    PRODUCER_RECEIVED_SEQ,
];

/// Query parameters of a read, and what they may say.
pub mod query {
    /// Where to start.
    pub const OFFSET: &str = "offset";
    /// How to wait: [`LONG_POLL`] or [`SSE`].
    pub const LIVE: &str = "live";
    /// The last `Stream-Cursor`, echoed.
    pub const CURSOR: &str = "cursor";
    /// `live=long-poll`.
    pub const LONG_POLL: &str = "long-poll";
    /// `live=sse`.
    pub const SSE: &str = "sse";
}

/// Whether the value of a flag header such as `Stream-Closed` counts: `true` in any case and nothing else
/// (protocol section 4.1). Every other value is as good as no header.
pub fn is_true(value: impl AsRef<[u8]>) -> bool {
    value.as_ref().eq_ignore_ascii_case(b"true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_true_counts_whatever_its_case() {
        for value in ["true", "TRUE", "tRuE"] {
            assert!(is_true(value), "{value}");
        }
        for value in ["", "1", "yes", "false", "true ", "truee", "\u{ff54}rue"] {
            assert!(!is_true(value), "{value}");
        }
    }

    #[test]
    fn names_are_lower_case() {
        for name in REQUEST_HEADERS.iter().chain(&RESPONSE_HEADERS) {
            assert_eq!(*name, name.to_ascii_lowercase());
        }
    }
}
