//! A door for fuzz targets to what no other public call takes: the bytes of one record. No product code uses it, and
//! it promises nobody anything.

use bytes::Bytes;
use headwater_protocol::StreamPath;
use headwater_streams::{Change, Transaction};

use crate::checkpoint::JournalPosition;
use crate::limits::CHUNK_BYTES;
use crate::record::{
    CHUNK_CRC_BYTES, Decoder, KIND_TRANSACTION, Logged, Place, Placed, SEGMENT_HEADER_BYTES, SegmentBytes,
    encode_changes, encode_record, framed_len, parse,
};

const NUMBER: u64 = 7;
const SEED: u32 = 0x1234_5678;

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Its changes. The journal does not keep the paths of most: those are `-`.
    pub transaction: Transaction,
    /// Whether every checksum of payload holds.
    pub is_whole: bool,
}

/// Reads the record at the start of `bytes` as recovery does.
pub fn decode_record(bytes: &[u8]) -> Option<Decoded> {
    let segment = [&[0; SEGMENT_HEADER_BYTES], bytes].concat();
    let segment = SegmentBytes { bytes: &segment, number: NUMBER, seed: SEED };
    let record = parse(&segment, SEGMENT_HEADER_BYTES)?;
    let mut logged = Vec::new();
    Decoder::default().changes(&record, &mut logged)?;
    let is_whole = record.damaged_payload(&logged).is_none();
    let changes = logged.into_iter().map(|logged| change(logged, segment.bytes)).collect();
    Some(Decoded { transaction: Transaction { changes }, is_whole })
}

/// Writes a transaction as the journal does.
pub fn encode_transaction(transaction: &Transaction) -> Vec<u8> {
    let (mut encoded, mut record) = (Vec::new(), Vec::new());
    encode_changes(&mut encoded, &transaction.changes);
    let previous_end = Some(JournalPosition { segment: NUMBER - 1, offset: 0 });
    encode_record(&mut record, &Place { epoch: 1, seed: SEED, back: 0, previous_end }, &encoded, &transaction.changes);
    record
}

/// A record of any meta and payload whose header holds, so that the decoder sees them.
pub fn seal_record(meta: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut covered = (meta.len() as u32 | u32::from(KIND_TRANSACTION) << 24).to_le_bytes().to_vec();
    covered.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    covered.extend_from_slice(meta);
    let crc = crc32c::crc32c_append(SEED, &covered);
    [&crc.to_le_bytes(), &covered[..], payload].concat()
}

fn change(logged: Logged, segment: &[u8]) -> Change {
    let path = || StreamPath::new("-").expect("a valid path");
    match logged {
        Logged::Create { head, payload } => Change::Create { head, payload: payload_at(payload, segment) },
        Logged::Append { id, expected, mut delta, payload } => {
            delta.payload = payload_at(payload, segment);
            Change::Append { id, path: path(), expected, delta }
        }
        Logged::Forks { id, expected, by } => Change::Forks { id, path: path(), expected, by },
        Logged::SoftDelete { id, expected } => Change::SoftDelete { id, path: path(), expected },
        Logged::Remove { id, path, expected } => Change::Remove { id, path, expected },
        Logged::PutDocument { key, value } => Change::PutDocument { key, value },
        Logged::RemoveDocument { key } => Change::RemoveDocument { key },
    }
}

fn payload_at(placed: Placed, segment: &[u8]) -> Bytes {
    let start = placed.position as usize;
    let framed = &segment[start..start + framed_len(placed.len as usize)];
    framed.chunks(CHUNK_CRC_BYTES + CHUNK_BYTES).flat_map(|chunk| chunk[CHUNK_CRC_BYTES..].iter().copied()).collect()
}
