//! Sessions whose connections and servers go away.

use std::time::Duration;

use headwater_client::sessions::{ConnectionState, NewSession, Person, Post, Session, SessionClient};
use headwater_testing::{SharedMemory, TestServer};

use crate::support::proxy::{Fault, Proxy};
use crate::support::script::{Reply, Script};
use crate::support::{builder, client, soon};

/// Follows to the session's end and gives every terminal line as the subscription told it.
async fn told(session: &Session) -> Vec<String> {
    let mut lines = session.terminal().lines().subscribe();
    let mut told = Vec::new();
    while let Some(batch) = lines.next().await {
        for change in batch {
            assert!(matches!(change, headwater_client::sessions::RowChange::Insert { .. }), "{change:?}");
            told.push(change.row().unwrap().data.clone());
        }
    }
    told
}

fn lines(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("line {at}")).collect()
}

#[tokio::test]
async fn s_1_1_restarts_of_the_server_leave_no_gap_and_no_duplicate() {
    let store = SharedMemory::default();
    let mut server = TestServer::over(store.clone(), |_, _| ());
    let address = server.address;
    let sessions = SessionClient::new(client(&server.url())).unwrap();
    let id = sessions.create(NewSession::new("p")).await.unwrap().id;
    let outbox = sessions.outbox(&id);
    let session = sessions.follow(&id);
    let second = sessions.follow(&id);
    let both = tokio::spawn(async move { tokio::join!(told(&session), told(&second)) });
    for (at, line) in lines(300).into_iter().enumerate() {
        outbox.send(Post::terminal_output(line)).await.unwrap();
        if at % 100 == 50 {
            soon(outbox.flush()).await.unwrap();
            let last = server;
            tokio::task::spawn_blocking(|| drop(last)).await.unwrap();
            outbox.send(Post::terminal_output("while it was away")).await.unwrap();
            let store = store.clone();
            let again = move || TestServer::over(store, |config, _| config.listen = address);
            server = tokio::task::spawn_blocking(again).await.unwrap();
        }
    }
    soon(outbox.close()).await.unwrap();
    sessions.close(&id).await.unwrap();
    let (first, second) = soon(both).await.unwrap();
    let mut expected = lines(300);
    for at in [51, 152, 253] {
        expected.insert(at, "while it was away".to_owned());
    }
    assert_eq!(first, expected);
    assert_eq!(second, expected);
    drop(server);
}

