//! Bodies against the protocol's examples, and what normalising and checking mean.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Offset;
use crate::limits::*;

fn config(body: &Value) -> Result<SubscriptionConfig, InvalidSubscription> {
    SubscriptionConfig::from_json(body.to_string().as_bytes())
}

fn webhook() -> Value {
    json!({
        "type": "webhook", "pattern": "events/*", "streams": ["events/manual-b", "events/manual-a"],
        "webhook": { "url": "https://worker.example/hooks" }, "lease_ttl_ms": 30000, "description": "event processor"
    })
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

#[test]
fn requests_that_mean_the_same_are_equal() {
    let expected = config(&webhook()).unwrap();
    let same = with(webhook(), "streams", json!(["/events/manual-a", "events/manual-b/", "events/manual-a"]));
    let same = with(with(same, "pattern", json!("/events/*")), "wake_stream", Value::Null);
    let mut same = with(same, "unknown", json!(1));
    same.as_object_mut().unwrap().remove("lease_ttl_ms");
    assert_eq!(config(&same).unwrap(), expected);
    assert_eq!(config(&same).unwrap().fingerprint(), expected.fingerprint());
}

#[test]
fn every_part_of_a_request_tells_configurations_apart() {
    let original = config(&webhook()).unwrap();
    for (field, value) in [
        ("pattern", json!("events/**")),
        ("pattern", Value::Null),
        ("streams", json!(["events/manual-a"])),
        ("webhook", json!({ "url": "https://worker.example/other" })),
        ("lease_ttl_ms", json!(30001)),
        ("description", Value::Null),
        ("description", json!("")),
    ] {
        let other = config(&with(webhook(), field, value)).unwrap();
        assert_ne!(other, original, "{field}");
        assert_ne!(other.fingerprint(), original.fingerprint(), "{field}");
    }
}

#[test]
fn a_stored_configuration_reads_back_the_same_and_its_fingerprint_never_changes() {
    let pull = config(&json!({ "type": "pull-wake", "pattern": "a/**", "wake_stream": "/wake/pool" })).unwrap();
    assert_eq!(pull.lease_ttl_ms, LEASE_TTL_MS_DEFAULT);
    let stored = serde_json::to_string(&pull).unwrap();
    assert_eq!(
        stored,
        r#"{"type":"pull-wake","pattern":"a/**","streams":[],"webhook":null,"wake_stream":"wake/pool","lease_ttl_ms":30000,"description":null}"#
    );
    assert_eq!(serde_json::from_str::<SubscriptionConfig>(&stored).unwrap(), pull);
    assert_eq!(pull.fingerprint(), "1b198d9e45358abfa12dc30879ae801975f2bb920016bd786ca19d018a39d43b");
}

#[test]
fn requests_that_cannot_be_are_refused_with_a_reason() {
    let long = |bytes: usize| json!("x".repeat(bytes));
    let many = json!(vec!["a"; SUBSCRIPTION_STREAMS_PER_REQUEST_MAX + 1]);
    for (field, value, reason) in [
        ("type", json!("email"), "unknown variant `email`"),
        ("type", Value::Null, "request body"),
        ("pattern", json!(7), "invalid type: integer `7`, expected a string"),
        ("pattern", json!("a//b"), "pattern has an empty"),
        ("streams", json!(["a", ""]), "stream path is empty"),
        ("streams", json!(["a/../b"]), "\"a/../b\": stream path has"),
        ("streams", json!(["__ds/x"]), "reserved"),
        ("streams", json!([1]), "expected a string"),
        ("streams", many, "1001 streams in one request"),
        ("webhook", Value::Null, "require webhook.url"),
        ("webhook", json!({ "url": "" }), "require webhook.url"),
        ("webhook", json!({ "url": "x".repeat(WEBHOOK_URL_BYTES_MAX + 1) }), "require webhook.url"),
        ("lease_ttl_ms", json!(999), "must be 1000 to 600000"),
        ("lease_ttl_ms", json!(600_001), "must be 1000 to 600000"),
        ("lease_ttl_ms", json!(-1), "integer `-1`"),
        ("lease_ttl_ms", json!(1000.5), "1000.5"),
        ("description", long(SUBSCRIPTION_DESCRIPTION_BYTES_MAX + 1), "description has 1025 bytes"),
    ] {
        let error = config(&with(webhook(), field, value)).unwrap_err().to_string();
        assert!(error.contains(reason), "{field}: {error}");
    }
    assert_eq!(config(&json!({ "type": "pull-wake", "pattern": "a" })), Err(InvalidSubscription::WakeStream));
    let unlinked = json!({ "type": "pull-wake", "pattern": "", "streams": [], "wake_stream": "w" });
    assert_eq!(config(&unlinked), Err(InvalidSubscription::NothingLinked));
    for body in ["", "null", "[]", "[\"webhook\"]", "{", "\u{0}"] {
        assert!(SubscriptionConfig::from_json(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn a_view_has_the_protocols_shape() {
    let links = vec![StreamLink {
        path: StreamPath::new("events/abc").unwrap(),
        link_type: LinkType::Glob,
        acked_offset: Offset::new(66),
    }];
    let signing =
        Signing { alg: "ed25519".into(), kid: "ds_abc123".into(), jwks_url: "https://s/__ds/jwks.json".into() };
    let state = SubscriptionState {
        streams: links,
        signing: Some(signing),
        created_at_ms: 1_778_284_800_000,
        status: SubscriptionStatus::Active,
    };
    let view = config(&webhook()).unwrap().view(&SubscriptionId::new("sub-1").unwrap(), state);
    assert_eq!(
        serde_json::to_value(&view).unwrap(),
        json!({
            "id": "sub-1", "subscription_id": "sub-1", "type": "webhook", "pattern": "events/*",
            "streams": [{ "path": "events/abc", "link_type": "glob", "acked_offset": "0000000000000000_0000000000000066" }],
            "webhook": {
                "url": "https://worker.example/hooks",
                "signing": { "alg": "ed25519", "kid": "ds_abc123", "jwks_url": "https://s/__ds/jwks.json" }
            },
            "wake_stream": null, "lease_ttl_ms": 30000, "created_at": "2026-05-09T00:00:00.000Z",
            "status": "active", "description": "event processor"
        })
    );
}

#[test]
fn wakes_have_the_protocols_shape() {
    let id = SubscriptionId::new("sub-1").unwrap();
    let path = StreamPath::new("events/abc").unwrap();
    let snapshot = StreamSnapshot::new(path.clone(), LinkType::Explicit, Offset::START, Offset::new(1));
    assert!(snapshot.has_pending);
    assert!(!StreamSnapshot::new(path.clone(), LinkType::Glob, Offset::new(1), Offset::new(1)).has_pending);
    let notification = WakeNotification {
        subscription_id: id.clone(),
        wake_id: WakeId::new("w_abc123"),
        generation: Generation(6).next(),
        streams: vec![snapshot],
        callback_url: "https://s/cb".into(),
        callback_token: "t".into(),
    };
    assert_eq!(
        serde_json::to_value(&notification).unwrap(),
        json!({
            "subscription_id": "sub-1", "wake_id": "w_abc123", "generation": 7,
            "streams": [{
                "path": "events/abc", "link_type": "explicit", "acked_offset": "0000000000000000_0000000000000000",
                "tail_offset": "0000000000000000_0000000000000001", "has_pending": true
            }],
            "callback_url": "https://s/cb", "callback_token": "t"
        })
    );
    let event = WakeEvent {
        event_type: WakeEventType::Wake,
        subscription_id: id,
        stream: path,
        generation: Generation(7),
        ts_ms: 1_778_324_210_000,
    };
    let expected =
        r#"{"type":"wake","subscription_id":"sub-1","stream":"events/abc","generation":7,"ts":1778324210000}"#;
    assert_eq!(serde_json::to_string(&event).unwrap(), expected);
    assert_eq!(WebhookAnswer::from_body(br#"{"done":true,"x":1}"#), WebhookAnswer::Done);
    for body in ["", "ok", "{}", "{\"done\":false}", "{\"done\":\"true\"}", "[true]", "true"] {
        assert_eq!(WebhookAnswer::from_body(body.as_bytes()), WebhookAnswer::Accepted, "{body}");
    }
}

#[test]
fn acks_are_checked_after_the_fence() {
    let body =
        br#"{"wake_id":"w","generation":7,"acks":[{"stream":"/a/b/","offset":"0000000000000000_0000000000000017"},
        {"path":"a","offset":"-1"},{"stream":"","offset":"0000000000000000_0000000000000017"}]}"#;
    let request: AckRequest = parse_body(body).unwrap();
    assert_eq!((request.generation, request.done), (Generation(7), false));
    let positions: Vec<_> = request.acks.iter().map(Ack::position).collect();
    assert_eq!(positions[0], Ok((StreamPath::new("a/b").unwrap(), Offset::new(17))));
    assert_eq!(positions[1], Err(InvalidAck::Offset(crate::InvalidOffset)));
    assert_eq!(positions[2], Err(InvalidAck::Stream(InvalidPath::Empty)));
    for body in ["{}", "{\"wake_id\":\"w\"}", "{\"wake_id\":\"w\",\"generation\":-1}", "[\"w\",7]", "7"] {
        assert!(parse_body::<AckRequest>(body.as_bytes()).is_err(), "{body}");
        assert!(parse_body::<ReleaseRequest>(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn workers_and_streams_are_named() {
    assert_eq!(parse_body::<ClaimRequest>(br#"{"worker":"worker-1"}"#).unwrap().worker.as_str(), "worker-1");
    for body in ["{}", "{\"worker\":\"\"}", "{\"worker\":7}", "{\"worker\":\"a\\u0000\"}"] {
        assert!(parse_body::<ClaimRequest>(body.as_bytes()).is_err(), "{body}");
    }
    let request: StreamsRequest = parse_body(br#"{"streams":["b","/a","b/"]}"#).unwrap();
    assert_eq!(request.paths().unwrap().iter().map(StreamPath::as_str).collect::<Vec<_>>(), ["a", "b"]);
    for text in ["", ".", "..", "a/b", "a\n", &"x".repeat(SUBSCRIPTION_ID_BYTES_MAX + 1)] {
        assert_eq!(SubscriptionId::new(text), Err(InvalidSubscriptionId), "{text:?}");
    }
}

#[test]
fn refusals_have_the_protocols_shape() {
    assert_eq!(serde_json::to_string(&ErrorBody::new(ErrorCode::Fenced)).unwrap(), r#"{"error":{"code":"FENCED"}}"#);
    let holder = WorkerName::try_from("worker-2".to_owned()).unwrap();
    assert_eq!(
        serde_json::to_value(ErrorBody::already_claimed(holder, Generation(7))).unwrap(),
        json!({ "error": { "code": "ALREADY_CLAIMED", "current_holder": "worker-2", "generation": 7 } })
    );
    let refused = serde_json::to_value(ErrorBody::because(ErrorCode::WebhookUrlRejected, "no")).unwrap();
    assert_eq!(refused, json!({ "error": { "code": "WEBHOOK_URL_REJECTED", "message": "no" } }));
}

#[test]
fn keys_are_named_by_their_thumbprint() {
    // The key and thumbprint of RFC 8037, appendix A.3.
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let public_key: Vec<u8> = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, x).unwrap();
    let key = Jwk::ed25519(&public_key.try_into().unwrap());
    assert_eq!(
        serde_json::to_value(&key).unwrap(),
        json!({
            "kty": "OKP", "crv": "Ed25519", "kid": "ds_kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            "use": "sig", "alg": "EdDSA", "x": x
        })
    );
}

#[test]
fn signatures_read_back_and_cover_timestamp_and_body() {
    let signature = WebhookSignature { timestamp_seconds: 17, kid: "ds_a".into(), signature: [7; 64] };
    let text = signature.to_string();
    assert!(text.starts_with("t=17,kid=ds_a,ed25519=BwcH") && !text.contains(['+', '/', ' ']));
    assert_eq!(text.parse(), Ok(signature));
    assert_eq!(WebhookSignature::signed_bytes(17, b"{}"), b"17.{}");
    for text in ["", "t=17", "t=+17,kid=a,ed25519=", "t=17,kid=,ed25519=BwcH", "t=17,kid=a,ed25519=BwcH"] {
        assert_eq!(text.parse::<WebhookSignature>(), Err(InvalidSignature), "{text}");
    }
}

proptest! {
    #[test]
    fn every_configuration_survives_being_stored(
        pattern in prop::option::of("[a-z*]{1,5}(/[a-z*]{1,5}){0,3}"), streams in prop::collection::vec("[a-z/]{0,6}", 0..4),
        pull in any::<bool>(), lease in prop::option::of(0..700_000_u64), description in prop::option::of(".{0,9}"),
    ) {
        let kind = if pull { "pull-wake" } else { "webhook" };
        let body = json!({
            "type": kind, "pattern": pattern, "streams": streams, "webhook": { "url": "https://x" }, "wake_stream": "w",
            "lease_ttl_ms": lease, "description": description,
        });
        if let Ok(config) = config(&body) {
            let stored = serde_json::to_vec(&config).unwrap();
            prop_assert_eq!(SubscriptionConfig::from_json(&stored).unwrap(), config);
        }
    }
}
