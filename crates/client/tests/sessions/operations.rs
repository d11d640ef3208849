use headwater_client::sessions::{
    Channel, ErrorCode, HistoryQuery, ListSessions, NewSession, Person, Post, Search, SessionError, SessionPatch,
    SessionState,
};

use crate::setup;

#[tokio::test]
async fn o_1c_a_session_is_created_changed_paused_closed_and_deleted() {
    let test = setup().await;
    let new = NewSession::new("web").task("t1").agent("coder").title("Fix the build").retention_ms(3_600_000);
    let row = test.client.create(new).await.unwrap();
    assert_eq!((row.project_id.as_str(), row.status), ("web", SessionState::Active));
    let patch = SessionPatch::new().title(Some("Fix it for good")).task(None);
    let row = test.client.update(&row.id, patch).await.unwrap();
    assert_eq!((row.title.as_deref(), row.task_id), (Some("Fix it for good"), None));
    assert_eq!(test.client.pause(&row.id).await.unwrap().status, SessionState::Paused);
    assert_eq!(test.client.resume(&row.id).await.unwrap().status, SessionState::Active);
    assert!(test.client.share(&row.id).await.unwrap().url.ends_with(&row.url));
    assert_eq!(test.client.close(&row.id).await.unwrap().status, SessionState::Closed);
    let error = test.client.close(&row.id).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::SessionClosed));
    test.client.delete(&row.id).await.unwrap();
    assert!(test.client.get(&row.id).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn o_1c_a_list_is_filtered_and_its_cursor_goes_on() {
    let test = setup().await;
    for at in 0..5 {
        test.client.create(NewSession::new("web").title(format!("number {at}"))).await.unwrap();
    }
    let list = || ListSessions::new().project("web").sort("title", "asc").limit(2);
    let mut titles = Vec::new();
    let mut page = test.client.list(list()).await.unwrap();
    loop {
        titles.extend(page.sessions.iter().map(|row| row.title.clone().unwrap()));
        let Some(cursor) = page.next_cursor else { break };
        page = test.client.list(list().cursor(cursor)).await.unwrap();
    }
    assert_eq!(titles, (0..5).map(|at| format!("number {at}")).collect::<Vec<_>>());
    assert!(test.client.list(list().status("paused")).await.unwrap().sessions.is_empty());
    let error = test.client.list(ListSessions::new().limit(1_000)).await.unwrap_err();
    assert!(matches!(&error, SessionError::Refused(refused) if refused.field() == Some("limit")), "{error}");
}

#[tokio::test]
async fn o_1c_state_messages_and_history_are_what_was_written() {
    let test = setup().await;
    let call = Post::tool_call("coder", "ls", serde_json::json!({ "path": "." }));
    let call_id = call.id().unwrap().to_owned();
    let said = [Post::chunk("coder", "Look").turn(1), call, Post::chunk("coder", "ing").turn(1)];
    let written = test.client.publish(&test.id, said.clone()).await.unwrap();
    assert_eq!((written.results.len(), written.duplicate), (3, false));
    let again = test.client.publish(&test.id, said).await.unwrap();
    assert_eq!((again.duplicate, &again.offset), (true, &written.offset), "sent again, it is recognised");
    test.client.publish(&test.id, [Post::tool_result(&call_id, serde_json::json!(["Cargo.toml"]))]).await.unwrap();

    let state = test.client.state(&test.id).await.unwrap();
    assert_eq!(state.tool_calls[0].output, serde_json::json!(["Cargo.toml"]));
    assert_eq!(state.tool_calls.len(), 1, "the result is on the row of the start");
    let messages = test.client.messages(&test.id).await.unwrap();
    assert_eq!((messages.messages[0].text.as_str(), &messages.offset), ("Looking", &state.offset));
    let query = HistoryQuery::new().channels(&[Channel::ToolCalls]).limit(1);
    let first = test.client.history(&test.id, query.clone()).await.unwrap();
    assert_eq!(first.events[0].key, call_id);
    let rest = test.client.history(&test.id, query.cursor(first.next_cursor.unwrap())).await.unwrap();
    assert_eq!((rest.events.len(), rest.gap), (1, None));
    assert_eq!(test.client.tail(&test.id).await.unwrap(), state.offset);
    assert!(test.client.search(Search::new("looking")).await.is_err(), "this server keeps no index");
}

#[tokio::test]
async fn o_1c_a_fork_has_the_history_up_to_where_it_branches_off() {
    let test = setup().await;
    let first = test.client.publish(&test.id, [Post::chunk("coder", "one")]).await.unwrap();
    test.client.publish(&test.id, [Post::chunk("coder", " two")]).await.unwrap();
    let fork = test.client.fork(&test.id, NewSession::like_source().at(first.offset).title("Branch")).await.unwrap();
    assert_eq!(fork.forked_from.unwrap().session_id, test.id);
    assert_eq!(test.client.messages(&fork.id).await.unwrap().messages[0].text, "one");
}

#[tokio::test]
async fn o_1c_steps_of_an_agent_become_rows_of_their_channels() {
    let test = setup().await;
    let start = Post::step_tool_start("coder", "ls", serde_json::json!({}));
    let id = start.id().unwrap().to_owned();
    let steps = [
        Post::step_turn("coder", 2),
        start,
        Post::step_tool_invoke("coder", &id, "ls", serde_json::json!({})),
        Post::step_token("coder", "Look").turn(2),
        Post::step_tool_result("coder", &id, "done"),
        Post::step_complete("coder", "All green"),
    ];
    test.client.publish(&test.id, steps).await.unwrap();
    let state = test.client.state(&test.id).await.unwrap();
    assert_eq!((state.tool_calls.len(), state.tool_calls[0].duration.is_some()), (1, true));
    assert_eq!(state.agent_state[0].message.as_deref(), Some("All green"));
    assert_eq!(state.messages[0].text, "Look");
}

#[tokio::test]
async fn s_3_1_who_joins_is_there_and_who_leaves_is_not() {
    let test = setup().await;
    let joined = test.client.join(&test.id, &Person::new("ada").name("Ada")).await.unwrap();
    assert_eq!(joined.session.id, test.id);
    let present = test.client.present(&test.id).await.unwrap();
    assert_eq!(present[0].display_name.as_deref(), Some("Ada"));
    assert_eq!(test.client.get(&test.id).await.unwrap().viewer_count, 1);
    test.client.leave(&test.id, "ada").await.unwrap();
    assert!(test.client.present(&test.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn refusals_are_typed() {
    let test = setup().await;
    let wrong = [Post::chunk("coder", "good"), Post::new(Channel::Chunks).with("text", 7)];
    let error = test.client.publish(&test.id, wrong).await.unwrap_err();
    let SessionError::Refused(refused) = &error else { panic!("{error}") };
    assert_eq!((&refused.code, refused.event(), refused.status), (&ErrorCode::Validation, Some(1), 400));
    for id in ["none", "a/b", "..", ""] {
        let error = test.client.state(id).await.unwrap_err();
        assert!(!error.is_transient(), "{id}: {error}");
    }
}
