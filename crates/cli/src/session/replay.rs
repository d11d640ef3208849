//! `headwater session replay`: what happened, at the pace at which it happened.

use std::time::Duration;

use clap::ArgMatches;
use headwater_client::sessions::{HistoryQuery, SessionEvent};
use tokio::time::{Instant, sleep, sleep_until};

use super::view::{Paint, View};
use super::{Named, failed, text};
use crate::failure::Failure;
use crate::limits::{HISTORY_PAGE, VIEW_PAUSE};
use crate::output;
use crate::remote::Remote;

pub(super) async fn replay(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags)?;
    let speed = *flags.get_one::<f64>("speed").expect("it has a default");
    let pause_max = flags.get_one::<Duration>("pause-max").copied().unwrap_or(Duration::MAX);
    let mut clock = Clock { speed, pause_max, due: Instant::now(), last_ms: None };
    let mut view = View::new(Paint::of(&text(flags, "color").expect("it has a default")));
    let mut cursor: Option<String> = None;
    loop {
        let mut query = HistoryQuery::new().limit(HISTORY_PAGE);
        if let Some(cursor) = cursor {
            query = query.cursor(cursor);
        }
        let page = named.client.history(&named.id, query).await.map_err(|error| failed(&error))?;
        if page.gap.is_some() {
            output::result(&view.note("what lay before has expired"))?;
        }
        for event in &page.events {
            play(event, &mut clock, &mut view, remote).await?;
        }
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    output::result(&view.end())
}

async fn play(event: &SessionEvent, clock: &mut Clock, view: &mut View, remote: &Remote) -> Result<(), Failure> {
    let due = clock.due(event.timestamp);
    if due.saturating_duration_since(Instant::now()) > VIEW_PAUSE {
        sleep(VIEW_PAUSE).await;
        output::result(&view.pause())?;
    }
    sleep_until(due).await;
    if remote.told.json {
        return output::result(&format!("{}\n", serde_json::json!(event)));
    }
    output::result(&view.event(event))
}

/// When each event is due.
struct Clock {
    speed: f64,
    /// Longest pause between two events, at speed 1.
    pause_max: Duration,
    due: Instant,
    last_ms: Option<u64>,
}

impl Clock {
    fn due(&mut self, timestamp_ms: Option<u64>) -> Instant {
        if let Some(now_ms) = timestamp_ms {
            // Time does not run backwards here, wherever the server's clock went.
            let passed = Duration::from_millis(now_ms.saturating_sub(self.last_ms.unwrap_or(now_ms)));
            self.last_ms = Some(self.last_ms.unwrap_or(now_ms).max(now_ms));
            self.due += passed.min(self.pause_max).div_f64(self.speed);
        }
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_those_of_the_session_shortened_and_capped() {
        let begun = Instant::now();
        let mut clock = Clock { speed: 2.0, pause_max: Duration::from_secs(4), due: begun, last_ms: None };
        let due: Vec<u64> = [Some(1_000), Some(2_000), None, Some(1_500), Some(3_000), Some(60_000)]
            .into_iter()
            .map(|timestamp| clock.due(timestamp).duration_since(begun).as_millis() as u64)
            .collect();
        assert_eq!(due, [0, 500, 500, 500, 1_000, 3_000]);
    }
}
