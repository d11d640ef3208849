//! JSON values kept as their source text, so that no number changes on its way.
//!
//! A value is compacted (no white space between tokens) and then left alone. Two values are the same content when they
//! differ in nothing but the order of keys and the escapes of strings; `1` and `1.0` are different texts and so
//! different content.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use memchr::memchr2;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// Most objects have no more fields.
const FIELDS_EXPECTED: usize = 8;

/// One JSON value as compact source text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Takes `raw` without the white space between its tokens.
    pub fn compact(raw: &RawValue) -> Self {
        match compact(raw.get()).0 {
            Cow::Borrowed(_) => Self(raw.to_owned()),
            Cow::Owned(text) => Self::from_valid(text),
        }
    }

    /// A string.
    pub fn text(text: &str) -> Self {
        Self::of(&text)
    }

    /// A whole number.
    pub fn whole(number: u64) -> Self {
        Self::from_valid(number.to_string())
    }

    /// `null`.
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// What `value` serializes to.
    pub(crate) fn of(value: &impl Serialize) -> Self {
        Self(serde_json::value::to_raw_value(value).expect("plain values with text keys serialize"))
    }

    pub(crate) fn from_valid(text: String) -> Self {
        Self(RawValue::from_string(text).expect("the text was valid JSON already"))
    }

    /// The source text.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    pub(crate) fn raw(&self) -> &RawValue {
        &self.0
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.get() == "null"
    }

    /// The text of a string; `None` for anything else, unpaired surrogates included.
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        as_str(self.get())
    }

    /// A whole number that is not negative.
    pub fn as_whole(&self) -> Option<u64> {
        serde_json::from_str(self.get()).ok()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get() || canonical(self.get()) == canonical(other.get())
    }
}

impl Eq for Json {}

/// The text of a string's source.
pub(crate) fn as_str(text: &str) -> Option<Cow<'_, str>> {
    if !text.starts_with('"') {
        return None;
    }
    let inner = &text[1..text.len() - 1];
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(text).ok().map(Cow::Owned)
}

/// Valid JSON without the white space between its tokens, and how deep it nests. Most text has none and is not copied.
pub(crate) fn compact(text: &str) -> (Cow<'_, str>, usize) {
    let (bytes, mut compacted) = (text.as_bytes(), String::new());
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut at, mut kept) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += string_len(&bytes[at..]);
                continue;
            }
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b' ' | b'\t' | b'\n' | b'\r' => {
                compacted.push_str(&text[kept..at]);
                kept = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if kept == 0 {
        return (Cow::Borrowed(text), deepest);
    }
    compacted.push_str(&text[kept..]);
    (Cow::Owned(compacted), deepest)
}

/// Bytes of the string that `bytes` begin with, quotes included.
fn string_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// The text that all equal contents share.
pub(crate) fn canonical(text: &str) -> Cow<'_, str> {
    let is_so_already = match text.as_bytes().first() {
        Some(b'"') => !text.contains('\\'),
        Some(b'{' | b'[') => false,
        _ => true,
    };
    if is_so_already {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    write_canonical(text, &mut out);
    Cow::Owned(out)
}

fn write_canonical(text: &str, out: &mut String) {
    let is_written = match text.as_bytes().first() {
        Some(b'"') if !text.contains('\\') => None,
        Some(b'"') => as_str(text).map(|decoded| out.push_str(Json::text(&decoded).get())),
        Some(b'{') => write_canonical_object(text, out),
        Some(b'[') => write_canonical_array(text, out),
        _ => None,
    };
    if is_written.is_none() {
        out.push_str(text);
    }
}

fn write_canonical_object(text: &str, out: &mut String) -> Option<()> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    out.push('{');
    for (name, value) in fields {
        out.push_str(Json::text(&name).get());
        out.push(':');
        write_canonical(value.get(), out);
        out.push(',');
    }
    out.push('}');
    Some(())
}

