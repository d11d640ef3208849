//! Plays a timeline into a server over HTTP, as agents on other machines would: what they say waits in an outbox while
//! the server is away, and people are there until they leave.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headwater_client::Client;
use headwater_client::sessions::{
    NewSession, Outbox, OutboxStatus, Person, PresenceGuard, SessionClient, SessionError,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::script::Script;
use super::timeline::{Happening, Timeline};
use crate::failure::Failure;
use crate::output;
use crate::remote::schedule;

/// A session that is being played.
#[derive(Debug)]
pub(super) struct Player {
    client: SessionClient,
    /// Of the server's routes: `http://127.0.0.1:4437/api`.
    api: String,
    session: String,
}

impl Player {
    /// Makes the session.
    pub(super) async fn begin(server: &str, script: &Script) -> Result<Self, Failure> {
        let server = server.trim_end_matches('/');
        let api = format!("{server}/api");
        let streams = Client::builder(&format!("{server}/v1/stream")).retry(schedule()).build();
        let client = SessionClient::with_api(streams.map_err(|error| refused(&error.into()))?, &api);
        let client = client.map_err(|error| refused(&error))?;
        let new = NewSession::new(&*script.project).task(&*script.task).title(&*script.title);
        let session = client.create(new).await.map_err(|error| refused(&error))?.id;
        Ok(Self { client, api, session })
    }

    pub(super) fn session(&self) -> &str {
        &self.session
    }

    pub(super) fn api(&self) -> &str {
        &self.api
    }

    /// Lets everything happen when it is due, `speed` times as fast as it was written. `told` hears how far it is.
    pub(super) async fn play(&self, timeline: &Timeline, speed: f64, told: impl Fn(Duration)) -> Result<(), Failure> {
        let outbox = self.client.outbox(&*self.session);
        tokio::spawn(tell_status(outbox.status(), self.api.clone()));
        let mut people = HashMap::new();
        let begun = Instant::now();
        for moment in &timeline.moments {
            sleep_until(begun + moment.at.div_f64(speed)).await;
            self.happen(&moment.what, &outbox, &mut people).await?;
            told(moment.at);
        }
        let written = outbox.close().await.map_err(|error| refused(&error))?;
        if let Some(error) = written.error.filter(|_| written.refused > 0) {
            return Err(refused(&error));
        }
        self.client.close(&self.session).await.map(drop).map_err(|error| refused(&error))
    }

    async fn happen(
        &self,
        what: &Happening,
        outbox: &Outbox,
        people: &mut HashMap<String, PresenceGuard>,
    ) -> Result<(), Failure> {
        match what {
            Happening::Said(post) => {
                outbox.send(post.clone().at(unix_ms())).await.map_err(|error| refused(&error))?;
            }
            Happening::Joined { user, name } => {
                let person = Person::new(user).name(name);
                people.insert(user.clone(), self.client.stay(&*self.session, person));
            }
            Happening::Pointed { user, x, y } => {
                if let Some(person) = people.get(user) {
                    person.move_cursor(*x, *y);
                }
            }
            Happening::Left { user } => {
                if let Some(person) = people.remove(user) {
                    person.leave().await;
                }
            }
        }
        Ok(())
    }
}

/// Tells when the server is away and when it is back.
async fn tell_status(mut status: watch::Receiver<OutboxStatus>, api: String) {
    let mut is_away = false;
    while status.changed().await.is_ok() {
        let OutboxStatus { attempt, error, .. } = status.borrow_and_update().clone();
        if (attempt > 0) != is_away {
            is_away = attempt > 0;
            match error.filter(|_| is_away) {
                Some(why) => output::note(format_args!("{api} does not answer: {why}; trying again")),
                None => output::note(format_args!("{api} answers again")),
            }
        }
    }
}

fn refused(error: &SessionError) -> Failure {
    Failure::Other(format!("the session cannot be played: {error}; is --url a Headwater server?"))
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
