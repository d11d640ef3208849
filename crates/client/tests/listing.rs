//! Which streams there are, asked page by page.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use headwater_client::{Create, Error, Listing};
use headwater_testing::TestServer;
use support::client;
use support::script::{Reply, Script};

#[tokio::test]
async fn pages_tell_every_stream_once_in_the_order_of_paths() {
    let server = TestServer::start();
    let client = client(&server.url());
    for path in ["a b/ü", "a/1", "a/2", "a/3", "b"] {
        client.stream(path).unwrap().create(Create::new("text/plain").body("x")).await.unwrap();
    }
    client.stream("a/2").unwrap().close().await.unwrap();
    let mut told = Vec::new();
    let mut wanted = Some(Listing::all().prefix("a").limit(2));
    while let Some(listing) = wanted {
        let page = client.list(&listing).await.unwrap();
        assert!(page.streams.len() <= 2);
        told.extend(page.streams);
        wanted = page.next_cursor.map(|cursor| listing.after(cursor));
    }
    let rows: Vec<_> = told.iter().map(|stream| (stream.path.as_str(), stream.closed)).collect();
    assert_eq!(rows, [("a b/ü", false), ("a/1", false), ("a/2", true), ("a/3", false)]);
    let head = client.stream("a/1").unwrap().head().await.unwrap();
    assert_eq!((&told[1].tail, told[1].content_type.as_str()), (&head.tail, "text/plain"));
    assert!(told[1].created_at > 1_700_000_000_000);
}

#[tokio::test]
async fn a_server_without_a_listing_is_told_apart_from_an_empty_one() {
    let empty = TestServer::start();
    let nothing = client(&empty.url()).list(&Listing::all().prefix("nothing/")).await.unwrap();
    assert!(nothing.streams.is_empty() && nothing.next_cursor.is_none());
    let refusal = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let script = Script::play([Reply::Say(refusal.into())]).await;
    let error = client(&script.url()).list(&Listing::all()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error}");
}
