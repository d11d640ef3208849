//! The configuration as one value: every option parsed, all of them checked against each other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::layers::{Layers, Origin, Problem};
use super::setting::Setting;
use super::table::SETTINGS;
use super::value::{Hidden, Value, size_text};

/// Where the proxy is served.
const PROXY_PREFIX: &str = "/v1/proxy";

/// A valid configuration. It cannot be changed after it was checked.
#[derive(Debug)]
pub(crate) struct Config {
    entries: BTreeMap<&'static str, Entry>,
    pub(crate) warnings: Vec<Problem>,
}

/// The value of an option, and where it came from.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

impl Config {
    /// Parses every option and checks them together.
    ///
    /// # Errors
    /// All problems at once.
    pub(crate) fn check(layers: Layers) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut entries = BTreeMap::new();
        for setting in SETTINGS {
            let found = layers.of(setting);
            match setting.kind.parse(&found.texts) {
                Some(value) => drop(entries.insert(setting.key, Entry { value, origin: found.origin })),
                None => problems.push(Problem(setting.refusal(&found.origin, &found.texts.join(",")))),
            }
        }
        problems.splice(0..0, layers.problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut config = Self { entries, warnings: layers.warnings };
        let contradictions = config.contradictions();
        if !contradictions.is_empty() {
            return Err(contradictions);
        }
        config.warn_of_what_has_no_effect();
        Ok(config)
    }

    /// Every option in the order of the table.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'static Setting, &Entry)> {
        SETTINGS.iter().map(|setting| (setting, &self.entries[setting.key]))
    }

    fn contradictions(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let (body, queue) = (self.size("body-max"), self.size("queue-bytes-max"));
        if body > queue {
            problems.push(Problem(format!(
                "body-max ({}) is larger than queue-bytes-max ({}): such a body could never be accepted; \
                 raise queue-bytes-max or lower body-max",
                size_text(body),
                size_text(queue)
            )));
        }
        let parts_of_wholes =
            [("live-readers-per-stream-max", "live-readers-max"), ("links-per-subscription-max", "links-max")];
        for (part, whole) in parts_of_wholes {
            let (few, many) = (self.count(part), self.count(whole));
            if few > many {
                let advice = format!("raise {whole} or lower {part}");
                problems.push(Problem(format!("{part} ({few}) is larger than {whole} ({many}); {advice}")));
            }
        }
        let root = self.text("root");
        let lies_in = |prefix: &str| root == prefix || root.starts_with(&format!("{prefix}/"));
        if self.has_proxy() && lies_in(PROXY_PREFIX) {
            let advice = "choose another --root";
            problems
                .push(Problem(format!("root ({root}) lies where the proxy is served, under {PROXY_PREFIX}; {advice}")));
        }
        if self.text("console") == "on" && lies_in("/console") {
            let advice = "no stream could be reached; choose another root or turn console off";
            problems.push(Problem(format!("root ({root}) lies where the console lives: {advice}")));
        }
        problems
    }

    /// Whether the durable proxy is served.
    pub(crate) fn has_proxy(&self) -> bool {
        !self.texts("proxy-secret").is_empty() || self.optional_file("proxy-secret-file").is_some()
    }

    fn warn_of_what_has_no_effect(&mut self) {
        if self.text("store") == "memory" && self.entry("data-dir").origin == Origin::Flag {
            let warning = "data-dir has no effect with store memory: nothing is written to disk";
            self.warnings.push(Problem(warning.to_owned()));
        }
        if self.text("sessions") != "on" && self.optional_file("sessions-sql").is_some() {
            let warning = "sessions-sql has no effect with sessions off: no sessions are copied";
            self.warnings.push(Problem(warning.to_owned()));
        }
        let allows = !self.texts("proxy-allow").is_empty();
        if allows && !self.has_proxy() {
            let warning = "proxy-allow has no effect without proxy-secret: the proxy is off";
            self.warnings.push(Problem(warning.to_owned()));
        }
        if self.has_proxy() && !allows {
            let warning = "the proxy refuses every URL: no proxy-allow says what it may call";
            self.warnings.push(Problem(warning.to_owned()));
        }
    }

    fn entry(&self, key: &str) -> &Entry {
        self.entries.get(key).unwrap_or_else(|| panic!("{key} is an option"))
    }
}

/// Typed access. Asking for an option as what it is not is a mistake in this crate, so it panics.
impl Config {
    pub(crate) fn address(&self, key: &str) -> SocketAddr {
        match &self.entry(key).value {
            Value::Address(address) => *address,
            other => panic!("{key} is {other:?}, not an address"),
        }
    }

    pub(crate) fn directory(&self, key: &str) -> &Path {
        match &self.entry(key).value {
            Value::Directory(path) => path,
            other => panic!("{key} is {other:?}, not a directory"),
        }
    }

    pub(crate) fn optional_file(&self, key: &str) -> Option<&Path> {
        match &self.entry(key).value {
            Value::File(path) => Some(path),
            Value::Unset => None,
            other => panic!("{key} is {other:?}, not a file"),
        }
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.optional_text(key).unwrap_or_else(|| panic!("{key} has a default"))
    }

    pub(crate) fn optional_text(&self, key: &str) -> Option<&str> {
        match &self.entry(key).value {
            Value::Text(text) => Some(text),
            Value::Unset => None,
            other => panic!("{key} is {other:?}, not a text"),
        }
    }

    pub(crate) fn origins(&self, key: &str) -> &[String] {
        match &self.entry(key).value {
            Value::Origins(origins) => origins,
            other => panic!("{key} is {other:?}, not a list of origins"),
        }
    }

    pub(crate) fn texts(&self, key: &str) -> &[String] {
        match &self.entry(key).value {
            Value::Texts(texts) | Value::Secrets(Hidden(texts)) => texts,
            other => panic!("{key} is {other:?}, not a list of texts"),
        }
    }

    pub(crate) fn duration(&self, key: &str) -> Duration {
        match &self.entry(key).value {
            Value::Duration(duration) => *duration,
            other => panic!("{key} is {other:?}, not a duration"),
        }
    }

    pub(crate) fn size(&self, key: &str) -> u64 {
        match &self.entry(key).value {
            Value::Size(bytes) => *bytes,
            other => panic!("{key} is {other:?}, not a size"),
        }
    }

    pub(crate) fn count(&self, key: &str) -> usize {
        match &self.entry(key).value {
            Value::Count(count) => usize::try_from(*count).unwrap_or(usize::MAX),
            other => panic!("{key} is {other:?}, not a count"),
        }
    }
}
