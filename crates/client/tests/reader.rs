//! Readers, against servers that behave and servers that do not.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use std::time::Duration;

use futures_util::StreamExt;
use headwater_client::{Batch, Error, Mode, Offset, Reader, ReaderState};
use headwater_testing::TestServer;
use support::script::{Reply, Script, control, events, page, status};
use support::{builder, client, created, soon};

const UP_TO_DATE: &str = "stream-up-to-date: true\r\n";
const END: &str = ",\"upToDate\":true,\"streamClosed\":true";

/// All content, and the last offset.
async fn drain(reader: Reader) -> (String, Offset) {
    let batches: Vec<Batch> = soon(reader.map(|batch| batch.unwrap()).collect()).await;
    let offset = batches.last().expect("a last batch").offset.clone();
    (batches.iter().map(|batch| batch.text()).collect(), offset)
}

fn scripted(script: &Script) -> headwater_client::Stream {
    client(&script.url()).stream("x").unwrap()
}

#[tokio::test]
async fn every_mode_goes_from_catch_up_to_live_to_the_end() {
    for mode in [Mode::Auto, Mode::Sse, Mode::LongPoll] {
        let server = TestServer::start();
        let stream = created(&server, "text/plain").await;
        stream.append("before ").await.unwrap();
        let mut reader = stream.reader().mode(mode).open();
        let first = soon(reader.next()).await.unwrap().unwrap();
        assert_eq!((first.text().as_ref(), first.up_to_date), ("before ", true));
        let writer = stream.clone();
        let writing = tokio::spawn(async move {
            writer.append("after").await.unwrap();
            writer.close().await.unwrap();
        });
        assert_eq!(drain(reader).await.0, "after", "{mode:?}");
        writing.await.unwrap();
    }
}

#[tokio::test]
async fn catch_up_alone_ends_at_the_tail_page_by_page() {
    let server = TestServer::with(|_, limits| limits.page_bytes_max = 1024);
    let stream = created(&server, "application/json").await;
    let messages: Vec<String> = (0..300).map(|n| format!("message {n}")).collect();
    stream.append(serde_json::to_vec(&messages).unwrap()).await.unwrap();
    let mut reader = stream.reader().mode(Mode::CatchUp).open().json::<String>();
    let (mut read, mut batches) = (Vec::new(), 0);
    while let Some(batch) = soon(reader.next()).await {
        read.extend(batch.unwrap().items);
        batches += 1;
    }
    assert_eq!(read, messages);
    assert!(batches > 3, "{batches}");
    let all: Vec<String> = stream.read_all(Offset::start()).await.unwrap().json().unwrap();
    assert_eq!(all, messages);
}

#[tokio::test]
async fn binary_content_arrives_as_it_was_through_sse() {
    let server = TestServer::start();
    let stream = created(&server, "application/octet-stream").await;
    let mut reader = stream.reader().from("now").mode(Mode::Sse).open();
    assert!(soon(reader.next()).await.unwrap().unwrap().is_empty(), "news of the tail");
    let bytes: Vec<u8> = (0..=255).collect();
    stream.append(bytes.clone()).await.unwrap();
    assert_eq!(soon(reader.next()).await.unwrap().unwrap().bytes, bytes);
}

#[tokio::test]
async fn text_is_put_together_where_batches_cut_a_character() {
    let server = TestServer::start();
    let stream = created(&server, "text/plain").await;
    let mut reader = stream.reader().mode(Mode::LongPoll).open().text();
    stream.append(&b"a\xf0\x9f"[..]).await.unwrap();
    let first = soon(reader.next()).await.unwrap().unwrap();
    assert_eq!((first.text.as_str(), first.offset), ("a", None));
    stream.append(&b"\x98\x80b"[..]).await.unwrap();
    let second = soon(reader.next()).await.unwrap().unwrap();
    assert_eq!(second.text, "\u{1f600}b");
    assert!(second.offset.is_some());
}

