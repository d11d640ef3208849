//! Encoding: examples, and the round trip through the parser.

use proptest::prelude::*;

use super::*;
use crate::json;

fn encoded(framing: Framing, stored: impl AsRef<[u8]>) -> String {
    String::from_utf8(encode_data(framing, stored.as_ref()).to_vec()).unwrap()
}

/// The payload of the only event in `bytes`.
fn payload(bytes: &[u8]) -> String {
    let mut events = SseParser::default().push(bytes).unwrap();
    let event = events.pop().unwrap();
    assert!(events.is_empty() && event.event == DATA_EVENT, "{events:?}");
    event.data
}

#[test]
fn text_lines_end_at_every_kind_of_line_break() {
    assert_eq!(
        encoded(Framing::Text, "line1\nline2\r\nline3\rline4"),
        "event: data\ndata:line1\ndata:line2\ndata:line3\ndata:line4\n\n"
    );
    assert_eq!(encoded(Framing::Text, "\r\r\n\n"), "event: data\ndata:\ndata:\ndata:\ndata:\n\n");
    assert_eq!(encoded(Framing::Text, ""), "event: data\ndata:\n\n");
}

#[test]
fn nothing_in_a_line_is_mistaken_for_syntax() {
    let text = "\u{feff}a\n  two\n\tb\n: c\nevent: control\ndata: {\"x\":1}\n\nid\0";
    assert_eq!(payload(&encode_data(Framing::Text, text.as_bytes())), text);
    assert!(encoded(Framing::Text, " a\nb").contains("data:  a\ndata:b\n"));
}

