//! A server under measurement: started on a free port with its own data directory, killed by its process id.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use headwater_load::Site;
use headwater_load::http::{Connection, ReadSize};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::Process;
use crate::request::get;

const START_TIMEOUT: Duration = Duration::from_secs(120);
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    Headwater,
    Official,
}

impl Kind {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Kind::Headwater => "Headwater",
            Kind::Official => "official Rust server",
        }
    }
}

/// The durability class; both servers of a comparison run in the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    Disk,
    Memory,
}

/// How to start a server.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) kind: Kind,
    pub(crate) binary: PathBuf,
    pub(crate) durability: Durability,
}

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Launch {
    /// Starts the server and returns at once; see [`Server::ready`].
    pub(crate) fn spawn(&self, data_dir: &Path, port: u16) -> io::Result<Server> {
        self.spawn_with(data_dir, port, &[])
    }

    fn spawn_with(&self, data_dir: &Path, port: u16, options: &[&str]) -> io::Result<Server> {
        let mut command = Command::new(&self.binary);
        match self.kind {
            Kind::Headwater => self.headwater_flags(&mut command, data_dir, port),
            Kind::Official => self.official_flags(&mut command, data_dir, port),
        };
        command.args(options);
        // Its log would share the disk and the terminal with the measurement.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env_remove("HEADWATER_BIN").env("HEADWATER_LOG_LEVEL", "off");
        let child = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("cannot start {}: {error}", self.binary.display()))
        })?;
        Ok(Server { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) })
    }

    /// Starts the server on a free port and waits until it answers.
    pub(crate) async fn start(&self, data_dir: &Path) -> io::Result<Server> {
        self.start_with(data_dir, &[]).await
    }

    /// The same with further options.
    pub(crate) async fn start_with(&self, data_dir: &Path, options: &[&str]) -> io::Result<Server> {
        let mut server = self.spawn_with(data_dir, free_port()?, options)?;
        server.ready().await?;
        Ok(server)
    }

    fn headwater_flags(&self, command: &mut Command, data_dir: &Path, port: u16) {
        let store = match self.durability {
            Durability::Disk => "disk",
            Durability::Memory => "memory",
        };
        command.args(["serve", "--root", "/v1/stream", "--store", store, "--listen", &format!("127.0.0.1:{port}")]);
        command.arg("--data-dir").arg(data_dir);
    }

    fn official_flags(&self, command: &mut Command, data_dir: &Path, port: u16) {
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]).arg("--data-dir").arg(data_dir);
        if self.durability == Durability::Memory {
            command.args(["--durability", "memory"]);
        }
    }
}

impl Server {
    /// A proxy that keeps nothing, as a process of its own.
    pub(crate) async fn pass_through(upstream: SocketAddr) -> io::Result<Server> {
        let (port, upstream) = (free_port()?, upstream.to_string());
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["pass-through", "--port", &port.to_string(), "--upstream", &upstream]);
        let child = command.stdin(Stdio::null()).spawn()?;
        let mut server = Server { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) };
        server.poll("/", |_| true).await?;
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server, and where a workload's streams are on it.
    pub(crate) fn site(&self) -> Site {
        Site::new(self.address, "/v1/stream/b")
    }

    pub(crate) fn process(&self) -> Process {
        Process::new(self.child.id())
    }

    /// Waits until the server answers any request at all.
    pub(crate) async fn ready(&mut self) -> io::Result<()> {
        self.poll("/healthz", |_| true).await
    }

    /// Waits until a read of `target` succeeds.
    pub(crate) async fn readable(&mut self, target: &str) -> io::Result<()> {
        self.poll(target, |status| status == 200).await
    }

    async fn poll(&mut self, target: &str, accept: impl Fn(u16) -> bool) -> io::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("the server exited at its start: {status}")));
            }
            if probe(self.address, target).await.is_ok_and(&accept) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer to {target} within {START_TIMEOUT:?}")))
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Asks the server to end by itself, as an operator would.
    pub(crate) async fn terminate(mut self) -> io::Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM)?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the server ignores SIGTERM"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended already, which is what is wanted
        let _ = self.child.wait();
    }
}

async fn probe(address: SocketAddr, target: &str) -> io::Result<u16> {
    let mut connection = Connection::open(address, ReadSize::Small).await?;
    Ok(connection.exchange(&get(target)).await?.head.status)
}

pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
