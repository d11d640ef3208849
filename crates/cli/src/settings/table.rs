//! Every option of `serve`, one row each.

use super::setting::{Group, Setting};
use super::value::Kind;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;

/// All options, in the order in which they are explained.
pub(crate) const SETTINGS: &[Setting] = &[
    // Network
    Setting {
        key: "listen",
        group: Group::Network,
        placeholder: "ADDR:PORT",
        kind: Kind::Address,
        default: "127.0.0.1:4437",
        help: "Address and port to listen on. There is no authentication yet: beyond loopback, put a proxy in front.",
        example: "0.0.0.0:4437",
    },
    Setting {
        key: "root",
        group: Group::Network,
        placeholder: "PATH",
        kind: Kind::UrlPath,
        default: "/v1/stream",
        help: "URL path under which streams live: chat/42 is served at ROOT/chat/42.",
        example: "/v1/stream",
    },
    Setting {
        key: "public-url",
        group: Group::Network,
        placeholder: "URL",
        kind: Kind::Url,
        default: "",
        help: "Scheme and host under which clients reach this server, for the URLs it hands out (Location, webhook \
               callbacks). When not set, the Host header of the request tells.",
        example: "https://streams.example.com",
    },
    Setting {
        key: "cors-origin",
        group: Group::Network,
        placeholder: "ORIGIN",
        kind: Kind::Origins,
        default: "*",
        help: "Origin whose browser pages may use this server. Repeat the flag, or separate by commas in the \
               environment, for several; * allows all.",
        example: "https://app.example.com",
    },
    Setting {
        key: "workers",
        group: Group::Network,
        placeholder: "N",
        kind: Kind::Cores { max: 256 },
        default: "auto",
        help: "Threads that serve requests.",
        example: "4",
    },
    // Storage
    Setting {
        key: "store",
        group: Group::Storage,
        placeholder: "STORE",
        kind: Kind::Choice(&["disk", "memory"]),
        default: "disk",
        help: "Where streams are kept: disk (every acknowledged byte is on disk) or memory (gone after a restart).",
        example: "disk",
    },
    Setting {
        key: "data-dir",
        group: Group::Storage,
        placeholder: "DIR",
        kind: Kind::Directory,
        default: "./headwater-data",
        help: "Directory of the disk store; created when missing. One server at a time may use it.",
        example: "/var/lib/headwater",
    },
    Setting {
        key: "segment-size",
        group: Group::Storage,
        placeholder: "SIZE",
        kind: Kind::Size { min: MIB, max: GIB },
        default: "64MiB",
        help: "Length of a journal segment. Segments are written with zeros ahead of use and used again.",
        example: "64MiB",
    },
    Setting {
        key: "replay-max",
        group: Group::Storage,
        placeholder: "SIZE",
        kind: Kind::Size { min: MIB, max: 64 * GIB },
        default: "256MiB",
        help: "Journal bytes after which a checkpoint is due: what a start after a crash has to replay.",
        example: "256MiB",
    },
    Setting {
        key: "checkpoint-interval",
        group: Group::Storage,
        placeholder: "DURATION",
        kind: Kind::Duration { min_ms: 100, max_ms: 24 * HOUR },
        default: "5m",
        help: "Time after which a checkpoint is due when something changed.",
        example: "5m",
    },
    Setting {
        key: "tail-cache-max",
        group: Group::Storage,
        placeholder: "SIZE",
        kind: Kind::Size { min: MIB, max: 1024 * GIB },
        default: "64MiB",
        help: "Memory for recent appends, shared by the readers of all streams.",
        example: "64MiB",
    },
    Setting {
        key: "active-streams-max",
        group: Group::Storage,
        placeholder: "N",
        kind: Kind::Count { min: 1_000, max: 100_000_000 },
        default: "262144",
        help: "Streams that stay in memory while nobody uses them; others are loaded when they are asked for.",
        example: "100000",
    },
    // Protocol
    Setting {
        key: "long-poll-timeout",
        group: Group::Protocol,
        placeholder: "DURATION",
        kind: Kind::Duration { min_ms: 1, max_ms: HOUR },
        default: "30s",
        help: "How long a long-poll waits for data before it is answered 204.",
        example: "30s",
    },
    Setting {
        key: "sse-lifetime",
        group: Group::Protocol,
        placeholder: "DURATION",
        kind: Kind::Duration { min_ms: 1, max_ms: 24 * HOUR },
        default: "60s",
        help: "After how long an SSE response ends, so that clients reconnect and proxies may collapse requests.",
        example: "60s",
    },
    Setting {
        key: "reap-interval",
        group: Group::Protocol,
        placeholder: "DURATION",
        kind: Kind::Duration { min_ms: 10, max_ms: HOUR },
        default: "1s",
        help: "How often expired streams are looked for and freed.",
        example: "1s",
    },
    Setting {
        key: "local-webhooks",
        group: Group::Protocol,
        placeholder: "WHETHER",
        kind: Kind::Choice(&["auto", "allow", "refuse"]),
        default: "auto",
        help: "Whether webhooks may call http://localhost and 127.0.0.x; auto: only while --listen is a loopback address.",
        example: "refuse",
    },
    // Limits
    Setting {
        key: "body-max",
        group: Group::Limits,
        placeholder: "SIZE",
        kind: Kind::Size { min: KIB, max: 32 * MIB },
        default: "10MiB",
        help: "Largest request body; a larger one is answered 413.",
        example: "10MiB",
    },
    Setting {
        key: "page-max",
        group: Group::Limits,
        placeholder: "SIZE",
        kind: Kind::Size { min: KIB, max: GIB },
        default: "4MiB",
        help: "Largest body of one catch-up response. A longer stream comes in pages; one longer message comes whole.",
        example: "4MiB",
    },
    Setting {
        key: "headers-max",
        group: Group::Limits,
        placeholder: "SIZE",
        kind: Kind::Size { min: 8 * KIB, max: MIB },
        default: "32KiB",
        help: "Request line and header fields of one request; more are answered 431.",
        example: "32KiB",
    },
    Setting {
        key: "url-max",
        group: Group::Limits,
        placeholder: "SIZE",
        kind: Kind::Size { min: 256, max: 64 * KIB },
        default: "8KiB",
        help: "Path and query of one request; more are answered 414.",
        example: "8KiB",
    },
    Setting {
        key: "connections-max",
        group: Group::Limits,
        placeholder: "N",
        kind: Kind::Count { min: 1, max: 10_000_000 },
        default: "20000",
        help: "Open connections; further ones are answered 503.",
        example: "10000",
    },
    Setting {
        key: "live-readers-max",
        group: Group::Limits,
        placeholder: "N",
        kind: Kind::Count { min: 1, max: 10_000_000 },
        default: "50000",
        help: "Live readers (long-polls and SSE) over all streams; further ones are answered 429.",
        example: "50000",
    },
    Setting {
        key: "live-readers-per-stream-max",
        group: Group::Limits,
        placeholder: "N",
        kind: Kind::Count { min: 1, max: 10_000_000 },
        default: "10000",
        help: "Live readers on one stream; further ones are answered 429.",
        example: "10000",
    },
    Setting {
        key: "producers-per-stream-max",
        group: Group::Limits,
        placeholder: "N",
        kind: Kind::Count { min: 1, max: 1_000_000 },
        default: "10000",
        help: "Idempotent producers remembered per stream; a further one is answered 429.",
        example: "10000",
    },
    Setting {
        key: "subscriptions-max",
        group: Group::Limits,
        placeholder: "N",
        kind: Kind::Count { min: 0, max: 10_000_000 },
        default: "10000",
        help: "Subscriptions; a further one is refused.",
        example: "10000",
    },
    Setting {
        key: "links-per-subscription-max",
        group: Group::Limits,
        placeholder: "N",
        kind: Kind::Count { min: 1, max: 10_000_000 },
        default: "100000",
        help: "Streams linked to one subscription.",
        example: "100000",
    },
    Setting {
        key: "links-max",
        group: Group::Limits,
        placeholder: "N",
        kind: Kind::Count { min: 1, max: 100_000_000 },
        default: "1000000",
        help: "Streams linked to subscriptions, over all subscriptions.",
        example: "1000000",
    },
    Setting {
        key: "notices-in-flight-max",
        group: Group::Limits,
        placeholder: "N",
        kind: Kind::Count { min: 1, max: 100_000 },
        default: "256",
        help: "Webhook deliveries and wake events under way at a time; others wait.",
        example: "256",
    },
    Setting {
        key: "queue-max",
        group: Group::Limits,
        placeholder: "N",
        kind: Kind::Count { min: 16, max: 10_000_000 },
        default: "16384",
        help: "Writes waiting for the disk; further ones are answered 503 with Retry-After.",
        example: "16384",
    },
    Setting {
        key: "queue-bytes-max",
        group: Group::Limits,
        placeholder: "SIZE",
        kind: Kind::Size { min: MIB, max: 1024 * GIB },
        default: "256MiB",
        help: "Bytes of writes waiting for the disk; further ones are answered 503 with Retry-After.",
        example: "256MiB",
    },
    Setting {
        key: "request-head-timeout",
        group: Group::Limits,
        placeholder: "DURATION",
        kind: Kind::Duration { min_ms: 10, max_ms: HOUR },
        default: "10s",
        help: "How long a client may take to send a request's head.",
        example: "10s",
    },
    Setting {
        key: "request-body-timeout",
        group: Group::Limits,
        placeholder: "DURATION",
        kind: Kind::Duration { min_ms: 10, max_ms: HOUR },
        default: "30s",
        help: "How long a client may take to send a request's body, plus the time its bytes take at body-rate-min.",
        example: "30s",
    },
    Setting {
        key: "body-rate-min",
        group: Group::Limits,
        placeholder: "SIZE",
        kind: Kind::Size { min: 1, max: GIB },
        default: "16KiB",
        help: "Bytes per second of the slowest request body that is waited for.",
        example: "16KiB",
    },
    Setting {
        key: "idle-timeout",
        group: Group::Limits,
        placeholder: "DURATION",
        kind: Kind::Duration { min_ms: 10, max_ms: 24 * HOUR },
        default: "75s",
        help: "After how long a connection without a request is closed.",
        example: "75s",
    },
    Setting {
        key: "write-stall-timeout",
        group: Group::Limits,
        placeholder: "DURATION",
        kind: Kind::Duration { min_ms: 10, max_ms: HOUR },
        default: "30s",
        help: "How long a client may refuse to take bytes before its connection is closed.",
        example: "30s",
    },
    Setting {
        key: "shutdown-grace",
        group: Group::Limits,
        placeholder: "DURATION",
        kind: Kind::Duration { min_ms: 0, max_ms: HOUR },
        default: "10s",
        help: "How long a stopping server waits for requests in flight.",
        example: "10s",
    },
    // Logging
    Setting {
        key: "log",
        group: Group::Logging,
        placeholder: "FORMAT",
        kind: Kind::Choice(&["pretty", "json"]),
        default: "pretty",
        help: "Form of the log on standard error: pretty for people, json (one object on each line) for collectors.",
        example: "json",
    },
    Setting {
        key: "log-level",
        group: Group::Logging,
        placeholder: "FILTER",
        kind: Kind::Filter,
        default: "info",
        help: "What is logged: a level (off, error, warn, info, debug, trace), or a list such as \
               info,headwater_server=debug.",
        example: "debug",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_and_every_example_is_acceptable() {
        for setting in SETTINGS {
            for text in [setting.default, setting.example] {
                assert!(setting.kind.parse(&[text.to_owned()]).is_some(), "{}: {text:?}", setting.key);
            }
        }
    }

    #[test]
    fn keys_are_unique_and_groups_stand_together() {
        let mut keys: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), SETTINGS.len());
        assert!(SETTINGS.is_sorted_by_key(|setting| Group::ALL.iter().position(|group| *group == setting.group)));
    }
}
