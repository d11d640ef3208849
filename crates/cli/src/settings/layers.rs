//! Where the texts of options come from: flags, environment, configuration file, defaults.
//!
//! A layer only finds texts and remembers their origin. What a text means is the [`Kind`](super::Kind)'s business.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use super::setting::Setting;
use super::table::SETTINGS;

/// Largest configuration file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How alike a known name must be before it is suggested for an unknown one; 1 is equal.
const SUGGESTION_LIKENESS_MIN: f64 = 0.7;
/// Every variable of ours begins with this.
const ENVIRONMENT_PREFIX: &str = "HEADWATER_";
/// Names the configuration file.
const FILE_VARIABLE: &str = "HEADWATER_CONFIG";
/// Of the commands that are clients: a server that shares their environment has nothing to say about it.
const CLIENT_VARIABLE: &str = "HEADWATER_URL";

/// Where the text of an option was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Environment,
    File(PathBuf),
    Default,
}

/// The texts of an option.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) texts: Vec<String>,
    pub(crate) origin: Origin,
}

/// One reason why a configuration is refused: a line for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem(pub(crate) String);

/// All layers merged: the highest one that knows an option wins.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    found: BTreeMap<&'static str, Found>,
    pub(crate) problems: Vec<Problem>,
    /// Things that change nothing but look like mistakes.
    pub(crate) warnings: Vec<Problem>,
}

impl Layers {
    /// Reads every layer. `environment` is a parameter so that tests need not touch the process's own.
    pub(crate) fn read(flags: &ArgMatches, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let environment: BTreeMap<String, String> =
            environment.into_iter().filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX)).collect();
        let mut layers = Self::default();
        let file = flags.get_one::<String>("config").or_else(|| environment.get(FILE_VARIABLE)).map(PathBuf::from);
        if let Some(file) = file {
            layers.read_file(&file);
        }
        layers.read_environment(&environment);
        layers.read_flags(flags);
        layers
    }

    /// What a command decides by itself; everything else is as it is by default.
    pub(crate) fn of_command(decided: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let found = |text| Found { texts: vec![text], origin: Origin::Default };
        let found = decided.into_iter().map(|(key, text)| (key, found(text))).collect();
        Self { found, ..Self::default() }
    }

    /// What `setting` was given as.
    pub(crate) fn of(&self, setting: &Setting) -> Found {
        let default = || Found { texts: vec![setting.default.to_owned()], origin: Origin::Default };
        self.found.get(setting.key).cloned().unwrap_or_else(default)
    }

    fn read_flags(&mut self, flags: &ArgMatches) {
        for setting in SETTINGS {
            if let Some(texts) = flags.get_many::<String>(setting.key) {
                self.put(setting, texts.cloned().collect(), Origin::Flag);
            }
        }
    }

    fn read_environment(&mut self, environment: &BTreeMap<String, String>) {
        for setting in SETTINGS {
            if let Some(text) = environment.get(&setting.variable()) {
                let texts = if setting.kind.is_list() {
                    text.split(',').map(|part| part.trim().to_owned()).collect()
                } else {
                    vec![text.clone()]
                };
                if text.contains(char::REPLACEMENT_CHARACTER) {
                    self.refuse(setting.refusal(&Origin::Environment, text));
                } else {
                    self.put(setting, texts, Origin::Environment);
                }
            }
        }
        let others = [FILE_VARIABLE, CLIENT_VARIABLE].map(str::to_owned);
        let known: Vec<String> = SETTINGS.iter().map(Setting::variable).chain(others).collect();
        for name in environment.keys().filter(|name| !known.contains(name)) {
            let hint = suggestion(name, known.iter().map(String::as_str));
            self.warnings.push(Problem(format!("{name} is set but names no option{hint}")));
        }
    }

    fn read_file(&mut self, file: &Path) {
        let text = match read_bounded(file) {
            Ok(text) => text,
            Err(error) => {
                let advice = "check the path given with --config or HEADWATER_CONFIG";
                return self.refuse(format!("cannot read {}: {error}; {advice}", file.display()));
            }
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
                let message = error.message().lines().collect::<Vec<_>>().join(" ");
                return self.refuse(format!("{} line {line} is not valid TOML: {message}", file.display()));
            }
        };
        for (key, value) in &table {
            self.read_file_entry(file, key, value);
        }
    }

    fn read_file_entry(&mut self, file: &Path, key: &str, value: &toml::Value) {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) else {
            let hint = match value {
                toml::Value::Table(_) => "; all keys stand at the top level, without [sections]".to_owned(),
                _ => suggestion(key, SETTINGS.iter().map(|setting| setting.key)),
            };
            return self.refuse(format!("{} has an unknown key {key}{hint}", file.display()));
        };
        let texts = match value {
            toml::Value::Array(entries) if setting.kind.is_list() => entries.iter().map(scalar_text).collect(),
            other => scalar_text(other).map(|text| vec![text]),
        };
        match texts {
            Some(texts) => self.put(setting, texts, Origin::File(file.to_owned())),
            None => self.refuse(setting.refusal(&Origin::File(file.to_owned()), &value.to_string())),
        }
    }

    fn put(&mut self, setting: &Setting, texts: Vec<String>, origin: Origin) {
        self.found.insert(setting.key, Found { texts, origin });
    }

    fn refuse(&mut self, problem: String) {
        self.problems.push(Problem(problem));
    }
}

impl Origin {
    /// The comment that `check-config` prints behind a value.
    pub(crate) fn comment(&self, setting: &Setting) -> String {
        match self {
            Self::Flag => format!("from flag --{}", setting.key),
            Self::Environment => format!("from env {}", setting.variable()),
            Self::File(file) => format!("from file {}", file.display()),
            Self::Default => "default".to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text a flag would have carried; `None` for what no option is written as.
fn scalar_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(switch) => Some(switch.to_string()),
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

/// `; did you mean …?`, or nothing when no name is close.
fn suggestion<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> String {
    let unknown = unknown.replace('_', "-").to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&unknown, &name.replace('_', "-").to_lowercase());
    known
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= SUGGESTION_LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"))
}

pub(super) fn read_bounded(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("the file is larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}
