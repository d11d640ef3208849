//! Subscriptions over HTTP: a real server, and a real receiver of its webhooks.

#![allow(clippy::unwrap_used, reason = "a test may fail at any line")]

#[path = "subscriptions/receiver.rs"]
mod receiver;
mod support;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use headwater_protocol::subscription::WebhookSignature;
use headwater_server::subscriptions::{SubscriptionOptions, Subscriptions};
use headwater_server::{Server, ServerConfig};
use headwater_streams::limits::EngineLimits;
use headwater_streams::{Engine, SystemClock, Unobserved};
use headwater_testing::SharedMemory;
use receiver::{Received, Receiver};
use serde_json::{Value, json};
use support::{Connection, PATIENCE, Response, stream};
use tokio::sync::oneshot;

/// A server with subscriptions over memory that outlives it.
struct House {
    memory: SharedMemory,
    address: std::net::SocketAddr,
    stop: oneshot::Sender<Command>,
    thread: std::thread::JoinHandle<()>,
}

enum Command {
    Stop,
    RotateAndStop,
}

impl House {
    fn start() -> Self {
        Self::over(SharedMemory::default())
    }

    fn over(memory: SharedMemory) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let store = memory.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let config = ServerConfig {
                    listen: ([127, 0, 0, 1], 0).into(),
                    workers: 1.try_into().ok(),
                    ..ServerConfig::default()
                };
                let limits = EngineLimits::default();
                let engine = Engine::start(store, Arc::new(SystemClock), limits, Arc::new(Unobserved));
                let server = Server::bind(config.clone(), engine.clone()).unwrap();
                let address = server.local_addr();
                let options = SubscriptionOptions::default();
                let subscriptions = Subscriptions::start(engine.clone(), &config, address, options).await;
                let server = server.mount(subscriptions.router());
                tell.send(address).unwrap();
                let until = async {
                    if let Ok(Command::RotateAndStop) = stopped.await {
                        subscriptions.rotate_key().await.unwrap();
                    }
                };
                server.run(until).await.unwrap();
                subscriptions.shutdown().await;
                engine.shutdown().await.unwrap();
            });
        });
        Self { memory, address: told.recv().unwrap(), stop, thread }
    }

    fn restart(self) -> Self {
        self.restart_after(Command::Stop)
    }

    fn restart_after(self, last: Command) -> Self {
        assert!(self.stop.send(last).is_ok(), "the server runs");
        self.thread.join().unwrap();
        Self::over(self.memory)
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Connection::new(self.address).request(method, &stream(path), headers, body)
    }

    fn call(&self, method: &str, path: &str, body: Value) -> Response {
        self.send(method, &format!("__ds/{path}"), &[], &body)
    }

    fn call_as(&self, token: &str, path: &str, body: Value) -> Response {
        self.send("POST", &format!("__ds/{path}"), &[("authorization", &format!("Bearer {token}"))], &body)
    }

    fn webhook(&self, id: &str, pattern: &str, url: &str) -> Response {
        let body = json!({ "type": "webhook", "pattern": pattern, "webhook": { "url": url }, "lease_ttl_ms": 600_000 });
        self.call("PUT", &format!("subscriptions/{id}"), body)
    }

    fn put(&self, path: &str, body: Value) {
        assert_eq!(self.send("PUT", path, &[("content-type", "application/json")], &body).status, 201);
    }

    fn post(&self, path: &str, body: Value) {
        assert_eq!(self.send("POST", path, &[("content-type", "application/json")], &body).status, 204);
    }

    fn keys(&self) -> Vec<Value> {
        let set = self.call("GET", "jwks.json", Value::Null);
        assert_eq!(set.header("content-type"), Some("application/jwk-set+json"));
        assert_eq!(set.header("cache-control"), Some("public, max-age=300"));
        set.json()["keys"].as_array().unwrap().clone()
    }

    /// Asks until the subscription looks as expected.
    fn until(&self, id: &str, expected: impl Fn(&Value) -> bool) -> Value {
        let begun = std::time::Instant::now();
        loop {
            let body = self.call("GET", &format!("subscriptions/{id}"), Value::Null).json();
            if expected(&body) {
                return body;
            }
            assert!(begun.elapsed() < PATIENCE, "{body}");
            std::thread::yield_now();
        }
    }

    fn stop(self) {
        assert!(self.stop.send(Command::Stop).is_ok(), "the server runs");
        self.thread.join().unwrap();
    }
}

fn error_code(response: &Response) -> String {
    response.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("{response:?}")).to_owned()
}

