//! Server-sent events: any content, cut into any pages, parsed from any cuts, arrives as it was sent.
#![no_main]

use headwater_protocol::sse::{SseParser, complete_text_len, complete_utf8_len, decode_data, encode_data};
use headwater_protocol::{Framing, json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (page, cut, content) = (usize::from(input.0) + 1, usize::from(input.1) + 1, input.2);
    assert_eq!(received(Framing::Binary, content.chunks(page).map(<[u8]>::to_vec), cut), content);

    let text = String::from_utf8_lossy(content).replace("\r\n", "\n").replace('\r', "\n");
    let single = received(Framing::Text, [content.to_vec()].into_iter(), cut);
    assert_eq!(String::from_utf8_lossy(&single), text);
    if std::str::from_utf8(content).is_ok() {
        let paged = received(Framing::Text, text_pages(content, page).into_iter(), cut);
        assert_eq!(String::from_utf8_lossy(&paged), text);
    }

    if let Ok(framed) = json::frame(content) {
        let array = received(Framing::Json, [framed.bytes.to_vec()].into_iter(), cut);
        assert_eq!(json::frame(&array), Ok(framed));
    }
    parses_anything(content, cut);
});

/// Encodes the pages, parses what was encoded `cut` bytes at a time, and joins what the events carry.
fn received(framing: Framing, pages: impl Iterator<Item = Vec<u8>>, cut: usize) -> Vec<u8> {
    let mut parser = SseParser::default();
    let mut content = Vec::new();
    for page in pages {
        let encoded = encode_data(framing, &page);
        let events: Vec<_> =
            encoded.chunks(cut).flat_map(|bytes| parser.push(bytes).expect("events are small")).collect();
        assert_eq!(events.len(), 1, "a page is one event");
        assert_eq!(events[0].event, "data");
        content.extend_from_slice(&decode_data(framing, &events[0].data).expect("our own base64 decodes"));
    }
    content
}

/// Cuts text as the server does: never inside a character or a line break.
fn text_pages(text: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (mut pages, mut start, mut end) = (Vec::new(), 0, 0);
    while start < text.len() {
        end = text.len().min(end + size);
        let page = &text[start..end];
        assert!(page.len() - complete_utf8_len(page) <= 3);
        let len = if end == text.len() { page.len() } else { complete_text_len(page) };
        if len > 0 {
            pages.push(page[..len].to_vec());
            start += len;
        }
    }
    pages
}

fn parses_anything(bytes: &[u8], cut: usize) {
    let whole = SseParser::new(1024).push(bytes);
    let mut parser = SseParser::new(1024);
    let parts: Result<Vec<_>, _> = bytes.chunks(cut).map(|part| parser.push(part)).collect();
    if let (Ok(whole), Ok(parts)) = (whole, parts) {
        assert_eq!(whole, parts.concat());
    }
}
