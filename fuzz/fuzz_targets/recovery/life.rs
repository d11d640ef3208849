//! The past of a data directory, and what it held after each transaction.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use headwater_protocol::{
    ContentType, Epoch, Lifetime, Offset, ProducerId, ProducerSeq, ProducerStamp, StreamPath, StreamSeq,
};
use headwater_storage::disk::Disk;
use headwater_storage::{EmbeddedStore, FORMAT_FILE, OpenError, StoreLimits, StoreOptions, Upkeep};
use headwater_streams::{
    AppendDelta, BatchId, Change, Closure, DocumentKey, Durability, Head, Store, StoreError, StreamId, Transaction,
    Version,
};
use headwater_testing::disk::FaultyDisk;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use tempfile::TempDir;

/// The same salt in every run, so that an input always does the same.
const FORMAT: &[u8] = b"headwater data directory\nformat 1\nsalt 00000000\ncheck 5cdb02a2\n";
const SEGMENT_BYTES: u64 = 8 * 1024;
const TRANSACTIONS_MAX: usize = 4;
const STREAMS_MAX: u8 = 4;

/// What happens to the directory.
#[derive(Debug, Arbitrary)]
pub enum Step {
    /// One transaction each, in one write.
    Commit(Vec<Edit>),
    Checkpoint,
    Upkeep,
    Reopen,
}

/// What a client asks for; nothing when it makes no sense.
#[derive(Debug, Arbitrary)]
pub enum Edit {
    Create { stream: u8, len: u8 },
    Append { stream: u8, len: u16, with: u8 },
    SoftDelete { stream: u8 },
    Remove { stream: u8 },
    Document { key: u8, len: u8 },
}

/// All that a store holds but payloads, which follow from stream and offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub streams: BTreeMap<StreamPath, Head>,
    pub documents: BTreeMap<DocumentKey, Bytes>,
}

/// A data directory in memory.
#[derive(Debug)]
pub struct Life {
    pub disk: FaultyDisk,
    catalog_dir: TempDir,
    /// Before the first transaction and after each.
    pub states: Vec<State>,
    /// How many states there were before each write.
    pub writes: Vec<usize>,
    next_id: u64,
}

impl Life {
    pub fn new() -> Self {
        let disk = FaultyDisk::new(0);
        disk.create(FORMAT_FILE).and_then(|file| file.write_at(FORMAT, 0)).expect("the disk has no faults");
        // SQLite needs a real directory; this one is in memory where there is such a thing.
        let dir = TempDir::new_in(PathBuf::from("/dev/shm")).or_else(|_| TempDir::new());
        let catalog_dir = dir.expect("a directory for temporary files");
        Self { disk, catalog_dir, states: vec![State::default()], writes: Vec::new(), next_id: 1 }
    }

    pub fn open(&self) -> Result<EmbeddedStore, OpenError> {
        let limits = StoreLimits {
            segment_bytes: SEGMENT_BYTES,
            spare_segments: 1,
            free_segments_max: 1,
            checkpoint_journal_bytes: SEGMENT_BYTES,
            checkpoint_streams: 1_000,
            checkpoint_interval: Duration::from_secs(3600),
            archive_segments: 1,
            ephemeral_bytes_max: 1024,
            prepare_retry: Duration::ZERO,
        };
        let options = StoreOptions { limits, upkeep: Upkeep::ByCaller };
        EmbeddedStore::open_on(Arc::new(self.disk.clone()), self.catalog_dir.path(), options)
    }

    pub fn run(&mut self, steps: &[Step]) {
        let mut store = self.open().expect("a new directory opens");
        for step in steps {
            match step {
                Step::Commit(edits) => self.commit(&store, edits),
                Step::Checkpoint => store.checkpoint().expect("nothing is wrong"),
                Step::Upkeep => store.upkeep().expect("nothing is wrong"),
                Step::Reopen => {
                    drop(store);
                    store = self.open().expect("nothing is wrong");
                }
            }
        }
    }

    /// Commits one more document when the store takes changes.
    pub fn add_document(&mut self, store: &EmbeddedStore) -> Option<(DocumentKey, Bytes)> {
        let (key, value) = (DocumentKey("after".into()), Bytes::from_static(b"recovery"));
        let change = Change::PutDocument { key: key.clone(), value: value.clone() };
        match commit(store, vec![Transaction { changes: vec![change] }]) {
            Ok(()) => Some((key, value)),
            Err(StoreError::Poisoned { .. }) => None,
            Err(error) => panic!("a store takes changes or is poisoned: {error}"),
        }
    }

