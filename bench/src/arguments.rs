//! The command line.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::runner::Runner;
use crate::server::{Durability, Kind, Launch};
use crate::workloads::{Scale, Size, Workload, catalogue};

/// Measures Headwater beside the official Rust server, and proves it against kill -9.
#[derive(Debug, Parser)]
#[command(name = "headwater-bench")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run workloads on both servers, alternating, and print a table of medians and ratios
    Run(Run),
    /// Kill a server again and again under concurrent producers, and verify every acknowledged message
    KillLoop(KillLoop),
    /// Kill Headwater again and again under agent sessions, and verify every acknowledged event after each kill
    SessionKillLoop(SessionKillLoop),
    /// Copy bytes between clients and one upstream: what the durable proxy is compared with
    #[command(hide = true)]
    PassThrough(PassThrough),
}

#[derive(Debug, Args)]
pub(crate) struct PassThrough {
    #[arg(long)]
    pub(crate) port: u16,
    #[arg(long)]
    pub(crate) upstream: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct Servers {
    /// Headwater's binary [default: beside this one]
    #[arg(long, value_name = "FILE")]
    headwater: Option<PathBuf>,
    /// The official server's binary [default: ../official/bin/durable-streams-server beside this one]
    #[arg(long, value_name = "FILE")]
    official: Option<PathBuf>,
    /// Durability class of every server
    #[arg(long, value_enum, default_value = "disk")]
    durability: Durability,
    /// Where data directories are made, on the disk to measure [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    servers: Servers,
    /// Servers to run [default: every one whose binary exists]
    #[arg(long, value_enum, value_delimiter = ',')]
    only_servers: Vec<Kind>,
    /// Only workloads whose name contains this; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// A smoke run: every kind of workload once, small and short
    #[arg(long)]
    quick: bool,
    /// Rounds per workload
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds each timed window lasts
    #[arg(long)]
    seconds: Option<f64>,
    /// Put the table between the result markers of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Print the workloads' names and do nothing
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KillLoop {
    #[command(flatten)]
    servers: Servers,
    /// Server to kill
    #[arg(long, value_enum, default_value = "headwater")]
    server: Kind,
    /// How often to kill it
    #[arg(long, default_value_t = 20)]
    pub(crate) kills: usize,
    /// Seed of every choice made [default: drawn and printed]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Concurrent producers
    #[arg(long, default_value_t = 16)]
    pub(crate) producers: usize,
}

#[derive(Debug, Args)]
pub(crate) struct SessionKillLoop {
    /// Headwater's binary [default: beside this one]
    #[arg(long, value_name = "FILE")]
    headwater: Option<PathBuf>,
    /// Where the data directory is made [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How often to kill it
    #[arg(long, default_value_t = 20)]
    pub(crate) kills: usize,
    /// Seed of every choice made [default: drawn and printed]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Concurrent writers
    #[arg(long, default_value_t = 12)]
    pub(crate) writers: usize,
}

impl Servers {
    pub(crate) fn directory(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(env::temp_dir)
    }

    fn launch(&self, kind: Kind) -> Launch {
        let (given, default) = match kind {
            Kind::Headwater => (&self.headwater, "headwater"),
            Kind::Official => (&self.official, "../official/bin/durable-streams-server"),
        };
        let binary = given.clone().unwrap_or_else(|| beside_this_binary().join(default));
        Launch { kind, binary, durability: self.durability }
    }
}

impl Run {
    fn size(&self) -> Size {
        if self.quick { Size::Quick } else { Size::Full }
    }

    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let wanted = |name: &str| self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()));
        catalogue(self.size()).into_iter().filter(|workload| wanted(&workload.name)).collect()
    }

    pub(crate) fn scale(&self) -> Scale {
        let scale = self.size().scale();
        let measure = self.seconds.map_or(scale.measure, Duration::from_secs_f64);
        Scale { measure, rounds: self.rounds.unwrap_or(scale.rounds), ..scale }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.servers.directory()
    }

    pub(crate) fn launches(&self) -> Result<Vec<Launch>, String> {
        let asked = !self.only_servers.is_empty();
        let kinds = if asked { self.only_servers.clone() } else { vec![Kind::Headwater, Kind::Official] };
        let launches = kinds.into_iter().map(|kind| self.servers.launch(kind));
        let (found, missing): (Vec<_>, Vec<_>) = launches.partition(|launch| launch.binary.exists());
        for launch in &missing {
            eprintln!("{} is not at {}", launch.kind.label(), launch.binary.display());
        }
        if found.is_empty() || (asked && !missing.is_empty()) { Err("no server to run".into()) } else { Ok(found) }
    }

    /// What a reader of the table must know about how it came to be.
    pub(crate) fn preamble(&self, runner: &Runner) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let class = match self.servers.durability {
            Durability::Disk => "every append on disk before its answer",
            Durability::Memory => "nothing on disk",
        };
        let (rounds, seconds) = (runner.scale.rounds, runner.scale.measure.as_secs_f64());
        format!(
            "Medians of {rounds} alternating round(s) of {seconds} s; {class}; load generator and server share {cores} cores. \
             The official server has no sessions."
        )
    }
}

impl KillLoop {
    pub(crate) fn launch(&self) -> Launch {
        self.servers.launch(self.server)
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.servers.directory()
    }
}

impl SessionKillLoop {
    pub(crate) fn launch(&self) -> Launch {
        let binary = self.headwater.clone().unwrap_or_else(|| beside_this_binary().join("headwater"));
        Launch { kind: Kind::Headwater, binary, durability: Durability::Disk }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(env::temp_dir)
    }
}

fn beside_this_binary() -> PathBuf {
    let binary = env::current_exe().unwrap_or_default();
    binary.parent().map(Path::to_path_buf).unwrap_or_default()
}
