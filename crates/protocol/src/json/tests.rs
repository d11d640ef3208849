//! The stored form: examples, and properties against `serde_json`'s own values.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn stored(body: &str) -> String {
    let framed = frame(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
    assert_eq!(count_messages(&framed.bytes), framed.messages);
    String::from_utf8(framed.bytes.to_vec()).unwrap()
}

#[test]
fn exactly_one_level_of_arrays_is_flattened() {
    assert_eq!(stored(r#"{"event":"created"}"#), "{\"event\":\"created\"},\n");
    assert_eq!(stored("[[1,2], [3,4]]"), "[1,2],\n[3,4],\n");
    assert_eq!(stored("[[[1,2,3]]]"), "[[1,2,3]],\n");
    assert_eq!(stored(" \"x\" "), "\"x\",\n");
    assert_eq!(stored("[null,[],\"[\"]"), "null,\n[],\n\"[\",\n");
}

#[test]
fn an_empty_array_has_no_messages() {
    for body in ["[]", " [ \n ] "] {
        assert_eq!(frame(body.as_bytes()), Ok(Framed { bytes: Bytes::new(), messages: 0 }));
    }
}

#[test]
fn source_text_is_kept_to_the_byte() {
    let message = r#"{"b":1.10,"a":12345678901234567890123,"b":-0.0e+05,"s":"\u00e9\/\ud800 é","t":1E400}"#;
    assert_eq!(stored(message), format!("{message},\n"));
    assert_eq!(stored(&format!("[ {message}\t,\r\n1 ]")), format!("{message},\n1,\n"));
}

#[test]
fn line_breaks_between_tokens_become_spaces() {
    assert_eq!(stored("{\n  \"a\":\r\n1\n}"), "{   \"a\":  1 },\n");
    assert_eq!(stored("[\n{\r}\n,\n2\n]\n"), "{ },\n2,\n");
}

#[test]
fn malformed_bodies_are_told_where_and_why() {
    let error = frame(b"[1,\n 2 3]").unwrap_err();
    assert_eq!(error, InvalidJson::Malformed { line: 2, column: 4, what: "expected `,` or `]`".into() });
    assert_eq!(frame(b"\"\xff\""), Err(InvalidJson::NotUtf8 { position: 1 }));
    for body in [
        "",
        " ",
        "{ invalid json }",
        "[",
        "]",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "1 2",
        "[] []",
        "[1]]",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "-",
        "NaN",
        "nul",
        "\"a\nb\"",
        "\"\u{1}\"",
        "\"\\x\"",
        "\"\\u12\"",
        "'a'",
        "\u{feff}1",
        "//",
        "\u{a0}1",
    ] {
        assert!(matches!(frame(body.as_bytes()), Err(InvalidJson::Malformed { .. })), "{body:?}");
    }
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn nesting_is_bounded_and_brackets_in_strings_do_not_nest() {
    // The outer array is flattened away.
    assert!(frame(nested(JSON_DEPTH_MAX + 1).as_bytes()).is_ok());
    assert_eq!(frame(nested(JSON_DEPTH_MAX + 2).as_bytes()), Err(InvalidJson::TooDeep));
    assert_eq!(frame(format!("[1,{}]", nested(JSON_DEPTH_MAX + 1)).as_bytes()), Err(InvalidJson::TooDeep));
    let quoted = format!(r#"["\\","{}\"{{[\\\"{{"]"#, "[".repeat(2000));
    assert_eq!(frame(quoted.as_bytes()).unwrap().messages, 2);
    let wide = format!("[[{}]]", vec!["[[]]"; 2000].join(","));
    assert_eq!(frame(wide.as_bytes()).unwrap().messages, 1);
}

#[test]
fn ten_mebibytes_of_brackets_are_refused_without_recursion() {
    let open = "[".repeat(10 << 20);
    assert!(matches!(frame(open.as_bytes()), Err(InvalidJson::Malformed { .. })));
    assert_eq!(frame(nested(5 << 20).as_bytes()), Err(InvalidJson::TooDeep));
    let objects = "{\"a\":".repeat(1 << 20);
    assert!(matches!(frame(objects.as_bytes()), Err(InvalidJson::Malformed { .. })));
}

#[test]
fn boundaries_lie_after_whole_messages() {
    let bytes = b"1,\n22,\n333,\n";
    let boundaries: Vec<usize> = (0..=bytes.len()).filter(|&at| is_boundary(bytes, at)).collect();
    assert_eq!(boundaries, [0, 3, 7, 12]);
    assert!(!is_boundary(bytes, 13));
    for (limit, end) in [(0, 0), (2, 0), (3, 3), (6, 3), (7, 7), (11, 7), (12, 12), (99, 12)] {
        assert_eq!(boundary_before(bytes, limit), end, "{limit}");
    }
    for (count, end) in [(0, Some(0)), (1, Some(3)), (3, Some(12)), (4, None), (u64::MAX, None)] {
        assert_eq!(skip_messages(bytes, count), end, "{count}");
    }
}

#[test]
fn an_empty_page_is_an_empty_array() {
    assert_eq!(wrap(b""), "[]");
    let mut page = ArrayPage::new(0);
    assert_eq!(page.array_len(), 2);
    assert!(page.chunk(Bytes::new()).is_empty());
}

/// JSON source texts with white space anywhere it may stand.
fn source() -> impl Strategy<Value = String> {
    let space = || prop::sample::select(vec!["", "", " ", "\n", "\r\n", "\t"]);
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "true", "-0", "1e5", "123456789012345678901", "\"\\ud83d\"", "\"\\\\\""])
            .prop_map(String::from),
        any::<f64>().prop_filter("JSON has no infinities", |n| n.is_finite()).prop_map(|n| n.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    let tree = leaf.prop_recursive(4, 40, 5, move |inner| {
        let item = (space(), inner, space()).prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        let field = (space(), "[a-z\\[{]{0,3}", space(), item.clone())
            .prop_map(|(before, key, after, value)| format!("{before}\"{key}\"{after}:{value}"));
        prop_oneof![
            prop::collection::vec(item, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(field, 0..5).prop_map(|fields| format!("{{{}}}", fields.join(","))),
        ]
    });
    (space(), tree, space()).prop_map(|(before, value, after)| format!("{before}{value}{after}"))
}

/// Values that hold lone surrogates cannot be parsed back, so they are compared as text instead.
fn parse(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok()
}

proptest! {
    #[test]
    fn a_framed_body_reads_back_as_the_same_values(body in source()) {
        let framed = frame(body.as_bytes()).unwrap();
        let array = wrap(&framed.bytes);
        let Some(sent) = parse(body.as_bytes()) else {
            prop_assert!(body.contains("ud83d"));
            return Ok(());
        };
        let expected = if sent.is_array() { sent } else { Value::Array(vec![sent]) };
        prop_assert_eq!(expected.as_array().unwrap().len(), framed.messages);
        prop_assert_eq!(parse(&array), Some(expected));
        prop_assert_eq!(frame(&array).unwrap(), framed);
    }

    #[test]
    fn every_message_lies_on_one_line_without_white_space_around(body in source()) {
        let framed = frame(body.as_bytes()).unwrap();
        let text = std::str::from_utf8(&framed.bytes).unwrap();
        prop_assert!(!text.contains('\r'));
        for line in text.split_terminator('\n') {
            let message = line.strip_suffix(',').unwrap();
            prop_assert_eq!(message, message.trim_ascii());
            prop_assert_eq!(frame(format!("[{message}]").as_bytes()).unwrap().bytes, format!("{line}\n"));
        }
    }

    #[test]
    fn arbitrary_bytes_are_taken_only_when_serde_json_takes_them(body in any::<Vec<u8>>()) {
        let valid = serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
        prop_assert_eq!(frame(&body).is_ok(), valid && std::str::from_utf8(&body).is_ok());
    }

    #[test]
    fn pages_in_chunks_make_the_same_array(bodies in prop::collection::vec(source(), 0..4), cut in 1..9_usize) {
        let stored: Vec<u8> = bodies.iter().flat_map(|body| frame(body.as_bytes()).unwrap().bytes).collect();
        let mut page = ArrayPage::new(stored.len() as u64);
        let mut array = ArrayPage::OPEN.to_vec();
        for chunk in stored.chunks(cut) {
            array.extend_from_slice(&page.chunk(Bytes::copy_from_slice(chunk)));
        }
        array.extend_from_slice(ArrayPage::CLOSE);
        prop_assert_eq!(array.len() as u64, page.array_len());
        prop_assert_eq!(Bytes::from(array), wrap(&stored));
    }
}
