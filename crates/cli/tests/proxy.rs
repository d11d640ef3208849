//! The durable proxy across the ends of its server: orderly, sudden, and with other secrets.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{Serving, ask, code, headwater, run, stderr, stdout};

const SECRET: &str = "the-secret-of-these-tests";
const OTHER: &str = "another-secret-of-these-tests";
const GENERATIONS: usize = 200;

fn proxying(dir: &Path, secrets: &[&str]) -> Command {
    let mut command = headwater();
    command.args(["serve", "--proxy-allow", "http://127.0.0.1:*/**", "--data-dir"]).arg(dir);
    for secret in secrets {
        command.args(["--proxy-secret", secret]);
    }
    command
}

/// An upstream that says one numbered line after the other for as long as anybody listens.
fn talking() -> SocketAddr {
    saying(|number| format!("data: {number}\n\n"))
}

/// The same in the words of a model.
fn chatting() -> SocketAddr {
    saying(|number| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" {number}\"}}}}]}}\n\n"))
}

fn saying(words: fn(usize) -> String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // A response before its request is none.
                let mut asked = [0; 4096];
                assert!(socket.read(&mut asked).unwrap_or(0) > 0, "a request comes first");
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
                let mut sent = socket.write_all(head.as_bytes());
                let mut number = 0;
                while sent.is_ok() {
                    sent = socket.write_all(words(number).as_bytes());
                    number += 1;
                    // The pace of a model, so that all generations get their turn.
                    std::thread::park_timeout(std::time::Duration::from_millis(20));
                }
            });
        }
    });
    address
}

/// What the upstream has said, up to so many bytes.
fn said(bytes: usize) -> Vec<u8> {
    let mut said = Vec::new();
    for number in 0.. {
        if said.len() >= bytes {
            break;
        }
        said.extend(format!("data: {number}\n\n").bytes());
    }
    said.truncate(bytes);
    said
}

/// Asks for a generation: path and query of its signed URL.
fn create(address: &str, upstream: SocketAddr) -> Option<String> {
    create_with(address, upstream, "")
}

fn create_with(address: &str, upstream: SocketAddr, more: &str) -> Option<String> {
    let headers = format!(
        "Authorization: Bearer {SECRET}\r\nContent-Length: 0\r\nUpstream-URL: http://{upstream}/\r\nUpstream-Method: POST\r\n{more}"
    );
    let answer = ask(address, "POST", "/v1/proxy", &headers)?;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    let location = answer.header("location")?;
    Some(location[location.find("/v1/").unwrap()..].to_owned())
}

/// What a reader of one generation was given before the server went away.
struct Seen {
    location: String,
    bytes: usize,
}

fn follow(address: &str, location: String, readers: &AtomicUsize) -> Seen {
    let (mut bytes, mut offset) = (0, "-1".to_owned());
    while let Some(answer) = ask(address, "GET", &format!("{location}&offset={offset}&live=long-poll"), "") {
        if bytes == 0 && !answer.body.is_empty() {
            readers.fetch_add(1, Ordering::SeqCst);
        }
        bytes += answer.body.len();
        offset = answer.header("stream-next-offset").unwrap().to_owned();
        if answer.header("stream-closed").is_some() {
            break;
        }
    }
    Seen { location, bytes }
}

/// The whole stream, which must be closed.
fn whole(address: &str, location: &str) -> (Vec<u8>, String) {
    let page = ask(address, "GET", location, "").unwrap();
    assert_eq!(page.status, 200, "{location}");
    assert_eq!(page.header("stream-closed"), Some("true"), "{location} hangs");
    assert_eq!(page.header("upstream-content-type"), Some("text/event-stream"));
    (page.body.clone(), page.header("upstream-outcome").unwrap().to_owned())
}

