//! What a stream is, as plainly as it can be said: maps, vectors, no concurrency, no disk, no memory limits.
//!
//! The model answers each operation as the engine must. It assumes that every read or write that counts as an access
//! is recorded at once, which holds when time moves by more than the grain in which accesses are recorded.

use std::collections::{BTreeMap, HashMap};

mod transact;

pub use crate::operation::{Answer, Kind, Life, Name, Operation, Payload, Stamp, TransactionStep};

#[derive(Debug, Clone)]
struct Stream {
    kind: Kind,
    life: Life,
    /// From the very start, inherited and trimmed bytes included.
    bytes: Vec<u8>,
    earliest: u64,
    accessed_at: u64,
    closed: Option<Option<Stamp>>,
    producers: HashMap<Name, (u64, u64)>,
    mark: Option<Name>,
    origin: Option<Origin>,
    deleted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    source: Name,
    offset: u64,
    sub_offset: u64,
}

/// All streams and documents.
#[derive(Debug, Clone)]
pub struct Model {
    streams: BTreeMap<Name, Stream>,
    documents: BTreeMap<Name, Name>,
    now: u64,
    started_at: u64,
}

impl Model {
    /// No streams yet, at `now` in milliseconds.
    pub fn new(now: u64) -> Self {
        Self { streams: BTreeMap::new(), documents: BTreeMap::new(), now, started_at: now }
    }

    /// Time passes.
    pub fn advance(&mut self, ms: u64) {
        self.now += ms;
    }

    /// The engine starts again, and its reaper looks at once.
    pub fn restart(&mut self) {
        self.started_at = self.now;
        self.reap();
    }

    /// What must be answered.
    pub fn answer(&mut self, operation: &Operation) -> Answer {
        let outcome = match operation {
            Operation::Create { name, kind, life, payload, closed } => {
                self.create(name, *kind, *life, payload, *closed)
            }
            Operation::Fork { name, source, offset, sub_offset } => self.fork(name, source, *offset, *sub_offset),
            Operation::Append { .. } => self.append(&Request::of(operation)),
            Operation::Delete { name } => self.delete(name),
            Operation::Trim { name, to } => self.trim(name, *to),
            Operation::Read { name, from } => self.read(name, *from),
            Operation::Look { name } => {
                self.living(name).map(|stream| Answer::Seen { tail: stream.tail(), closed: stream.closed.is_some() })
            }
            Operation::Transact { steps } => return self.transact(steps),
            Operation::Documents => Ok(self.documents()),
        };
        outcome.unwrap_or_else(Answer::Refused)
    }

    fn has_expired(&self, stream: &Stream) -> bool {
        match stream.life {
            Life::Forever => false,
            Life::Until(at) => self.now >= at,
            // After a restart nobody knows of accesses within the last sixteenth.
            Life::Sliding(ms) if stream.accessed_at < self.started_at => self.now >= stream.accessed_at + ms + ms / 16,
            Life::Sliding(ms) => self.now >= stream.accessed_at + ms,
        }
    }

