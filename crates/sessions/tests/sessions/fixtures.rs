//! Runs `fixtures/sessions/*.json`, which clients in other languages run, too. With `UPDATE_FIXTURES=1` what comes out is
//! written back, to be read and committed.

use std::fs;
use std::path::{Path, PathBuf};

use headwater_sessions::{Change, Decision, SessionError, Verdict, presence_snapshot, snapshot};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::harness::Harness;
use crate::stream_db::{StreamDb, Updates};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    title: String,
    session: String,
    steps: Vec<Step>,
    #[serde(default)]
    rows: Value,
    #[serde(default)]
    messages: Value,
    #[serde(default)]
    snapshot: Value,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Step {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    now: u64,
    #[serde(flatten)]
    action: Action,
    #[serde(default)]
    expect: Value,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Action {
    Events(Value),
    Steps(Value),
    Leave(String),
    ExpirePresence(bool),
}

#[test]
fn every_fixture_comes_out_as_it_says() {
    let files = fixture_files();
    assert!(files.len() >= 10, "{} fixtures", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut fixture: Fixture =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let expected = serde_json::to_value(&fixture).unwrap();
        run(&mut fixture);
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            fs::write(&file, serde_json::to_string_pretty(&fixture).unwrap() + "\n").unwrap();
            continue;
        }
        let found = serde_json::to_value(&fixture).unwrap();
        assert_eq!(found, expected, "{}: {:#}", file.display(), found);
    }
}

/// Fills in what comes out.
fn run(fixture: &mut Fixture) {
    let mut harness = Harness::new(&fixture.session);
    for step in &mut fixture.steps {
        step.expect = take(&mut harness, step);
    }
    let log = || harness.log.iter().chain(&harness.presence_log).map(|(text, _)| text.as_str());
    let db = StreamDb::of(log());
    assert_eq!(StreamDb::with(Updates::Overlay, log()).to_json(), db.to_json(), "{}", fixture.title);
    fixture.rows = db.to_json();
    fixture.messages = harness.state.messages().iter().map(|row| serde_json::to_value(row).unwrap()).collect();
    assert_eq!(fixture.messages, Value::Array(db.messages()), "{}", fixture.title);
    let snapshots: Vec<String> = snapshot(&harness.state).chain(presence_snapshot(&harness.presence)).collect();
    let from_snapshots = StreamDb::of(snapshots.iter().map(String::as_str));
    assert_eq!(from_snapshots.to_json(), db.with_merged_chunks(), "{}", fixture.title);
    fixture.snapshot = snapshot(&harness.state).map(|text| parsed(&text)).collect();
}

fn take(harness: &mut Harness, step: &Step) -> Value {
    let presence = |changes: Vec<Change>| json!({"presence": encoded(&changes)});
    match &step.action {
        Action::Events(body) => shown(harness.events(&body.to_string(), step.now)),
        Action::Steps(body) => shown(harness.steps(&body.to_string(), step.now)),
        Action::Leave(user_id) => presence(harness.leave(user_id, step.now)),
        Action::ExpirePresence(_) => presence(harness.expire_presence(step.now)),
    }
}

fn shown(outcome: Result<Decision, SessionError>) -> Value {
    match outcome {
        Err(error) => {
            let (code, field, event) = (error.code().as_str(), error.field_name(), error.event());
            let mut shown = json!({"code": code, "message": error.to_string()});
            if let Some(field) = field {
                shown["field"] = field.into();
            }
            if let Some(event) = event {
                shown["event"] = event.into();
            }
            json!({"error": shown})
        }
        Ok(decision) => {
            let changes: Vec<Change> = decision.changes.iter().map(|planned| planned.change.clone()).collect();
            let mut shown = json!({"answers": decision.answers.iter().map(answer).collect::<Value>()});
            for (name, changes) in [("changes", &changes), ("presence", &decision.presence)] {
                if !changes.is_empty() {
                    shown[name] = encoded(changes);
                }
            }
            shown
        }
    }
}

fn answer(answer: &headwater_sessions::Answer) -> Value {
    let mut shown = json!({"channel": answer.channel.as_str(), "key": answer.key});
    match answer.verdict {
        Verdict::Written(change) => shown["written"] = change.into(),
        Verdict::Repeated(change) => shown["repeats"] = change.into(),
        Verdict::Duplicate(at) => shown["duplicateOf"] = at.seq.into(),
    }
    shown
}

fn encoded(changes: &[Change]) -> Value {
    changes.iter().map(|change| parsed(&change.encode())).collect()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn fixture_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/sessions");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ext| ext == "json")).collect();
    files.sort();
    files
}
