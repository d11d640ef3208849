//! The queries of `docs/sessions.md` run, and find what they promise.

use headwater_sessions::Operation;
use headwater_testing::stage::json_stream;
use serde_json::json;

use crate::world::{World, at, call, line, session};

/// Within the last hour whenever the test runs.
const IN_THE_FUTURE_MS: u64 = 4_000_000_000_000;

#[tokio::test]
async fn the_documented_queries_find_something() {
    let world = World::new().await.with(&["a-session"]).await;
    world.stage.put(json_stream("sessions")).await;
    world.append("sessions", &[session("a-session", "web", None)]).await;
    world.say("a-session", "a", 0, &["the connec", "tion reset again"]).await;
    let failed = json!({"id": "t", "tool": "sh", "status": "error", "duration": 5});
    let value = Some(serde_json::from_value(failed).unwrap());
    let failed = headwater_sessions::Change { value, ..call("t", Operation::Update, json!(1), None) };
    world.append("session/a-session", &[failed, at(IN_THE_FUTURE_MS, line("l", "x"))]).await;
    world.projected().await;
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sessions.md");
    let text = std::fs::read_to_string(page).unwrap();
    let queries: Vec<&str> = text.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(queries.len(), 5);
    let connection = world.connection();
    for query in queries {
        let mut select = connection.prepare(query).unwrap();
        let mut rows = select.query([]).unwrap();
        assert!(rows.next().unwrap().is_some(), "{query}");
    }
}
