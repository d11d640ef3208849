//! From the checked configuration to the values that each crate takes.
//!
//! The defaults of the table and those of the crates are the same numbers; a test below holds them together.

use std::num::NonZeroUsize;
use std::path::Path;

use headwater_projection::{ProjectionLimits, ProjectionOptions};
use headwater_proxy::{Allowlist, PrivateHosts, ProxyConfig, ProxyLimits, Secrets};
use headwater_server::subscriptions::{LocalWebhooks, SubscriptionOptions};
use headwater_server::{ServerConfig, ServerLimits};
use headwater_sessions::SessionsConfig;
use headwater_storage::{StoreLimits, StoreOptions};
use headwater_streams::Durability;
use headwater_streams::limits::EngineLimits;
use headwater_streams::subscriptions::limits::SubscriptionLimits;

use super::check::Config;
use super::layers::read_bounded;

/// Why the conversions below cannot fail: the text was parsed by the same type when it was checked.
const CHECKED: &str = "the text was accepted by this type when the configuration was checked";

impl Config {
    /// What the HTTP edge takes.
    pub(crate) fn server(&self) -> ServerConfig {
        ServerConfig {
            listen: self.address("listen"),
            root: self.text("root").parse().expect(CHECKED),
            public_url: self.optional_text("public-url").map(|url| url.parse().expect(CHECKED)),
            cors_origins: self.origins("cors-origin").join(",").parse().expect(CHECKED),
            lists_streams: self.text("listing") == "on",
            serves_console: self.text("console") == "on",
            long_poll_timeout: self.duration("long-poll-timeout"),
            sse_lifetime: self.duration("sse-lifetime"),
            durability: self.durability(),
            workers: NonZeroUsize::new(self.count("workers")),
            limits: self.server_limits(),
        }
    }

    /// What the engine takes.
    pub(crate) fn engine_limits(&self) -> EngineLimits {
        EngineLimits {
            queue_operations_max: self.count("queue-max"),
            queue_bytes_max: self.bytes("queue-bytes-max"),
            tail_cache_bytes_max: self.bytes("tail-cache-max"),
            active_streams_max: self.count("active-streams-max"),
            producers_per_stream_max: self.count("producers-per-stream-max"),
            live_readers_per_stream_max: self.count("live-readers-per-stream-max"),
            live_readers_max: self.count("live-readers-max"),
            page_bytes_max: self.bytes("page-max"),
            reap_interval: self.duration("reap-interval"),
            ..EngineLimits::default()
        }
    }

    /// What sessions take; `None` when they are switched off.
    pub(crate) fn sessions(&self) -> Option<SessionsConfig> {
        (self.text("sessions") == "on").then(|| SessionsConfig {
            retention_ms: u64::try_from(self.duration("sessions-retention").as_millis()).expect("it is below a bound"),
            loaded_bytes_max: self.bytes("sessions-memory-max"),
            ..SessionsConfig::default()
        })
    }

    /// What subscriptions take.
    pub(crate) fn subscriptions(&self) -> SubscriptionOptions {
        // A server that only this machine can reach is somebody's development server.
        let allowed = match self.text("local-webhooks") {
            "auto" => self.address("listen").ip().is_loopback(),
            chosen => chosen == "allow",
        };
        let local_webhooks = if allowed { LocalWebhooks::Allowed } else { LocalWebhooks::Refused };
        SubscriptionOptions { local_webhooks, limits: self.subscription_limits() }
    }

    fn subscription_limits(&self) -> SubscriptionLimits {
        SubscriptionLimits {
            subscriptions_max: self.count("subscriptions-max"),
            links_per_subscription_max: self.count("links-per-subscription-max"),
            links_max: self.count("links-max"),
            notices_in_flight_max: self.count("notices-in-flight-max"),
        }
    }

    /// What the disk store takes.
    pub(crate) fn store_options(&self) -> StoreOptions {
        let limits = StoreLimits {
            segment_bytes: self.size("segment-size"),
            checkpoint_journal_bytes: self.size("replay-max"),
            checkpoint_interval: self.duration("checkpoint-interval"),
            ..StoreLimits::default()
        };
        StoreOptions { limits, ..StoreOptions::default() }
    }