    fn living(&mut self, name: Name) -> Result<&mut Stream, &'static str> {
        let stream = self.streams.get(name).ok_or("not found")?;
        if stream.deleted {
            return Err("gone");
        }
        if self.has_expired(stream) {
            return Err("not found");
        }
        self.streams.get_mut(name).ok_or("not found")
    }

    fn has_forks(&self, name: Name) -> bool {
        self.streams.values().any(|stream| stream.origin.as_ref().is_some_and(|origin| origin.source == name))
    }

    /// The stream that holds a path.
    fn holder(&self, name: Name) -> Result<Option<&Stream>, &'static str> {
        match self.streams.get(name) {
            Some(stream) if stream.deleted => Err("path held"),
            Some(stream) if !self.has_expired(stream) => Ok(Some(stream)),
            _ => Ok(None),
        }
    }

    /// An expired stream makes way, unless it has forks.
    fn clear(&mut self, name: Name) -> Result<(), &'static str> {
        if self.streams.contains_key(name) && self.has_forks(name) {
            return Err("path held");
        }
        self.remove(name);
        Ok(())
    }

    /// The reaper looks for streams whose time is over.
    pub fn reap(&mut self) {
        let ended = |model: &Self| {
            let over = |stream: &Stream| !stream.deleted && model.has_expired(stream);
            model.streams.iter().find(|(_, stream)| over(stream)).map(|(name, _)| *name)
        };
        while let Some(name) = ended(self) {
            self.end(name);
        }
    }

    fn create(
        &mut self,
        name: Name,
        kind: Kind,
        life: Life,
        payload: &str,
        closed: bool,
    ) -> Result<Answer, &'static str> {
        if let Some(known) = self.holder(name)? {
            let same = known.kind == kind && known.life == life && known.closed.is_some() == closed;
            return if same && known.origin.is_none() { Ok(known.created(false)) } else { Err("differs") };
        }
        self.clear(name)?;
        let stream =
            Stream { bytes: payload.into(), closed: closed.then_some(None), ..Stream::empty(kind, life, self.now) };
        let answer = stream.created(true);
        self.streams.insert(name, stream);
        Ok(answer)
    }

    fn fork(&mut self, name: Name, from: Name, offset: Option<u64>, sub_offset: u64) -> Result<Answer, &'static str> {
        if let Some(known) = self.holder(name)? {
            let same = known.closed.is_none()
                && known.origin.as_ref().is_some_and(|origin| {
                    let same_offset = offset.is_none_or(|offset| offset == origin.offset);
                    origin.source == from && same_offset && origin.sub_offset == sub_offset
                });
            return if same { Ok(known.created(false)) } else { Err("differs") };
        }
        let source = self.living(from).map_err(|cause| if cause == "gone" { "source deleted" } else { "no source" })?;
        let offset = offset.unwrap_or(source.tail());
        if offset > source.tail() || offset < source.earliest {
            return Err("fork offset");
        }
        if !source.is_boundary(offset) {
            return Err("fork offset inside");
        }
        let at = source.skip(offset, sub_offset).ok_or("fork sub-offset")?;
        let (kind, life, earliest) = (source.kind, source.life, source.earliest);
        let bytes = source.bytes[..at as usize].to_vec();
        let origin = Some(Origin { source: from, offset, sub_offset });
        self.clear(name)?;
        let stream = Stream { bytes, earliest, origin, ..Stream::empty(kind, life, self.now) };
        let answer = stream.created(true);
        self.streams.insert(name, stream);
        Ok(answer)
    }

    fn append(&mut self, request: &Request) -> Result<Answer, &'static str> {
        let now = self.now;
        let stream = self.living(request.name)?;
        let verdict = stream.judge(request)?;
        stream.accessed_at = now;
        match verdict {
            Verdict::Accept => Ok(stream.accept(request)),
            Verdict::Duplicate(highest) => Ok(stream.known(highest)),
        }
    }

    fn delete(&mut self, name: Name) -> Result<Answer, &'static str> {
        let stream = self.streams.get(name).ok_or("not found")?;
        if stream.deleted {
            return Err("gone");
        }
        let expired = self.has_expired(stream);
        self.end(name);
        if expired { Err("not found") } else { Ok(Answer::Deleted) }
    }

    /// Removes a stream, or keeps it for its forks.
    fn end(&mut self, name: Name) {
        if !self.has_forks(name) {
            self.remove(name);
        } else if let Some(stream) = self.streams.get_mut(name) {
            stream.deleted = true;
        }
    }

    /// Removes a stream, and every deleted one that was kept only for it.
    fn remove(&mut self, name: Name) {
        let Some(stream) = self.streams.remove(name) else { return };
        let Some(source) = stream.origin.map(|origin| origin.source) else { return };
        let kept = self.streams.get(source).is_some_and(|source| source.deleted);
        if kept && !self.has_forks(source) {
            self.remove(source);
        }
    }

    fn trim(&mut self, name: Name, to: u64) -> Result<Answer, &'static str> {
        let forks = self.has_forks(name);
        let stream = self.living(name)?;
        if to <= stream.tail() && to > stream.earliest && !stream.is_boundary(to) {
            return Err("inside message");
        }
        if forks {
            return Err("has forks");
        }
        if to > stream.tail() {
            return Err("past tail");
        }
        stream.earliest = stream.earliest.max(to);
        Ok(Answer::Trimmed { earliest: stream.earliest })
    }

    fn read(&mut self, name: Name, from: u64) -> Result<Answer, &'static str> {
        let now = self.now;
        let stream = self.living(name)?;
        stream.accessed_at = now;
        if from > stream.tail() {
            return Err("not an offset");
        }
        if from < stream.earliest {
            return Err("trimmed");
        }
        if !stream.is_boundary(from) {
            return Err("not an offset");
        }
        Ok(Answer::Bytes { bytes: stream.bytes[from as usize..].to_vec(), closed: stream.closed.is_some() })
    }
}

