//! Producers, against a server that behaves.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use std::time::Duration;

use headwater_client::{Error, Offset, Stream};
use headwater_testing::TestServer;
use support::proxy::{Fault, Proxy};
use support::script::{Reply, Script, status};
use support::{client, created, soon};

async fn text(stream: &Stream) -> String {
    stream.read_all(Offset::start()).await.unwrap().text().into_owned()
}

#[tokio::test]
async fn messages_arrive_in_order_in_batches_and_flush_waits_for_them() {
    let server = TestServer::start();
    let stream = created(&server, "application/json").await;
    let producer = stream.producer("p").batch_messages(7).start().await.unwrap();
    for n in 0..100 {
        producer.send_json(&n).await.unwrap();
    }
    soon(producer.flush()).await.unwrap();
    let read: Vec<u32> = stream.read_all(Offset::start()).await.unwrap().json().unwrap();
    assert!(read.into_iter().eq(0..100));
    producer.flush().await.unwrap();
}

#[tokio::test]
async fn arrays_stay_messages_and_bytes_are_joined() {
    let server = TestServer::start();
    let stream = created(&server, "application/json").await;
    let producer = stream.producer("p").start().await.unwrap();
    producer.send("[1, 2]").await.unwrap();
    producer.send("[3]").await.unwrap();
    assert!(matches!(producer.send("no json").await, Err(Error::Json { .. })));
    soon(producer.detach()).await.unwrap();
    let read: Vec<Vec<u32>> = stream.read_all(Offset::start()).await.unwrap().json().unwrap();
    assert_eq!(read, [vec![1, 2], vec![3]]);
}

#[tokio::test]
async fn receipts_tell_when_a_message_is_durable() {
    let server = TestServer::start();
    let stream = created(&server, "text/plain").await;
    let producer = stream.producer("p").linger(Duration::ZERO).start().await.unwrap();
    let first = producer.send_with_receipt("one").await.unwrap();
    let appended = soon(first).await.unwrap();
    assert!(!appended.is_duplicate);
    assert_eq!(appended.tail, Some(stream.head().await.unwrap().tail));
    // Another one of the same name and epoch begins anew: the server takes its batch for the one it knows.
    let again = stream.producer("p").start().await.unwrap();
    assert!(soon(again.send_with_receipt("two").await.unwrap()).await.unwrap().is_duplicate);
    assert_eq!(text(&stream).await, "one");
}

#[tokio::test]
async fn close_comes_after_everything_and_may_bring_a_last_message() {
    let server = TestServer::start();
    let stream = created(&server, "text/plain").await;
    let producer = stream.producer("p").batch_messages(1).start().await.unwrap();
    for n in 0..10 {
        producer.send(n.to_string()).await.unwrap();
    }
    let tail = soon(producer.close_with(" the end")).await.unwrap();
    let all = stream.read_all(Offset::start()).await.unwrap();
    assert_eq!((all.text().as_ref(), all.closed, Some(all.offset.clone())), ("0123456789 the end", true, tail));
    let late = stream.producer("q").start().await.unwrap();
    late.send("late").await.unwrap();
    assert!(matches!(soon(late.flush()).await, Err(Error::Closed { .. })));
    assert!(matches!(late.send("later").await, Err(Error::Closed { .. })), "the reason stays");
}

#[tokio::test]
async fn a_stale_producer_is_fenced_or_claims_the_next_epoch() {
    let server = TestServer::start();
    let stream = created(&server, "text/plain").await;
    let newest = stream.producer("p").epoch(5).start().await.unwrap();
    newest.send("five ").await.unwrap();
    soon(newest.flush()).await.unwrap();

    let stale = stream.producer("p").start().await.unwrap();
    let receipt = stale.send_with_receipt("zero ").await.unwrap();
    assert!(matches!(soon(receipt).await, Err(Error::Fenced { epoch: 5, .. })));

    let claimer = stream.producer("p").auto_claim(true).batch_messages(1).start().await.unwrap();
    for n in 0..10 {
        claimer.send(n.to_string()).await.unwrap();
    }
    soon(claimer.flush()).await.unwrap();
    newest.send("fenced").await.unwrap();
    assert!(matches!(soon(newest.flush()).await, Err(Error::Fenced { epoch: 6, .. })));
    assert_eq!(text(&stream).await, "five 0123456789");
}

