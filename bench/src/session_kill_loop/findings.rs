//! What was checked, and what was found.

use std::collections::BTreeMap;

use super::fold::Message;
use super::model::Expected;

const EXAMPLES_MAX: usize = 20;

/// Checks by what they are about.
#[derive(Debug, Default)]
pub(super) struct Findings {
    counts: BTreeMap<&'static str, (usize, usize)>,
    examples: Vec<String>,
}

impl Findings {
    pub(super) fn check(&mut self, about: &'static str, holds: bool, example: impl FnOnce() -> String) {
        let (passed, failed) = self.counts.entry(about).or_default();
        if holds {
            *passed += 1;
            return;
        }
        *failed += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(format!("{about}: {}", example()));
        }
    }

    pub(super) fn fail(&mut self, about: &'static str, example: String) {
        self.check(about, false, || example);
    }

    /// Whether the messages are exactly those expected, each once and in order.
    pub(super) fn compare(&mut self, about: &'static str, what: &str, expected: &[Expected], found: &[&Message]) {
        let differ = expected.iter().zip(found).position(|(expected, found)| !found.is(expected));
        let holds = differ.is_none() && expected.len() == found.len();
        self.check(about, holds, || {
            let at = differ.unwrap_or(expected.len().min(found.len()));
            let times = |message: &Expected| found.iter().filter(|found| found.is(message)).count();
            let lost = expected.iter().filter(|message| times(message) == 0).count();
            let doubled = expected.iter().filter(|message| times(message) > 1).count();
            format!(
                "{what}: {} expected, {} found, {lost} lost, {doubled} doubled; message {at} should be {:?} and is {:?}",
                expected.len(),
                found.len(),
                expected.get(at),
                found.get(at)
            )
        });
    }

    pub(super) fn passed(&self) -> usize {
        self.counts.values().map(|(passed, _)| passed).sum()
    }

    pub(super) fn failed(&self) -> usize {
        self.counts.values().map(|(_, failed)| failed).sum()
    }

    pub(super) fn examples(&self) -> &[String] {
        &self.examples
    }

    /// Checks that were made, by what they are about.
    pub(super) fn summary(&self) -> String {
        let counts = self.counts.iter().map(|(about, (passed, failed))| format!("{about} {}", passed + failed));
        counts.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn expected(key: &str) -> Expected {
        let fields: Map<String, Value> = json!({"text": key}).as_object().cloned().unwrap();
        Expected { session: "s".into(), kind: "chunk", key: key.into(), operation: "insert", fields }
    }

    fn found(key: &str) -> Message {
        let value = json!({"text": key, "sessionId": "s"});
        let text = |text: &str| text.to_owned();
        Message { kind: text("chunk"), key: text(key), operation: text("insert"), txid: text("t"), value }
    }

    fn said(found: &[Message]) -> String {
        let mut findings = Findings::default();
        findings.compare("log", "s", &[expected("a"), expected("b")], &found.iter().collect::<Vec<_>>());
        assert_eq!(findings.failed(), findings.examples().len());
        findings.examples().first().cloned().unwrap_or_default()
    }

    #[test]
    fn lost_doubled_and_disordered_messages_are_found() {
        let (a, b) = (found("a"), found("b"));
        assert_eq!(said(&[a.clone(), b.clone()]), "");
        assert!(said(std::slice::from_ref(&a)).contains("1 lost, 0 doubled"));
        assert!(said(&[a.clone(), b.clone(), b.clone()]).contains("0 lost, 1 doubled"));
        assert!(said(&[b, a]).contains("0 lost, 0 doubled; message 0"));
    }
}