/// Whether one of `keys` has signed what was received.
fn is_signed(received: &Received, keys: &[Value]) -> bool {
    let signature: WebhookSignature = received.header("webhook-signature").parse().unwrap();
    let Some(key) = keys.iter().find(|key| key["kid"] == signature.kid) else { return false };
    let public: [u8; 32] = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap().try_into().unwrap();
    let signed = WebhookSignature::signed_bytes(signature.timestamp_seconds, &received.body);
    let key = VerifyingKey::from_bytes(&public).unwrap();
    key.verify(&signed, &Signature::from_bytes(&signature.signature)).is_ok()
}

fn ack(wake: &Value, stream: &str, done: bool) -> Value {
    let listed = wake["streams"].as_array().unwrap().iter().find(|listed| listed["path"] == stream).unwrap();
    let acks = json!([{ "stream": stream, "offset": listed["tail_offset"] }]);
    json!({ "wake_id": wake["wake_id"], "generation": wake["generation"], "acks": acks, "done": done })
}

#[test]
fn a_subscription_is_shown_as_it_was_made() {
    let house = House::start();
    let created = house.webhook("sub-1", "events/*", "http://127.0.0.1:9/hook");
    assert_eq!(created.status, 201);
    let body = created.json();
    assert_eq!(body["webhook"]["signing"]["jwks_url"], "http://test/v1/stream/__ds/jwks.json");
    assert_eq!(body["webhook"]["signing"]["kid"], house.keys()[0]["kid"]);
    assert_eq!((&body["id"], &body["status"]), (&json!("sub-1"), &json!("active")));
    assert_eq!(house.webhook("sub-1", "/events/*/", "http://127.0.0.1:9/hook").status, 200);
    let other = house.webhook("sub-1", "other/*", "http://127.0.0.1:9/hook");
    assert_eq!((other.status, error_code(&other).as_str()), (409, "SUBSCRIPTION_ALREADY_EXISTS"));
    assert_eq!(house.call("GET", "subscriptions/sub-1", Value::Null).json(), body);
    assert_eq!(house.call("DELETE", "subscriptions/sub-1", Value::Null).status, 204);
    let gone = house.call("GET", "subscriptions/sub-1", Value::Null);
    assert_eq!((gone.status, error_code(&gone).as_str()), (404, "SUBSCRIPTION_NOT_FOUND"));
    house.stop();
}

