//! Bytes sent to the disk for each byte appended, with everything the server does later for them.
//!
//! What a server has put off beyond the run is charged too: bytes that are not in Headwater's archive yet are going to
//! be written there once. What it does once in the life of a data directory, filling the first journal segments with
//! zeros, is told apart.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use headwater_load::http::ReadSize;
use headwater_load::{AppendLoad, Gauge, Lanes, Payload, Producers, Stop, Unit, create_streams};

use crate::metric::{Metric, Target};
use crate::process::Process;
use crate::server::{Kind, Server};

use super::Trial;

/// The disk counts as quiet after this long without a write.
const QUIET: Duration = Duration::from_secs(3);
const QUIET_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
const BYTES_PER_BYTE_MAX: f64 = 2.5;
/// Threads of Headwater that are a part of the store each, as the kernel knows them.
const COMMIT_THREAD: &str = "committer";
const FILL_THREAD: &str = "journal-prepare";
const UPKEEP_THREAD: &str = "store-upkeep";

/// What has been written, at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Written {
    all: u64,
    journal: u64,
    /// Zeros.
    fill: u64,
    /// Archive files and the catalog.
    upkeep: u64,
    /// Bytes that the archive holds.
    archived: u64,
}

pub(crate) async fn run(trial: &mut Trial<'_>, streams: usize, bytes: u64) -> io::Result<Vec<Metric>> {
    let payload = Payload::Bytes(256);
    let load = AppendLoad { connections: 64, in_flight: 8, streams, payload, producers: Producers::None };
    let kind = trial.launch.kind;
    let server = trial.start().await?;
    create_streams(&server.site(), streams, payload.content_type(), b"", &Stop::default()).await?;
    quiet(server.process()).await?;
    let before = Written::now(&server, kind).await?;
    let appends = append(&server, &load, bytes / payload.bytes() as u64).await?;
    let sent = appends * payload.bytes() as u64;
    quiet(server.process()).await?;
    let written = Written::now(&server, kind).await?.since(&before);
    let per_byte = |bytes: u64| bytes as f64 / sent as f64;
    let owed = if kind == Kind::Headwater { sent.saturating_sub(written.archived) } else { 0 };
    let steady = per_byte(written.all - written.fill + owed);
    let mut metrics = vec![
        Metric::new("written in steady state", Unit::BytesPerByte, steady)
            .target(Some(Target::AtMost(BYTES_PER_BYTE_MAX))),
        Metric::new("written in this run", Unit::BytesPerByte, per_byte(written.all)),
    ];
    if kind == Kind::Headwater {
        metrics.extend([
            Metric::new("of it by commits", Unit::BytesPerByte, per_byte(written.journal)),
            Metric::new("of it to archive and catalog", Unit::BytesPerByte, per_byte(written.upkeep)),
            Metric::new("of it first zeros", Unit::Bytes, written.fill as f64),
            Metric::new("still to be archived", Unit::Bytes, owed as f64),
        ]);
    }
    Ok(metrics)
}

impl Written {
    async fn now(server: &Server, kind: Kind) -> io::Result<Self> {
        let all = server.process().written_bytes()?;
        if kind == Kind::Official {
            return Ok(Self { all, ..Self::default() });
        }
        let mut written = Self { all, archived: archived_bytes(server).await?, ..Self::default() };
        for (thread, bytes) in server.process().written_by_threads()? {
            match thread.as_str() {
                COMMIT_THREAD => written.journal += bytes,
                FILL_THREAD => written.fill += bytes,
                UPKEEP_THREAD => written.upkeep += bytes,
                _ => {}
            }
        }
        Ok(written)
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            all: self.all - before.all,
            journal: self.journal - before.journal,
            fill: self.fill - before.fill,
            upkeep: self.upkeep - before.upkeep,
            archived: self.archived.saturating_sub(before.archived),
        }
    }
}

/// Headwater's own figure for its archive files.
async fn archived_bytes(server: &Server) -> io::Result<u64> {
    const METRIC: &str = "headwater_store_archive_bytes ";
    let site = server.site();
    let mut connection = site.connect(ReadSize::Small).await?;
    let metrics = connection.exchange(&site.get("/metrics")).await?.success("reading metrics")?;
    let text = String::from_utf8_lossy(&metrics.body);
    let value = text.lines().find_map(|line| line.strip_prefix(METRIC)?.trim().parse().ok());
    value.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the server's metrics have no archive bytes"))
}

async fn append(server: &Server, load: &AppendLoad, appends: u64) -> io::Result<u64> {
    let gauge = Rc::new(Gauge::default());
    let lanes = Lanes::start(&server.site(), load.lanes(&server.site()), load.in_flight, &gauge).await?;
    while gauge.answered() < appends && gauge.failures() == 0 {
        tokio::time::sleep(POLL).await;
    }
    lanes.stop().await;
    gauge.check()?;
    Ok(gauge.answered())
}

/// Waits until the server has written nothing for a while.
async fn quiet(process: Process) -> io::Result<()> {
    let deadline = Instant::now() + QUIET_TIMEOUT;
    let (mut written, mut since) = (process.written_bytes()?, Instant::now());
    while since.elapsed() < QUIET && Instant::now() < deadline {
        tokio::time::sleep(POLL).await;
        let now = process.written_bytes()?;
        if now != written {
            (written, since) = (now, Instant::now());
        }
    }
    Ok(())
}