#[tokio::test]
async fn content_without_its_position_is_read_again_and_given_once() {
    let script = Script::play([
        page("text/plain", "0", UP_TO_DATE, ""),
        // Cut after a data event, and then inside a control event.
        Reply::Say(events(&format!("event: data\ndata:one\n\n{}event: data\ndata:two\n\n", control("3", "")))),
        Reply::Say(events("event: data\r\ndata:two\r\n\r\nevent: control\rdata:{\"streamNextOffset\":\"6\"")),
        Reply::Say(events(&format!(
            "event: data\rdata: two\r\r: ping\n\nevent: later\ndata:?\n\n{}",
            control("6", END)
        ))),
    ])
    .await;
    let reader = scripted(&script).reader().open();
    assert_eq!(drain(reader).await, ("onetwo".to_owned(), "6".into()));
    let asked = script.targets();
    assert!(asked[1].contains("offset=0") && asked[1].contains("live=sse"), "{asked:?}");
    assert!(asked[2].contains("offset=3") && asked[2].contains("cursor=7"), "{asked:?}");
    assert!(asked[3].contains("offset=3"), "{asked:?}");
}

#[tokio::test]
async fn a_proxy_that_buffers_is_answered_with_long_poll() {
    let held_back = Reply::Hold(events(""));
    let script = Script::play([
        page("text/plain", "0", UP_TO_DATE, ""),
        held_back.clone(),
        held_back,
        page("text/plain", "3", "stream-up-to-date: true\r\nstream-closed: true\r\n", "one"),
    ])
    .await;
    let reader = scripted(&script).reader().first_event_timeout(Duration::from_millis(30)).open();
    assert_eq!(drain(reader).await.0, "one");
    assert!(script.targets()[3].contains("live=long-poll"), "{:?}", script.targets());
}

#[tokio::test]
async fn event_streams_that_end_at_once_are_answered_with_long_poll() {
    let too_short = Reply::Say(events(&control("0", ",\"upToDate\":true")));
    let script = Script::play([
        page("text/plain", "0", UP_TO_DATE, ""),
        too_short.clone(),
        too_short.clone(),
        too_short,
        page("text/plain", "3", "stream-closed: true\r\n", "one"),
    ])
    .await;
    assert_eq!(drain(scripted(&script).reader().open()).await.0, "one");
    assert!(script.targets()[4].contains("live=long-poll"), "{:?}", script.targets());
}

#[tokio::test]
async fn a_server_without_sse_is_asked_by_long_poll() {
    let end = page("text/plain", "3", "stream-closed: true\r\n", "one");
    for refusal in [status(400, "", "live=sse?"), page("text/html", "0", "", "<html>")] {
        let script = Script::play([page("text/plain", "0", UP_TO_DATE, ""), refusal, end.clone()]).await;
        assert_eq!(drain(scripted(&script).reader().open()).await.0, "one");
    }
}

#[tokio::test]
async fn a_connection_that_died_silently_is_replaced() {
    let script = Script::play([
        page("text/plain", "0", UP_TO_DATE, ""),
        Reply::Hold(events(&format!("event: data\ndata:one\n\n{}event: data\ndata:tw", control("3", "")))),
        Reply::Say(events(&format!("event: data\ndata:two\n\n{}", control("6", END)))),
    ])
    .await;
    let reader = scripted(&script).reader().idle_timeout(Duration::from_millis(50)).open();
    assert_eq!(drain(reader).await.0, "onetwo");
}

#[tokio::test]
async fn status_tells_of_attempts_and_of_success() {
    let script = Script::play([
        status(503, "retry-after: 1\r\n", ""),
        status(500, "", ""),
        page("text/plain", "0", UP_TO_DATE, ""),
        Reply::Hold(events(&control("0", ",\"upToDate\":true"))),
    ])
    .await;
    let mut reader = scripted(&script).reader().open();
    let mut status = reader.status();
    assert_eq!(status.borrow().state, ReaderState::Initial);
    let reading = tokio::spawn(async move {
        reader.next().await.unwrap().unwrap();
        reader.next().await
    });
    let waiting = soon(status.wait_for(|status| status.attempt == 1)).await.unwrap().clone();
    assert_eq!(waiting.state, ReaderState::Reconnecting);
    let delay = waiting.next_retry.unwrap().duration_since(tokio::time::Instant::now());
    assert!(delay > Duration::from_millis(500), "the server asked for a second: {delay:?}");
    soon(status.wait_for(|status| status.attempt == 2)).await.unwrap();
    let live = soon(status.wait_for(|status| status.state == ReaderState::LiveSse)).await.unwrap().clone();
    assert_eq!((live.attempt, live.next_retry, live.offset), (0, None, "0".into()));
    assert!(live.error.is_none());
    reading.abort();
}