#[tokio::test]
async fn an_epoch_is_not_claimed_over_a_batch_of_unknown_fate() {
    let server = TestServer::start();
    let stream = created(&server, "text/plain").await;
    // The batch is applied and its answer lost; before it is sent again, another epoch takes over.
    let proxy = Proxy::with(
        server.address,
        vec![Fault::AnswerLost, Fault::Status("HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n")],
    )
    .await;
    let through = client(&proxy.url()).stream("a/stream").unwrap().with_content_type("text/plain");
    let producer = through.producer("p").auto_claim(true).start().await.unwrap();
    let receipt = producer.send_with_receipt("once").await.unwrap();
    soon(async {
        while text(&stream).await.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let other = stream.producer("p").epoch(1).start().await.unwrap();
    other.send(" other").await.unwrap();
    soon(other.flush()).await.unwrap();
    let error = soon(receipt).await.unwrap_err();
    assert!(matches!(error, Error::Ambiguous { .. }), "{error}");
    assert_eq!(text(&stream).await, "once other");
}

#[tokio::test]
async fn a_full_queue_makes_senders_wait() {
    let script = Script::play([Reply::Hold(String::new())]).await;
    let stream = client(&script.url()).stream("x").unwrap().with_content_type("text/plain");
    let producer = stream.producer("p").queue_bytes(10).start().await.unwrap();
    producer.send("12345").await.unwrap();
    producer.send("12345").await.unwrap();
    let mut third = std::pin::pin!(producer.send("1"));
    for _ in 0..50 {
        assert!(futures_util::poll!(&mut third).is_pending());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stream_that_is_not_there_ends_the_producer() {
    let server = TestServer::start();
    let stream = client(&server.url()).stream("no/such").unwrap();
    assert!(matches!(stream.producer("p").start().await, Err(Error::NotFound(_))));
    let producer = stream.with_content_type("text/plain").producer("p").start().await.unwrap();
    producer.send("x").await.unwrap();
    assert!(matches!(soon(producer.flush()).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn attempts_may_be_limited() {
    let script = Script::play([status(500, "", "always")]).await;
    let stream = client(&script.url()).stream("x").unwrap().with_content_type("text/plain");
    let producer = stream.producer("p").attempts_max(3).start().await.unwrap();
    producer.send("x").await.unwrap();
    assert!(matches!(soon(producer.flush()).await, Err(Error::Ambiguous { .. })));
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test]
async fn a_batch_that_its_own_lost_attempt_wrote_is_no_duplicate() {
    let script = Script::play([Reply::Break, Reply::Say("HTTP/1.1 204 No\r\nconnection: close\r\n\r\n".into())]).await;
    let stream = client(&script.url()).stream("x").unwrap().with_content_type("text/plain");
    let producer = stream.producer("p").linger(Duration::ZERO).start().await.unwrap();
    let receipt = producer.send_with_receipt("x").await.unwrap();
    assert!(!soon(receipt).await.unwrap().is_duplicate);
    assert_eq!(script.requests().len(), 2);
}

#[tokio::test]
async fn options_that_cannot_work_are_refused() {
    let stream = client("http://127.0.0.1:1").stream("x").unwrap();
    assert!(stream.producer("").check().is_err());
    assert!(stream.producer("p").epoch(1 << 53).check().is_err());
    assert!(stream.producer("p").batch_bytes(0).check().is_err());
    assert!(stream.producer("p").in_flight(0).check().is_err());
    assert!(stream.producer("p").check().is_ok());
}
