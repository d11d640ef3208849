//! Creating, deleting, and looking at streams.

use bytes::Bytes;
use headwater_protocol::{Offset, ReadFrom};
use headwater_streams::{CreateError, DeleteError, ReadError};

use super::assert_refused;
use crate::reopen::Reopen;
use crate::stage::{Stage, append, at, close, content_type, json_stream, path, sliding, text};

pub async fn a_new_stream_is_empty_and_open<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    let created = stage.put(text("a")).await;
    assert_eq!((created.metadata.tail, created.metadata.closed), (Offset::START, false));
    let (page, bytes) = stage.page("a", ReadFrom::Start).await.unwrap();
    assert!(bytes.is_empty() && page.is_empty() && page.up_to_date && !page.closed);
}

pub async fn a_creation_brings_content_and_closure_in_one_step<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    let created = stage.put(super::closed_text("a", "all there is")).await;
    assert_eq!((created.metadata.tail.get(), created.metadata.closed), (12, true));
    let stage = stage.reopen().await;
    let (page, bytes) = stage.page("a", ReadFrom::Start).await.unwrap();
    assert_eq!(&bytes[..], b"all there is");
    assert!(page.closed && page.up_to_date);
}

pub async fn the_same_creation_again_finds_the_stream<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 60)).await;
    stage.post(append("a", "xyz")).await;
    let again = stage.engine.create(sliding("a", 60)).await.unwrap();
    assert!(!again.is_new);
    assert_eq!(again.metadata.tail.get(), 3);
    let untyped = headwater_streams::Create { content_type: None, ..text("b") };
    stage.put(untyped.clone()).await;
    let typed = headwater_streams::Create { content_type: Some(content_type("Application/Octet-Stream")), ..untyped };
    assert!(!stage.engine.create(typed).await.unwrap().is_new, "the default type is the one that was meant");
}

pub async fn another_description_of_an_existing_stream_is_refused<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    for other in [json_stream("a"), sliding("a", 60), super::closed_text("a", "")] {
        assert_refused!(stage.engine.create(other).await, CreateError::Differs(_));
    }
    stage.post(close("a")).await;
    assert_refused!(stage.engine.create(text("a")).await, CreateError::Differs("closure"));
}

pub async fn a_deleted_stream_is_gone_and_its_path_free<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "old")).await;
    stage.delete("a").await;
    assert_refused!(stage.page("a", ReadFrom::Start).await, ReadError::NotFound);
    assert_refused!(stage.engine.delete(&path("a")).await, DeleteError::NotFound);
    stage.put(json_stream("a")).await;
    assert_eq!(stage.tail("a").await, 0);
    let stage = stage.reopen().await;
    assert_eq!(stage.read("a").await, Bytes::new());
}

pub async fn a_stream_created_again_is_another_incarnation<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let first = stage.page("a", ReadFrom::Start).await.unwrap().0.id;
    stage.delete("a").await;
    let stage = stage.reopen().await;
    stage.put(text("a")).await;
    let second = stage.page("a", ReadFrom::Start).await.unwrap().0.id;
    assert!(second > first, "ids are never reused");
}

pub async fn unknown_streams_are_not_found<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    assert_refused!(stage.engine.metadata(&path("a")).await, ReadError::NotFound);
    assert_refused!(stage.page("a", at(0)).await, ReadError::NotFound);
    assert_refused!(stage.engine.follow(&path("a"), ReadFrom::Now).await, ReadError::NotFound);
    assert_refused!(stage.engine.delete(&path("a")).await, DeleteError::NotFound);
    assert_refused!(stage.engine.append(append("a", "x")).await, headwater_streams::AppendError::NotFound);
    let trimmed = stage.engine.trim(&path("a"), Offset::START).await;
    assert_refused!(trimmed, headwater_streams::TrimError::NotFound);
}

pub async fn create_delete_and_create_in_one_batch_leave_the_last<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    super::hold_committer(&stage).await;
    let engine = &stage.engine;
    let (first, second) = (path("a"), append("a", "two"));
    let steps = async {
        tokio::join!(
            biased;
            engine.create(text("a")),
            engine.append(append("a", "one")),
            engine.delete(&first),
            engine.create(text("a")),
            engine.append(second),
            async { stage.faults.release() },
        )
    };
    let (created, written, deleted, again, last, ()) = steps.await;
    assert!(created.unwrap().is_new && written.is_ok() && deleted.is_ok() && again.unwrap().is_new && last.is_ok());
    assert_eq!(stage.read("a").await, "two");
    let stage = stage.reopen().await;
    assert_eq!(stage.read("a").await, "two");
}

pub async fn listing_goes_in_path_order_from_a_prefix<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    for name in ["b/2", "a", "b/1", "b", "c", "b/3"] {
        stage.put(text(name)).await;
    }
    stage.post(append("b/1", "xy")).await;
    stage.delete("b/2").await;
    let names = |listed: Vec<headwater_streams::Listed>| -> Vec<String> {
        listed.into_iter().map(|row| row.path.to_string()).collect()
    };
    let stage = stage.reopen().await;
    assert_eq!(names(stage.engine.list("", None, 10).await.unwrap()), ["a", "b", "b/1", "b/3", "c"]);
    assert_eq!(names(stage.engine.list("b/", None, 10).await.unwrap()), ["b/1", "b/3"]);
    assert_eq!(names(stage.engine.list("b", Some(&path("b")), 1).await.unwrap()), ["b/1"]);
    assert_eq!(names(stage.engine.list("b/", Some(&path("a")), 1).await.unwrap()), ["b/1"]);
    assert!(stage.engine.list("b/", Some(&path("c")), 9).await.unwrap().is_empty());
    assert_eq!(stage.engine.list("b/1", None, 1).await.unwrap()[0].tail.get(), 2);
}
