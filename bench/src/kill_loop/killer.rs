//! Starts the server, kills it at random moments, and starts it again on what it left.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rand::Rng;
use rand::rngs::SmallRng;
use tokio::sync::watch;

use crate::server::{Launch, Server, free_port};

const ALIVE_MS: std::ops::Range<u64> = 50..900;
/// One kill in so many is followed by another while the server recovers.
const RECOVERY_KILL_ONE_IN: u32 = 4;
const RECOVERY_MS: std::ops::Range<u64> = 0..60;

#[derive(Debug)]
pub(crate) struct Killer<'a> {
    launch: Launch,
    data_dir: &'a Path,
    random: SmallRng,
    /// Where the server answers; empty while it does not.
    address: watch::Sender<Option<SocketAddr>>,
    server: Option<Server>,
    kills: usize,
    kills_in_recovery: usize,
}

impl<'a> Killer<'a> {
    pub(crate) fn new(
        launch: Launch,
        data_dir: &'a Path,
        random: SmallRng,
        address: watch::Sender<Option<SocketAddr>>,
    ) -> Killer<'a> {
        Killer { launch, data_dir, random, address, server: None, kills: 0, kills_in_recovery: 0 }
    }

    pub(crate) fn kills(&self) -> usize {
        self.kills
    }

    pub(crate) fn kills_in_recovery(&self) -> usize {
        self.kills_in_recovery
    }

    pub(crate) async fn start(&mut self) -> io::Result<()> {
        let mut server = self.launch.spawn(self.data_dir, free_port()?)?;
        server.ready().await?;
        self.address.send_replace(Some(server.address()));
        self.server = Some(server);
        Ok(())
    }

    /// Lets the server work for a while, kills it, and brings it back.
    pub(crate) async fn kill_at_random(&mut self) -> io::Result<()> {
        let alive = self.random.random_range(ALIVE_MS);
        tokio::time::sleep(Duration::from_millis(alive)).await;
        self.address.send_replace(None);
        if let Some(server) = self.server.take() {
            server.kill()?;
            self.kills += 1;
        }
        while self.random.random_ratio(1, RECOVERY_KILL_ONE_IN) {
            self.kill_in_recovery().await?;
        }
        self.start().await
    }

    async fn kill_in_recovery(&mut self) -> io::Result<()> {
        let server = self.launch.spawn(self.data_dir, free_port()?)?;
        let recovering = self.random.random_range(RECOVERY_MS);
        tokio::time::sleep(Duration::from_millis(recovering)).await;
        self.kills += 1;
        self.kills_in_recovery += 1;
        server.kill()
    }

    pub(crate) async fn restart_cleanly(&mut self) -> io::Result<()> {
        self.address.send_replace(None);
        if let Some(server) = self.server.take() {
            server.terminate().await?;
        }
        self.start().await
    }
}
