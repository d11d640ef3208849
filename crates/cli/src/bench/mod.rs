//! `headwater bench`: measures any Durable Streams server over plain HTTP.
//!
//! The load is the load generator's, which speaks HTTP/1.1 by itself; this chooses it, shows how it goes, tells what came
//! out, and deletes the streams it made, whatever happens in between.

mod command;
mod display;
mod failure;
mod figures;
mod measurement;

use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;

use clap::ArgMatches;
use headwater_load::http::ReadSize;
use headwater_load::{Gauge, Site, Stop, Window, delete_streams, raise_open_files};
use tokio::task::{LocalSet, spawn_local};

pub(crate) use command::command;

use self::command::Plan;
use self::display::Display;
use self::figures::{Figures, table};
use self::measurement::Measurement;
use crate::failure::{Failure, RemoteKind};
use crate::output;
use crate::remote::Remote;
use crate::signals::{Received, Signals};

/// `headwater bench [WHAT]`.
pub(crate) fn bench(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let (remote, plan) = (Remote::of(flags)?, Plan::of(flags)?);
    // All of the load comes from this thread, so that a server on the same machine keeps the other cores.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("cannot start a runtime: {error}; check the limit of processes")))?;
    LocalSet::new().block_on(&runtime, run(&remote, &plan))
}

/// A server, and who may interrupt.
struct Bench<'a> {
    remote: &'a Remote,
    site: Site,
    window: Window,
    /// Until one was received.
    signals: Option<Signals>,
}

/// Why a measurement has no figures.
enum Ended {
    Failed(Failure),
    Interrupted(Received),
}

async fn run(remote: &Remote, plan: &Plan) -> Result<ExitCode, Failure> {
    // Too few files show when a connection cannot be opened.
    raise_open_files().ok();
    let site = site(remote).await?;
    site.connect(ReadSize::Small).await.map_err(|error| failure::of(&error, &remote.url))?;
    let signals = Signals::listen()
        .map_err(|error| Failure::Other(format!("cannot listen for signals: {error}; check the limit of files")))?;
    let mut bench = Bench { remote, site, window: plan.window, signals: Some(signals) };
    let (mut done, mut ended) = (Vec::new(), None);
    for measurement in &plan.measurements {
        match bench.measure(*measurement).await {
            Ok(figures) => {
                if remote.told.json {
                    output::result(&format!("{}\n", figures.json()))?;
                }
                done.push(figures);
            }
            Err(early) => {
                ended = Some(early);
                break;
            }
        }
    }
    if !remote.told.json {
        output::result(&table(&done))?;
    }
    match ended {
        Some(Ended::Failed(failure)) => Err(failure),
        Some(Ended::Interrupted(received)) => {
            remote.told.note(format_args!("{}: the streams of this run are deleted", received.name()));
            Ok(ExitCode::from(received.exit_code()))
        }
        None => tell_errors(remote, &done).map(|()| ExitCode::SUCCESS),
    }
}

/// Some errors are a figure like others; nothing but errors is a failure.
fn tell_errors(remote: &Remote, done: &[Figures]) -> Result<(), Failure> {
    for figures in done {
        let Some(first) = &figures.first_error else { continue };
        let (name, errors) = (figures.measurement.name(), figures.errors);
        if figures.count == 0 {
            let message = format!("{name} measured nothing: {errors} errors, the first: {first}");
            return Err(Failure::Remote { kind: RemoteKind::Refused, message });
        }
        remote.told.note(format_args!("{name}: {errors} errors, the first: {first}"));
    }
    Ok(())
}

async fn site(remote: &Remote) -> Result<Site, Failure> {
    let run = uuid::Uuid::now_v7().simple().to_string();
    // The end of it is random.
    let name = format!("headwater-bench-{}/", &run[20..]);
    let site = Site::of_url(&remote.url, &name).await.map_err(failure::of_url)?;
    remote.headers.iter().try_fold(site, |site, (name, value)| {
        if name.is_empty() || [name, value].iter().any(|text| text.contains(char::is_control)) {
            return Err(Failure::Usage("--header takes NAME:VALUE on one line; see --help".into()));
        }
        Ok(site.header(name, value))
    })
}

impl Bench<'_> {
    /// Makes streams, measures, and deletes them.
    async fn measure(&mut self, measurement: Measurement) -> Result<Figures, Ended> {
        let (gauge, stop) = (Rc::new(Gauge::default()), Stop::default());
        let site = self.site.below(&format!("{}-", measurement.name()));
        let display = Display::start(self.remote.told, measurement, self.window.measure, Rc::clone(&gauge));
        let mut preparing = pin!(measurement.prepare(&site, &stop));
        let measured = match self.unless_interrupted(&mut preparing).await {
            Ok(Ok(())) => self.unless_interrupted(measurement.run(&site, self.window, &gauge)).await,
            Err(received) => {
                stop.ask();
                // What is on its way is still answered, or it would appear after the deletion.
                preparing.await.map_err(|error| tracing::debug!(%error, "preparing failed")).ok();
                Err(received)
            }
            failed => failed,
        };
        drop(display);
        self.clean_up(&site, measurement).await;
        match measured {
            Ok(Ok(())) => Ok(Figures::of(measurement, &gauge)),
            Ok(Err(error)) => Err(Ended::Failed(failure::of(&error, &self.remote.url))),
            Err(received) => Err(Ended::Interrupted(received)),
        }
    }

    /// The work's own end, or the first signal. From then on a second one ends the process.
    async fn unless_interrupted<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Received> {
        let Some(signals) = &mut self.signals else { return Ok(work.await) };
        let received = tokio::select! {
            done = work => return Ok(done),
            received = signals.next() => received,
        };
        if let Some(signals) = self.signals.take() {
            spawn_local(signals.exit_on_next());
        }
        Err(received)
    }

    async fn clean_up(&self, site: &Site, measurement: Measurement) {
        if let Err(error) = delete_streams(site, measurement.streams()).await {
            let first = site.stream(0);
            output::note(format_args!("warning: cannot delete {first} and what else begins like it: {error}"));
        }
    }
}
