//! `headwater serve`: open the store, start the engine, bind, run, and take it all down in the opposite order.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use headwater_projection::Projection;
use headwater_proxy::Proxy;
use headwater_server::subscriptions::Subscriptions;
use headwater_server::{BindError, Metrics, Mirrors, Server};
use headwater_sessions::Sessions;
use headwater_storage::{EmbeddedStore, OpenError};
use headwater_streams::memory::MemoryStore;
use headwater_streams::{Durability, Engine, Store, StoreError, SystemClock};

use tokio::sync::oneshot;

use crate::banner::{Banner, MountedProxy, Recovered};
use crate::failure::Failure;
use crate::logging;
use crate::settings::{Config, Problem};
use crate::signals::Signals;

/// Threads beside the workers: one accepts connections, the other hears signals whatever the first is doing.
const SUPPORT_THREADS: usize = 2;

/// Serves until a signal comes.
pub(crate) fn serve(config: &Config) -> ExitCode {
    let (ready, _) = oneshot::channel();
    serve_and_tell(config, ready)
}

/// The same; `ready` hears where it listens once requests are answered.
pub(crate) fn serve_and_tell(config: &Config, ready: Ready) -> ExitCode {
    match start(config, ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(logging::form(config)),
    }
}

fn start(config: &Config, ready: Ready) -> Result<(), Failure> {
    logging::start(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SUPPORT_THREADS)
        .thread_name("support")
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("cannot start threads: {error}; check the limit of processes")))?;
    let ended = match config.durability() {
        Durability::Ephemeral => runtime.block_on(run(MemoryStore::new(), config, Found::default(), ready)),
        Durability::Durable => {
            let (store, mut found) = open(config)?;
            // Asking for no room changes nothing; a store that takes no changes says why.
            if let Err(StoreError::Poisoned { cause }) = runtime.block_on(store.reserve(0, 0)) {
                found.read_only = Some(cause);
            }
            runtime.block_on(run(store, config, found, ready))
        }
    };
    runtime.shutdown_background();
    ended
}

/// Whoever waits for the server.
type Ready = oneshot::Sender<SocketAddr>;

/// What opening the store brought to light.
#[derive(Debug, Default)]
struct Found {
    data_dir: Option<PathBuf>,
    recovered: Recovered,
    read_only: Option<String>,
}

fn open(config: &Config) -> Result<(EmbeddedStore, Found), Failure> {
    let dir = config.directory("data-dir");
    let begun = Instant::now();
    let store = EmbeddedStore::open(dir, config.store_options()).map_err(|error| refusal(dir, error))?;
    let stats = store.stats();
    let found = Found {
        // An absolute path is worth more to a reader of logs; the relative one is still right when there is none.
        data_dir: Some(dir.canonicalize().unwrap_or_else(|_| dir.to_owned())),
        recovered: Recovered { streams: stats.streams, replayed_bytes: stats.replay_bytes, took: begun.elapsed() },
        read_only: None,
    };
    Ok((store, found))
}

