//! `headwater session watch`: a session as it happens, through every loss of the connection.

use clap::ArgMatches;
use headwater_client::Offset;
use headwater_client::sessions::{
    Channel, ConnectionState, Fed, Person, PresenceGuard, SessionEvent, SessionFeed, SessionRow, SessionStatus,
    TerminalKind, TerminalLine,
};
use headwater_protocol::ReadFrom;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use super::view::{Look, Paint, View, one_line};
use super::{Named, failed, text};
use crate::failure::Failure;
use crate::limits::{VIEW_PAUSE, VIEW_SUMMARY_CHARACTERS};
use crate::output;
use crate::remote::{Remote, Told};

pub(super) async fn watch(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags)?;
    let from = text(flags, "from").expect("it has a default");
    // A feed would take any other text for a position that is lost.
    from.parse::<ReadFrom>().map_err(|error| Failure::Usage(format!("--from: {error}")))?;
    // Asked first: a session that is not there, or a server, is told at once.
    let detail = named.client.get(&named.id).await.map_err(|error| failed(&error))?;
    let paint = Paint::of(&text(flags, "color").expect("it has a default"));
    let feed = named.client.feed(&*named.id, Offset::from(from));
    let here = text(flags, "as").map(|name| named.client.stay(&*named.id, Person::new(name.clone()).name(name)));
    let is_terminal = flags.get_flag("terminal");
    let mut screen = Screen { view: View::new(paint), told: remote.told, is_terminal, is_away: false };
    screen.title(&detail.row, paint)?;
    let watched = screen.follow(feed).await;
    leave(here).await;
    watched
}

async fn leave(here: Option<PresenceGuard>) {
    if let Some(here) = here {
        here.leave().await;
    }
}

/// What is printed, and how.
struct Screen {
    view: View,
    told: Told,
    /// Only what the terminal of the session shows, byte by byte.
    is_terminal: bool,
    /// The connection was lost, and that has been told.
    is_away: bool,
}

impl Screen {
    fn title(&self, row: &SessionRow, paint: Paint) -> Result<(), Failure> {
        if self.told.json || self.told.quiet || self.is_terminal {
            return Ok(());
        }
        let title = row.title.as_deref().map_or_else(String::new, |title| one_line(title, VIEW_SUMMARY_CHARACTERS));
        output::result(
            format!("{} {}\n", paint.paint(Look::Bold, &title), paint.paint(Look::Dim, &row.id)).trim_start(),
        )
    }

    async fn follow(&mut self, mut feed: SessionFeed) -> Result<(), Failure> {
        let mut status = feed.status();
        let mut is_settled = true;
        let unread = output::closed();
        tokio::pin!(unread);
        loop {
            tokio::select! {
                () = &mut unread => return Err(Failure::OutputClosed),
                fed = feed.next() => match fed {
                    Some(fed) => {
                        // The connection was back before it told this.
                        if status.has_changed().unwrap_or_default() {
                            self.connection(&mut status)?;
                        }
                        is_settled = false;
                        self.take(fed)?;
                    }
                    None => return self.ended(&feed.status().borrow().clone()),
                },
                () = sleep(VIEW_PAUSE), if !is_settled => {
                    is_settled = true;
                    self.show(View::pause)?;
                }
                Ok(()) = status.changed() => self.connection(&mut status)?,
                done = tokio::signal::ctrl_c() => {
                    done.map_err(|error| Failure::Other(format!("cannot wait for Ctrl-C: {error}")))?;
                    self.show(View::end)?;
                    return self.note("left; the session goes on");
                }
            }
        }
    }

    fn take(&mut self, fed: Fed) -> Result<(), Failure> {
        match fed {
            Fed::Event(event) if self.is_terminal => terminal(&event),
            Fed::Event(event) if self.told.json => output::result(&format!("{}\n", json!(event))),
            Fed::Event(event) => self.show(|view| view.event(&event)),
            Fed::Gap { .. } => self.note("what lay before has expired"),
            _ => Ok(()),
        }
    }

    /// Tells when the connection is lost and when it is back; servers end connections now and then, which is no loss.
    fn connection(&mut self, status: &mut watch::Receiver<SessionStatus>) -> Result<(), Failure> {
        let (state, error) = {
            let now = status.borrow_and_update();
            (now.state, now.error.as_ref().map(ToString::to_string))
        };
        match (state, error) {
            (ConnectionState::Connected, _) if self.is_away => {
                self.is_away = false;
                self.note("back again; nothing was missed")
            }
            (ConnectionState::Reconnecting, Some(why)) if !self.is_away => {
                self.is_away = true;
                self.note(&format!("{why}; going on when the server is back"))
            }
            _ => Ok(()),
        }
    }

    fn ended(&mut self, last: &SessionStatus) -> Result<(), Failure> {
        self.show(View::end)?;
        match &last.error {
            Some(error) => Err(failed(error)),
            None => self.note("the session is closed"),
        }
    }

    fn show(&mut self, next: impl FnOnce(&mut View) -> String) -> Result<(), Failure> {
        let text = next(&mut self.view);
        if self.told.json || self.is_terminal || text.is_empty() { Ok(()) } else { output::result(&text) }
    }

    /// About the watching itself: in the view where that is on, beside the events otherwise.
    fn note(&mut self, text: &str) -> Result<(), Failure> {
        if self.told.json || self.is_terminal {
            self.told.note(format_args!("{text}"));
        } else if !self.told.quiet {
            output::result(&self.view.note(text))?;
        }
        Ok(())
    }
}

/// What came out, as it came out.
fn terminal(event: &SessionEvent) -> Result<(), Failure> {
    let line = (event.channel == Channel::Terminal).then(|| event.row::<TerminalLine>()).flatten();
    match line.filter(|line| line.kind != TerminalKind::Input) {
        Some(line) => output::result(&line.data),
        None => Ok(()),
    }
}
