//! Sessions begin, change, fork and end.

use headwater_protocol::{Offset, ReadFrom};
use headwater_sessions::{
    ErrorCode, NewFork, PageRequest, RowType, SessionFilter, SessionPatch, SessionStatus, limits,
};
use serde_json::json;

use crate::house::{chunk, fold, house, id_of, line, new_session, request, stamp, user};

#[tokio::test]
async fn a_session_is_created_found_listed_and_in_the_registrys_stream() {
    let house = house().await;
    let row = house.sessions.create(new_session("p")).await.unwrap();
    house.sessions.create(new_session("other")).await.unwrap();
    let view = house.sessions.get(&id_of(&row)).await.unwrap();
    assert_eq!((&view.row, view.viewer_count, view.offset, view.event_count), (&row, 0, Offset::START, 0));
    let filter = SessionFilter { project_id: Some("p".into()), ..SessionFilter::default() };
    let listing = house.sessions.list(&filter, &PageRequest::default()).await.unwrap();
    assert_eq!(listing.sessions, std::slice::from_ref(&row));
    let log = house.log("sessions").await;
    assert_eq!((log.len(), &log[0].0["key"], &log[0].0["type"]), (2, &json!(row.id), &json!("session")));
}

#[tokio::test]
async fn a_closed_session_takes_no_events_and_its_stream_ends() {
    let house = house().await;
    let id = house.session().await;
    house.stamped(&id, chunk("c", "x"), stamp(0)).await.unwrap();
    assert_eq!(house.sessions.pause(&id).await.unwrap().status, SessionStatus::Paused);
    house.post(&id, line("people still answer")).await;
    assert_eq!(house.sessions.resume(&id).await.unwrap().status, SessionStatus::Active);
    let row = house.sessions.close(&id).await.unwrap();
    assert_eq!((row.status, row.closed_at.is_some()), (SessionStatus::Closed, true));
    assert_eq!(house.sessions.close(&id).await.unwrap_err().code(), ErrorCode::SessionClosed);
    assert_eq!(house.refused(&id, chunk("d", "x")).await, ErrorCode::SessionClosed);
    assert_eq!(house.refused(&id, user("ada")).await, ErrorCode::SessionClosed);
    assert!(house.stamped(&id, chunk("c", "x"), stamp(0)).await.unwrap().duplicate, "a retry is recognised");
    assert!(house.stage.page(id.stream().as_str(), ReadFrom::Start).await.unwrap().0.closed);
    let patch = SessionPatch { title: Some(Some("Done".into())), ..SessionPatch::default() };
    assert_eq!(house.sessions.update(&id, patch).await.unwrap().title.as_deref(), Some("Done"));
    assert_eq!(house.state(&id).await.rows(RowType::Terminal).count(), 1);
}

#[tokio::test]
async fn a_deleted_session_is_gone_with_its_streams_and_stays_so() {
    let house = house().await;
    let (id, other) = (house.session().await, house.session().await);
    house.post(&id, json!([chunk("c", "x"), user("ada")])).await;
    house.sessions.delete(&id).await.unwrap();
    assert_eq!(house.sessions.get(&id).await.unwrap_err().code(), ErrorCode::SessionNotFound);
    assert_eq!(house.sessions.delete(&id).await.unwrap_err().code(), ErrorCode::SessionNotFound);
    assert_eq!(house.refused(&id, chunk("d", "x")).await, ErrorCode::SessionNotFound);
    assert!(!house.stage.exists(id.stream().as_str()).await);
    assert!(!house.stage.exists(id.presence_stream().as_str()).await);
    let house = house.crash().await;
    assert!(house.sessions.row(&id).await.is_err());
    assert!(house.sessions.row(&other).await.is_ok());
    assert!(house.stage.engine.documents("sessions/").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_fork_shares_history_up_to_its_offset_and_goes_its_own_way() {
    let house = house().await;
    let id = house.session().await;
    let first = house.post(&id, chunk("c1", "one ")).await;
    house.post(&id, chunk("c2", "two")).await;
    let row = house.sessions.fork(&id, Some(first.offset), NewFork::default()).await.unwrap();
    let fork = id_of(&row);
    let origin = row.forked_from.unwrap();
    assert_eq!((origin.session_id, origin.offset), (id.to_string(), first.offset));
    house.post(&fork, chunk("c2", "another")).await;
    assert_eq!(house.state(&fork).await.messages().iter().next().unwrap().text, "one another");
    assert_eq!(house.state(&id).await.messages().iter().next().unwrap().text, "one two");
    assert_eq!(house.state(&fork).await, fold(&house.log_of(&fork).await));
    let whole =
        house.sessions.fork(&id, None, NewFork { title: Some("Again".into()), ..NewFork::default() }).await.unwrap();
    assert_eq!(house.state(&id_of(&whole)).await, house.state(&id).await);
    let inside = Offset::new(first.offset.get() - 1);
    let error = house.sessions.fork(&id, Some(inside), NewFork::default()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidParams);
    house.sessions.upkeep().await;
    assert!(house.stage.engine.documents("sessions/unfinished").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_crash_leaves_of_a_fork_or_a_deletion_goes_at_the_next_start() {
    let house = house().await;
    let (kept, id) = (house.session().await, house.session().await);
    house.post(&id, chunk("c", "x")).await;
    // A fork whose row never came: its mark and its stream.
    let orphan = headwater_sessions::SessionId::new("orphan").unwrap();
    let mark = |id: &str| {
        (headwater_streams::DocumentKey(format!("sessions/unfinished/{id}").into()), Some(bytes::Bytes::new()))
    };
    house.stage.engine.write_documents(vec![mark("orphan"), mark(kept.as_str())]).await.unwrap();
    house.stage.put(headwater_testing::stage::fork("session/orphan", id.stream().as_str())).await;
    let house = house.crash().await;
    assert!(!house.stage.exists(orphan.stream().as_str()).await);
    assert!(house.stage.exists(kept.stream().as_str()).await, "a mark that was not taken off harms nobody");
    assert!(house.stage.engine.documents("sessions/unfinished").await.unwrap().is_empty());
}

#[tokio::test]
async fn sessions_beyond_what_fits_into_memory_come_back_when_asked_for() {
    let config = headwater_sessions::SessionsConfig { loaded_sessions_max: 4, ..Default::default() };
    let house = crate::house::House::new(headwater_testing::SharedMemory::default(), config).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        let id = house.session().await;
        house.post(&id, chunk(&number.to_string(), "x")).await;
        ids.push(id);
    }
    for (number, id) in ids.iter().enumerate() {
        assert!(house.post(id, chunk(&number.to_string(), "x")).await.duplicate);
    }
    house.stage.clock.advance(limits::SESSION_IDLE_MS);
    house.sessions.upkeep().await;
    assert_eq!(house.state(&ids[0]).await.position().seq, 1);
}

#[tokio::test]
async fn joining_shows_who_is_there_and_takes_presence_only() {
    let house = house().await;
    let id = house.session().await;
    let joined = house.sessions.join(&id, request(&id, &user("ada"))).await.unwrap();
    assert_eq!((joined.view.viewer_count, joined.view.active_users[0].user_id.as_str()), (1, "ada"));
    assert!(joined.offset > Offset::START);
    let error = house.sessions.join(&id, request(&id, &line("x"))).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidParams);
    assert!(house.log_of(&id).await.is_empty());
}
