use std::cell::RefCell;
use std::sync::Arc;

use super::*;
use crate::Refusal;

fn unavailable() -> SessionError {
    Error::Unavailable(Refusal { status: 503, ..Refusal::default() }).into()
}

#[tokio::test(start_paused = true)]
async fn p_7_a_write_is_tried_three_times_more_a_second_apart() {
    let begun = Instant::now();
    let at = RefCell::new(Vec::new());
    let failing = || async {
        at.borrow_mut().push(begun.elapsed().as_millis());
        Err::<(), _>(unavailable())
    };
    assert!(with_retries(failing).await.unwrap_err().is_transient());
    assert_eq!(*at.borrow(), [0, 1000, 2000, 3000]);
}

#[tokio::test(start_paused = true)]
async fn p_7_a_refusal_is_not_tried_again() {
    let tries = RefCell::new(0);
    let refused = || async {
        *tries.borrow_mut() += 1;
        Err::<(), _>(SessionError::of(
            Refusal { status: 400, ..Refusal::default() },
            br#"{"ok":false,"error":{"code":"SESSION_CLOSED","message":"no"}}"#,
        ))
    };
    let error = with_retries(refused).await.unwrap_err();
    assert_eq!((error.code(), *tries.borrow()), (Some(&crate::sessions::ErrorCode::SessionClosed), 1));
}

#[tokio::test(start_paused = true)]
async fn p_7_a_write_that_hangs_is_given_up_after_a_minute() {
    let begun = Instant::now();
    let hangs = || std::future::pending::<Result<(), SessionError>>();
    let error = with_retries_until(begun, Duration::from_secs(60), hangs).await.unwrap_err();
    assert!(matches!(error, SessionError::Unacknowledged { .. }), "{error}");
    assert_eq!(begun.elapsed(), Duration::from_secs(60));
}

#[test]
fn s_2_2_posts_have_their_ids_before_they_are_sent() {
    let api = Api::new(crate::Client::new("http://a.example/v1/stream").unwrap(), None).unwrap();
    let posts = [Post::chunk("coder", "a"), Post::chunk("coder", "b")];
    let first = call(&api, "s", &posts, Some("t")).unwrap();
    assert_eq!(first.url.as_str(), "http://a.example/api/streams");
    assert_eq!(first.body, call(&api, "s", &posts, Some("t")).unwrap().body, "sent again, it is the same");
    assert!(posts[0].id() < posts[1].id() && posts[0].id().is_some(), "ids sort");
    let mixed = [Post::chunk("coder", "a"), Post::step_turn("coder", 1)];
    assert!(call(&api, "s", &mixed, None).is_err());
    assert!(call(&api, "s", &[], None).is_err());
    assert!(call(&api, "..", &[Post::step_turn("coder", 1)], None).is_err());
    let large = call(&api, "s", &[Post::chunk("coder", "x".repeat(70_000))], None).unwrap_err();
    assert!(matches!(large, SessionError::EventTooLarge { .. }), "{large}");
}

#[test]
fn s_2_2_refusals_have_a_stable_code_and_say_what_they_are_about() {
    let refusal = || Refusal { status: 400, ..Refusal::default() };
    let body = br#"{"ok":false,"error":{"code":"VALIDATION_ERROR","message":"is required","details":{"field":"text","event":3}}}"#;
    let SessionError::Refused(refused) = SessionError::of(refusal(), body) else { panic!("it has an envelope") };
    assert_eq!((refused.field(), refused.event(), refused.status), (Some("text"), Some(3), 400));
    assert_eq!(refused.to_string(), "VALIDATION_ERROR: is required (text)");
    let unknown = SessionError::of(refusal(), br#"{"ok":false,"error":{"code":"LATER"}}"#);
    assert_eq!(unknown.code().unwrap().as_str(), "LATER");
    assert!(SessionError::of(Refusal { status: 502, ..refusal() }, b"<html>").is_transient());
    let _shared: Arc<dyn std::error::Error + Send + Sync> = Arc::new(unknown);
}
