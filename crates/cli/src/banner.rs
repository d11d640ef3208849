//! What an operator is told when the server is up.

use std::path::PathBuf;
use std::time::Duration;

use headwater_streams::Durability;

use crate::failure::LogForm;
use crate::output;

/// The facts of a start.
#[derive(Debug)]
pub(crate) struct Banner {
    /// URL of the stream root, with the port that was really bound.
    pub(crate) url: String,
    /// URL of the sessions; `None` when they are switched off.
    pub(crate) sessions: Option<String>,
    /// URL of the console; `None` when it is switched off.
    pub(crate) console: Option<String>,
    /// The durable proxy; `None` when it is switched off.
    pub(crate) proxy: Option<MountedProxy>,
    /// `None` for the memory store.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) durability: Durability,
    pub(crate) recovered: Recovered,
    /// Why the store takes no changes, when it does not.
    pub(crate) read_only: Option<String>,
    /// Whether other machines can reach the server.
    pub(crate) is_exposed: bool,
}

/// Where the proxy is, and how much it may call.
#[derive(Debug, Clone)]
pub(crate) struct MountedProxy {
    pub(crate) url: String,
    pub(crate) patterns: usize,
}

/// What the store found.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Recovered {
    pub(crate) streams: u64,
    pub(crate) replayed_bytes: u64,
    pub(crate) took: Duration,
}

impl Banner {
    /// Tells it, in the form of the log.
    pub(crate) fn announce(&self, form: LogForm) {
        match form {
            LogForm::Plain => output::note(format_args!("{}", self.text())),
            LogForm::Json => self.log(),
        }
    }

    fn text(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let Self { url, recovered, .. } = self;
        let data = match &self.data_dir {
            Some(dir) => format!("{} (fsync: every acknowledged byte is on disk)", dir.display()),
            None => "in memory (memory: gone when the server stops)".to_owned(),
        };
        let mut lines = vec![
            format!("Headwater {version}"),
            format!("  listening  {url}"),
            format!("  data       {data}"),
            format!(
                "  recovered  {}, {} of journal replayed, in {} ms",
                counted(recovered.streams, "stream"),
                output::rounded_size(recovered.replayed_bytes),
                recovered.took.as_millis()
            ),
        ];
        lines.extend(self.console.as_ref().map(|url| format!("  console    {url}")));
        lines.extend(self.session_to_try().map(|command| format!("  session    {command}")));
        if let Some(MountedProxy { url, patterns }) = &self.proxy {
            lines.push(format!("  proxy      {url}, to {} of --proxy-allow", counted(*patterns as u64, "pattern")));
        }
        lines.push(format!("  try        {}", self.command_to_try()));
        lines.extend(self.warnings().map(|warning| format!("  warning    {warning}")));
        lines.join("\n")
    }

    fn log(&self) {
        for warning in self.warnings() {
            tracing::warn!("{warning}");
        }
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            url = self.url,
            data_dir = self.data_dir.as_ref().map(|dir| dir.display().to_string()),
            durability = self.durability_class(),
            streams = self.recovered.streams,
            replayed_bytes = self.recovered.replayed_bytes,
            recovery_ms = u64::try_from(self.recovered.took.as_millis()).unwrap_or(u64::MAX),
            r#try = self.command_to_try(),
            session = self.session_to_try(),
            console = self.console,
            proxy = self.proxy.as_ref().map(|proxy| proxy.url.as_str()),
            "ready"
        );
    }

    fn durability_class(&self) -> &'static str {
        match self.durability {
            Durability::Durable => "fsync",
            Durability::Ephemeral => "memory",
        }
    }

    fn command_to_try(&self) -> String {
        format!("curl -i -X PUT -H 'Content-Type: text/plain' -d hello {}/hello", self.url)
    }

    fn session_to_try(&self) -> Option<String> {
        self.sessions.as_ref().map(|url| format!("curl --json '{{\"projectId\":\"demo\"}}' {url}"))
    }

    fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        let read_only = self.read_only.as_ref().map(|cause| {
            format!("READ-ONLY: {cause}; writes are refused; run `headwater verify`, then restore a backup")
        });
        let exposed = "other machines can reach this address, and there is no authentication: put a proxy in front";
        read_only.into_iter().chain(self.is_exposed.then(|| exposed.to_owned()))
    }
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