async fn run<S: Store>(store: S, config: &Config, found: Found, ready: Ready) -> Result<(), Failure> {
    let mut signals =
        Signals::listen().map_err(|error| Failure::Other(format!("cannot listen to signals: {error}")))?;
    let metrics = Metrics::new();
    let engine = Engine::start(store, Arc::new(SystemClock), config.engine_limits(), metrics.clone());
    let server = match Server::bind(config.server(), engine.clone()) {
        Ok(server) => server.with_metrics(metrics),
        Err(error) => {
            close(&engine).await?;
            return Err(unbound(&error));
        }
    };
    let options = config.subscriptions();
    let subscriptions = Subscriptions::start(engine.clone(), &config.server(), server.local_addr(), options).await;
    let mut server = server.mount(subscriptions.router());
    let sessions = open_sessions(&engine, config, &found).await?;
    // There is nothing to keep up where nothing can be written.
    let upkeep = sessions.as_ref().filter(|_| found.read_only.is_none()).map(|sessions| tokio::spawn(sessions.run()));
    if let Some(sessions) = &sessions {
        server = server.with_sessions(sessions.clone());
    }
    let projection =
        config.projection().map(|options| Projection::start(engine.clone(), Arc::new(SystemClock), options));
    if let Some(projection) = &projection {
        server = server.with_search(Arc::new(projection.index()));
    }
    let proxy = open_proxy(&engine, config, &found).await?;
    if let Some(proxy) = &proxy {
        server = server.with_proxy(proxy.clone());
    }
    let mirrors = open_mirrors(sessions.as_ref(), proxy.as_ref(), &engine).await?;
    if let Some(mirrors) = &mirrors {
        server = server.with_mirrors(mirrors.clone());
    }
    let mounted = (sessions.is_some(), proxy.as_ref());
    banner(server.local_addr(), config, mounted, found).announce(logging::form(config));
    // Nobody may want to know.
    ready.send(server.local_addr()).ok();
    let ended = server
        .run(async move {
            let received = signals.next().await;
            tracing::info!(signal = received.name(), "stopping; a second signal exits at once");
            tokio::spawn(signals.exit_on_next());
        })
        .await;
    // ORDER: nobody is woken any more before the streams that would wake them close.
    subscriptions.shutdown().await;
    // ORDER: and proxied responses end before the engine that they are written to.
    if let Some(proxy) = proxy {
        proxy.shutdown().await;
    }
    // ORDER: and sessions hear how they ended.
    if let Some(mirrors) = mirrors {
        mirrors.shutdown().await;
    }
    if let Some(upkeep) = upkeep {
        upkeep.abort();
    }
    if let Some(sessions) = sessions {
        sessions.shutdown().await;
    }
    if let Some(projection) = projection {
        projection.shutdown().await;
    }
    close(&engine).await?;
    tracing::info!("stopped");
    ended.map_err(|error| Failure::Other(format!("the server failed: {error}")))
}

/// The sessions of the engine, unless they are switched off. They need a store that takes changes; without one their
/// streams can still be read.
async fn open_sessions<S: Store>(
    engine: &Engine<S>,
    config: &Config,
    found: &Found,
) -> Result<Option<Sessions<S>>, Failure> {
    let Some(options) = config.sessions() else { return Ok(None) };
    match Sessions::open(engine.clone(), options).await {
        Ok(sessions) => Ok(Some(sessions)),
        Err(error) if found.read_only.is_some() => {
            tracing::warn!(%error, "the store takes no changes and its sessions cannot be read: they are not served");
            Ok(None)
        }
        Err(error) => {
            close(engine).await?;
            Err(Failure::Other(format!("sessions cannot be opened: {error}; run `headwater verify`")))
        }
    }
}

/// The durable proxy, when it is switched on. It needs a store that takes changes.
async fn open_proxy<S: Store>(engine: &Engine<S>, config: &Config, found: &Found) -> Result<Option<Proxy<S>>, Failure> {
    let options = config.proxy().map_err(|problem| Failure::Configuration(vec![Problem(problem)]));
    let options = match options {
        Ok(Some(options)) => options,
        Ok(None) => return Ok(None),
        Err(failure) => {
            close(engine).await?;
            return Err(failure);
        }
    };
    match Proxy::open(engine.clone(), options).await {
        Ok(proxy) => Ok(Some(proxy)),
        Err(error) if found.read_only.is_some() => {
            tracing::warn!(%error, "the store takes no changes: the proxy is not served");
            Ok(None)
        }
        Err(error) => {
            close(engine).await?;
            Err(Failure::Other(format!("the proxy cannot be opened: {error}; run `headwater verify`")))
        }
    }
}

/// What makes proxied responses part of sessions, where there are both.
async fn open_mirrors<S: Store>(
    sessions: Option<&Sessions<S>>,
    proxy: Option<&Proxy<S>>,
    engine: &Engine<S>,
) -> Result<Option<Mirrors<S>>, Failure> {
    let (Some(sessions), Some(proxy)) = (sessions, proxy) else { return Ok(None) };
    match Mirrors::open(sessions.clone(), proxy.clone()).await {
        Ok(mirrors) => Ok(Some(mirrors)),
        Err(error) => {
            close(engine).await?;
            Err(Failure::Other(format!("the proxy cannot be opened: {error}; run `headwater verify`")))
        }
    }
}

