//! What the text of an option may say, and what it means.
//!
//! A [`Kind`] parses the texts of one option and describes, in words, what it accepts. It knows neither the option's
//! name nor where the text came from; whoever reports a refusal adds both.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use headwater_proxy::limits::SECRET_BYTES_MIN;
use headwater_proxy::{Secrets, UrlPattern};
use headwater_server::{CorsOrigins, PublicUrl, StreamRoot};
use tracing_subscriber::EnvFilter;

/// The type of an option, with its bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Address,
    Directory,
    /// A path, or empty for none.
    File,
    UrlPath,
    Url,
    Origins,
    /// Texts that nobody else may see, or none.
    Secrets,
    /// URLs that may be called, or none.
    UrlPatterns,
    /// Host names, or none.
    Hosts,
    Filter,
    Choice(&'static [&'static str]),
    /// Inclusive bounds in milliseconds.
    Duration {
        min_ms: u64,
        max_ms: u64,
    },
    /// Inclusive bounds in bytes.
    Size {
        min: u64,
        max: u64,
    },
    /// Inclusive bounds.
    Count {
        min: u64,
        max: u64,
    },
    /// A count, or `auto`: one for each core.
    Cores {
        max: u64,
    },
}

/// An option's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Address(SocketAddr),
    Directory(PathBuf),
    File(PathBuf),
    Text(String),
    Origins(Vec<String>),
    Texts(Vec<String>),
    Secrets(Hidden),
    Duration(Duration),
    Size(u64),
    Count(u64),
    /// Not set, and that means something.
    Unset,
}

/// Texts that are not printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(pub(crate) Vec<String>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({})", self.0.len())
    }
}

impl Kind {
    /// The value that `texts` stand for; several only for a list. `None` when they are not acceptable.
    pub(crate) fn parse(self, texts: &[String]) -> Option<Value> {
        match self {
            Self::Origins => return origins(texts),
            Self::Secrets => return some(texts, is_secret).map(|secrets| Value::Secrets(Hidden(secrets))),
            Self::UrlPatterns => return some(texts, |text| text.parse::<UrlPattern>().is_ok()).map(Value::Texts),
            Self::Hosts => return some(texts, is_host).map(Value::Texts),
            _ => {}
        }
        let [text] = texts else { return None };
        match self {
            Self::Address => text.parse().ok().map(Value::Address),
            Self::Directory => (!text.is_empty()).then(|| Value::Directory(PathBuf::from(text))),
            Self::File if text.is_empty() => Some(Value::Unset),
            Self::File => Some(Value::File(PathBuf::from(text))),
            Self::UrlPath => text.parse().ok().map(|root: StreamRoot| Value::Text(root.to_string())),
            Self::Url if text.is_empty() => Some(Value::Unset),
            Self::Url => text.parse().ok().map(|url: PublicUrl| Value::Text(url.to_string())),
            Self::Filter => EnvFilter::try_new(text).ok().map(|_| Value::Text(text.clone())),
            Self::Choice(choices) => choices.contains(&text.as_str()).then(|| Value::Text(text.clone())),
            Self::Duration { min_ms, max_ms } => {
                let parsed = humantime::parse_duration(text).ok()?;
                let bounds = Duration::from_millis(min_ms)..=Duration::from_millis(max_ms);
                bounds.contains(&parsed).then_some(Value::Duration(parsed))
            }
            Self::Size { min, max } => {
                let ByteSize(bytes) = text.parse().ok()?;
                (min..=max).contains(&bytes).then_some(Value::Size(bytes))
            }
            Self::Count { min, max } => text.parse().ok().filter(|count| (min..=max).contains(count)).map(Value::Count),
            Self::Cores { max } if text == "auto" => {
                let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
                Some(Value::Count(cores.min(max)))
            }
            Self::Cores { max } => Self::Count { min: 1, max }.parse(texts),
            Self::Origins | Self::Secrets | Self::UrlPatterns | Self::Hosts => unreachable!("handled above"),
        }
    }

    /// What is accepted, in words that follow "accepted: ".
    pub(crate) fn accepted(self) -> String {
        match self {
            Self::Address => "an IP address and a port, where port 0 takes any free one".into(),
            Self::Directory => "a path".into(),
            Self::File => "a path, or nothing for none".into(),
            Self::UrlPath => {
                "/ or a path such as /v1/stream, of letters, digits and -._~, without a slash at the end".into()
            }
            Self::Url => "an http or https URL without path, query and credentials".into(),
            Self::Origins => "* (every page), none, or origins such as https://app.example.com".into(),
            Self::Secrets => {
                format!("texts of {SECRET_BYTES_MIN} or more characters of ASCII without spaces")
            }
            Self::UrlPatterns => "patterns of the form [http(s)://]host[:port][/path]".into(),
            Self::Hosts => "host names".into(),
            Self::Filter => {
                "off, error, warn, info, debug or trace, or a list of target=level separated by commas".into()
            }
            Self::Choice(choices) => choices.join(" or "),
            Self::Duration { min_ms, max_ms } => {
                let [min, max] = [min_ms, max_ms].map(|ms| duration_text(Duration::from_millis(ms)));
                format!("a number with a unit ({}) from {min} to {max}", units(max_ms))
            }
            Self::Size { min, max } => {
                format!("a number with a unit (B, KiB, MiB, GiB) from {} to {}", size_text(min), size_text(max))
            }
            Self::Count { min, max } => format!("a whole number from {min} to {max}"),
            Self::Cores { max } => format!("auto (one for each core) or a whole number from 1 to {max}"),
        }
    }

