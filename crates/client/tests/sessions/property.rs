//! A session folded here is, at every offset, what the server says it is.

use std::sync::Arc;

use headwater_client::sessions::{
    AgentStatus, Channel, Collection, Post, Session, StateAt, TerminalKind, TerminalSource, ToolStatus, WorkflowKind,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::setup;
use crate::support::soon;

/// Posts that follow on one another: few agents, calls and turns, so that rows are updated.
fn post() -> impl Strategy<Value = Post> {
    let agent = || prop::sample::select(vec!["coder", "reviewer"]);
    let text = || "[a-z é\"]{0,6}";
    let statuses = vec![AgentStatus::Idle, AgentStatus::Running, AgentStatus::Paused, AgentStatus::Completed];
    prop_oneof![
        3 => (agent(), text(), prop::option::of(0..3_u64)).prop_map(|(agent, text, turn)| {
            let chunk = Post::chunk(agent, text);
            match turn { Some(turn) => chunk.turn(turn), None => chunk }
        }),
        1 => (agent(), 0..4_u8).prop_map(|(agent, id)| {
            Post::tool_call(agent, "ls", serde_json::json!({ "n": id })).with("id", format!("{agent}-{id}"))
        }),
        1 => (agent(), 0..4_u8, any::<bool>()).prop_map(|(agent, id, failed)| {
            let status = if failed { ToolStatus::Error } else { ToolStatus::Complete };
            Post::tool_update(format!("{agent}-{id}"), status).with("output", "x")
        }),
        2 => (agent(), prop::sample::select(statuses), prop::option::of(text())).prop_map(|(agent, status, said)| {
            let state = Post::agent_state(agent, status);
            match said { Some(said) => state.with("message", said), None => state.with("message", serde_json::Value::Null) }
        }),
        1 => text().prop_map(|text| Post::terminal(TerminalKind::Output, TerminalSource::Agent, text)),
        1 => Just(Post::workflow(WorkflowKind::ApprovalRequested, serde_json::json!({ "why": "deploy" }))),
    ]
}

fn rows<T: Clone>(collection: &Collection<T>) -> Vec<T> {
    collection.iter().map(Arc::unwrap_or_clone).collect()
}

fn folded(session: &Session) -> StateAt {
    let empty = serde_json::json!({ "offset": session.status().borrow().offset, "messages": [], "toolCalls": [],
        "terminal": [], "workflow": [], "agentState": [] });
    let mut state: StateAt = serde_json::from_value(empty).unwrap();
    state.messages = rows(session.messages());
    state.tool_calls = rows(session.tool_calls());
    state.terminal = rows(session.terminal().lines());
    state.workflow = rows(session.workflow());
    state.agent_state = rows(session.agent_states());
    state
}

/// Posts one by one; after each, both a session followed all along and one that begins there are what the server says.
async fn agrees(posts: Vec<Post>) {
    let test = setup().await;
    let session = test.follow().await;
    for (at, post) in posts.into_iter().enumerate() {
        let is_update = post.channel() == Some(Channel::ToolCalls);
        match test.client.publish(&test.id, [post]).await {
            Ok(_) => {}
            // A call that was never made, or is done already.
            Err(error) => assert!(is_update && error.status().is_some(), "{error}"),
        }
        let state = test.client.state(&test.id).await.unwrap();
        let mut status = session.status();
        soon(status.wait_for(|status| status.offset.as_str() >= state.offset.as_str())).await.unwrap();
        assert_eq!(folded(&session), state, "after post {at}");
        if at % 7 == 3 {
            assert_eq!(folded(&test.follow().await), state, "from a snapshot after post {at}");
        }
    }
    drop(session);
    drop(test.server);
}

#[test]
fn m_2d_folded_client_state_is_the_servers_state_at_every_offset() {
    let mut runner = TestRunner::new(Config { cases: 12, max_shrink_iters: 40, ..Config::default() });
    let posts = prop::collection::vec(post(), 1..25);
    let outcome = runner.run(&posts, |posts| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(agrees(posts));
        Ok(())
    });
    outcome.unwrap();
}
