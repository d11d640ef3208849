use serde_json::json;

use crate::api::{Api, chunk, is, refusal};
use crate::support::Response;

fn stamped(api: &Api, session: &str, epoch: &str, seq: &str, text: &str) -> Response {
    let headers = [("producer-id", "loop"), ("producer-epoch", epoch), ("producer-seq", seq)];
    let event = json!({ "channel": "chunks", "data": chunk(text) });
    api.call_with("POST", &format!("streams?sessionId={session}"), &headers, &event)
}

#[test]
fn a_producers_repeated_request_is_a_duplicate() {
    let api = Api::start();
    let id = api.session();
    let first = stamped(&api, &id, "0", "0", "a");
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!((first.header("producer-epoch"), first.header("producer-seq")), (Some("0"), Some("0")));
    let again = stamped(&api, &id, "0", "0", "a").json();
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["offset"], first.json()["offset"]);
    assert_eq!(stamped(&api, &id, "0", "1", "b").json().get("duplicate"), None);
    assert_eq!(api.log(&id).len(), 2);
}

#[test]
fn a_gap_a_stale_epoch_and_a_wrong_start_are_refused_as_in_streams() {
    let api = Api::start();
    let id = api.session();
    stamped(&api, &id, "0", "0", "a");
    let gap = stamped(&api, &id, "0", "2", "b");
    assert_eq!(refusal(&gap), is(409, "PRODUCER_GAP"));
    assert_eq!(gap.header("producer-expected-seq"), Some("1"));
    assert_eq!(gap.header("producer-received-seq"), Some("2"));
    assert_eq!(refusal(&stamped(&api, &id, "1", "1", "b")), is(400, "PRODUCER_GAP"));
    stamped(&api, &id, "1", "0", "b");
    let stale = stamped(&api, &id, "0", "1", "c");
    assert_eq!(refusal(&stale), is(403, "PRODUCER_FENCED"));
    assert_eq!(stale.header("producer-epoch"), Some("1"));
    assert_eq!(api.log(&id).len(), 2);
}

#[test]
fn producer_headers_come_together_or_not_at_all() {
    let api = Api::start();
    let id = api.session();
    let event = json!({ "channel": "chunks", "data": chunk("a") });
    let response = api.call_with("POST", &format!("streams?sessionId={id}"), &[("producer-id", "loop")], &event);
    assert_eq!(refusal(&response), is(400, "INVALID_PRODUCER"));
    assert_eq!(api.log(&id).len(), 0);
}

#[test]
fn events_in_flight_on_one_connection_keep_their_order() {
    in_flight(|_| String::new());
}

#[test]
fn a_producers_events_in_flight_on_one_connection_keep_their_order() {
    in_flight(|seq| format!("producer-id: loop\r\nproducer-epoch: 0\r\nproducer-seq: {seq}\r\n"));
}

/// Sends many events without waiting for answers to a session that is not in memory yet.
fn in_flight(headers: impl Fn(u64) -> String) {
    let api = Api::start();
    let id = api.session();
    let mut connection = api.server.connect();
    let mut bytes = Vec::new();
    for seq in 0..200 {
        let body = json!({ "channel": "chunks", "data": chunk(&format!("{seq};")) }).to_string();
        let head = format!("POST /api/streams?sessionId={id} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json");
        let request = format!("{head}\r\n{}content-length: {}\r\n\r\n{body}", headers(seq), body.len());
        bytes.extend_from_slice(request.as_bytes());
    }
    connection.write(&bytes);
    for seq in 0..200 {
        let answer = connection.response_to("POST");
        assert_eq!((answer.status, &answer.json()["seq"]), (200, &json!(seq + 1)), "{answer:?}");
    }
    let messages = api.get(&format!("sessions/{id}/messages"));
    let expected: String = (0..200).map(|seq| format!("{seq};")).collect();
    assert_eq!(messages["messages"][0]["text"], expected);
}