    fn commit(&mut self, store: &EmbeddedStore, edits: &[Edit]) {
        self.writes.push(self.states.len());
        let mut batch = Vec::new();
        for edit in edits.iter().take(TRANSACTIONS_MAX) {
            let mut state = self.states.last().expect("never empty").clone();
            if let Some(change) = self.change(&mut state, edit) {
                batch.push(Transaction { changes: vec![change] });
                self.states.push(state);
            }
        }
        if batch.is_empty() {
            self.writes.pop();
            return;
        }
        commit(store, batch).expect("nothing is wrong");
    }

    /// What an edit means in `state`, which it brings up to date.
    fn change(&mut self, state: &mut State, edit: &Edit) -> Option<Change> {
        match *edit {
            Edit::Create { stream, len } => {
                let head = new_head(StreamId(self.next_id), path(stream), u64::from(len));
                if state.streams.contains_key(&head.path) {
                    return None;
                }
                self.next_id += 1;
                state.streams.insert(head.path.clone(), head.clone());
                let payload = payload(head.id, Offset::START, head.tail);
                Some(Change::Create { head: Box::new(head), payload })
            }
            Edit::Append { stream, len, with } => {
                let head = state.streams.get_mut(&path(stream)).filter(|head| !head.is_closed())?;
                let (id, path, expected) = (head.id, head.path.clone(), head.version);
                let delta = delta(head, u64::from(len) % (SEGMENT_BYTES + 1), with);
                head.apply(&delta);
                Some(Change::Append { id, path, expected, delta })
            }
            Edit::SoftDelete { stream } => {
                let head = state.streams.get_mut(&path(stream))?;
                let change = Change::SoftDelete { id: head.id, path: head.path.clone(), expected: head.version };
                head.soft_deleted = true;
                head.version.0 += 1;
                Some(change)
            }
            Edit::Remove { stream } => {
                let head = state.streams.remove(&path(stream))?;
                Some(Change::Remove { id: head.id, path: head.path, expected: head.version })
            }
            Edit::Document { key, len } => {
                let key = DocumentKey(format!("d/{}", key % 4).into());
                let value = Bytes::from(vec![len; usize::from(len)]);
                state.documents.insert(key.clone(), value.clone());
                Some(Change::PutDocument { key, value })
            }
        }
    }
}

/// Bytes that tell where they belong.
pub fn payload(id: StreamId, start: Offset, end: Offset) -> Bytes {
    (start.get()..end.get()).map(|at| (at.wrapping_mul(31) ^ id.0.wrapping_mul(97)) as u8).collect()
}

/// Runs a future that never waits: without a runtime, the store does everything on the calling thread.
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the store waited for something"),
    }
}

fn commit(store: &EmbeddedStore, batch: Vec<Transaction>) -> Result<(), StoreError> {
    now(store.reserve(batch.len(), 0))?;
    now(store.commit(BatchId(0), batch)).map(|_| ())
}

fn path(stream: u8) -> StreamPath {
    StreamPath::new(&format!("s/{}", stream % STREAMS_MAX)).expect("a valid path")
}

fn new_head(id: StreamId, path: StreamPath, len: u64) -> Head {
    Head {
        id,
        path,
        content_type: ContentType::new("text/plain").expect("a valid type"),
        lifetime: Lifetime::Forever,
        durability: Durability::Durable,
        created_at_ms: 1_000,
        accessed_at_ms: 1_000,
        earliest: Offset::START,
        tail: Offset::new(len),
        closure: Closure::Open,
        stream_seq: None,
        producers: Default::default(),
        fork: None,
        inherited: Arc::from([]),
        forks: 0,
        soft_deleted: false,
        version: Version(1),
    }
}

/// An append to `head`; the bits of `with` say what comes along.
fn delta(head: &Head, len: u64, with: u8) -> AppendDelta {
    let end = head.tail.advance(len);
    let stamp = || ProducerStamp {
        id: ProducerId::new(if with & 1 == 0 { "a" } else { "b" }).expect("a valid id"),
        epoch: Epoch::ZERO,
        seq: ProducerSeq::new(head.version.0).expect("a small number"),
    };
    AppendDelta {
        start: head.tail,
        payload: payload(head.id, head.tail, end),
        producers: if with & 2 == 0 { Vec::new() } else { vec![stamp()] },
        stream_seq: (with & 4 != 0).then(|| StreamSeq::new(&head.version.0.to_be_bytes()).expect("a valid mark")),
        closure: (with & 0x38 == 0x38).then(|| Closure::Closed { by: Some(stamp()) }),
        trim_to: (with & 0xc0 == 0xc0).then_some(head.tail),
        accessed_at_ms: head.accessed_at_ms + 1,
    }
}
