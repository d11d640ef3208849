//! Requests on an HTTP/1.1 connection: no bytes make the parser panic, and how they were cut into reads never changes
//! what they mean.
#![no_main]

use headwater_server::fuzzing::understand;
use libfuzzer_sys::fuzz_target;

const HEAD_BYTES_MAX: usize = 2048;

fuzz_target!(|input: (&[u8], &[u8])| {
    let (bytes, reads) = input;
    let whole = understand(bytes, &[], HEAD_BYTES_MAX);
    let cut = understand(bytes, reads, HEAD_BYTES_MAX);
    let taken: usize = whole.requests.iter().map(|(.., body)| body.len()).sum();
    assert!(taken <= bytes.len(), "a body is no longer than what was sent");
    // A head that is too long may be noticed before or after its mistake.
    if whole.refusal != Some("head_too_large") && cut.refusal != Some("head_too_large") {
        assert_eq!(whole, cut);
    }
});
