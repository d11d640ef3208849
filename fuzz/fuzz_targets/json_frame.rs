//! JSON bodies: what is taken reads back as the same values, and every cut falls between messages.
#![no_main]

use headwater_protocol::json::{
    self, ArrayPage, Framed, InvalidJson, boundary_before, count_messages, is_boundary, skip_messages, wrap,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|body: &[u8]| {
    let well_formed = std::str::from_utf8(body).ok().filter(|text| serde_json::from_str::<&RawValue>(text).is_ok());
    match json::frame(body) {
        Ok(framed) => {
            assert!(well_formed.is_some(), "took malformed JSON");
            reads_back(body, &framed);
            cuts_between_messages(&framed);
            streams_in_chunks(&framed);
        }
        Err(InvalidJson::TooDeep) => assert!(well_formed.is_some() && body.len() > json_depth_max()),
        Err(InvalidJson::NotUtf8 { position }) => assert!(std::str::from_utf8(&body[..position]).is_ok()),
        Err(InvalidJson::Malformed { .. }) => assert!(well_formed.is_none(), "refused well-formed JSON"),
    }
});

fn json_depth_max() -> usize {
    headwater_protocol::limits::JSON_DEPTH_MAX
}

fn reads_back(body: &[u8], framed: &Framed) {
    let array = wrap(&framed.bytes);
    assert_eq!(json::frame(&array).as_ref(), Ok(framed), "framing an answer again changes nothing");
    // Lone surrogates and numbers out of range are kept as text but have no `Value`.
    if let Ok(sent) = serde_json::from_slice::<Value>(body) {
        let expected = if sent.is_array() { sent } else { Value::Array(vec![sent]) };
        assert_eq!(serde_json::from_slice::<Value>(&array).expect("the answer is JSON"), expected);
        assert_eq!(expected.as_array().map(Vec::len), Some(framed.messages));
    }
}

fn cuts_between_messages(framed: &Framed) {
    let stored = &framed.bytes;
    assert_eq!(count_messages(stored), framed.messages);
    assert!(is_boundary(stored, stored.len()));
    let mut end = 0;
    for count in 1..=framed.messages.min(64) {
        let next = skip_messages(stored, count as u64).expect("there are as many messages");
        assert!(is_boundary(stored, next) && boundary_before(stored, next) == next);
        assert_eq!(boundary_before(stored, next - 1), end);
        assert_eq!(json::frame(&wrap(&stored[end..next])).expect("a message is JSON").bytes, stored[end..next]);
        end = next;
    }
    assert_eq!(skip_messages(stored, framed.messages as u64 + 1), None);
}

fn streams_in_chunks(framed: &Framed) {
    let size = framed.messages % 7 + 1;
    let mut page = ArrayPage::new(framed.bytes.len() as u64);
    let mut array = ArrayPage::OPEN.to_vec();
    for start in (0..framed.bytes.len()).step_by(size) {
        let end = framed.bytes.len().min(start + size);
        array.extend_from_slice(&page.chunk(framed.bytes.slice(start..end)));
    }
    array.extend_from_slice(ArrayPage::CLOSE);
    assert_eq!(array.len() as u64, page.array_len());
    assert_eq!(array, wrap(&framed.bytes));
}