#[tokio::test]
async fn s_1_1_any_harm_to_connections_leaves_no_gap_and_no_duplicate() {
    let server = TestServer::with(|config, _| config.sse_lifetime = Duration::from_millis(300));
    let direct = SessionClient::new(client(&server.url())).unwrap();
    let id = direct.create(NewSession::new("p")).await.unwrap().id;
    let seed = std::env::var("HOSTILE_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("seed {seed}");
    let proxy = Proxy::seeded(server.address, seed, 60).await;
    let quick = Duration::from_millis(200);
    let hurried = builder(&proxy.url()).request_timeout(quick).body_idle_timeout(quick).build().unwrap();
    let sessions = SessionClient::new(hurried).unwrap().idle_timeout(quick);
    let outbox = sessions.outbox(&id);
    let reading = sessions.follow(&id);
    let reading = tokio::spawn(async move { told(&reading).await });
    for line in lines(400) {
        outbox.send(Post::terminal_output(line)).await.unwrap();
        if rand::random::<u8>() < 30 {
            soon(outbox.flush()).await.unwrap();
        }
    }
    soon(outbox.close()).await.unwrap();
    direct.close(&id).await.unwrap();
    assert_eq!(soon(reading).await.unwrap(), lines(400), "seed {seed}");
}

#[tokio::test]
async fn s_1_1_a_follower_behind_a_proxy_that_cuts_has_everything_once() {
    let server = TestServer::start();
    let direct = SessionClient::new(client(&server.url())).unwrap();
    let id = direct.create(NewSession::new("p")).await.unwrap().id;
    let cuts = [0, 100, 350, 700, 1_000, 2_500, 4_000, 9_000].map(Fault::AnswerCut);
    let faults = cuts.into_iter().chain([Fault::Refused, Fault::Garbage(600), Fault::AnswerCut(5_000)]).collect();
    let proxy = Proxy::with(server.address, faults).await;
    let through = SessionClient::new(client(&proxy.url())).unwrap();
    let session = through.follow(&id);
    let status = session.status();
    let reading = tokio::spawn(async move { told(&session).await });
    for line in lines(300) {
        direct.publish(&id, [Post::terminal_output(line)]).await.unwrap();
    }
    direct.close(&id).await.unwrap();
    assert_eq!(soon(reading).await.unwrap(), lines(300));
    assert!(proxy.connections() > 3);
    assert_eq!(status.borrow().discontinuities, 0);
}

#[tokio::test]
async fn s_3_1_nobody_flickers_while_connections_are_made_anew() {
    let server = TestServer::with(|config, _| config.sse_lifetime = Duration::from_millis(50));
    let sessions = SessionClient::new(client(&server.url())).unwrap();
    let id = sessions.create(NewSession::new("p")).await.unwrap().id;
    let session = sessions.follow(&id);
    let here = session.join(Person::new("ada"));
    let mut people = session.presence().subscribe();
    let mut status = session.status();
    soon(people.next()).await.unwrap();
    for _ in 0..2 {
        soon(status.wait_for(|status| status.state == ConnectionState::Reconnecting)).await.unwrap();
        soon(status.wait_for(|status| status.state == ConnectionState::Connected)).await.unwrap();
    }
    for change in people.try_next() {
        assert!(change.row().is_some(), "{change:?}");
    }
    drop(here);
}

#[tokio::test]
async fn the_status_tells_of_attempts_and_of_the_end_of_trying() {
    let refused = "HTTP/1.1 403 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let script = Script::play([Reply::Break, Reply::Break, Reply::Say(refused.into())]).await;
    let sessions = SessionClient::new(client(&script.url())).unwrap();
    let session = sessions.follow("a");
    let mut status = session.status();
    assert_eq!(status.borrow().state, ConnectionState::Initial);
    let second = soon(status.wait_for(|status| status.attempt == 2)).await.unwrap().clone();
    assert_eq!((second.state, second.next_retry.is_some()), (ConnectionState::Connecting, true));
    let end = soon(session.ended()).await;
    assert_eq!((end.state, end.error.unwrap().status()), (ConnectionState::Disconnected, Some(403)));
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test]
async fn d_2d_lost_history_is_built_anew_from_a_snapshot_and_told() {
    let page = |row: &str| {
        let row = format!(
            r#"{{"type":"terminal","key":"{row}","value":{{"id":"{row}","sessionId":"a","type":"output","data":"{row}","source":"agent","timestamp":1}},"headers":{{"operation":"insert"}}}}"#
        );
        let body = format!(
            r#"[{{"headers":{{"control":"snapshot-start"}}}},{row},{{"headers":{{"control":"snapshot-end"}}}}]"#
        );
        crate::support::script::page("application/json", "5", "stream-up-to-date: true\r\n", &body)
    };
    let events = |text: &str| Reply::Say(crate::support::script::events(text));
    let body = r#"{"ok":false,"error":{"code":"OFFSET_TRIMMED","message":"gone","details":{"earliest":"3"}}}"#;
    let script = Script::play([
        page("old"),
        events("event: ready\nid: 5\ndata: {\"offset\":\"5\"}\n\nevent: gap\nid: 6\ndata: {\"earliest\":\"6\"}\n\n"),
        page("middle"),
        crate::support::script::status(410, "", body),
        page("new"),
        events("event: ready\nid: 5\ndata: {\"offset\":\"5\"}\n\nevent: later\ndata: ?\n\ndata: {\"channel\":\"later\",\"offset\":\"6\"}\n\nevent: closed\nid: 7\ndata: {\"offset\":\"7\"}\n\n"),
    ])
    .await;
    let sessions = SessionClient::new(client(&script.url())).unwrap();
    let session = sessions.follow("a");
    let lost = session.discontinuities();
    let end = soon(session.ended()).await;
    assert_eq!((end.state, end.discontinuities, end.offset.as_str()), (ConnectionState::Closed, 2, "7"));
    assert_eq!(lost.borrow().as_ref().unwrap().count, 2);
    let rows: Vec<String> = session.terminal().lines().iter().map(|line| line.data.clone()).collect();
    assert_eq!(rows, ["new"]);
}

#[tokio::test]
async fn a_proxy_that_holds_events_back_is_answered_with_long_poll() {
    let page =
        |offset: &str, flags: &str, rows: &str| crate::support::script::page("application/json", offset, flags, rows);
    let row = r#"{"type":"terminal","key":"1","value":{"id":"1","sessionId":"a","type":"output","data":"x","source":"agent","timestamp":1},"headers":{"operation":"insert","txid":"t"}}"#;
    let held_back = Reply::Hold(crate::support::script::events(""));
    let person = r#"{"ok":true,"data":[{"userId":"ada","sessionId":"a","lastSeen":1,"joinedAt":1}]}"#;
    let script = Script::play([
        page("5", "stream-up-to-date: true\r\n", "[]"),
        held_back.clone(),
        held_back,
        page("5", "", person),
        page("6", "stream-up-to-date: true\r\nstream-closed: true\r\n", &format!("[{row}]")),
    ])
    .await;
    let sessions = SessionClient::new(client(&script.url())).unwrap().idle_timeout(Duration::from_millis(30));
    let session = sessions.follow("a");
    let end = soon(session.ended()).await;
    assert_eq!((end.state, end.offset.as_str()), (ConnectionState::Closed, "6"), "{:?}", script.targets());
    assert_eq!((session.terminal().lines().len(), session.presence().len()), (1, 1));
    let asked = script.targets();
    assert!(asked[0].contains("view=snapshot") && asked[1].contains("/api/streams?sessionId=a&offset=5"), "{asked:?}");
    assert!(asked[4].contains("offset=5&live=long-poll"), "{asked:?}");
}

#[tokio::test]
async fn a_token_that_has_expired_is_asked_for_again_at_once() {
    let script = Script::play([
        crate::support::script::status(401, "", ""),
        crate::support::script::page(
            "application/json",
            "5",
            "stream-up-to-date: true\r\nstream-closed: true\r\n",
            "[]",
        ),
    ])
    .await;
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = asked.clone();
    let fresh = move || {
        let token = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move { Ok(format!("token-{token}")) }
    };
    let with_token = builder(&script.url()).header_fn("authorization", fresh).build().unwrap();
    let session = SessionClient::new(with_token).unwrap().follow("a");
    assert_eq!(soon(session.ended()).await.state, ConnectionState::Closed);
    assert!(script.requests()[1].contains("authorization: token-1"), "{:?}", script.requests());
}

#[tokio::test]
async fn a_session_is_created_once_whatever_becomes_of_the_answer() {
    let busy = "HTTP/1.1 429 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let script = Script::play([Reply::Say(busy.into()), Reply::Break]).await;
    let sessions = SessionClient::new(client(&script.url())).unwrap();
    let error = soon(sessions.create(NewSession::new("p"))).await.unwrap_err();
    assert!(error.may_have_been_applied(), "{error}");
    assert_eq!(script.requests().len(), 2, "what was refused is asked again, what may have happened is not");
}
