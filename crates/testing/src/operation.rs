//! What is asked of the engine and of the model alike, and what they answer.

/// Bytes of one message or one append, never empty.
pub type Payload = String;

/// A name that is short to print.
pub type Name = &'static str;

/// How a stream's bytes fall into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    Text,
    /// Messages.
    Json,
}

/// When a stream ends by itself, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Never.
    Forever,
    /// So long after the last access.
    Sliding(u64),
    /// At a moment.
    Until(u64),
}

/// One request.
#[derive(Debug, Clone)]
pub enum Operation {
    /// A stream with its first content.
    Create { name: Name, kind: Kind, life: Life, payload: Payload, closed: bool },
    /// A stream that goes on from another.
    Fork { name: Name, source: Name, offset: Option<u64>, sub_offset: u64 },
    /// Content, closure, or both.
    Append { name: Name, kind: Kind, payload: Payload, close: bool, stamp: Option<Stamp>, mark: Option<Name> },
    /// The end.
    Delete { name: Name },
    /// The end of what lies before a position.
    Trim { name: Name, to: u64 },
    /// Everything from a position on.
    Read { name: Name, from: u64 },
    /// Tail and closure, without an access.
    Look { name: Name },
    /// Several operations as one.
    Transact { steps: Vec<TransactionStep> },
    /// All documents.
    Documents,
}

/// One operation of a transaction.
#[derive(Debug, Clone)]
pub enum TransactionStep {
    /// [`Operation::Create`] or [`Operation::Append`], which may expect a tail.
    Stream { operation: Operation, expected_tail: Option<u64> },
    /// Sets or removes a document.
    Document { key: Name, value: Option<Name> },
}

/// A producer's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Who.
    pub id: Name,
    /// In which incarnation.
    pub epoch: u64,
    /// As which request.
    pub seq: u64,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// New, or as it stands.
    Created { is_new: bool, tail: u64, closed: bool },
    /// Accepted.
    Written { tail: u64, closed: bool },
    /// Known already.
    Duplicate { tail: u64, closed: bool, highest: Option<(u64, u64)> },
    /// Gone.
    Deleted,
    /// The earliest position that is left.
    Trimmed { earliest: u64 },
    /// Bytes and closure.
    Bytes { bytes: Vec<u8>, closed: bool },
    /// Tail and closure.
    Seen { tail: u64, closed: bool },
    /// What each step did.
    Transacted(Vec<Answer>),
    /// A document was set or removed.
    DocumentWritten,
    /// A step of a transaction that was done before, with nothing to tell.
    Known,
    /// Keys and values.
    Documents(Vec<(String, String)>),
    /// A refusal, by its name.
    Refused(&'static str),
    /// A step of a transaction was refused.
    RefusedAt(usize, &'static str),
}