#[tokio::test]
async fn errors_that_cannot_heal_end_the_reader_with_their_reason() {
    for (code, matches) in [
        (400, (|error| matches!(error, Error::Refused(_))) as fn(&Error) -> bool),
        (401, |error| matches!(error, Error::Denied(_))),
        (404, |error| matches!(error, Error::NotFound(_))),
        (410, |error| matches!(error, Error::Gone(_))),
    ] {
        let script = Script::play([status(code, "", "no")]).await;
        let mut reader = scripted(&script).reader().open();
        let error = soon(reader.next()).await.unwrap().unwrap_err();
        assert!(matches(&error), "{code}: {error}");
        assert!(soon(reader.next()).await.is_none());
        assert_eq!(reader.status().borrow().state, ReaderState::Failed);
        assert_eq!(script.requests().len(), 1);
    }
}

#[tokio::test]
async fn broken_control_events_are_forgiven_a_few_times() {
    let broken = Reply::Say(events("event: control\ndata:{oops\n\n"));
    let script = Script::play([
        page("text/plain", "0", UP_TO_DATE, ""),
        broken.clone(),
        Reply::Say(events(&format!("event: data\ndata:one\n\n{}", control("3", "")))),
        broken.clone(),
        broken.clone(),
        broken,
    ])
    .await;
    let mut reader = scripted(&script).reader().mode(Mode::Sse).open();
    soon(reader.next()).await.unwrap().unwrap();
    assert_eq!(soon(reader.next()).await.unwrap().unwrap().text(), "one");
    let error = soon(reader.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn an_expired_token_is_asked_for_again_once() {
    let end = page("text/plain", "3", "stream-closed: true\r\n", "one");
    let script = Script::play([status(401, "", ""), end]).await;
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let tokens = count.clone();
    let client = builder(&script.url()).header_fn("authorization", move || {
        let token = tokens.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move { Ok(format!("Bearer {token}")) }
    });
    let reader = client.build().unwrap().stream("x").unwrap().reader().open();
    assert_eq!(drain(reader).await.0, "one");
    assert!(script.requests()[1].contains("authorization: Bearer 1"), "{:?}", script.requests());
}

#[tokio::test]
async fn a_reader_whose_future_is_dropped_loses_nothing() {
    let server = TestServer::start();
    let stream = created(&server, "text/plain").await;
    let mut reader = stream.reader().open();
    let mut read = String::new();
    for n in 0..20 {
        // Given up at every stage of a request, by being polled a few times only.
        for polls in 0..n {
            let mut next = std::pin::pin!(reader.next());
            for _ in 0..polls {
                if let std::task::Poll::Ready(batch) = futures_util::poll!(&mut next) {
                    read += &batch.unwrap().unwrap().text();
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        stream.append(format!("{n} ")).await.unwrap();
    }
    stream.close().await.unwrap();
    read += &drain(reader).await.0;
    assert_eq!(read, (0..20).map(|n| format!("{n} ")).collect::<String>());
}

#[tokio::test]
async fn a_dropped_reader_closes_its_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut reader = client(&url).stream("x").unwrap().reader().from("now").open();
    let mut socket = tokio::select! {
        _ = reader.next() => panic!("nothing was answered"),
        accepted = listener.accept() => accepted.unwrap().0,
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    socket.write_all(events(": hello\n\n").as_bytes()).await.unwrap();
    drop(reader);
    let mut rest = Vec::new();
    // The request, and then the end, in one way or the other.
    let ended = soon(socket.read_to_end(&mut rest)).await;
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn typed_messages_that_are_of_another_type_end_the_reader() {
    let script = Script::play([page("application/json", "9", UP_TO_DATE, "[1,\"two\"]")]).await;
    let mut reader = scripted(&script).reader().open().json::<u32>();
    assert!(matches!(soon(reader.next()).await, Some(Err(Error::Json { .. }))));
    assert!(soon(reader.next()).await.is_none());
}
