use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::{Error, Refusal};

/// What is sent, and how long after the beginning.
type Sent = (u128, Option<Person>);

struct Recorded {
    begun: Instant,
    tell: mpsc::UnboundedSender<Sent>,
    /// How long each answer takes.
    takes: Duration,
    error: Option<SessionError>,
}

impl Pulse for Recorded {
    async fn beat(&mut self, person: &Person) -> Result<(), SessionError> {
        self.tell.send((self.begun.elapsed().as_millis(), Some(person.clone()))).unwrap();
        tokio::time::sleep(self.takes).await;
        self.error.clone().map_or(Ok(()), Err)
    }

    async fn leave(&mut self) -> Result<(), SessionError> {
        self.tell.send((self.begun.elapsed().as_millis(), None)).unwrap();
        Ok(())
    }
}

fn guard(takes: Duration, error: Option<SessionError>) -> (PresenceGuard, mpsc::UnboundedReceiver<Sent>) {
    let (tell, told) = mpsc::unbounded_channel();
    let pulse = Recorded { begun: Instant::now(), tell, takes, error };
    (PresenceGuard::start(Person::new("ada").name("Ada"), pulse), told)
}

fn taken(told: &mut mpsc::UnboundedReceiver<Sent>) -> Vec<Sent> {
    std::iter::from_fn(|| told.try_recv().ok()).collect()
}

#[tokio::test(start_paused = true)]
async fn s_3_1_a_sign_of_life_is_given_at_once_and_every_ten_seconds() {
    let (_guard, mut told) = guard(Duration::ZERO, None);
    tokio::time::sleep(Duration::from_secs(35)).await;
    let at: Vec<u128> = taken(&mut told).iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [0, 10_000, 20_000, 30_000]);
}

#[tokio::test(start_paused = true)]
async fn s_3_2_a_hundred_moves_in_a_second_are_at_most_21_requests_and_the_last_is_exact() {
    let (guard, mut told) = guard(Duration::ZERO, None);
    tokio::time::sleep(Duration::from_millis(1)).await;
    for at in 1..=100 {
        guard.move_cursor(f64::from(at), 0.0);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let sent = taken(&mut told);
    assert!((10..=21).contains(&sent.len()), "{} requests", sent.len());
    assert!(sent.windows(2).all(|two| two[1].0 - two[0].0 >= 50), "{sent:?}");
    let last = sent.last().unwrap().1.as_ref().unwrap();
    assert_eq!(last.cursor, Some(Cursor { x: 100.0, y: 0.0 }));
}

#[tokio::test(start_paused = true)]
async fn s_3_2_slow_answers_slow_the_cursor_down_and_lose_nothing_of_its_end() {
    let (guard, mut told) = guard(Duration::from_millis(400), None);
    for at in 1..=100 {
        guard.move_cursor(f64::from(at), 0.0);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent = taken(&mut told);
    assert!(sent.len() <= 4, "{sent:?}");
    assert_eq!(sent.last().unwrap().1.as_ref().unwrap().cursor, Some(Cursor { x: 100.0, y: 0.0 }));
}

#[tokio::test(start_paused = true)]
async fn m_1d_a_beat_does_not_say_where_the_cursor_was() {
    let (guard, mut told) = guard(Duration::ZERO, None);
    guard.move_cursor(1.0, 2.0);
    tokio::time::sleep(Duration::from_secs(25)).await;
    let cursors: Vec<_> = taken(&mut told).into_iter().map(|(_, person)| person.unwrap().cursor).collect();
    assert_eq!(cursors[0], Some(Cursor { x: 1.0, y: 2.0 }));
    assert!(cursors.len() >= 3 && cursors[1..].iter().all(Option::is_none), "{cursors:?}");
}

#[tokio::test(start_paused = true)]
async fn s_3_1_a_dropped_guard_leaves() {
    let (guard, mut told) = guard(Duration::ZERO, None);
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(guard);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let sent = taken(&mut told);
    assert_eq!((sent.len(), sent[1].0, &sent[1].1), (2, 1000, &None), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn s_3_1_who_cannot_be_present_stops_and_who_may_be_later_goes_on() {
    let refusal = Refusal { status: 503, ..Refusal::default() };
    let (here, mut told) = guard(Duration::ZERO, Some(Error::Unavailable(refusal.clone()).into()));
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(taken(&mut told).len(), 3);
    assert!(here.error().is_some());
    let (gone, mut told) = guard(Duration::ZERO, Some(Error::NotFound(refusal).into()));
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(taken(&mut told).len(), 1);
    assert!(gone.error().unwrap().is_not_found());
}
