//! Reads every stream and holds it against the model.

use std::collections::BTreeMap;
use std::io;

use crate::request::get;

use super::link::Link;
use super::message::{Identity, SHARED, SHARED_NUMBER, split};
use super::model::{Content, Model, State, Stream};

const EXAMPLES_MAX: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct Findings {
    passed: usize,
    failed: usize,
    lost: usize,
    doubled: usize,
    torn: usize,
    disordered: usize,
    unreadable: usize,
    examples: Vec<String>,
}

/// Reads and compares all streams of all models.
pub(crate) async fn verify(models: &[Model], link: &mut Link) -> io::Result<Findings> {
    let mut findings = Findings::default();
    for stream in models.iter().flat_map(|model| &model.streams) {
        findings.verify_stream(stream, link).await?;
    }
    findings.verify_shared(&Model::shared(models), link).await?;
    Ok(findings)
}

impl Findings {
    pub(crate) fn merge(&mut self, other: Findings) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.torn += other.torn;
        self.disordered += other.disordered;
        self.unreadable += other.unreadable;
        self.examples.extend(other.examples);
    }

    pub(crate) fn clean(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// Streams compared, each once per pass over all of them.
    pub(crate) fn streams(&self) -> usize {
        (self.passed + self.failed) / 2
    }

    pub(crate) fn passed(&self) -> usize {
        self.passed
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    /// Lost, doubled, torn, disordered, unreadable.
    pub(crate) fn counts(&self) -> [usize; 5] {
        [self.lost, self.doubled, self.torn, self.disordered, self.unreadable]
    }

    pub(crate) fn examples(&self) -> &[String] {
        &self.examples[..self.examples.len().min(EXAMPLES_MAX)]
    }

    async fn verify_stream(&mut self, stream: &Stream, link: &mut Link) -> io::Result<()> {
        let found = read(&stream.path, stream.content, link).await?;
        match (stream.state, found) {
            (State::Deleted, Found::Nothing(404 | 410)) => self.passed += 1,
            (State::Deleted, _) => self.fail(format!("{} is back after its delete", stream.path)),
            (_, Found::Nothing(status)) => {
                self.unreadable += 1;
                self.fail(format!("{} answers status {status}", stream.path));
            }
            (_, Found::Pieces(pieces)) => self.compare(&stream.path, &stream.messages, &pieces),
        }
        Ok(())
    }

    /// Producers interleave on the shared stream, each in its own order.
    async fn verify_shared(&mut self, counts: &BTreeMap<u32, u32>, link: &mut Link) -> io::Result<()> {
        let Found::Pieces(pieces) = read(SHARED, Content::Bytes, link).await? else {
            self.unreadable += 1;
            self.fail("the shared stream is gone".to_owned());
            return Ok(());
        };
        let mut by_producer: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
        for piece in pieces {
            // A piece nobody wrote counts against producer 0.
            let writer = Identity::recognise(&piece).map_or(0, |identity| identity.producer);
            by_producer.entry(writer).or_default().push(piece);
        }
        for (&producer, &count) in counts {
            let expected: Vec<_> =
                (0..count).map(|number| Identity { producer, stream: SHARED_NUMBER, number }).collect();
            let pieces = by_producer.remove(&producer).unwrap_or_default();
            self.compare(&format!("{SHARED}, producer {producer}"), &expected, &pieces);
        }
        Ok(())
    }

    fn compare(&mut self, what: &str, expected: &[Identity], pieces: &[Vec<u8>]) {
        let found: Vec<Option<Identity>> = pieces.iter().map(|piece| Identity::recognise(piece)).collect();
        if found.iter().copied().eq(expected.iter().copied().map(Some)) {
            self.passed += 1;
            return;
        }
        let torn = found.iter().filter(|piece| piece.is_none()).count();
        let mut counts: BTreeMap<Identity, usize> = BTreeMap::new();
        for identity in found.iter().flatten() {
            *counts.entry(*identity).or_default() += 1;
        }
        let lost = expected.iter().filter(|identity| !counts.contains_key(identity)).count();
        let doubled: usize = counts.values().map(|count| count - 1).sum();
        let disordered = usize::from(torn + lost + doubled == 0);
        self.torn += torn;
        self.lost += lost;
        self.doubled += doubled;
        self.disordered += disordered;
        self.fail(format!("{what}: {lost} lost, {doubled} doubled, {torn} torn, {disordered} disordered"));
    }

    fn fail(&mut self, example: String) {
        self.failed += 1;
        self.examples.push(example);
    }
}

enum Found {
    Pieces(Vec<Vec<u8>>),
    /// The stream cannot be read; with the status that says so.
    Nothing(u16),
}

async fn read(path: &str, content: Content, link: &mut Link) -> io::Result<Found> {
    let (mut offset, mut bytes, mut messages) = ("-1".to_owned(), Vec::new(), Vec::new());
    loop {
        let answer = link.exchange(get(&format!("{path}?offset={offset}"))).await?.answer;
        if answer.head.status != 200 {
            return Ok(Found::Nothing(answer.head.status));
        }
        match content {
            Content::Bytes => bytes.extend_from_slice(&answer.body),
            Content::Json => messages.extend(json_messages(&answer.body)),
        }
        match answer.head.next_offset {
            _ if answer.head.up_to_date => break,
            Some(next) if next != offset => offset = next,
            _ => return Err(io::Error::other(format!("{path}: a page before the tail does not lead on"))),
        }
    }
    let pieces = split(&bytes).map(<[u8]>::to_vec).chain(messages).collect();
    Ok(Found::Pieces(pieces))
}

/// The strings of one JSON page; a page that is no array of strings is one piece nobody wrote.
fn json_messages(page: &[u8]) -> Vec<Vec<u8>> {
    match serde_json::from_slice::<Vec<String>>(page) {
        Ok(messages) => messages.into_iter().map(String::into_bytes).collect(),
        Err(_) => vec![page.to_vec()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(number: u32) -> Identity {
        Identity { producer: 1, stream: 1, number }
    }

    fn compare(found: &[Vec<u8>]) -> [usize; 5] {
        let mut findings = Findings::default();
        findings.compare("a stream", &[identity(0), identity(1)], found);
        assert_eq!(findings.clean(), findings.counts() == [0; 5]);
        findings.counts()
    }

    #[test]
    fn lost_doubled_torn_and_disordered_messages_are_told_apart() {
        let (first, second) = (identity(0).message(), identity(1).message());
        assert_eq!(compare(&[first.clone(), second.clone()]), [0; 5]);
        assert_eq!(compare(std::slice::from_ref(&first)), [1, 0, 0, 0, 0]);
        assert_eq!(compare(&[first.clone(), second.clone(), second.clone()]), [0, 1, 0, 0, 0]);
        assert_eq!(compare(&[first.clone(), second[..4].to_vec(), second.clone()]), [0, 0, 1, 0, 0]);
        assert_eq!(compare(&[second, first]), [0, 0, 0, 1, 0]);
    }
}
