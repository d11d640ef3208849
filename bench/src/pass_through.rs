//! The least that a proxy can do: every connection becomes one to the upstream, and bytes are copied both ways.

use std::error::Error;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::arguments::PassThrough;

/// Runs until it is killed.
pub(crate) async fn run(arguments: &PassThrough) -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    loop {
        let (mut client, _) = listener.accept().await?;
        let upstream = arguments.upstream;
        tokio::spawn(async move {
            client.set_nodelay(true)?;
            let mut upstream = TcpStream::connect(upstream).await?;
            upstream.set_nodelay(true)?;
            copy_bidirectional(&mut client, &mut upstream).await
        });
    }
}
