//! `headwater session send`: typing, and posting to any channel.

use clap::ArgMatches;
use headwater_client::sessions::{Channel, Post, Published};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use uuid::Uuid;

use super::{Named, failed, text};
use crate::failure::Failure;
use crate::remote::Remote;

pub(super) async fn send(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags)?;
    if let Some(channel) = text(flags, "channel") {
        let post = post(&channel, &text(flags, "data").expect("clap requires it"))?;
        return tell(remote, &publish(&named, vec![post]).await?);
    }
    let typed: Vec<Post> =
        flags.get_many::<String>("text").unwrap_or_default().map(|text| Post::terminal_input(text.as_str())).collect();
    if typed.is_empty() { lines(remote, &named).await } else { tell(remote, &publish(&named, typed).await?) }
}

/// Each line of standard input as soon as it is there.
async fn lines(remote: &Remote, named: &Named) -> Result<(), Failure> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let unreadable = |error: std::io::Error| Failure::Other(format!("cannot read standard input: {error}"));
    while let Some(line) = lines.next_line().await.map_err(unreadable)? {
        tell(remote, &publish(named, vec![Post::terminal_input(line)]).await?)?;
    }
    Ok(())
}

async fn publish(named: &Named, posts: Vec<Post>) -> Result<Published, Failure> {
    named.client.publish(&named.id, posts).await.map_err(|error| failed(&error))
}

fn post(channel: &str, data: &str) -> Result<Post, Failure> {
    let refused = |why: String| Failure::Usage(format!("--data: {why}; give an object such as '{{\"text\": \"…\"}}'"));
    let channel = Channel::of(channel).ok_or_else(|| refused(format!("no channel {channel}")))?;
    let data: Value = serde_json::from_str(data).map_err(|error| refused(error.to_string()))?;
    let Value::Object(fields) = data else { return Err(refused("it is no object".to_owned())) };
    let mut post = Post::new(channel);
    // With an id of its own it is stored once, however often it has to be sent.
    if !matches!(channel, Channel::AgentState | Channel::Presence) {
        post = post.with("id", Uuid::now_v7().to_string());
    }
    for (name, value) in fields {
        post = post.with(&name, value);
    }
    Ok(post)
}

fn tell(remote: &Remote, published: &Published) -> Result<(), Failure> {
    let ids: Vec<&str> = published.results.iter().map(|event| event.id.as_str()).collect();
    let Published { offset, txid, duplicate, .. } = published;
    let value = json!({ "offset": offset, "txid": txid, "ids": ids, "duplicate": duplicate });
    remote.told.result(&value, format_args!("sent; the session ends at {offset}"))
}
