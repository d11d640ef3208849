//! Pages, positions, and trims.

use headwater_protocol::{Offset, ReadFrom, json};
use headwater_streams::limits::EngineLimits;
use headwater_streams::{ReadError, TrimError};

use super::assert_refused;
use crate::reopen::Reopen;
use crate::stage::{Stage, append, at, close, json_append, json_stream, limits, path, text};

fn small_pages() -> EngineLimits {
    EngineLimits { page_bytes_max: 16, ..limits() }
}

pub async fn a_large_stream_comes_in_pages<R: Reopen>(factory: R) {
    let stage = Stage::with_limits(factory, small_pages()).await;
    stage.put(text("a")).await;
    stage.post(append("a", "0123456789")).await;
    stage.post(append("a", "0123456789")).await;
    stage.post(close("a")).await;
    let (page, bytes) = stage.page("a", ReadFrom::Start).await.unwrap();
    assert_eq!((bytes.len(), page.next.get(), page.up_to_date, page.closed), (16, 16, false, false));
    let (page, bytes) = stage.page("a", ReadFrom::At(page.next)).await.unwrap();
    assert_eq!((&bytes[..], page.up_to_date, page.closed), (&b"6789"[..], true, true));
}

pub async fn pages_of_json_end_between_messages<R: Reopen>(factory: R) {
    let stage = Stage::with_limits(factory, small_pages()).await;
    stage.put(json_stream("a")).await;
    stage.post(json_append("a", r#"[1,22,333,"4444",{"five":5},"6",7,8,9]"#)).await;
    stage.post(json_append("a", "10")).await;
    let stage = stage.reopen().await;
    let mut from = ReadFrom::Start;
    let mut messages = Vec::new();
    loop {
        let (page, bytes) = stage.page("a", from).await.unwrap();
        assert!(bytes.len() <= 16 && bytes.ends_with(json::MESSAGE_END), "{bytes:?}");
        messages.extend(serde_like_split(&bytes));
        if page.up_to_date {
            break;
        }
        from = ReadFrom::At(page.next);
    }
    assert_eq!(messages, ["1", "22", "333", "\"4444\"", "{\"five\":5}", "\"6\"", "7", "8", "9", "10"]);
}

fn serde_like_split(stored: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(stored).expect("JSON is UTF-8");
    text.split_terminator(",\n").map(str::to_owned).collect()
}

pub async fn a_message_longer_than_a_page_comes_whole<R: Reopen>(factory: R) {
    let stage = Stage::with_limits(factory, small_pages()).await;
    stage.put(json_stream("a")).await;
    let long = format!("\"{}\"", "x".repeat(700_000));
    stage.post(json_append("a", &format!("[1,{long},2]"))).await;
    let stage = stage.reopen().await;
    let (first, bytes) = stage.page("a", ReadFrom::Start).await.unwrap();
    assert_eq!(bytes, "1,\n");
    let (second, bytes) = stage.page("a", ReadFrom::At(first.next)).await.unwrap();
    assert_eq!(bytes, format!("{long},\n"));
    let (third, bytes) = stage.page("a", ReadFrom::At(second.next)).await.unwrap();
    assert_eq!((&bytes[..], third.up_to_date), (&b"2,\n"[..], true));
}

pub async fn a_position_inside_a_json_message_is_refused<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(json_stream("a")).await;
    stage.post(json_append("a", r#"["one","two"]"#)).await;
    let stage = stage.reopen().await;
    let end_of_first = 7;
    for position in 0..=14 {
        let read = stage.page("a", at(position)).await;
        let follow = stage.engine.follow(&path("a"), at(position)).await;
        if [0, end_of_first, 14].contains(&position) {
            assert!(read.is_ok() && follow.is_ok(), "{position}");
        } else {
            assert_refused!(read, ReadError::NotAnOffset);
            assert_refused!(follow, ReadError::NotAnOffset);
        }
    }
}

pub async fn a_position_past_the_tail_is_refused<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "four")).await;
    assert!(stage.page("a", at(4)).await.unwrap().0.up_to_date);
    for position in [5, u64::MAX] {
        assert_refused!(stage.page("a", at(position)).await, ReadError::NotAnOffset);
        assert_refused!(stage.engine.follow(&path("a"), at(position)).await, ReadError::NotAnOffset);
    }
}

pub async fn now_is_the_tail<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "four")).await;
    let (page, bytes) = stage.page("a", ReadFrom::Now).await.unwrap();
    assert_eq!((bytes.len(), page.start.get(), page.next.get(), page.up_to_date), (0, 4, 4, true));
}

pub async fn any_range_reads_the_same_from_memory_and_from_the_store<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let mut whole = String::new();
    for piece in ["a", "bcd", "ef", "ghijklm", "n", "opqrstuvwxyz"] {
        stage.post(append("a", piece)).await;
        whole.push_str(piece);
    }
    for round in 0..2 {
        for start in 0..=whole.len() {
            let (_, bytes) = stage.page("a", at(start as u64)).await.unwrap();
            assert_eq!(bytes, whole[start..], "from {start} in round {round}");
        }
        if round == 0 {
            return check_cold(stage.reopen().await, &whole).await;
        }
    }
}

async fn check_cold<R: Reopen>(stage: Stage<R>, whole: &str) {
    for start in 0..=whole.len() {
        let (_, bytes) = stage.page("a", at(start as u64)).await.unwrap();
        assert_eq!(bytes, whole[start..], "from {start}, cold");
    }
}

pub async fn trimmed_positions_are_refused_and_the_rest_stays<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "0123456789")).await;
    assert_eq!(stage.engine.trim(&path("a"), Offset::new(4)).await.unwrap().get(), 4);
    assert_eq!(stage.engine.trim(&path("a"), Offset::new(2)).await.unwrap().get(), 4, "a trim never goes back");
    let past = stage.engine.trim(&path("a"), Offset::new(11)).await;
    assert_refused!(past, TrimError::PastTail { tail } if tail.get() == 10);
    for _ in 0..2 {
        assert_refused!(stage.page("a", at(3)).await, ReadError::Trimmed { earliest } if earliest.get() == 4);
        assert_eq!(stage.read("a").await, "456789");
    }
    let stage = stage.reopen().await;
    assert_refused!(stage.page("a", at(3)).await, ReadError::Trimmed { earliest } if earliest.get() == 4);
    assert_eq!(stage.read("a").await, "456789");
    assert_eq!(stage.post(append("a", "!")).await.get(), 11);
    stage.engine.trim(&path("a"), Offset::new(11)).await.unwrap();
    assert_eq!(stage.read("a").await, "");
}

pub async fn json_is_trimmed_between_messages<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(json_stream("a")).await;
    stage.post(json_append("a", "[1,2,3]")).await;
    assert_refused!(stage.engine.trim(&path("a"), Offset::new(4)).await, TrimError::InsideMessage);
    assert_eq!(stage.engine.trim(&path("a"), Offset::new(6)).await.unwrap().get(), 6);
    assert_eq!(stage.read("a").await, "3,\n");
}