#[test]
fn json_is_one_array_over_several_lines() {
    let stored = json::frame(br#"[{"n":1}, "a\nb", [3]]"#).unwrap().bytes;
    assert_eq!(encoded(Framing::Json, &stored), "event: data\ndata:[{\"n\":1},\ndata:\"a\\nb\",\ndata:[3]]\n\n");
    assert_eq!(encoded(Framing::Json, ""), "event: data\ndata:[]\n\n");
}

#[test]
fn json_in_pieces_is_the_same_event() {
    let stored = json::frame(b"[1,{\"a\":\"b\"},[2],3]").unwrap().bytes;
    let whole = encode_data(Framing::Json, &stored);
    let ends: Vec<usize> =
        stored.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for cut in ends {
        let mut event = JsonEventPieces::default();
        let mut pieces: Vec<u8> = event.piece(&stored[..cut]).to_vec();
        if cut < stored.len() {
            pieces.extend_from_slice(&event.piece(&stored[cut..]));
        }
        pieces.extend_from_slice(&event.end());
        assert_eq!(pieces, whole, "cut at {cut}");
    }
    assert_eq!(JsonEventPieces::default().end(), encode_data(Framing::Json, b""));
}

#[test]
fn binary_is_base64_on_one_line() {
    assert_eq!(encoded(Framing::Binary, [0, 1, 2, 255]), "event: data\ndata:AAEC/w==\n\n");
    assert_eq!(encoded(Framing::Binary, ""), "event: data\ndata:\n\n");
    assert_eq!(decode_data(Framing::Binary, "AAEC\n/w=\r\n=").unwrap(), [0, 1, 2, 255].as_slice());
    assert_eq!(decode_data(Framing::Binary, "AAEC/w"), Err(InvalidBase64));
}

#[test]
fn a_page_is_cut_before_an_unfinished_character() {
    for (text, len) in [
        (&b""[..], 0),
        (b"abc", 3),
        (b"ab\xc3", 2),
        (b"\xf0\x9f\x98", 0),
        (b"a\xf0\x9f", 1),
        (b"a\xf0", 1),
        ("a\u{1f600}".as_bytes(), 5),
        ("é".as_bytes(), 2),
        // Nothing that follows could make these a character.
        (b"a\xff", 2),
        (b"\xe0\x80", 2),
        (b"\x80\x80\x80\x80", 4),
        (b"\xc3\xc3\xa9", 3),
        (b"\xff\xc3", 1),
    ] {
        assert_eq!(complete_utf8_len(text), len, "{text:x?}");
    }
    assert_eq!(encoded(Framing::Text, b"a\xff\xc3"), "event: data\ndata:a\u{fffd}\u{fffd}\n\n");
}

#[test]
fn a_page_with_more_to_come_is_cut_before_a_last_carriage_return() {
    assert_eq!(complete_text_len(b"a\r"), 1);
    assert_eq!(complete_text_len(b"a\r\n"), 3);
    assert_eq!(complete_text_len(b"a\r\xc3"), 2);
    assert_eq!(complete_text_len(b""), 0);
}

#[test]
fn control_events_say_where_the_reader_is() {
    let cursor = Cursor::at(crate::CURSOR_EPOCH_MS + 60_000, None, 1);
    let encoded = |reach| String::from_utf8(Control { next: Offset::new(17), reach }.encode().to_vec()).unwrap();
    assert_eq!(
        encoded(Reach::Behind(cursor)),
        "event: control\ndata:{\"streamNextOffset\":\"0000000000000000_0000000000000017\",\"streamCursor\":\"3\"}\n\n"
    );
    let at_tail = encoded(Reach::UpToDate(cursor));
    assert!(at_tail.ends_with(",\"streamCursor\":\"3\",\"upToDate\":true}\n\n"), "{at_tail}");
    let closed = encoded(Reach::Closed);
    assert!(closed.ends_with("\",\"upToDate\":true,\"streamClosed\":true}\n\n"), "{closed}");

    let event = SseParser::default().push(closed.as_bytes()).unwrap().remove(0);
    assert_eq!(event.event, CONTROL_EVENT);
    let received: ReceivedControl = serde_json::from_str(&event.data).unwrap();
    let expected = ReceivedControl {
        stream_next_offset: Offset::new(17).to_string(),
        stream_cursor: None,
        up_to_date: true,
        stream_closed: true,
    };
    assert_eq!(received, expected);
}

/// Texts with many line breaks, spaces, field names and wide characters.
fn text() -> impl Strategy<Value = String> {
    "(\r|\n|\r\n| |:|data|event: x|é|\u{1f600}|\u{feff}|\0|[a-z]){0,40}"
}

proptest! {
    #[test]
    fn text_arrives_with_only_its_line_breaks_changed(text in text()) {
        let expected = text.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(payload(&encode_data(Framing::Text, text.as_bytes())), expected);
    }

    #[test]
    fn text_cut_anywhere_into_pages_arrives_whole(text in text(), cut in 1..9_usize) {
        let bytes = text.as_bytes();
        let (mut received, mut start, mut end) = (String::new(), 0, 0);
        while start < bytes.len() {
            end = (end + cut).min(bytes.len());
            let page = &bytes[start..end];
            let len = if end == bytes.len() { page.len() } else { complete_text_len(page) };
            if len > 0 {
                received += &payload(&encode_data(Framing::Text, &page[..len]));
                start += len;
            }
        }
        prop_assert_eq!(received, text.replace("\r\n", "\n").replace('\r', "\n"));
    }

    #[test]
    fn any_bytes_held_back_are_at_most_three_and_never_valid(bytes in any::<Vec<u8>>()) {
        let len = complete_utf8_len(&bytes);
        prop_assert!(bytes.len() - len <= 3);
        prop_assert!(len == bytes.len() || std::str::from_utf8(&bytes[len..]).is_err());
    }

    #[test]
    fn binary_arrives_as_it_was(bytes in any::<Vec<u8>>()) {
        let data = payload(&encode_data(Framing::Binary, &bytes));
        prop_assert_eq!(decode_data(Framing::Binary, &data).unwrap(), bytes);
    }

    #[test]
    fn buffers_are_sized_once(text in text()) {
        let lines = text.matches(['\r', '\n']).count() + 1;
        prop_assert!(encode_text(&text).capacity() <= text.len() + 6 * lines + 17);
        let stored = json::frame(format!("[{},2]", serde_json::to_string(&text).unwrap()).as_bytes()).unwrap().bytes;
        let event = encode_json(&stored);
        prop_assert!(event.capacity() <= event.len() + 1);
    }
}
