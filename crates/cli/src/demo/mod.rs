//! `headwater demo`: a server with a throw-away directory, and a session to look at.
//!
//! Three agents repair a bug while two people watch and decide, over several minutes. The session is played over HTTP;
//! with `--url`, into a server that runs already.

mod player;
mod script;
mod timeline;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::oneshot;

use crate::failure::{Failure, LogForm};
use crate::limits::REDRAWS_PER_SECOND;
use crate::settings::{Config, Layers};
use crate::{output, serve};
use player::Player;
use script::Script;
use timeline::Timeline;

/// Where `headwater session` looks by itself.
const DEFAULT_SERVER: &str = "http://127.0.0.1:4437";

/// Plays the session, beside a server of its own or into another.
pub(crate) fn demo(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let speed = *flags.get_one::<f64>("speed").expect("it has a default");
    match flags.get_one::<String>("url") {
        Some(url) => play(url, speed).map(|()| ExitCode::SUCCESS),
        None => beside_a_server(flags.get_one::<String>("listen").expect("it has a default"), speed),
    }
}

fn beside_a_server(listen: &str, speed: f64) -> Result<ExitCode, Failure> {
    let dir = tempfile::Builder::new().prefix("headwater-demo-").tempdir();
    let dir = dir.map_err(|error| Failure::Other(format!("cannot make a temporary directory: {error}; set TMPDIR")))?;
    let within = |name: &str| dir.path().join(name).display().to_string();
    let layers = Layers::of_command([
        ("listen", listen.to_owned()),
        ("data-dir", within("data")),
        ("sessions-sql", within("sessions.sqlite")),
        ("log-level", "warn".to_owned()),
    ]);
    let config = Config::check(layers).map_err(Failure::Configuration)?;
    let (ready, listens) = oneshot::channel::<SocketAddr>();
    let player = thread::Builder::new().name("demo".into()).spawn(move || {
        // No address: the server did not start, and says why itself.
        let Ok(address) = listens.blocking_recv() else { return };
        match play(&format!("http://{address}"), speed) {
            Ok(()) => output::note(format_args!("It stays here to be looked at. Ctrl-C ends the demo and deletes it.")),
            Err(failure) => drop(failure.report(LogForm::Plain)),
        }
    });
    player.map_err(|error| Failure::Other(format!("cannot start a thread: {error}")))?;
    // The directory goes when the server has let go of it.
    Ok(serve::serve_and_tell(&config, ready))
}

fn play(server: &str, speed: f64) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let script = Script::included();
        let timeline = Timeline::of(&script);
        let player = Player::begin(server, &script).await?;
        output::note(format_args!("{}", guide(&player, &script, timeline.length().div_f64(speed))));
        let bar = bar(&timeline);
        let told = Programme { timeline: &timeline, bar: &bar };
        player.play(&timeline, speed, |at| told.reached(at)).await?;
        bar.finish_and_clear();
        output::note(format_args!("The session has ended."));
        Ok(())
    })
}

/// What to do while it plays.
fn guide(player: &Player, script: &Script, length: Duration) -> String {
    let (api, id) = (player.api(), player.session());
    let minutes = length.as_secs_f64() / 60.0;
    let root = api.trim_end_matches("/api");
    let at = if root == DEFAULT_SERVER { String::new() } else { format!(" --url {root}/v1/stream") };
    format!(
        "\n{}: {} ({minutes:.0} min)\n  \
         browser    {root}/console/sessions/{id}\n  \
         watch      headwater session watch {id}{at}\n  \
         be there   headwater session watch {id} --as Ada{at}\n  \
         replay     headwater session replay {id} --speed 4{at}\n  \
         terminal   headwater session export {id} --format asciicast -o demo.cast{at}\n  \
         fork       headwater session fork {id}{at}\n  \
         as events  curl -N '{api}/streams?sessionId={id}'\n  \
         state      curl -s {api}/sessions/{id}/state\n  \
         agent      curl -N '{api}/streams?agentId=wren'\n  \
         search     curl -s '{api}/search?q=echo'\n",
        script.task, script.title
    )
}

/// Draws nothing unless standard error is a terminal.
fn bar(timeline: &Timeline) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND);
    let bar = ProgressBar::with_draw_target(Some(timeline.length().as_millis() as u64), target);
    let style =
        ProgressStyle::with_template("{msg:28} {wide_bar} {percent:>3} %").expect("the template is well formed");
    bar.with_style(style)
}

/// Tells which scene is on.
struct Programme<'a> {
    timeline: &'a Timeline,
    bar: &'a ProgressBar,
}

impl Programme<'_> {
    fn reached(&self, at: Duration) {
        let name = self.timeline.scenes.iter().rev().find(|scene| scene.at <= at).map_or("", |scene| &scene.name);
        if self.bar.message() != name {
            self.bar.set_message(name.to_owned());
            if self.bar.is_hidden() {
                output::note(format_args!("  {name}"));
            }
        }
        self.bar.set_position(at.as_millis() as u64);
    }
}