    /// What the SQL projection takes, when there is to be one.
    pub(crate) fn projection(&self) -> Option<ProjectionOptions> {
        let file = self.optional_file("sessions-sql")?.to_owned();
        let retention_ms = self.sessions()?.retention_ms;
        Some(ProjectionOptions { file, retention_ms, limits: ProjectionLimits::default() })
    }

    /// What the durable proxy takes; `None` when it is off.
    ///
    /// # Errors
    /// What is wrong with the file of secrets.
    pub(crate) fn proxy(&self) -> Result<Option<ProxyConfig>, String> {
        if !self.has_proxy() {
            return Ok(None);
        }
        let mut secrets = self.texts("proxy-secret").to_vec();
        if let Some(file) = self.optional_file("proxy-secret-file") {
            secrets.extend(secrets_of(file)?);
        }
        let patterns = self.texts("proxy-allow").iter().map(|pattern| pattern.parse().expect(CHECKED));
        Ok(Some(ProxyConfig {
            secrets: Secrets::new(secrets).map_err(|error| format!("proxy-secret-file: {error}"))?,
            allowlist: Allowlist::new(patterns.collect()),
            private_hosts: PrivateHosts::new(self.texts("proxy-private-host").iter().cloned()),
            durability: self.durability(),
            limits: self.proxy_limits(),
        }))
    }

    fn proxy_limits(&self) -> ProxyLimits {
        ProxyLimits {
            upstreams_max: self.count("proxy-upstreams-max"),
            response_bytes_max: self.size("proxy-response-max"),
            response_head_bytes_max: self.bytes("proxy-headers-max"),
            head_timeout: self.duration("proxy-head-timeout"),
            idle_timeout: self.duration("proxy-idle-timeout"),
            total_timeout: self.duration("proxy-time-max"),
            lifetime: self.duration("proxy-ttl"),
        }
    }

    /// What acknowledged means.
    pub(crate) fn durability(&self) -> Durability {
        if self.text("store") == "memory" { Durability::Ephemeral } else { Durability::Durable }
    }

    fn server_limits(&self) -> ServerLimits {
        ServerLimits {
            connections_max: self.count("connections-max"),
            body_bytes_max: self.bytes("body-max"),
            header_bytes_max: self.bytes("headers-max"),
            url_bytes_max: self.bytes("url-max"),
            head_timeout: self.duration("request-head-timeout"),
            body_timeout: self.duration("request-body-timeout"),
            body_bytes_per_second_min: self.bytes("body-rate-min"),
            idle_timeout: self.duration("idle-timeout"),
            write_stall_timeout: self.duration("write-stall-timeout"),
            shutdown_timeout: self.duration("shutdown-grace"),
        }
    }

    fn bytes(&self, key: &str) -> usize {
        usize::try_from(self.size(key)).unwrap_or(usize::MAX)
    }
}

/// The secrets of a file, one on each line.
pub(crate) fn secrets_of(file: &Path) -> Result<Vec<String>, String> {
    let told =
        |error| format!("cannot read {}: {error}; check the path given with --proxy-secret-file", file.display());
    let text = read_bounded(file).map_err(told)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Layers;

    fn defaults() -> Config {
        Config::check(Layers::default()).unwrap()
    }

    #[test]
    fn the_defaults_are_those_of_the_server() {
        let expected = ServerConfig { workers: defaults().server().workers, ..ServerConfig::default() };
        assert_eq!(defaults().server(), expected);
    }

    #[test]
    fn the_defaults_are_those_of_the_store() {
        assert_eq!(format!("{:?}", defaults().store_options()), format!("{:?}", StoreOptions::default()));
    }

    #[test]
    fn the_defaults_are_those_of_subscriptions() {
        let (ours, theirs) = (defaults().subscription_limits(), SubscriptionLimits::default());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }

    #[test]
    fn the_defaults_are_those_of_sessions() {
        let ours = defaults().sessions().unwrap();
        assert_eq!(format!("{ours:?}"), format!("{:?}", SessionsConfig::default()));
    }

    #[test]
    fn the_defaults_are_those_of_the_proxy() {
        assert_eq!(defaults().proxy_limits(), ProxyLimits::default());
        assert!(defaults().proxy().unwrap().is_none(), "the proxy is off without a secret");
    }

    #[test]
    fn the_defaults_are_those_of_the_engine() {
        assert_eq!(format!("{:?}", defaults().engine_limits()), format!("{:?}", EngineLimits::default()));
    }
}
