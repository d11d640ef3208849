//! Decisions that fixtures cannot show: limits, memory, agents' streams.

use headwater_protocol::Offset;

use super::*;
use crate::id::TimeOrderedIds;
use crate::limits::CHUNK_IDS_REMEMBERED_MAX;

const NOW: u64 = 1_750_000_000_000;

#[derive(Default)]
struct Session {
    state: State,
    presence: Presence,
    ids: TimeOrderedIds,
}

impl Session {
    fn decide(&mut self, body: &str, now_ms: u64) -> Result<Decision, SessionError> {
        let session = SessionId::new("s1").unwrap();
        let request = Request::parse_events(body.as_bytes(), &session)?;
        let mut context = Context { session: &session, now_ms, ids: &mut self.ids };
        decide(&self.state, &self.presence, &request, &mut context)
    }

    fn post(&mut self, body: &str, now_ms: u64) -> Result<Decision, SessionError> {
        let decision = self.decide(body, now_ms)?;
        for planned in &decision.changes {
            let next = self.state.position().offset.advance(100);
            self.state.apply(&planned.change, next).unwrap();
        }
        for change in &decision.presence {
            self.presence.apply(change, Offset::START);
        }
        Ok(decision)
    }
}

fn chunk(id: &str, text: &str) -> String {
    format!(r#"{{"channel":"chunks","data":{{"id":"{id}","agentId":"a","text":"{text}"}}}}"#)
}

#[test]
fn a_duplicate_answers_the_offset_of_the_original() {
    let mut session = Session::default();
    session.post(&chunk("c1", "x"), NOW).unwrap();
    session.post(&chunk("c2", "y"), NOW).unwrap();
    let again = session.post(&chunk("c1", "x"), NOW + 60_000).unwrap();
    assert_eq!(again.changes, []);
    assert_eq!(again.answers[0].verdict, Verdict::Duplicate(Position { offset: Offset::new(100), seq: 1 }));
}

#[test]
fn a_refused_request_uses_up_nothing() {
    let mut session = Session::default();
    session.post(&chunk("c1", "x"), NOW).unwrap();
    let before = session.state.clone();
    let error = session.post(&format!("[{},{}]", chunk("c2", "x"), chunk("c1", "y")), NOW).unwrap_err();
    assert_eq!((error.code().as_str(), error.event()), ("EVENT_CONFLICT", Some(1)));
    assert_eq!(session.state, before);
}

#[test]
fn old_chunk_ids_are_forgotten_after_the_limit_and_no_sooner() {
    let mut session = Session::default();
    session.post(&chunk("first", "x"), NOW).unwrap();
    for number in 1..CHUNK_IDS_REMEMBERED_MAX {
        session.post(&chunk(&number.to_string(), ""), NOW).unwrap();
    }
    assert!(session.decide(&chunk("first", "x"), NOW).unwrap().changes.is_empty());
    session.post(&chunk("last", ""), NOW).unwrap();
    assert_eq!(session.decide(&chunk("first", "x"), NOW).unwrap().changes.len(), 1);
}

#[test]
fn a_full_session_refuses_what_would_grow_it_and_still_knows_who_is_there() {
    let mut session = Session::default();
    let line =
        |text: &str| format!(r#"{{"channel":"terminal","data":{{"type":"output","source":"agent","data":"{text}"}}}}"#);
    let (block, mut taken) = (line(&"x".repeat(60 * 1024)), 0);
    let error = loop {
        match session.post(&block, NOW) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.code().as_str(), "SESSION_FULL");
    assert!((1_000..1_100).contains(&taken), "{taken}");
    assert!(session.state.bytes() <= STATE_BYTES_MAX);
    assert!(session.post(r#"{"channel":"presence","data":{"userId":"ada"}}"#, NOW).is_ok());
    session.state.expire(NOW + 1);
    assert_eq!(session.state.bytes(), 0);
    assert!(session.post(&block, NOW).is_ok());
}

#[test]
fn so_many_users_may_be_present_and_no_more() {
    let mut session = Session::default();
    let user = |number: usize| format!(r#"{{"channel":"presence","data":{{"userId":"u{number}"}}}}"#);
    for number in 0..PRESENT_USERS_MAX - 1 {
        session.post(&user(number), NOW).unwrap();
    }
    let two_more = format!("[{},{}]", user(PRESENT_USERS_MAX), user(PRESENT_USERS_MAX + 1));
    assert_eq!(session.post(&two_more, NOW).unwrap_err().code().as_str(), "SESSION_FULL");
    session.post(&user(PRESENT_USERS_MAX), NOW).unwrap();
    assert!(session.post(&user(PRESENT_USERS_MAX + 1), NOW).is_err());
    assert!(session.post(&user(3), NOW).is_ok(), "those who are there can still move");
}

#[test]
fn events_with_an_agent_are_for_its_stream_too_under_a_key_of_the_session() {
    let mut session = Session::default();
    let body = r#"[
        {"channel":"chunks","data":{"id":"c","agentId":"coder","text":"x"}},
        {"channel":"toolCalls","data":{"id":"t","agentId":"coder","tool":"sh","input":1,"status":"running"}},
        {"channel":"toolCalls","data":{"id":"t","status":"complete"}},
        {"channel":"agentState","data":{"agentId":"reviewer","status":"idle"}},
        {"channel":"terminal","data":{"id":"l","type":"input","data":"x","source":"user"}},
        {"channel":"workflow","data":{"id":"w","type":"approval:requested","payload":{}}}
    ]"#;
    let decision = session.post(body, NOW).unwrap();
    let agents: Vec<_> = decision.changes.iter().map(|p| p.agent.as_ref().map(AgentId::as_str)).collect();
    assert_eq!(agents, [Some("coder"), Some("coder"), Some("coder"), Some("reviewer"), None, None]);
    let keyed = decision.changes[0].change.in_agent_stream(&SessionId::new("s1").unwrap());
    assert_eq!((keyed.key.as_str(), keyed.txid.as_deref()), ("s1:c", Some(decision.txid.as_str())));
}

#[test]
fn ids_made_in_one_millisecond_differ_and_sort_as_they_came() {
    let mut session = Session::default();
    let body = r#"{"channel":"chunks","data":{"agentId":"a","text":"x"}}"#;
    let keys: Vec<String> = (0..1_000).map(|_| session.post(body, NOW).unwrap().answers[0].key.clone()).collect();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(session.state.messages().iter().next().unwrap().text.len(), 1_000);
}

#[test]
fn fields_that_a_newer_server_stored_stay_on_a_row() {
    let mut session = Session::default();
    let row = r#"{"agentId":"a","sessionId":"s1","status":"running","mood":{"v":1.0},"timestamp":1}"#;
    let message = format!(r#"{{"type":"state","key":"a","value":{row},"headers":{{"operation":"insert"}}}}"#);
    session.state.apply_message(&crate::Message::decode(&message).unwrap(), Offset::new(1)).unwrap();
    let decision = session.post(r#"{"channel":"agentState","data":{"agentId":"a","turn":2}}"#, NOW).unwrap();
    let value = decision.changes[0].change.value.as_ref().unwrap();
    assert_eq!(
        value.get(),
        r#"{"agentId":"a","sessionId":"s1","status":"running","mood":{"v":1.0},"timestamp":1750000000000,"turn":2}"#
    );
}

#[test]
fn what_belongs_elsewhere_or_cannot_be_read_is_passed_over_and_counted() {
    let mut state = State::default();
    for (value, operation, ignored) in [
        (r#"{"type":"session","key":"s","value":{},"#, "insert", true),
        (r#"{"type":"chunk","key":"c","value":{"text":1},"#, "insert", true),
        (r#"{"type":"chunk","key":"c","value":{},"#, "update", true),
        (r#"{"type":"unheard-of","key":"c","value":{},"#, "insert", false),
    ] {
        let message = crate::Message::decode(&format!(r#"{value}"headers":{{"operation":"{operation}"}}}}"#)).unwrap();
        let next = state.position().offset.advance(1);
        assert_eq!(state.apply_message(&message, next).is_err(), ignored, "{value}");
    }
    assert_eq!((state.position().seq, state.bytes()), (4, 0));
}

#[test]
fn a_frozen_state_of_another_version_is_told_from_a_broken_one() {
    assert!(matches!(State::thaw(br#"{"version":99}"#), Err(crate::InvalidFrozen::Version(99))));
    assert!(matches!(State::thaw(b"{}"), Err(crate::InvalidFrozen::Malformed(_))));
    let garbled =
        String::from_utf8(State::default().freeze()).unwrap().replace(r#""chunk_ids":"""#, r#""chunk_ids":"AAAA""#);
    assert!(matches!(State::thaw(garbled.as_bytes()), Err(crate::InvalidFrozen::ChunkIds)));
}

#[test]
fn a_transcript_of_tokens_shrinks_to_its_messages() {
    let mut session = Session::default();
    let mut log_bytes = 0;
    for number in 0..5_000 {
        let body =
            format!(r#"{{"channel":"chunks","data":{{"agentId":"coder","turn":{},"text":"word "}}}}"#, number / 500);
        let decision = session.post(&body, NOW).unwrap();
        log_bytes += decision.changes[0].change.encode().len() + 2;
    }
    let snapshot_bytes: usize = crate::snapshot(&session.state).map(|message| message.len() + 2).sum();
    assert!(snapshot_bytes * 20 < log_bytes, "{snapshot_bytes} of {log_bytes}");
}
