//! The operations of a stream, against a server.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use std::time::Duration;

use headwater_client::{Append, Create, Error, Fields, Fork, Offset};
use headwater_testing::TestServer;
use support::script::{Reply, Script, page, status};
use support::{builder, client, created};

#[tokio::test]
async fn a_stream_is_created_once_and_the_same_again_is_no_error() {
    let server = TestServer::start();
    let stream = client(&server.url()).stream("chat/42").unwrap();
    let create = Create::new("text/plain").ttl(Duration::from_secs(60)).body("hello ");
    assert!(stream.create(create.clone()).await.unwrap().is_new);
    assert!(!stream.create(create).await.unwrap().is_new);
    let differs = stream.create(Create::json()).await.unwrap_err();
    assert!(matches!(differs, Error::Conflict(_)), "{differs}");

    let head = stream.head().await.unwrap();
    assert_eq!(head.content_type.as_deref(), Some("text/plain"));
    assert_eq!((head.ttl, head.closed), (Some(Duration::from_secs(60)), false));
    assert_eq!(stream.read_all(Offset::start()).await.unwrap().text(), "hello ");
}

#[tokio::test]
async fn appends_read_back_from_any_offset_and_a_close_is_final() {
    let server = TestServer::start();
    let stream = created(&server, "text/plain").await;
    let first = stream.append("one").await.unwrap().tail.unwrap();
    stream.append_with("two", Append::new().and_close()).await.unwrap();
    let rest = stream.read(first).await.unwrap();
    assert_eq!((rest.text().as_ref(), rest.up_to_date, rest.closed), ("two", true, true));
    let error = stream.append("three").await.unwrap_err();
    assert!(matches!(&error, Error::Closed { tail: Some(tail), .. } if *tail == rest.offset), "{error}");
    assert_eq!(stream.close().await.unwrap(), Some(rest.offset), "closing again is no error");
}

#[tokio::test]
async fn a_handle_that_knows_nothing_asks_for_the_content_type() {
    let server = TestServer::start();
    created(&server, "application/json").await;
    let stream = client(&server.url()).connect("a/stream").await.unwrap();
    stream.append_json(&[1, 2]).await.unwrap();
    stream.append("[3,4]").await.unwrap();
    let messages: Vec<serde_json::Value> = stream.read_all(Offset::start()).await.unwrap().json().unwrap();
    assert_eq!(serde_json::to_string(&messages).unwrap(), "[[1,2],3,4]");
}

#[tokio::test]
async fn sequence_marks_must_grow() {
    let server = TestServer::start();
    let stream = created(&server, "text/plain").await;
    stream.append_with("b", Append::new().stream_seq("b")).await.unwrap();
    let error = stream.append_with("a", Append::new().stream_seq("a")).await.unwrap_err();
    assert!(matches!(error, Error::SequenceConflict(_)), "{error}");
}

#[tokio::test]
async fn a_fork_shares_what_lies_before_it() {
    let server = TestServer::start();
    let stream = created(&server, "text/plain").await;
    let middle = stream.append("shared").await.unwrap().tail.unwrap();
    stream.append("later").await.unwrap();
    let fork = client(&server.url()).stream("a/fork").unwrap();
    stream.fork(&fork, Fork::at(middle).sub_offset(1)).await.unwrap();
    fork.append("own").await.unwrap();
    assert_eq!(fork.read_all(Offset::start()).await.unwrap().text(), "sharedlown");
}