async fn close<S: Store>(engine: &Engine<S>) -> Result<(), Failure> {
    let told = "what was acknowledged is safe, and the next start recovers it";
    engine
        .shutdown()
        .await
        .map_err(|error| Failure::Other(format!("the store did not close in order: {error}; {told}")))
}

fn banner<S: Store>(
    address: SocketAddr,
    config: &Config,
    (has_sessions, proxy): (bool, Option<&Proxy<S>>),
    found: Found,
) -> Banner {
    let root = config.text("root").trim_end_matches('/');
    Banner {
        url: format!("http://{address}{root}"),
        sessions: has_sessions.then(|| format!("http://{address}/api/sessions")),
        console: (config.text("console") == "on").then(|| format!("http://{address}/console/")),
        proxy: proxy
            .map(|proxy| MountedProxy { url: format!("http://{address}/v1/proxy"), patterns: proxy.allowlist().len() }),
        data_dir: found.data_dir,
        durability: config.durability(),
        recovered: found.recovered,
        read_only: found.read_only,
        is_exposed: !address.ip().is_loopback(),
    }
}

/// Why the data directory cannot be used, with what to do about it.
pub(crate) fn refusal(dir: &Path, error: OpenError) -> Failure {
    let data = |cause: String, advice| Failure::Data { dir: dir.to_owned(), cause, advice };
    match error {
        OpenError::Locked { pid: 0 } => Failure::Locked { dir: dir.to_owned(), holder: "another process".to_owned() },
        OpenError::Locked { pid } => Failure::Locked { dir: dir.to_owned(), holder: format!("process {pid}") },
        OpenError::Io { operation, source } if source.kind() == ErrorKind::PermissionDenied => Failure::Permission {
            what: format!("the data directory {}", dir.display()),
            cause: format!("{operation}: {source}"),
            advice: "make the user of this process its owner",
        },
        OpenError::NewerFormat { .. } => data(error.to_string(), "start the version that wrote it, or a later one"),
        OpenError::Foreign { .. } => data(error.to_string(), "choose an empty directory with --data-dir"),
        OpenError::Io { .. } => data(error.to_string(), "check the path and the disk"),
        OpenError::Store(_) => data(error.to_string(), "run `headwater verify`, or restore a backup"),
    }
}

fn unbound(error: &BindError) -> Failure {
    let BindError { address, source } = error;
    let bind = |advice| Failure::Bind { address: *address, cause: source.to_string(), advice };
    match source.kind() {
        ErrorKind::PermissionDenied => Failure::Permission {
            what: format!("listening on {address}"),
            cause: source.to_string(),
            advice: "choose a port from 1024 on with --listen, or grant CAP_NET_BIND_SERVICE",
        },
        ErrorKind::AddrInUse => bind("stop the process that listens there, or choose another --listen"),
        ErrorKind::AddrNotAvailable => bind("this machine has no such address; choose another --listen"),
        _ => bind("choose another --listen"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: ErrorKind) -> OpenError {
        OpenError::Io { operation: "opening it".into(), source: kind.into() }
    }

    #[test]
    fn each_way_not_to_open_has_its_exit_code() {
        let code = |error| refusal(Path::new("/data"), error).code();
        assert_eq!(code(OpenError::Locked { pid: 7 }), 3);
        assert_eq!(code(OpenError::NewerFormat { found: 2, known: 1 }), 5);
        assert_eq!(code(OpenError::Foreign { path: "/data".into(), reason: "it is a photo".into() }), 5);
        assert_eq!(code(io(ErrorKind::NotADirectory)), 5);
        assert_eq!(code(io(ErrorKind::PermissionDenied)), 6);
    }

    #[test]
    fn each_way_not_to_listen_has_its_exit_code() {
        let address = ([127, 0, 0, 1], 80).into();
        let code = |kind: ErrorKind| unbound(&BindError { address, source: kind.into() }).code();
        assert_eq!(code(ErrorKind::AddrInUse), 4);
        assert_eq!(code(ErrorKind::AddrNotAvailable), 4);
        assert_eq!(code(ErrorKind::PermissionDenied), 6);
    }
}