#[test]
fn a_webhook_is_signed_and_done_acks_it() {
    let receiver = Receiver::start(|_| (200, r#"{"done":true}"#.into()));
    let house = House::start();
    assert_eq!(house.webhook("s", "events/*", &receiver.url()).status, 201);
    house.put("events/a", json!({ "n": 1 }));
    let received = receiver.next();
    assert!(is_signed(&received, &house.keys()));
    assert_eq!(received.header("content-type"), "application/json");
    let wake = received.json();
    assert_eq!((&wake["subscription_id"], &wake["generation"]), (&json!("s"), &json!(1)));
    assert_eq!(wake["callback_url"], "http://test/v1/stream/__ds/subscriptions/s/callback");
    assert_eq!((&wake["streams"][0]["path"], &wake["streams"][0]["has_pending"]), (&json!("events/a"), &json!(true)));
    let tail = wake["streams"][0]["tail_offset"].clone();
    house.until("s", |body| body["streams"][0]["acked_offset"] == tail);
    house.stop();
}

#[test]
fn callbacks_need_their_own_token_and_the_current_wake() {
    let receiver = Receiver::start(|_| (204, String::new()));
    let house = House::start();
    house.webhook("s", "events/*", &receiver.url());
    house.webhook("t", "events/*", &receiver.url());
    house.put("events/a", json!({ "n": 1 }));
    let (one, two) = (receiver.next().json(), receiver.next().json());
    let (mine, other) = if one["subscription_id"] == "s" { (one, two) } else { (two, one) };
    let done = ack(&mine, "events/a", true);
    let path = "subscriptions/s/callback";

    let anonymous = house.call("POST", path, done.clone());
    assert_eq!((anonymous.status, error_code(&anonymous).as_str()), (401, "TOKEN_INVALID"));
    assert_eq!(anonymous.header("www-authenticate"), Some("Bearer"));
    for token in [other["callback_token"].as_str().unwrap(), "x", ""] {
        let refused = house.call_as(token, path, done.clone());
        assert_eq!((refused.status, error_code(&refused).as_str()), (401, "TOKEN_INVALID"));
    }
    let token = mine["callback_token"].as_str().unwrap();
    let mut beyond = done.clone();
    beyond["acks"][0]["offset"] = json!("ffffffffffffffff");
    for acks in [
        json!([{ "stream": "events/a", "offset": "-1" }]),
        json!([{ "stream": "x", "offset": "now" }]),
        beyond["acks"].clone(),
    ] {
        beyond["acks"] = acks;
        let refused = house.call_as(token, path, beyond.clone());
        assert_eq!((refused.status, error_code(&refused).as_str()), (409, "INVALID_OFFSET"));
    }
    assert_eq!(house.call_as(token, "subscriptions/s/ack", done.clone()).status, 400, "the other type's route");
    let answer = house.call_as(token, path, done.clone());
    assert_eq!((answer.status, answer.json()), (200, json!({ "ok": true, "next_wake": false })));
    let stale = house.call_as(token, path, done);
    assert_eq!((stale.status, error_code(&stale).as_str()), (409, "FENCED"));
    house.call("DELETE", "subscriptions/t", Value::Null);
    let late = house.call_as(
        other["callback_token"].as_str().unwrap(),
        "subscriptions/t/callback",
        ack(&other, "events/a", true),
    );
    assert_eq!((late.status, error_code(&late).as_str()), (404, "SUBSCRIPTION_NOT_FOUND"));
    house.stop();
}

#[test]
fn workers_claim_ack_and_release() {
    let house = House::start();
    house.put("wake/pool", json!([]));
    let config = json!({ "type": "pull-wake", "pattern": "events/*", "wake_stream": "wake/pool" });
    assert_eq!(house.call("PUT", "subscriptions/s", config).status, 201);
    house.put("events/a", json!({ "n": 1 }));
    let claim = |worker: &str| house.call("POST", "subscriptions/s/claim", json!({ "worker": worker }));
    let claimed = claim("w1");
    assert_eq!(claimed.status, 200);
    let (wake, token) = (claimed.json(), claimed.json()["token"].as_str().unwrap().to_owned());
    assert_eq!(wake["lease_ttl_ms"], 30_000);
    let busy = claim("w2");
    let expected =
        json!({ "error": { "code": "ALREADY_CLAIMED", "current_holder": "w1", "generation": wake["generation"] } });
    assert_eq!((busy.status, busy.json()), (409, expected));
    let heartbeat = house.call_as(&token, "subscriptions/s/ack", ack(&wake, "events/a", false));
    assert_eq!(heartbeat.json(), json!({ "ok": true, "next_wake": false }));
    assert_eq!(house.call_as(&token, "subscriptions/s/ack", ack(&wake, "events/a", true)).status, 200);
    assert_eq!(error_code(&claim("w2")), "NO_PENDING_WORK");

    house.post("events/a", json!({ "n": 2 }));
    let again = claim("w2").json();
    let release = json!({ "wake_id": again["wake_id"], "generation": again["generation"] });
    let fenced = house.call_as(&token, "subscriptions/s/release", release.clone());
    assert_eq!(error_code(&fenced), "FENCED", "an old token is fenced");
    assert_eq!(house.call_as(again["token"].as_str().unwrap(), "subscriptions/s/release", release).status, 204);
    house.stop();
}

#[test]
fn streams_are_added_and_removed_by_name() {
    let house = House::start();
    let config = json!({ "type": "webhook", "streams": ["manual/a"], "webhook": { "url": "http://localhost:9/" } });
    assert_eq!(house.call("PUT", "subscriptions/s", config).status, 201);
    assert_eq!(
        house.call("POST", "subscriptions/s/streams", json!({ "streams": ["manual/b", "manual/c"] })).status,
        204
    );
    assert_eq!(house.call("DELETE", "subscriptions/s/streams/manual%2Fb", Value::Null).status, 204);
    assert_eq!(house.call("DELETE", "subscriptions/s/streams/manual/c", Value::Null).status, 204);
    let body = house.call("GET", "subscriptions/s", Value::Null).json();
    assert_eq!(
        body["streams"],
        json!([{ "path": "manual/a", "link_type": "explicit", "acked_offset": body["streams"][0]["acked_offset"] }])
    );
    for (method, path, body) in [
        ("POST", "subscriptions/s/streams", json!({ "streams": [] })),
        ("POST", "subscriptions/s/streams", json!({ "streams": ["a/../b"] })),
        ("POST", "subscriptions/s/streams", json!([])),
        ("PUT", "subscriptions/t", json!({ "type": "webhook", "webhook": { "url": "http://localhost/" } })),
        ("PUT", "subscriptions/t", json!({ "type": "pull-wake", "streams": ["w"], "wake_stream": "w" })),
        ("PUT", "subscriptions/t", json!({ "type": "pull-wake", "streams": ["w"], "wake_stream": "session/a" })),
        ("PUT", "subscriptions/t", json!({ "type": "pull-wake", "streams": ["w"], "wake_stream": "/agent/coder" })),
        ("PUT", "subscriptions/a%2Fb", json!({ "type": "pull-wake", "pattern": "*", "wake_stream": "w" })),
        ("PUT", "subscriptions/%ff", json!({ "type": "pull-wake", "pattern": "*", "wake_stream": "w" })),
        ("POST", "subscriptions/s/claim", json!({ "worker": "" })),
    ] {
        let refused = house.call(method, path, body);
        assert_eq!((refused.status, error_code(&refused).as_str()), (400, "INVALID_REQUEST"), "{method} {path}");
    }
    for path in ["", "/", "/subscriptions", "/subscriptions/", "/subscriptions/s/nothing", "/x"] {
        let missing = house.send("GET", &format!("__ds{path}"), &[], &Value::Null);
        assert_eq!((missing.status, error_code(&missing).as_str()), (404, "SUBSCRIPTION_NOT_FOUND"), "{path}");
    }
    let long = format!("{}/x", "y".repeat(1020));
    assert_eq!(house.call("POST", "subscriptions/s/streams", json!({ "streams": [long] })).status, 204);
    assert_eq!(house.call("DELETE", &format!("subscriptions/s/streams/{long}"), Value::Null).status, 204);
    assert_eq!(house.call("POST", "jwks.json", Value::Null).status, 405);
    house.stop();
}

#[test]
fn webhooks_may_not_go_everywhere() {
    let house = House::start();
    for url in [
        "http://10.0.0.1/hook",
        "https://10.0.0.1/hook",
        "http://example.com/",
        "https://169.254.169.254/",
        "ftp://a.b/",
        "https://[::1]/",
        "https://localhost/",
        "https://u@example.com/",
        "no url",
        "https://[::ffff:127.0.0.1]/",
    ] {
        let refused = house.webhook("s", "events/*", url);
        assert_eq!((refused.status, error_code(&refused).as_str()), (400, "WEBHOOK_URL_REJECTED"), "{url}");
    }
    house.stop();
}

#[test]
fn a_refusal_or_a_redirect_is_a_failed_delivery() {
    let receiver =
        Receiver::start(|received| if received.path == "/moved" { (302, String::new()) } else { (500, String::new()) });
    let house = House::start();
    house.webhook("moved", "events/*", &format!("{}moved", receiver.url()));
    house.webhook("broken", "events/*", &receiver.url());
    house.put("events/a", json!({ "n": 1 }));
    house.until("moved", |body| body["status"] == "failed");
    house.until("broken", |body| body["status"] == "failed");
    let mut paths = [receiver.next().path, receiver.next().path];
    paths.sort();
    assert_eq!(paths, ["/", "/moved"], "the redirect was not followed");
    house.stop();
}

#[test]
fn an_endless_answer_is_not_read_to_its_end() {
    let receiver = Receiver::start(|_| (200, format!(r#"{{"x":"{}","done":true}}"#, "x".repeat(1024 * 1024))));
    let house = House::start();
    house.webhook("s", "events/*", &receiver.url());
    house.put("events/a", json!({ "n": 1 }));
    let wake = receiver.next().json();
    let answer = house.call_as(
        wake["callback_token"].as_str().unwrap(),
        "subscriptions/s/callback",
        ack(&wake, "events/a", true),
    );
    assert_eq!(answer.status, 200, "the answer did not say done");
    house.stop();
}

#[test]
fn keys_tokens_and_cursors_survive_a_restart() {
    let receiver = Receiver::start(|_| (200, String::new()));
    let house = House::start();
    house.webhook("s", "events/*", &receiver.url());
    house.put("events/a", json!({ "n": 1 }));
    let received = receiver.next();
    let wake = received.json();
    let token = wake["callback_token"].as_str().unwrap().to_owned();
    // A heartbeat: from here on the wake is known to have arrived, and is not sent again.
    let mut alive = ack(&wake, "events/a", false);
    alive["acks"] = json!([]);
    assert_eq!(house.call_as(&token, "subscriptions/s/callback", alive).status, 200);
    let before = house.keys();
    let house = house.restart();
    assert_eq!(house.keys(), before);
    assert!(is_signed(&received, &house.keys()));
    assert_eq!(house.call_as(&token, "subscriptions/s/callback", ack(&wake, "events/a", true)).status, 200);
    let body = house.call("GET", "subscriptions/s", Value::Null).json();
    assert_eq!(body["streams"][0]["acked_offset"], wake["streams"][0]["tail_offset"]);

    let house = house.restart_after(Command::RotateAndStop);
    let keys = house.keys();
    assert_eq!((keys.len(), &keys[1]), (2, &before[0]), "the old key stays published");
    house.post("events/a", json!({ "n": 2 }));
    assert!(is_signed(&receiver.next(), &keys[..1]), "the new key signs");
    house.stop();
}
