//! What an option is: one row of the table, and everything that is derived from it.

use super::layers::Origin;
use super::value::Kind;

/// One option.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The key in the configuration file, and the flag without its dashes.
    pub(crate) key: &'static str,
    pub(crate) group: Group,
    /// Placeholder in the help text.
    pub(crate) placeholder: &'static str,
    pub(crate) kind: Kind,
    /// As an operator would write it; empty for an option that is not set by default.
    pub(crate) default: &'static str,
    /// One or two sentences, without default and unit.
    pub(crate) help: &'static str,
    /// A value for the message that refuses another.
    pub(crate) example: &'static str,
}

/// The headings that options stand under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Network,
    Storage,
    Protocol,
    Sessions,
    Proxy,
    Limits,
    Logging,
}

impl Group {
    pub(crate) const ALL: [Self; 7] =
        [Self::Network, Self::Storage, Self::Protocol, Self::Sessions, Self::Proxy, Self::Limits, Self::Logging];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Network => "Network",
            Self::Storage => "Storage",
            Self::Protocol => "Protocol",
            Self::Sessions => "Sessions",
            Self::Proxy => "Proxy",
            Self::Limits => "Limits",
            Self::Logging => "Logging",
        }
    }
}

impl Setting {
    /// The name of its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("HEADWATER_{}", self.key.replace('-', "_").to_uppercase())
    }

    /// The default as help texts and documents show it.
    pub(crate) fn default_text(&self) -> &'static str {
        if self.default.is_empty() { "not set" } else { self.default }
    }

    /// The line that refuses `given`.
    pub(crate) fn refusal(&self, origin: &Origin, given: &str) -> String {
        let (name, example) = match origin {
            Origin::Flag => (format!("--{}", self.key), format!("--{} {}", self.key, self.example)),
            Origin::Environment => (self.variable(), format!("{}={}", self.variable(), self.example)),
            Origin::File(file) => {
                let name = format!("{} in {}", self.key, file.display());
                (name, format!("{} = {}", self.key, self.example_in_file()))
            }
            Origin::Default => (self.key.to_owned(), self.example.to_owned()),
        };
        let given = if self.kind.is_secret() { "what was given" } else { given };
        let accepted = self.kind.accepted();
        format!("{name}: {given:?} is not acceptable; accepted: {accepted}; example: {example}")
    }

    fn example_in_file(&self) -> String {
        match self.kind {
            Kind::Count { .. } | Kind::Cores { .. } => self.example.to_owned(),
            kind if kind.is_list() => format!("[{:?}]", self.example),
            _ => format!("{:?}", self.example),
        }
    }
}
