//! Plays a timeline into a server over HTTP, as an agent on another machine would: what is not answered is sent again,
//! with the same ids, until it is.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::script::Script;
use super::timeline::{Destination, Moment, Timeline};
use crate::failure::Failure;
use crate::limits::{DEMO_ANSWER_TIMEOUT, DEMO_LATENESS_MAX, DEMO_RETRY_DELAY, DEMO_RETRY_DELAY_MAX};
use crate::output;

/// A session that is being played.
#[derive(Debug)]
pub(super) struct Player {
    client: Client,
    /// Of the server's routes: `http://127.0.0.1:4437/api`.
    api: String,
    session: String,
}

/// What became of one request.
enum Sent {
    Answered(Value),
    /// Nobody knows; the same request may be sent again.
    Unanswered(String),
    Refused(String),
}

impl Player {
    /// Makes the session.
    pub(super) async fn begin(server: &str, script: &Script) -> Result<Self, Failure> {
        let client = client()?;
        let api = format!("{}/api", server.trim_end_matches('/'));
        let mut player = Self { client, api, session: String::new() };
        let new = json!({"projectId": script.project, "taskId": script.task, "title": script.title});
        let answer = player.post("/sessions", &new).await?;
        let id = answer["data"]["id"].as_str();
        player.session = id.ok_or_else(|| Failure::Other(format!("{} made no session: {answer}", player.api)))?.into();
        Ok(player)
    }

    pub(super) fn session(&self) -> &str {
        &self.session
    }

    pub(super) fn api(&self) -> &str {
        &self.api
    }

    /// Sends each moment when it is due, `speed` times as fast as it was written. `told` hears how far it is.
    pub(super) async fn play(&self, timeline: &Timeline, speed: f64, told: impl Fn(Duration)) -> Result<(), Failure> {
        let mut begun = Instant::now();
        for moment in &timeline.moments {
            let due = begun + moment.at.div_f64(speed);
            sleep_until(due).await;
            self.send(moment).await?;
            told(moment.at);
            // Who was held up goes on at the same pace and does not hurry after.
            let late = due.elapsed();
            if late > DEMO_LATENESS_MAX {
                begun += late;
            }
        }
        self.post(&format!("/sessions/{}/close", self.session), &json!({})).await.map(drop)
    }

    async fn send(&self, moment: &Moment) -> Result<(), Failure> {
        let id = &self.session;
        let path = match moment.to {
            Destination::Events => format!("/streams?sessionId={id}"),
            Destination::Steps => format!("/sessions/{id}/steps"),
            Destination::Join => format!("/sessions/{id}/join?snapshot=false"),
            Destination::Presence => format!("/sessions/{id}/presence"),
            Destination::Leave => format!("/sessions/{id}/leave"),
        };
        self.post(&path, &moment.body).await.map(drop)
    }

    /// Sends until there is an answer.
    async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let mut delay = DEMO_RETRY_DELAY;
        loop {
            match self.attempt(path, body).await {
                Sent::Answered(answer) => return Ok(answer),
                Sent::Refused(why) => return Err(Failure::Other(format!("the server refused {path}: {why}"))),
                Sent::Unanswered(why) => {
                    output::note(format_args!("{} does not answer: {why}; trying again", self.api));
                    sleep(delay).await;
                    delay = (delay * 2).min(DEMO_RETRY_DELAY_MAX);
                }
            }
        }
    }

    async fn attempt(&self, path: &str, body: &Value) -> Sent {
        let request = self.client.post(format!("{}{path}", self.api)).json(body);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Sent::Unanswered(error.without_url().to_string()),
        };
        let status = response.status();
        let answer = match response.json::<Value>().await {
            Ok(answer) => answer,
            Err(error) => return Sent::Unanswered(format!("{status}: {}", error.without_url())),
        };
        match status {
            _ if status.is_success() => Sent::Answered(answer),
            StatusCode::TOO_MANY_REQUESTS => Sent::Unanswered(status.to_string()),
            _ if status.is_server_error() => Sent::Unanswered(status.to_string()),
            _ => {
                let code = answer["error"]["code"].as_str().unwrap_or_default();
                // What a lost answer acknowledged.
                if code == "SESSION_CLOSED" && path.ends_with("/close") {
                    return Sent::Answered(answer);
                }
                Sent::Refused(format!("{status}: {answer}"))
            }
        }
    }
}

fn client() -> Result<Client, Failure> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
    let built = Client::builder().no_proxy().timeout(DEMO_ANSWER_TIMEOUT).build();
    built.map_err(|error| Failure::Other(format!("cannot speak HTTP: {error}")))
}
