//! `headwater bench` against servers: what is counted, what is left behind, what is refused. Never how fast it was.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Serving, code, headwater, run, stderr, stdout};

const QUICK: [&str; 3] = ["bench", "--seconds", "0.2"];

fn server() -> Serving {
    Serving::start(headwater().args(["serve", "--store", "memory", "--sessions", "off"]))
}

fn bench(address: &str, args: &[&str]) -> Command {
    let mut command = headwater();
    command.args(QUICK).args(args).env("HEADWATER_URL", format!("http://{address}/v1/stream"));
    command
}

/// A run that must succeed, as its lines of JSON.
fn measured(server: &Serving, args: &[&str]) -> Vec<Value> {
    let output = run(bench(&server.address, args).arg("--json"));
    assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    assert_eq!(stderr(&output), "", "{args:?}");
    stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits for something that other processes bring about.
fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !what() {
        assert!(Instant::now() < deadline, "it did not come to pass");
        std::thread::yield_now();
    }
}

fn streams(server: &Serving) -> String {
    let listed = run(headwater().args(["ls", "--url", &format!("http://{}/v1/stream", server.address)]));
    stdout(&listed)
}

/// A server that gives every request, by its method, the answer that `answer` names. Each connection is served for as long
/// as it lasts.
fn scripted(answer: impl Fn(&str) -> &'static str + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let answer = answer.clone();
            std::thread::spawn(move || answer_all(socket.unwrap(), answer));
        }
    });
    address
}

fn answer_all(mut socket: TcpStream, answer: impl Fn(&str) -> &'static str) {
    let mut requests = BufReader::new(socket.try_clone().unwrap());
    let mut line = String::new();
    while requests.read_line(&mut line).is_ok_and(|read| read > 0) {
        let method = line.split(' ').next().unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            line.clear();
            if requests.read_line(&mut line).is_err() || line.trim().is_empty() {
                break;
            }
            let lower = line.to_lowercase();
            length = lower.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        if requests.read_exact(&mut body).is_err() || socket.write_all(answer(&method).as_bytes()).is_err() {
            return;
        }
        line.clear();
    }
}

#[test]
fn everything_is_measured_without_errors_and_nothing_is_left_behind() {
    let server = server();
    let lines = measured(&server, &["--streams", "20", "--subscribers", "5", "--size", "2MiB", "--readers", "2"]);
    let names: Vec<&str> = lines.iter().map(|line| line["measurement"].as_str().unwrap()).collect();
    assert_eq!(names, ["append", "delivery-sse", "delivery-long-poll", "fan-out", "catch-up"]);
    for line in &lines {
        assert_eq!(line["errors"], 0, "{line}");
        assert!(line["count"].as_u64().unwrap() > 0 && line["rate"].as_f64().unwrap() > 0.0, "{line}");
        let [p50, p99, max] = ["p50Us", "p99Us", "maxUs"].map(|name| line[name].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{line}");
    }
    assert_eq!(lines[0]["parameters"]["streams"], 20);
    assert_eq!(lines[4]["unit"], "bytes/s");
    assert_eq!(streams(&server), "");
}

#[test]
fn producers_and_json_batches_in_flight_are_accepted() {
    let server = server();
    let args = ["append", "--producers", "--batch", "5", "--in-flight", "4", "--connections", "3", "--bytes", "100"];
    let lines = measured(&server, &args);
    let parameters = &lines[0]["parameters"];
    assert_eq!((lines.len(), &lines[0]["errors"]), (1, &Value::from(0)));
    assert_eq!((&parameters["format"], &parameters["messages"]), (&Value::from("json"), &Value::from(5)));
    assert_eq!((&parameters["producers"], &parameters["inFlight"]), (&Value::from(true), &Value::from(4)));
}

#[test]
fn people_get_a_table_with_a_row_for_each_measurement() {
    let server = server();
    let output = run(&mut bench(&server.address, &["delivery"]));
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    let table = stdout(&output);
    let rows: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(rows, ["MEASUREMENT", "delivery-sse", "delivery-long-poll"]);
    assert!(table.lines().skip(1).all(|row| row.ends_with(" 0")), "{table}");
}

#[test]
fn an_interrupted_run_deletes_its_streams() {
    let server = server();
    let mut command = headwater();
    command.args(["bench", "append", "--seconds", "600", "--streams", "50"]);
    command.env("HEADWATER_URL", format!("http://{}/v1/stream", server.address));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until(|| streams(&server).lines().filter(|line| line.starts_with("headwater-bench-")).count() == 50);
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), said.as_str()), (Some(130), "SIGINT: the streams of this run are deleted\n"));
    assert_eq!(streams(&server), "");
}

#[test]
fn flags_that_cannot_be_used_end_it_with_2_and_one_line() {
    for (args, told) in [
        (&["append", "--readers", "2"][..], "--readers is for catch-up, not for append"),
        (&["fan-out", "--connections", "2"], "--connections is for append"),
        (&["everything"], "'everything'"),
        (&["--seconds", "0"], "a number from 0.1 to 3600"),
        (&["--bytes", "0"], "--bytes must be from 1"),
        (&["--streams", "0"], "'--streams <N>'"),
        (&["--url", "https://127.0.0.1:4437/v1/stream"], "plain HTTP, not over https"),
        (&["--url", "nothing"], "nothing is no URL"),
        (&["--header", "no-colon"], "NAME:VALUE"),
    ] {
        let output = run(headwater().args(["bench"]).args(args));
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{args:?}");
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        assert!(stderr(&output).contains(told), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn nobody_there_and_nobody_known_are_told_apart() {
    let output = run(&mut bench("127.0.0.1:1", &[]));
    assert_eq!((code(&output), stdout(&output).as_str()), (9, ""));
    assert!(stderr(&output).contains("no server answers") && stderr(&output).lines().count() == 1);
    let strict = scripted(|_| "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    let output = run(&mut bench(&strict, &["append"]));
    assert_eq!(code(&output), 6, "{}", stderr(&output));
}

#[test]
fn appends_that_fail_are_counted_and_do_not_end_the_measurement() {
    let busy = scripted(|method| match method {
        "POST" => "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy",
        _ => "HTTP/1.1 204 No Content\r\n\r\n",
    });
    let output = run(bench(&busy, &["append", "--connections", "2"]).arg("--json"));
    let line: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(line["errors"].as_u64().unwrap() > 2 && line["count"] == 0 && line["p50Us"].is_null(), "{line}");
    assert_eq!(line["firstError"], "append: status 503: busy");
    assert_eq!(code(&output), 8);
    assert!(stderr(&output).contains("append measured nothing"), "{}", stderr(&output));
}

#[test]
fn a_server_that_closes_every_connection_is_measured_without_errors() {
    let closing = scripted(|_| "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    let output = run(bench(&closing, &["append", "--connections", "2", "--streams", "40"]).arg("--json"));
    let line: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(line["errors"] == 0 && line["count"].as_u64().unwrap() > 0, "{line} {}", stderr(&output));
}