#[test]
fn every_generation_ends_when_its_server_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (server, upstream) = (Serving::start(&mut proxying(dir.path(), &[SECRET])), talking());
    let (address, readers) = (server.address.clone(), Arc::new(AtomicUsize::new(0)));
    let followers: Vec<_> = (0..GENERATIONS)
        .map(|_| {
            let (address, readers) = (address.clone(), readers.clone());
            std::thread::spawn(move || Some(follow(&address, create(&address, upstream)?, &readers)))
        })
        .collect();
    while readers.load(Ordering::SeqCst) < GENERATIONS {
        assert!(!followers.iter().any(std::thread::JoinHandle::is_finished), "no generation ends before the server");
        std::thread::yield_now();
    }
    server.signal("KILL");
    server.wait();
    let seen: Vec<Seen> = followers.into_iter().filter_map(|follower| follower.join().unwrap()).collect();
    assert_eq!(seen.len(), GENERATIONS);

    let server = Serving::start(&mut proxying(dir.path(), &[SECRET]));
    for Seen { location, bytes } in seen {
        let (stored, outcome) = whole(&server.address, &location);
        assert!(stored.len() >= bytes, "a reader was given {bytes} bytes, and {} are left", stored.len());
        assert!(stored == said(stored.len()), "nothing is missing and nothing is doubled");
        assert_eq!(outcome, "server-stopped");
    }
}

/// What the session knows, once no response of it goes on any more.
fn told(address: &str, session: &str) -> serde_json::Value {
    loop {
        let answer = ask(address, "GET", &format!("/api/sessions/{session}/state"), "").unwrap();
        let state: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let agents = state["data"]["agentState"].as_array().unwrap();
        if agents.iter().all(|agent| agent["status"] != "running") {
            return state["data"].clone();
        }
        std::thread::yield_now();
    }
}

#[test]
fn sessions_hear_every_word_once_when_their_server_is_killed_or_stopped() {
    const RESPONSES: usize = 10;
    let dir = tempfile::tempdir().unwrap();
    for signal in ["KILL", "TERM"] {
        let (server, upstream) = (Serving::start(&mut proxying(dir.path(), &[SECRET])), chatting());
        let json = r#"{"projectId":"p"}"#;
        let length = json.len();
        let mut socket = TcpStream::connect(&server.address).unwrap();
        let head = format!(
            "POST /api/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json}"
        );
        socket.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let created: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let session = created["data"]["id"].as_str().unwrap().to_owned();
        let locations: Vec<String> = (0..RESPONSES)
            .map(|number| {
                let named = format!("X-Headwater-Session: {session}\r\nX-Headwater-Agent: agent{number}\r\n");
                create_with(&server.address, upstream, &named).unwrap()
            })
            .collect();
        for location in &locations {
            let (mut bytes, mut offset) = (0, "-1".to_owned());
            while bytes < 1_000 {
                let target = format!("{location}&offset={offset}&live=long-poll");
                let answer = ask(&server.address, "GET", &target, "").unwrap();
                bytes += answer.body.len();
                offset = answer.header("stream-next-offset").unwrap().to_owned();
            }
        }
        server.signal(signal);
        server.wait();

        let server = Serving::start(&mut proxying(dir.path(), &[SECRET]));
        let told = told(&server.address, &session);
        let messages = told["messages"].as_array().unwrap();
        assert_eq!(messages.len(), RESPONSES, "{signal}");
        for (number, location) in locations.iter().enumerate() {
            let stored = whole(&server.address, location).0;
            let stored = String::from_utf8(stored).unwrap();
            let words = stored.split_inclusive("\n\n").filter(|event| event.ends_with("\n\n")).count();
            let said: String = (0..words).map(|number| format!(" {number}")).collect();
            let agent = format!("agent{number}");
            let message = messages.iter().find(|message| message["agentId"] == agent.as_str()).unwrap();
            assert_eq!(message["text"], said, "{signal}");
            let states = told["agentState"].as_array().unwrap();
            let state = states.iter().find(|state| state["agentId"] == agent.as_str()).unwrap();
            assert_eq!((&state["status"], &state["error"]), (&"error".into(), &"server-stopped".into()), "{signal}");
        }
        server.signal("TERM");
        server.wait();
    }
}

