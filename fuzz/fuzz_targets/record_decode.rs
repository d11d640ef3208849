//! Journal records: any bytes are decoded or refused in little memory, and what is decoded is written back the same.
#![no_main]

use std::alloc::System;

use cap::Cap;
use headwater_storage::fuzzing::{Decoded, decode_record, encode_transaction, seal_record};
use libfuzzer_sys::fuzz_target;

/// What decoding may take; a length that is believed before it is checked takes more.
const MEMORY_BYTES_MAX: usize = 8 * 1024 * 1024;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fuzz_target!(|input: (u16, &[u8])| {
    let (payload_len, bytes) = (usize::from(input.0), input.1);
    ALLOCATOR.set_limit(ALLOCATOR.allocated() + MEMORY_BYTES_MAX).expect("more than is allocated");
    drop(decode_record(bytes));
    let (meta, payload) = bytes.split_at(bytes.len().saturating_sub(payload_len));
    for record in [seal_record(meta, payload), seal_record(bytes, &[])] {
        if let Some(Decoded { transaction, .. }) = decode_record(&record) {
            let again = decode_record(&encode_transaction(&transaction)).expect("what we write can be read");
            assert!(again.is_whole);
            assert_eq!(again.transaction, transaction);
        }
    }
    ALLOCATOR.set_limit(usize::MAX).expect("nothing is above it");
});