#[tokio::test]
async fn what_is_missing_is_named_in_the_error() {
    let server = TestServer::start();
    let stream = client(&server.url()).stream("no/such").unwrap();
    for error in [
        stream.head().await.unwrap_err(),
        stream.read("-1").await.unwrap_err(),
        stream.append("x").await.unwrap_err(),
        stream.close().await.unwrap_err(),
        stream.delete().await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::NotFound(_)) && error.to_string().contains("no/such"), "{error}");
    }
    let stream = created(&server, "text/plain").await;
    let error = stream.read("nonsense").await.unwrap_err();
    assert_eq!(error.refusal().and_then(|refusal| refusal.code.as_deref()), Some("invalid_offset"), "{error}");
    stream.delete().await.unwrap();
    assert!(matches!(stream.head().await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn an_append_of_unknown_fate_is_sent_once_and_says_so() {
    let broken = [
        Reply::Break,
        status(500, "", "oops"),
        status(503, "", ""),
        Reply::Say("HTTP/1.1 204 No Content\r\nstream-ne".into()),
    ];
    for reply in broken {
        let script = Script::play([reply.clone()]).await;
        let stream = client(&script.url()).stream("x").unwrap().with_content_type("text/plain");
        let error = stream.append("once").await.unwrap_err();
        assert!(matches!(error, Error::Ambiguous { .. }) && error.may_have_been_applied(), "{reply:?}: {error}");
        assert_eq!(script.requests().len(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn an_append_that_was_not_begun_is_sent_again() {
    let problem = "content-type: application/problem+json\r\n";
    let refusals = [
        status(429, "retry-after: 0\r\n", ""),
        status(503, problem, r#"{"code":"overloaded","detail":"too many requests"}"#),
    ];
    for refusal in refusals {
        let script = Script::play([refusal, status(204, "stream-next-offset: 5\r\n", "")]).await;
        let stream = client(&script.url()).stream("x").unwrap().with_content_type("text/plain");
        assert_eq!(stream.append("again").await.unwrap().tail, Some("5".into()));
    }
    let script = Script::play([Reply::Break, status(204, "stream-next-offset: 5\r\n", "")]).await;
    let stream = client(&script.url()).stream("x").unwrap().with_content_type("text/plain");
    stream.append_with("perhaps twice", Append::new().at_least_once()).await.unwrap();
    assert_eq!(script.requests().len(), 2);
}

#[tokio::test]
async fn operations_give_up_after_their_attempts() {
    let script = Script::play([status(500, "", "always")]).await;
    let stream = builder(&script.url()).attempts_max(3).build().unwrap().stream("x").unwrap();
    let error = stream.read("-1").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test]
async fn a_delete_that_is_repeated_finds_nothing_and_is_content() {
    let script = Script::play([Reply::Break, status(404, "", "")]).await;
    client(&script.url()).stream("x").unwrap().delete().await.unwrap();
}

#[tokio::test]
async fn headers_and_parameters_come_from_the_client_the_handle_and_functions() {
    let script = Script::play([page("text/plain", "1", "stream-up-to-date: true\r\n", "a")]).await;
    let client = builder(&script.url())
        .header("x-fixed", "client")
        .header_fn("authorization", || async { Ok("Bearer fresh".to_owned()) })
        .query("tenant", "acme & co")
        .build()
        .unwrap();
    let stream = client.stream("x").unwrap().with(Fields::new().header("x-fixed", "call"));
    stream.read("-1").await.unwrap();
    let head = script.requests().remove(0);
    assert!(head.starts_with("GET /s/x?tenant=acme+%26+co&offset=-1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("x-fixed: call\r\n") && head.contains("authorization: Bearer fresh\r\n"), "{head}");
}

#[tokio::test]
async fn pages_larger_than_the_limit_are_refused() {
    let script = Script::play([page("text/plain", "1", "", &"x".repeat(100))]).await;
    let stream = builder(&script.url()).page_bytes_max(99).build().unwrap().stream("x").unwrap();
    let error = stream.read("-1").await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 99, .. }), "{error}");
}

#[test]
fn every_operation_can_be_spawned() {
    fn spawnable<T: Send + 'static>(_: impl FnOnce(headwater_client::Stream) -> T) {}
    spawnable(|stream| async move { stream.create(Create::json()).await });
    spawnable(|stream| async move { stream.fork(&stream, Fork::at_tail()).await });
    spawnable(|stream| async move { stream.append("x").await });
    spawnable(|stream| async move { stream.close().await });
    spawnable(|stream| async move { stream.delete().await });
    spawnable(|stream| async move { stream.head().await });
    spawnable(|stream| async move { stream.read_all("-1").await });
    spawnable(|stream| async move { stream.reader().open().next().await });
    spawnable(|stream| async move { stream.producer("p").start().await?.close_with("x").await });
}