#[test]
fn a_server_that_is_stopped_says_so_in_its_streams() {
    let dir = tempfile::tempdir().unwrap();
    let (server, upstream) = (Serving::start(&mut proxying(dir.path(), &[SECRET])), talking());
    let location = create(&server.address, upstream).unwrap();
    let first = ask(&server.address, "GET", &format!("{location}&offset=-1&live=long-poll"), "").unwrap();
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));

    let server = Serving::start(&mut proxying(dir.path(), &[SECRET]));
    let (stored, outcome) = whole(&server.address, &location);
    assert!(stored.starts_with(&first.body) && stored == said(stored.len()));
    assert_eq!(outcome, "server-stopped");
}

#[test]
fn secrets_rotate_across_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let (server, upstream) = (Serving::start(&mut proxying(dir.path(), &[SECRET])), talking());
    let location = create(&server.address, upstream).unwrap();
    server.signal("TERM");
    server.wait();
    let status = |secrets: &[&str]| {
        let server = Serving::start(&mut proxying(dir.path(), secrets));
        let status = ask(&server.address, "GET", &location, "").unwrap().status;
        server.signal("TERM");
        server.wait();
        status
    };
    assert_eq!(status(&[OTHER, SECRET]), 200);
    assert_eq!(status(&[OTHER]), 401);
}

#[test]
fn a_url_signed_by_hand_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secrets");
    std::fs::write(&file, format!("{SECRET}\n\n{OTHER}\n")).unwrap();
    let mut command = headwater();
    command
        .args(["serve", "--store", "memory", "--proxy-allow", "http://127.0.0.1:*", "--proxy-secret-file"])
        .arg(&file);
    let server = Serving::start(&mut command);
    let location = create(&server.address, talking()).unwrap();
    let id = location.split(['/', '?']).nth(3).unwrap();
    let mut command = headwater();
    command.args(["proxy-url", id, "--listen", &server.address, "--proxy-ttl", "1h", "--proxy-secret-file"]).arg(&file);
    let signed = stdout(&run(&mut command));
    let path = signed.trim_end().strip_prefix(&format!("http://{}", server.address)).unwrap();
    assert_ne!(path, location);
    assert_eq!(ask(&server.address, "GET", path, "").unwrap().status, 200);
    assert_eq!(code(&run(headwater().args(["proxy-url", id]))), 2, "there is no secret");
    assert_eq!(code(&run(headwater().args(["proxy-url", "x", "--proxy-secret", SECRET]))), 2);
}

#[test]
fn a_start_says_where_the_proxy_is_and_whether_it_may_call_anybody() {
    let dir = tempfile::tempdir().unwrap();
    let server = Serving::start(&mut proxying(dir.path(), &[SECRET]));
    let line = format!("  proxy      http://{}/v1/proxy, to 1 pattern of --proxy-allow", server.address);
    assert!(server.banner.contains(&line), "{}", server.banner);
    assert!(!server.banner.contains("warning") && !server.banner.contains(SECRET), "{}", server.banner);
    let idle = Serving::start(headwater().args(["serve", "--store", "memory", "--proxy-secret", SECRET]));
    assert!(idle.banner.contains("warning: the proxy refuses every URL"), "{}", idle.banner);
    let without = Serving::start(headwater().args(["serve", "--store", "memory"]));
    assert!(!without.banner.contains("proxy"), "{}", without.banner);
}

#[test]
fn secrets_are_never_printed() {
    let shown = run(headwater().args(["check-config", "--proxy-secret", SECRET, "--proxy-allow", "a.example/**"]));
    assert_eq!(code(&shown), 0);
    assert!(!stdout(&shown).contains(SECRET), "{}", stdout(&shown));
    assert!(stdout(&shown).contains("# proxy-secret is set and not shown"), "{}", stdout(&shown));
    assert!(stdout(&shown).contains("proxy-allow = [\"a.example/**\"]"), "{}", stdout(&shown));
    let refused = run(headwater().args(["check-config", "--proxy-secret", "too-short"]));
    assert_eq!(code(&refused), 2);
    assert!(!stderr(&refused).contains("too-short"), "{}", stderr(&refused));
    let refused = run(headwater().args(["check-config", "--proxy-secret", SECRET, "--proxy-allow", "*"]));
    assert_eq!(code(&refused), 2);
}
