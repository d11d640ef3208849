//! Bounds of events; what each field must be is in `fixtures/sessions/rejected-events-name-the-field.json`.

use super::*;

fn parse(channel: Channel, data: &str) -> Result<Event, SessionError> {
    Event::parse(channel, serde_json::from_str(data).unwrap(), &SessionId::new("s").unwrap())
}

fn terminal(data: &str) -> String {
    format!(r#"{{"type":"output","source":"agent","data":"{data}"}}"#)
}

#[test]
fn an_event_of_64_kib_is_taken_and_one_byte_more_is_not() {
    let frame_len = terminal("").len();
    let fits = terminal(&"x".repeat(EVENT_BYTES_MAX - frame_len));
    assert!(parse(Channel::Terminal, &fits).is_ok());
    assert!(parse(Channel::Terminal, &fits.replace(',', " ,\n ")).is_ok(), "white space does not count");
    let error = parse(Channel::Terminal, &terminal(&"x".repeat(EVENT_BYTES_MAX - frame_len + 1))).unwrap_err();
    assert_eq!(error, SessionError::TooLarge { event: None, bytes: EVENT_BYTES_MAX + 1 });
}

#[test]
fn nesting_is_bounded() {
    let call = |depth: usize| {
        let input = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        parse(Channel::ToolCalls, &format!(r#"{{"input":{input}}}"#))
    };
    assert!(call(EVENT_DEPTH_MAX - 1).is_ok());
    assert_eq!(call(EVENT_DEPTH_MAX).unwrap_err().field_name(), Some("data"));
}

#[test]
fn a_field_given_twice_is_refused() {
    let error = parse(Channel::Chunks, r#"{"text":"a","text":"b"}"#).unwrap_err();
    assert_eq!((error.field_name(), error.to_string().as_str()), (Some("text"), "text is given twice"));
}

#[test]
fn what_not_every_reader_can_hold_is_refused() {
    for (data, field) in [(r#"{"text":"\ud83d"}"#, "text"), (r#"{"accumulated":"\ude00"}"#, "accumulated")] {
        assert_eq!(parse(Channel::Chunks, data).unwrap_err().field_name(), Some(field));
    }
    for input in [r#""\ud83d""#, "1e999", r#"[{"a":-1e999}]"#] {
        let error = parse(Channel::ToolCalls, &format!(r#"{{"input":{input}}}"#)).unwrap_err();
        assert_eq!(error.field_name(), Some("input"), "{input}");
    }
    assert_eq!(parse(Channel::Presence, r#"{"cursor":{"x":1e999,"y":0}}"#).unwrap_err().field_name(), Some("cursor.x"));
}

#[test]
fn numbers_and_escapes_stay_as_they_were_written() {
    let event = parse(Channel::ToolCalls, r#"{"input": [1.0, 12345678901234567890123, "\u00e9"], "duration": 0.10}"#);
    let event = event.unwrap();
    assert_eq!(event.get("input").unwrap().get(), r#"[1.0,12345678901234567890123,"\u00e9"]"#);
    assert_eq!(event.get("duration").unwrap().get(), "0.10");
}
