//! `headwater session presence`: who is there, or being there.

use clap::ArgMatches;
use headwater_client::sessions::Person;
use serde_json::json;

use super::manage::ago;
use super::{Named, failed, text};
use crate::failure::Failure;
use crate::limits::VIEW_SUMMARY_CHARACTERS;
use crate::output;
use crate::remote::Remote;
use crate::session::view::one_line;
use crate::table::{Align, Table};

pub(super) async fn presence(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags)?;
    match text(flags, "as") {
        Some(name) => be_there(remote, &named, name).await,
        None => who(remote, &named).await,
    }
}

async fn who(remote: &Remote, named: &Named) -> Result<(), Failure> {
    let people = named.client.present(&named.id).await.map_err(|error| failed(&error))?;
    if remote.told.json {
        return output::result(&people.iter().map(|person| format!("{}\n", json!(person))).collect::<String>());
    }
    let mut table = Table::new(&[("NAME", Align::Left), ("USER", Align::Left), ("HERE FOR", Align::Right)]);
    for person in &people {
        let shown = |text: &str| one_line(text, VIEW_SUMMARY_CHARACTERS);
        let name = shown(person.display_name.as_deref().unwrap_or(&person.user_id));
        table.row([name, shown(&person.user_id), ago(person.joined_at)]);
    }
    if people.is_empty() {
        remote.told.note(format_args!("nobody is there"));
        return Ok(());
    }
    output::result(&table.render())
}

async fn be_there(remote: &Remote, named: &Named, name: String) -> Result<(), Failure> {
    let person = Person::new(name.clone()).name(name.clone());
    // Once by hand: a session that is not there is told at once.
    named.client.join(&named.id, &person).await.map_err(|error| failed(&error))?;
    let here = named.client.stay(&*named.id, person);
    remote.told.note(format_args!("{name} is there; Ctrl-C leaves"));
    tokio::signal::ctrl_c().await.map_err(|error| Failure::Other(format!("cannot wait for Ctrl-C: {error}")))?;
    here.leave().await;
    Ok(())
}
