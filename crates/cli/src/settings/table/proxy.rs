//! The options of the durable proxy.

use super::super::setting::{Group, Setting};
use super::super::value::Kind;
use super::{DAY, GIB, HOUR, KIB, MIB, SECOND};

pub(super) const SECRET: Setting = Setting {
    key: "proxy-secret",
    group: Group::Proxy,
    placeholder: "SECRET",
    kind: Kind::Secrets,
    default: "",
    help: "Service secret of the durable proxy, which is served under /v1/proxy when there is one. Repeat it for several: \
           all are accepted and the first one signs URLs. A command line can be seen by others on the machine: prefer the \
           environment or proxy-secret-file.",
    example: "a-long-random-text",
};

pub(super) const SECRET_FILE: Setting = Setting {
    key: "proxy-secret-file",
    group: Group::Proxy,
    placeholder: "FILE",
    kind: Kind::File,
    default: "",
    help: "File with service secrets of the durable proxy, one on each line; they come after those of proxy-secret.",
    example: "/run/secrets/headwater-proxy",
};

pub(super) const ALLOW: Setting = Setting {
    key: "proxy-allow",
    group: Group::Proxy,
    placeholder: "PATTERN",
    kind: Kind::UrlPatterns,
    default: "",
    help: "URLs that the proxy may call: [http(s)://]host[:port][/path], where the host may begin with *., the port may be \
           *, and the path may end with /* or /**. Repeat it for several; without any, all are refused.",
    example: "https://api.openai.com/**",
};

pub(super) const PRIVATE_HOST: Setting = Setting {
    key: "proxy-private-host",
    group: Group::Proxy,
    placeholder: "NAME",
    kind: Kind::Hosts,
    default: "",
    help: "Host name that may stand for a private, local or reserved address when the proxy calls it. Others are refused \
           when their name resolves to one. Repeat it for several.",
    example: "models.internal",
};

pub(super) const UPSTREAMS_MAX: Setting = Setting {
    key: "proxy-upstreams-max",
    group: Group::Proxy,
    placeholder: "N",
    kind: Kind::Count { min: 1, max: 1_000_000 },
    default: "1000",
    help: "Upstream requests under way at a time; a further one is answered 503.",
    example: "1000",
};

pub(super) const RESPONSE_MAX: Setting = Setting {
    key: "proxy-response-max",
    group: Group::Proxy,
    placeholder: "SIZE",
    kind: Kind::Size { min: KIB, max: 1024 * GIB },
    default: "64MiB",
    help: "Bytes of one upstream response; the stream of a longer one ends here with the outcome too-large.",
    example: "64MiB",
};

pub(super) const HEADERS_MAX: Setting = Setting {
    key: "proxy-headers-max",
    group: Group::Proxy,
    placeholder: "SIZE",
    kind: Kind::Size { min: KIB, max: MIB },
    default: "64KiB",
    help: "Bytes of the head of an upstream response.",
    example: "64KiB",
};

pub(super) const HEAD_TIMEOUT: Setting = Setting {
    key: "proxy-head-timeout",
    group: Group::Proxy,
    placeholder: "DURATION",
    kind: Kind::Duration { min_ms: 10, max_ms: HOUR },
    default: "60s",
    help: "How long an upstream may take until the head of its response is there; then the request is answered 504.",
    example: "60s",
};

pub(super) const IDLE_TIMEOUT: Setting = Setting {
    key: "proxy-idle-timeout",
    group: Group::Proxy,
    placeholder: "DURATION",
    kind: Kind::Duration { min_ms: 10, max_ms: DAY },
    default: "10m",
    help: "How long an upstream may be silent in the middle of its response; then the stream ends with the outcome \
           idle-timeout.",
    example: "10m",
};

pub(super) const TIME_MAX: Setting = Setting {
    key: "proxy-time-max",
    group: Group::Proxy,
    placeholder: "DURATION",
    kind: Kind::Duration { min_ms: 10, max_ms: 365 * DAY },
    default: "6h",
    help: "How long an upstream response may take, at most proxy-ttl; then the stream ends with the outcome \
           time-limit.",
    example: "1h",
};

pub(super) const TTL: Setting = Setting {
    key: "proxy-ttl",
    group: Group::Proxy,
    placeholder: "DURATION",
    kind: Kind::Duration { min_ms: SECOND, max_ms: 365 * DAY },
    default: "24h",
    help: "How long a proxied stream and its signed URL live.",
    example: "24h",
};