fn write_canonical_array(text: &str, out: &mut String) -> Option<()> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    out.push('[');
    for element in elements {
        write_canonical(element.get(), out);
        out.push(',');
    }
    out.push(']');
    Some(())
}

/// Whether every reader can hold it: no number beyond a double, no unpaired surrogate.
pub(crate) fn is_portable(json: &Json) -> bool {
    serde_json::from_str::<Value>(json.get()).is_ok()
}

/// The fields of an object, in their order, each as source text. Names that the code knows are not copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Object(Vec<(Cow<'static, str>, Json)>);

impl Object {
    /// The fields of compact text; `None` when it is no object.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(field, _)| &**field == name).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name)?.as_str()
    }

    pub(crate) fn whole(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_whole()
    }

    /// Sets a field, in place when it is there.
    pub(crate) fn set(&mut self, name: impl Into<Cow<'static, str>>, value: Json) {
        let name = name.into();
        match self.0.iter_mut().find(|(field, _)| *field == name) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((name, value)),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(field, _)| &**field != name);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// Adds a field that is not there.
    pub(crate) fn push(&mut self, name: &'static str, value: Json) {
        self.0.push((Cow::Borrowed(name), value));
    }

    /// Sets all fields of `other`.
    pub(crate) fn lay_over(&mut self, other: &Self) {
        other.0.iter().for_each(|(name, value)| self.set(name.clone(), value.clone()));
    }

    /// Removes a field and gives it.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(field, _)| &**field == name)?;
        Some(self.0.remove(at).1)
    }

    /// The first name that is given twice.
    pub(crate) fn repeated(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    pub(crate) fn encode(&self) -> Json {
        let bytes: usize = self.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum();
        let mut out = String::with_capacity(bytes + 2);
        out.push('{');
        for (index, (name, value)) in self.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            push_text(name, &mut out);
            out.push(':');
            out.push_str(value.get());
        }
        out.push('}');
        Json::from_valid(out)
    }
}

/// Writes a text as a string's source.
fn push_text(text: &str, out: &mut String) {
    if text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        out.push_str(Json::text(text).get());
        return;
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields(fields) = Fields::deserialize(deserializer)?;
        let owned = |(name, value): (Cow<'_, str>, &RawValue)| (Cow::Owned(name.into_owned()), Json(value.to_owned()));
        Ok(Self(fields.into_iter().map(owned).collect()))
    }
}

/// The fields of an object, in their order, where they stand in its source text.
#[derive(Debug)]
pub(crate) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (&**name, value.get()))
    }

    /// A field; of one that is given twice, the last.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(field, _)| &**field == name).map(|(_, value)| *value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(FIELDS_EXPECTED);
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Entries).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::compact(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn compacting_touches_nothing_inside_strings_and_numbers() {
        let text = " { \"a b\" : [ 1.0 , 12345678901234567890123 , 1e-7 ] ,\n \"q\\\"  }\" : \"é\\\\\" } ";
        assert_eq!(json(text).get(), r#"{"a b":[1.0,12345678901234567890123,1e-7],"q\"  }":"é\\"}"#);
        assert_eq!(compact("[[{\"x\":[]}]]").1, 4);
    }

    #[test]
    fn equal_content_ignores_order_of_keys_and_escapes_only() {
        assert_eq!(json(r#"{"a":1,"b":[{"d":2,"c":"\u00e9"}]}"#), json(r#"{"b":[{"c":"é","d":2}],"a":1}"#));
        assert_ne!(json("[1,2]"), json("[2,1]"));
        assert_ne!(json("1"), json("\"1\""));
        assert_ne!(json("[\"a\",\"b\"]"), json("[\"a,b\"]"));
    }

    #[test]
    fn values_no_reader_can_hold_are_told() {
        assert!(is_portable(&json("[12345678901234567890123]")));
        assert!(!is_portable(&json("1e400")));
        assert!(!is_portable(&json(r#"{"a":"\ud800"}"#)));
    }
}
