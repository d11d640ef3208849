//! Words of a request: no text makes a parser panic, and what is taken prints back to something that means the same.
#![no_main]

use headwater_protocol::subscription::{
    AckRequest, ClaimRequest, StreamsRequest, SubscriptionConfig, SubscriptionId, WebhookAnswer, WebhookSignature,
    parse_body,
};
use headwater_protocol::{
    ContentType, Cursor, ETag, Epoch, Glob, Lifetime, Offset, ProducerId, ReadFrom, StreamPath, StreamSeq, header,
    if_none_match, path_from_url, path_to_url, segment_from_url, segment_to_url,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, u64)| {
    let (text, other, number) = input;
    offsets_and_numbers(text);
    lifetimes(text);
    names(text, other);
    caching(text, other, number);
    subscription_bodies(text);
});

fn offsets_and_numbers(text: &str) {
    if let Ok(offset) = text.parse::<Offset>() {
        assert_eq!(offset.to_string(), text);
        assert_eq!(text.parse(), Ok(ReadFrom::At(offset)));
    }
    if let Ok(epoch) = text.parse::<Epoch>() {
        assert_eq!(epoch.to_string().parse(), Ok(epoch));
    }
    assert_eq!(header::is_true(text), text.to_ascii_lowercase() == "true");
    let _ = StreamSeq::new(text.as_bytes());
}

fn lifetimes(text: &str) {
    if let Ok(Lifetime::Sliding(ttl)) = Lifetime::parse_ttl(text) {
        assert_eq!(ttl.0.to_string(), text);
    }
    if let Ok(lifetime) = Lifetime::parse_expires_at(text) {
        let printed = lifetime.expires_at_text().expect("a fixed time prints");
        assert_eq!(Lifetime::parse_expires_at(&printed), Ok(lifetime), "{printed}");
    }
}

fn names(text: &str, other: &str) {
    if let Ok(path) = StreamPath::new(text) {
        assert_eq!(path_from_url(&path_to_url(&path)), Ok(path.clone()));
        if let Ok(glob) = Glob::new(other) {
            assert!(!glob.matches(&path) || path.as_str().starts_with(glob.literal_prefix()));
        }
        if !text.contains('*') {
            assert!(Glob::new(text).expect("a path is a pattern").matches(&path));
        }
        let everything = Glob::new("**").expect("a pattern");
        assert!(everything.matches(&path));
    }
    if let Ok(path) = path_from_url(text) {
        assert_eq!(path_from_url(&path_to_url(&path)), Ok(path));
    }
    assert_eq!(segment_from_url(&segment_to_url(text)).as_deref(), Some(text));
    if let Ok(content_type) = ContentType::new(text) {
        assert_eq!(ContentType::new(content_type.as_str()), Ok(content_type));
    }
    if let Ok(id) = ProducerId::new(text) {
        assert_eq!(id.as_str(), text);
    }
    if let Ok(id) = SubscriptionId::new(text) {
        assert_eq!(id.as_str(), text);
    }
}

fn caching(text: &str, other: &str, number: u64) {
    let current = Cursor::at(number, None, 1);
    let answer = Cursor::at(number, Some(text), 1);
    assert!(answer >= current);
    let tag = ETag::new(number, Offset::new(number), Offset::new(number), text.is_empty());
    let line = tag.to_string();
    assert!(if_none_match([text.as_bytes(), line.as_bytes(), other.as_bytes()], &tag));
    if !text.contains('"') && !text.contains('*') {
        assert!(!if_none_match([text.as_bytes()], &tag), "a tag has quotes");
    }
}

fn subscription_bodies(text: &str) {
    let body = text.as_bytes();
    if let Ok(config) = SubscriptionConfig::from_json(body) {
        let stored = serde_json::to_vec(&config).expect("a configuration is plain JSON");
        assert_eq!(SubscriptionConfig::from_json(&stored), Ok(config));
    }
    if let Ok(request) = parse_body::<AckRequest>(body) {
        request.acks.iter().for_each(|ack| drop(ack.position()));
    }
    if let Ok(request) = parse_body::<StreamsRequest>(body) {
        drop(request.paths());
    }
    drop(parse_body::<ClaimRequest>(body));
    let _ = WebhookAnswer::from_body(body);
    if let Ok(signature) = text.parse::<WebhookSignature>() {
        assert_eq!(signature.to_string().parse(), Ok(signature));
    }
}
