//! Documents and the activity log.

use bytes::Bytes;
use headwater_streams::{DocumentKey, StreamActivity};

use crate::reopen::Reopen;
use crate::stage::{Stage, append, close, fork, path, text, within};

fn key(text: &str) -> DocumentKey {
    DocumentKey(text.into())
}

pub async fn documents_are_written_together_and_found_by_prefix<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    let set = |name: &str, value: &'static str| (key(name), Some(Bytes::from_static(value.as_bytes())));
    stage.engine.write_documents(vec![set("s/2", "two"), set("s/1", "one"), set("t", "other")]).await.unwrap();
    stage.engine.write_documents(vec![set("s/1", "uno"), (key("s/2"), None), (key("none"), None)]).await.unwrap();
    stage.engine.write_documents(vec![set("s/3", "")]).await.unwrap();
    let stage = stage.reopen().await;
    let found = stage.engine.documents("s/").await.unwrap();
    assert_eq!(found, [(key("s/1"), Bytes::from_static(b"uno")), (key("s/3"), Bytes::new())]);
    assert_eq!(stage.engine.documents("").await.unwrap().len(), 3);
    assert!(stage.engine.documents("x").await.unwrap().is_empty());
}

pub async fn one_key_twice_in_a_write_keeps_the_last<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    let write = vec![(key("k"), Some("1".into())), (key("k"), None), (key("k"), Some("2".into()))];
    stage.engine.write_documents(write).await.unwrap();
    let stage = stage.reopen().await;
    assert_eq!(stage.engine.documents("k").await.unwrap(), [(key("k"), Bytes::from_static(b"2"))]);
}

pub async fn activity_tells_each_changed_stream_once<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("before")).await;
    stage.engine.watch_activity();
    stage.put(text("a")).await;
    stage.post(append("a", "xx")).await;
    stage.post(append("before", "y")).await;
    stage.post(append("before", "y")).await;
    let mut seen = within(stage.engine.activity()).await;
    seen.sort_by(|one, other| one.path.cmp(&other.path));
    assert_eq!(seen, [changed("a", 0, 2, true, false), changed("before", 0, 2, false, false)]);
    stage.post(close("a")).await;
    stage.put(fork("f", "a")).await;
    stage.delete("before").await;
    let mut seen = within(stage.engine.activity()).await;
    seen.sort_by(|one, other| one.path.cmp(&other.path));
    assert_eq!(seen, [changed("before", 2, 2, false, true), changed("f", 2, 2, true, false)]);
}

pub async fn activity_waits_for_a_change<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.engine.watch_activity();
    let engine = stage.engine.clone();
    let waiting = tokio::spawn(async move { engine.activity().await });
    tokio::task::yield_now().await;
    stage.put(text("a")).await;
    assert_eq!(within(waiting).await.unwrap(), [changed("a", 0, 0, true, false)]);
    stage.delete("a").await;
    stage.put(text("a")).await;
    assert_eq!(within(stage.engine.activity()).await, [changed("a", 0, 0, true, false)]);
}

fn changed(name: &str, from: u64, tail: u64, created: bool, removed: bool) -> StreamActivity {
    let (from, tail) = (headwater_protocol::Offset::new(from), headwater_protocol::Offset::new(tail));
    StreamActivity { path: path(name), from, tail, created, removed }
}
