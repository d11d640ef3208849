//! Numbers in seven-bit groups, lowest first; the high bit says that more follow.

/// Most bytes of a number.
pub(super) const VARINT_BYTES_MAX: usize = 10;

/// Appends `number`.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number off the front; `None` when it is cut short or longer than 64 bits.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for index in 0..VARINT_BYTES_MAX {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let group = u64::from(byte & 0x7f);
        if index == VARINT_BYTES_MAX - 1 && group > 1 {
            return None;
        }
        number |= group << (7 * index);
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Small for numbers near zero of either sign.
pub(super) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
