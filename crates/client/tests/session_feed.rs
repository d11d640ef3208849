//! A session event by event, and as a file.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use headwater_client::Offset;
use headwater_client::sessions::limits::FEED_EVENTS_MAX;
use headwater_client::sessions::{
    ConnectionState, ExportFormat, Fed, NewSession, Post, SessionClient, SessionEvent, SessionFeed,
};
use headwater_testing::TestServer;
use support::{client, soon};

/// A session with so many terminal lines.
async fn session(server: &TestServer, lines: usize) -> (SessionClient, String) {
    let sessions = SessionClient::new(client(&server.url())).unwrap();
    let id = sessions.create(NewSession::new("p")).await.unwrap().id;
    let posts: Vec<Post> = (0..lines).map(|n| Post::terminal_output(format!("{n}\n"))).collect();
    for posts in posts.chunks(1000) {
        sessions.publish(&id, posts.to_vec()).await.unwrap();
    }
    (sessions, id)
}

async fn rest(feed: &mut SessionFeed) -> Vec<SessionEvent> {
    let mut events = Vec::new();
    while let Some(fed) = soon(feed.next()).await {
        let Fed::Event(event) = fed else { panic!("{fed:?}") };
        events.push(event);
    }
    events
}

fn texts(events: &[SessionEvent]) -> Vec<String> {
    events.iter().map(|event| event.data.as_ref().unwrap()["data"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_feed_tells_what_was_and_what_comes_and_ends_with_the_session() {
    let server = TestServer::start();
    let (sessions, id) = session(&server, 2).await;
    let mut feed = sessions.feed(&*id, Offset::start());
    let Some(Fed::Event(first)) = soon(feed.next()).await else { panic!("no event") };
    let mut later = sessions.feed(&*id, first.offset.clone().unwrap());
    sessions.publish(&id, [Post::terminal_output("live\n")]).await.unwrap();
    sessions.close(&id).await.unwrap();
    assert_eq!(texts(&rest(&mut feed).await), ["1\n", "live\n"]);
    assert_eq!(texts(&rest(&mut later).await), ["1\n", "live\n"], "an offset is where another feed goes on");
    assert_eq!(feed.status().borrow().state, ConnectionState::Closed);
    assert_eq!(feed.offset(), later.offset());
}

#[tokio::test]
async fn a_reader_that_falls_far_behind_is_told_everything_once_all_the_same() {
    let server = TestServer::start();
    let count = FEED_EVENTS_MAX * 3;
    let (sessions, id) = session(&server, count).await;
    sessions.close(&id).await.unwrap();
    let mut feed = sessions.feed(&*id, Offset::start());
    // The connection brings what it has before anything is taken.
    let mut status = feed.status();
    soon(status.wait_for(|status| status.state.is_final())).await.unwrap();
    let told = texts(&rest(&mut feed).await);
    assert_eq!(told, (0..count).map(|n| format!("{n}\n")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_feed_of_nothing_ends_and_says_why() {
    let server = TestServer::start();
    let sessions = SessionClient::new(client(&server.url())).unwrap();
    let mut feed = sessions.feed("nothing", Offset::start());
    assert_eq!(soon(feed.next()).await, None);
    let status = feed.status().borrow().clone();
    assert!(status.error.is_some_and(|error| error.is_not_found()));
}

#[tokio::test]
async fn an_export_comes_whole_in_every_format() {
    let server = TestServer::start();
    let (sessions, id) = session(&server, 3).await;
    for format in ExportFormat::ALL {
        let mut export = sessions.export(&id, format).await.unwrap();
        let mut file = Vec::new();
        while let Some(piece) = export.next().await.unwrap() {
            file.extend_from_slice(&piece);
        }
        let text = String::from_utf8(file).unwrap();
        assert!(["0", "1", "2"].iter().all(|line| text.contains(line)), "{format:?}: {text}");
        assert_eq!(ExportFormat::of(format.as_str()), Some(format));
    }
    assert!(sessions.export("nothing", ExportFormat::Json).await.unwrap_err().is_not_found());
}
