use std::sync::Arc;

use headwater_client::sessions::{
    AgentStatus, Channel, ConnectionState, Person, Post, RowChange, Session, SessionClient, TerminalKind,
    TerminalSource,
};
use headwater_testing::TestServer;
use tokio::sync::mpsc;

use crate::setup;
use crate::support::proxy::Proxy;
use crate::support::{client, soon};

async fn until(session: &Session, holds: impl Fn(&Session) -> bool) {
    let mut status = session.status();
    let mut people = session.presence().subscribe();
    soon(async {
        while !holds(session) {
            tokio::select! {
                changed = status.changed() => changed.unwrap(),
                _ = people.next() => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn s_1_3_a_session_shows_what_was_and_what_comes_without_asking_again() {
    let test = setup().await;
    test.client
        .publish(&test.id, [Post::chunk("coder", "Hel").turn(1), Post::chunk("coder", "lo").turn(1)])
        .await
        .unwrap();
    let session = test.follow().await;
    assert_eq!(session.messages().get("coder-1").unwrap().text, "Hello");
    let mut messages = session.messages().subscribe();
    assert_eq!(soon(messages.next()).await.unwrap().len(), 1);
    test.client.publish(&test.id, [Post::chunk("coder", "!").turn(1)]).await.unwrap();
    let change = soon(messages.next()).await.unwrap();
    assert!(matches!(&change[..], [RowChange::Update { row, .. }] if row.text == "Hello!"), "{change:?}");
    let call = Post::tool_call("coder", "ls", serde_json::Value::Null);
    let id = call.id().unwrap().to_owned();
    let last = test.client.publish(&test.id, [call, Post::agent_state("coder", AgentStatus::Running)]).await.unwrap();
    until(&session, |session| session.status().borrow().offset == last.offset).await;
    assert!(session.tool_calls().get(&id).is_some());
    assert_eq!(session.agent_states().get("coder").unwrap().status, AgentStatus::Running);
}

#[tokio::test]
async fn s_2_3_one_connection_serves_collections_handlers_and_readers_of_events() {
    let test = setup().await;
    let proxy = Proxy::with(test.server.address, Vec::new()).await;
    let session = SessionClient::new(client(&proxy.url())).unwrap().follow(&test.id);
    assert!(soon(session.caught_up()).await);
    // One, and perhaps the one that the snapshot came by.
    let connections = proxy.connections();
    assert!(connections <= 2);
    let (tell, mut told) = mpsc::unbounded_channel();
    let tell_also = tell.clone();
    let guard = session.on(Channel::Chunks, move |event| tell.send(event.key.clone()).unwrap());
    let _panics = session.on_any(|_| panic!("on purpose"));
    let mut events = session.events(&[Channel::Terminal]);
    let post = Post::chunk("coder", "a");
    let id = post.id().unwrap().to_owned();
    test.client.publish(&test.id, [post, Post::terminal_output("b")]).await.unwrap();
    assert_eq!(soon(told.recv()).await.unwrap(), id);
    assert_eq!(soon(events.next()).await.unwrap().unwrap().channel, Channel::Terminal);
    drop(guard);
    test.client.publish(&test.id, [Post::chunk("coder", "c"), Post::terminal_output("d")]).await.unwrap();
    soon(events.next()).await.unwrap();
    assert!(told.try_recv().is_err());
    drop(tell_also);
    assert_eq!(proxy.connections(), connections, "whoever came later came for nothing more");
}

#[tokio::test]
async fn s_3_1_presence_comes_and_goes_in_the_same_connection() {
    let test = setup().await;
    let session = test.follow().await;
    let ada = session.join(Person::new("ada").name("Ada"));
    until(&session, |session| session.presence().get("ada").is_some()).await;
    ada.move_cursor(3.0, 4.0);
    until(&session, |session| session.presence().get("ada").unwrap().cursor.is_some()).await;
    assert_eq!(session.presence().get("ada").unwrap().display_name.as_deref(), Some("Ada"));
    soon(ada.leave()).await;
    until(&session, |session| session.presence().is_empty()).await;
}

#[tokio::test]
async fn s_3_3_a_terminal_has_its_lines_in_order_and_fifty_inputs() {
    let test = setup().await;
    let session = test.follow().await;
    let terminal = session.terminal();
    for at in 0..60 {
        // What becomes of all of them shows below.
        drop(terminal.send(format!("{at}")).unwrap());
    }
    assert_eq!(terminal.lines().len(), 60, "shown at once");
    soon(terminal.send("last").unwrap()).await.unwrap();
    session
        .publish([Post::terminal_output("$"), Post::terminal(TerminalKind::Input, TerminalSource::Agent, "no")])
        .await
        .unwrap();
    let history = terminal.input_history();
    assert_eq!((history.len(), history[0].data.as_str(), history[49].data.as_str()), (50, "last", "11"));
    let lines: Vec<String> = terminal.lines().iter().map(|line| line.data.clone()).collect();
    assert_eq!(lines[..60], (0..60).map(|at| at.to_string()).collect::<Vec<_>>());
    let stored = test.client.state(&test.id).await.unwrap().terminal;
    assert_eq!(stored.iter().map(|line| line.data.clone()).take(61).collect::<Vec<_>>(), lines[..61]);
}

#[tokio::test]
async fn s_3_4_an_agent_is_followed_across_sessions_from_before_it_begins() {
    let test = setup().await;
    let other = test.client.create(headwater_client::sessions::NewSession::new("p")).await.unwrap().id;
    let (tell, mut told) = mpsc::unbounded_channel();
    let tell_state = tell.clone();
    // It exists by then, so that nobody has to wait for the next look.
    test.client.publish(&test.id, [Post::chunk("coder", "before")]).await.unwrap();
    let agent = test.client.subscribe_agent(
        "coder",
        move |state, event| tell_state.send(format!("{:?} {:?}", state.status, event.session_id)).unwrap(),
        move |event| tell.send(format!("{} {:?}", event.channel, event.session_id)).unwrap(),
    );
    let mut status = agent.status();
    soon(status.wait_for(|status| status.caught_up)).await.unwrap();
    test.client.publish(&test.id, [Post::chunk("coder", "x"), Post::chunk("another", "y")]).await.unwrap();
    test.client.publish(&other, [Post::agent_state("coder", AgentStatus::Completed)]).await.unwrap();
    assert_eq!(soon(told.recv()).await.unwrap(), format!("chunks {:?}", Some(&test.id)));
    assert_eq!(soon(told.recv()).await.unwrap(), format!("Completed {:?}", Some(&other)));
    drop(agent);
    test.client.publish(&other, [Post::chunk("coder", "z")]).await.unwrap();
    assert_eq!(soon(told.recv()).await, None, "handlers are gone with the subscription");
}

#[tokio::test]
async fn a_closed_session_ends_and_so_do_its_subscriptions() {
    let test = setup().await;
    let session = test.follow().await;
    let mut chunks = session.chunks().subscribe();
    test.client.publish(&test.id, [Post::chunk("coder", "a")]).await.unwrap();
    test.client.close(&test.id).await.unwrap();
    let end = soon(session.ended()).await;
    assert_eq!((end.state, end.error.is_none()), (ConnectionState::Closed, true));
    assert_eq!(soon(chunks.next()).await.unwrap().len(), 1);
    assert!(soon(chunks.next()).await.is_none());
    let late = test.client.follow(&test.id);
    assert_eq!(soon(late.ended()).await.state, ConnectionState::Closed);
    assert_eq!(late.messages().get("coder-0").unwrap().text, "a", "what was is there all the same");
}

#[tokio::test]
async fn a_session_that_is_not_there_is_looked_for_and_then_given_up() {
    let server = TestServer::start();
    let sessions = SessionClient::new(client(&server.url())).unwrap();
    let end = soon(sessions.follow("none").ended()).await;
    assert_eq!(end.state, ConnectionState::Disconnected);
    assert!(end.error.unwrap().is_not_found());
    let missing = sessions.follow("none");
    assert!(!soon(missing.caught_up()).await);
}

#[tokio::test]
async fn many_sessions_of_one_client_go_their_own_ways() {
    let test = setup().await;
    let (first, second) = (test.follow().await, test.follow().await);
    let last = test.client.publish(&test.id, [Post::chunk("coder", "a")]).await.unwrap();
    drop(first);
    until(&second, |session| session.status().borrow().offset == last.offset).await;
    assert_eq!(Arc::new(second).messages().len(), 1);
}

#[tokio::test]
async fn s_3_4_what_an_agent_does_first_is_told_to_who_waited_for_it() {
    let test = setup().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let agent = test.client.subscribe_agent("coder", |_, _| (), move |event| tell.send(event.key.clone()).unwrap());
    let mut status = agent.status();
    soon(status.wait_for(|status| status.attempt > 2)).await.unwrap();
    let first = Post::chunk("coder", "first");
    let id = first.id().unwrap().to_owned();
    test.client.publish(&test.id, [first]).await.unwrap();
    assert_eq!(soon(told.recv()).await, Some(id));
}

#[tokio::test]
async fn a_session_that_is_deleted_is_given_up() {
    let test = setup().await;
    let session = test.follow().await;
    test.client.delete(&test.id).await.unwrap();
    let end = soon(session.ended()).await;
    assert_eq!(end.state, ConnectionState::Disconnected);
    assert!(end.error.unwrap().is_not_found());
}