enum Verdict {
    Accept,
    Duplicate(Option<(u64, u64)>),
}

/// An [`Operation::Append`].
#[derive(Clone, Copy)]
struct Request<'a> {
    name: Name,
    kind: Kind,
    payload: &'a str,
    close: bool,
    stamp: Option<Stamp>,
    mark: Option<Name>,
}

impl<'a> Request<'a> {
    fn of(operation: &'a Operation) -> Self {
        let Operation::Append { name, kind, payload, close, stamp, mark } = operation else {
            unreachable!("only appends are requested")
        };
        Self { name, kind: *kind, payload, close: *close, stamp: *stamp, mark: *mark }
    }
}

impl Stream {
    fn empty(kind: Kind, life: Life, now: u64) -> Self {
        Self {
            kind,
            life,
            bytes: Vec::new(),
            earliest: 0,
            accessed_at: now,
            closed: None,
            producers: HashMap::new(),
            mark: None,
            origin: None,
            deleted: false,
        }
    }

    fn tail(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn created(&self, is_new: bool) -> Answer {
        Answer::Created { is_new, tail: self.tail(), closed: self.closed.is_some() }
    }

    fn is_boundary(&self, position: u64) -> bool {
        self.kind == Kind::Text || position == 0 || self.bytes[position as usize - 1] == b'\n'
    }

    fn skip(&self, from: u64, count: u64) -> Option<u64> {
        if self.kind == Kind::Text {
            return Some(from + count).filter(|at| *at <= self.tail());
        }
        let Some(last) = count.checked_sub(1) else { return Some(from) };
        let ends = (from..self.tail()).filter(|at| self.bytes[*at as usize] == b'\n');
        ends.skip(last as usize).map(|at| at + 1).next()
    }

    fn accept(&mut self, request: &Request) -> Answer {
        self.bytes.extend_from_slice(request.payload.as_bytes());
        self.mark = request.mark.or(self.mark);
        request.stamp.map(|stamp| self.producers.insert(stamp.id, (stamp.epoch, stamp.seq)));
        if request.close {
            self.closed = Some(request.stamp);
        }
        Answer::Written { tail: self.tail(), closed: self.closed.is_some() }
    }

    fn known(&self, highest: Option<(u64, u64)>) -> Answer {
        Answer::Duplicate { tail: self.tail(), closed: self.closed.is_some(), highest }
    }

    fn judge(&self, request: &Request) -> Result<Verdict, &'static str> {
        let Request { kind, payload, close, stamp, mark, .. } = *request;
        let known = stamp.and_then(|stamp| self.producers.get(stamp.id).copied());
        if let (Some(stamp), Some((epoch, _))) = (stamp, known)
            && stamp.epoch < epoch
        {
            return Err("fenced");
        }
        if let Some(by) = self.closed {
            return match stamp {
                Some(stamp) if by == Some(stamp) => Ok(Verdict::Duplicate(Some((stamp.epoch, stamp.seq)))),
                None if close && payload.is_empty() => Ok(Verdict::Duplicate(None)),
                _ => Err("closed"),
            };
        }
        if !payload.is_empty() && kind != self.kind {
            return Err("type");
        }
        match (stamp, known) {
            (Some(stamp), Some((epoch, seq))) if stamp.epoch == epoch && stamp.seq <= seq => {
                return Ok(Verdict::Duplicate(known));
            }
            (Some(stamp), Some((epoch, seq))) if stamp.epoch == epoch && stamp.seq > seq + 1 => return Err("gap"),
            (Some(stamp), Some((epoch, _))) if stamp.epoch > epoch && stamp.seq > 0 => return Err("epoch start"),
            (Some(stamp), None) if stamp.seq > 0 => return Err("gap"),
            _ => {}
        }
        if mark.is_some() && mark <= self.mark {
            return Err("stream-seq");
        }
        Ok(Verdict::Accept)
    }
}