    /// Whether the option may be given several times.
    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::Origins | Self::Secrets | Self::UrlPatterns | Self::Hosts)
    }

    /// Whether what it was given as is nobody's business.
    pub(crate) fn is_secret(self) -> bool {
        matches!(self, Self::Secrets)
    }
}

/// `bytes` with the largest binary unit that shows it exactly, so that it reads back as the same number.
pub(crate) fn size_text(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let exact = UNITS.iter().find(|(factor, _)| bytes >= *factor && bytes.is_multiple_of(*factor));
    exact.map_or_else(|| format!("{bytes}B"), |(factor, unit)| format!("{}{unit}", bytes / factor))
}

const DAY_MS: u128 = 24 * 3_600_000;

/// The units that make sense for durations up to `max_ms`.
fn units(max_ms: u64) -> &'static str {
    if u128::from(max_ms) > DAY_MS { "s, m, h, d" } else { "ms, s, m, h" }
}

/// `duration` in the largest unit that shows it exactly, with seconds up to two minutes as people write timeouts.
pub(crate) fn duration_text(duration: Duration) -> String {
    let ms = duration.as_millis();
    if !duration.subsec_nanos().is_multiple_of(1_000_000) {
        return humantime::format_duration(duration).to_string().replace(' ', "");
    }
    match ms {
        _ if !ms.is_multiple_of(1_000) => format!("{ms}ms"),
        _ if ms >= 2 * DAY_MS && ms.is_multiple_of(DAY_MS) => format!("{}d", ms / DAY_MS),
        _ if ms >= 3_600_000 && ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms >= 120_000 && ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ => format!("{}s", ms / 1_000),
    }
}

/// The texts, each as it should be; nothing for the one empty text that a default is.
fn some(texts: &[String], is_one: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    match texts {
        [text] if text.is_empty() => Some(Vec::new()),
        texts => texts.iter().all(|text| is_one(text)).then(|| texts.to_vec()),
    }
}

fn is_secret(text: &str) -> bool {
    Secrets::new(vec![text.to_owned()]).is_ok()
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

fn origins(texts: &[String]) -> Option<Value> {
    let origins: CorsOrigins = texts.join(",").parse().ok()?;
    Some(Value::Origins(origins.to_string().split(',').map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: Kind, text: &str) -> Option<Value> {
        kind.parse(&[text.to_owned()])
    }

    #[test]
    fn durations_need_a_unit_and_stay_in_bounds() {
        let kind = Kind::Duration { min_ms: 100, max_ms: 60_000 };
        assert_eq!(parse(kind, "500ms"), Some(Value::Duration(Duration::from_millis(500))));
        assert_eq!(parse(kind, "30s"), Some(Value::Duration(Duration::from_secs(30))));
        for text in ["30", "", "99ms", "61s", "-1s", "s", "1e3s", "99999999999999999999h"] {
            assert_eq!(parse(kind, text), None, "{text:?}");
        }
    }

    #[test]
    fn durations_are_read_back_as_they_are_printed() {
        let kind = Kind::Duration { min_ms: 0, max_ms: u64::MAX };
        for text in ["0s", "1ms", "1500ms", "60s", "75s", "90s", "2m", "1h", "25h"] {
            let Some(Value::Duration(duration)) = parse(kind, text) else { panic!("{text}") };
            assert_eq!(duration_text(duration), text);
        }
        let odd = Duration::from_nanos(1_234_567);
        assert_eq!(parse(kind, &duration_text(odd)), Some(Value::Duration(odd)));
    }

    #[test]
    fn sizes_are_read_back_as_they_are_printed() {
        let kind = Kind::Size { min: 1, max: u64::MAX };
        for bytes in [1, 1000, 1024, 1025, 10 << 20, 3 << 30, 5 << 40] {
            assert_eq!(parse(kind, &size_text(bytes)), Some(Value::Size(bytes)));
        }
        assert_eq!(size_text(10 << 20), "10MiB");
        for text in ["", "MiB", "0", "-1B", "4 bananas"] {
            assert_eq!(parse(kind, text), None, "{text:?}");
        }
    }

    #[test]
    fn origins_are_all_none_or_a_list() {
        for text in ["*", "none", "https://app.example.com"] {
            assert_eq!(parse(Kind::Origins, text), Some(Value::Origins(vec![text.to_owned()])));
        }
        assert_eq!(Kind::Origins.parse(&["*".into(), "https://a.example".into()]), None);
        assert_eq!(parse(Kind::Origins, "app.example.com"), None);
    }

    #[test]
    fn an_empty_public_url_is_one_that_is_not_set() {
        assert_eq!(parse(Kind::Url, ""), Some(Value::Unset));
        assert_eq!(parse(Kind::Url, "https://s.example/"), Some(Value::Text("https://s.example".into())));
        assert_eq!(parse(Kind::Url, "s.example"), None);
    }
}
