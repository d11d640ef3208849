use std::time::Duration;

use tokio::sync::mpsc;

use super::batch::Batch;
use super::*;
use crate::sessions::limits::REQUEST_EVENTS_MAX;
use crate::{Refusal, RetrySchedule};

/// A server that answers what the test says, one answer for each request.
struct Played {
    tell: mpsc::UnboundedSender<(u64, String)>,
    answers: mpsc::UnboundedReceiver<Result<(), SessionError>>,
}

impl Courier for Played {
    async fn deliver(&mut self, batch: &Batch, seq: u64) -> Result<Offset, SessionError> {
        self.tell.send((seq, batch.body())).unwrap();
        let answer = self.answers.recv().await.expect("an answer");
        answer.map(|()| Offset::from("9"))
    }

    fn begin_anew(&mut self) {}

    fn can_refresh(&self) -> bool {
        false
    }
}

type Requests = mpsc::UnboundedReceiver<(u64, String)>;
type Answers = mpsc::UnboundedSender<Result<(), SessionError>>;

fn outbox(events: usize) -> (Outbox, Requests, Answers) {
    let (tell, requests) = mpsc::unbounded_channel();
    let (answer, answers) = mpsc::unbounded_channel();
    let outbox = Outbox::start(Played { tell, answers }, RetrySchedule::default(), 1024 * 1024, events);
    (outbox, requests, answer)
}

fn line(text: &str) -> Post {
    Post::new(crate::sessions::Channel::Terminal).with("data", text)
}

/// The texts of a request, and its number.
async fn next(requests: &mut Requests) -> (u64, Vec<String>) {
    let (seq, body) = requests.recv().await.unwrap();
    let body: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
    (seq, body.iter().map(|post| post["data"]["data"].as_str().unwrap_or("step").to_owned()).collect())
}

fn unavailable() -> SessionError {
    Error::Unavailable(Refusal { status: 503, ..Refusal::default() }).into()
}

fn refused(code: &str, event: Option<usize>) -> SessionError {
    let body = serde_json::json!({ "error": { "code": code, "details": { "event": event } } });
    SessionError::of(Refusal { status: 400, ..Refusal::default() }, body.to_string().as_bytes())
}

#[tokio::test(start_paused = true)]
async fn m_1d_an_outbox_sends_in_order_and_the_same_again_until_it_is_answered() {
    let (outbox, mut requests, answer) = outbox(100);
    outbox.send(line("a")).await.unwrap();
    assert_eq!(next(&mut requests).await, (0, vec!["a".to_owned()]));
    for text in ["b", "c"] {
        outbox.send(line(text)).await.unwrap();
    }
    let begun = Instant::now();
    for delay in [1, 3, 7, 15, 31, 61] {
        answer.send(Err(unavailable())).unwrap();
        assert_eq!(next(&mut requests).await, (0, vec!["a".to_owned()]), "never mixed with what came later");
        assert_eq!(begun.elapsed(), Duration::from_secs(delay));
    }
    assert_eq!((outbox.status().borrow().waiting, outbox.status().borrow().attempt), (3, 6));
    answer.send(Ok(())).unwrap();
    assert_eq!(next(&mut requests).await, (1, vec!["b".to_owned(), "c".to_owned()]));
    answer.send(Ok(())).unwrap();
    let status = outbox.close().await.unwrap();
    assert_eq!((status.written, status.waiting, status.waiting_bytes, status.attempt), (3, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_holds_whoever_has_more_to_say() {
    let (outbox, mut requests, answer) = outbox(2);
    outbox.send(line("a")).await.unwrap();
    outbox.send(line("b")).await.unwrap();
    assert!(outbox.try_send(line("c")).unwrap().is_some());
    let third = outbox.send(line("c"));
    tokio::pin!(third);
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut third).await.is_err());
    requests.recv().await.unwrap();
    answer.send(Ok(())).unwrap();
    third.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_post_is_left_out_and_the_others_go_on() {
    let (outbox, mut requests, answer) = outbox(100);
    outbox.send(line("first")).await.unwrap();
    requests.recv().await.unwrap();
    for text in ["good", "bad", "fine"] {
        outbox.send(line(text)).await.unwrap();
    }
    answer.send(Ok(())).unwrap();
    assert_eq!(next(&mut requests).await.1.len(), 3);
    answer.send(Err(refused("VALIDATION_ERROR", Some(1)))).unwrap();
    assert_eq!(next(&mut requests).await, (1, vec!["good".to_owned(), "fine".to_owned()]), "its number was free");
    answer.send(Ok(())).unwrap();
    outbox.flush().await.unwrap();
    let status = outbox.status().borrow().clone();
    assert_eq!((status.written, status.refused, status.waiting, status.waiting_bytes), (3, 1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_closed_session_ends_the_outbox_and_everybody_is_told() {
    let (outbox, mut requests, answer) = outbox(1);
    outbox.send(line("a")).await.unwrap();
    requests.recv().await.unwrap();
    answer.send(Err(refused("SESSION_CLOSED", None))).unwrap();
    assert_eq!(outbox.flush().await.unwrap_err().status(), Some(400));
    assert_eq!(outbox.send(line("b")).await.unwrap_err().status(), Some(400));
    assert!(outbox.try_send(line("b")).is_err());
    assert!(outbox.status().borrow().has_failed);
}

#[tokio::test(start_paused = true)]
async fn events_and_steps_go_in_requests_of_their_own_and_large_bodies_in_pieces() {
    let (outbox, mut requests, answer) = outbox(100);
    outbox.send(line("first")).await.unwrap();
    requests.recv().await.unwrap();
    for text in ["a", "b", "c"] {
        outbox.send(line(text)).await.unwrap();
    }
    outbox.send(Post::step_turn("coder", 1)).await.unwrap();
    outbox.send(line("d")).await.unwrap();
    answer.send(Ok(())).unwrap();
    assert_eq!(next(&mut requests).await.1, ["a", "b", "c"]);
    answer.send(Err(refused("BODY_TOO_LARGE", None))).unwrap();
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(next(&mut requests).await.1.join(""));
        answer.send(Ok(())).unwrap();
    }
    assert_eq!(told, ["a", "bc", "step", "d"]);
    outbox.close().await.unwrap();
    assert_eq!(REQUEST_EVENTS_MAX, 1000, "what servers take");
}
