//! The effective configuration as a configuration file.

use std::fmt::Write;

use super::check::Config;
use super::setting::{Group, Setting};
use super::value::{Hidden, Value, duration_text, size_text};

impl Config {
    /// TOML that `--config` accepts and that means the same; each value is followed by where it came from.
    pub(crate) fn to_toml(&self) -> String {
        let mut out = String::new();
        for (index, group) in Group::ALL.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            line(&mut out, format_args!("{gap}# {}", group.title()));
            for (setting, entry) in self.entries().filter(|(setting, _)| setting.group == *group) {
                let comment = entry.origin.comment(setting);
                line(&mut out, format_args!("{}  # {comment}", assignment(setting, &entry.value)));
            }
        }
        out
    }
}

fn assignment(setting: &Setting, value: &Value) -> String {
    match toml_value(value) {
        None if matches!(value, Value::Secrets(Hidden(secrets)) if !secrets.is_empty()) => {
            format!("# {} is set and not shown", setting.key)
        }
        Some(value) => format!("{} = {value}", setting.key),
        None => format!("# {} is not set", setting.key),
    }
}

fn toml_value(value: &Value) -> Option<toml::Value> {
    let text = match value {
        Value::Address(address) => address.to_string(),
        Value::Directory(path) | Value::File(path) => path.display().to_string(),
        Value::Text(text) => text.clone(),
        Value::Duration(duration) => duration_text(*duration),
        Value::Size(bytes) => size_text(*bytes),
        Value::Count(count) => return Some(toml::Value::Integer(i64::try_from(*count).unwrap_or(i64::MAX))),
        Value::Origins(origins) => {
            return Some(origins.iter().cloned().map(toml::Value::String).collect::<Vec<_>>().into());
        }
        Value::Texts(texts) if !texts.is_empty() => {
            return Some(texts.iter().cloned().map(toml::Value::String).collect::<Vec<_>>().into());
        }
        Value::Texts(_) | Value::Secrets(_) | Value::Unset => return None,
    };
    Some(toml::Value::String(text))
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a string cannot fail");
}
