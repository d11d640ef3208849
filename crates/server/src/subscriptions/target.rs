//! Where webhooks may go: checked when one is registered, and again, on the very address, when it is called.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};

use headwater_protocol::is_public_address;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

use super::LocalWebhooks;
use super::limits::RESOLVE_TIMEOUT;

/// The rules for webhook URLs, and the resolver that holds connections to them.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    local: LocalWebhooks,
}

/// Why a webhook may not go there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Refused {
    #[error("webhook.url is not a valid URL")]
    Malformed,
    #[error("webhook.url must use https (or http to localhost or 127.0.0.x, where the server allows it)")]
    NotHttps,
    #[error("webhook.url must not hold a user name or password")]
    Credentials,
    #[error("webhook.url must not point at a private, local or reserved address")]
    NotPublic,
}

impl Targets {
    pub(super) fn new(local: LocalWebhooks) -> Self {
        Self { local }
    }

    /// Checks what the URL itself says.
    pub(super) fn check(&self, text: &str) -> Result<Url, Refused> {
        let url = Url::parse(text).map_err(|_| Refused::Malformed)?;
        let host = url.host().ok_or(Refused::Malformed)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        match (url.scheme(), host) {
            ("http", host) if self.is_local(&host) => {}
            ("https", Host::Domain(name)) if is_localhost(name) => return Err(Refused::NotPublic),
            ("https", Host::Domain(_)) => {}
            ("https", Host::Ipv4(address)) if is_public_address(address.into()) => {}
            ("https", Host::Ipv6(address)) if is_public_address(address.into()) => {}
            ("http" | "https", Host::Ipv4(_) | Host::Ipv6(_)) => return Err(Refused::NotPublic),
            _ => return Err(Refused::NotHttps),
        }
        Ok(url)
    }

    /// Checks the URL and what its name stands for now. A name that cannot be resolved now is left to be checked when
    /// it is called.
    pub(super) async fn check_resolved(&self, text: &str) -> Result<(), Refused> {
        let url = self.check(text)?;
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        match tokio::time::timeout(RESOLVE_TIMEOUT, lookup(name)).await {
            Ok(Ok(addresses)) => self.check_addresses(name, &addresses),
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }

    /// All that a name stands for must be allowed: one that mixes is up to something.
    fn check_addresses(&self, name: &str, addresses: &[SocketAddr]) -> Result<(), Refused> {
        let is_allowed = |ip: IpAddr| match self.local {
            LocalWebhooks::Allowed if name == "localhost" => ip.is_loopback(),
            _ => is_public_address(ip),
        };
        if addresses.iter().all(|address| is_allowed(address.ip())) { Ok(()) } else { Err(Refused::NotPublic) }
    }

    fn is_local(&self, host: &Host<&str>) -> bool {
        let is_this_machine = match host {
            Host::Domain(name) => *name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(_) => false,
        };
        self.local == LocalWebhooks::Allowed && is_this_machine
    }
}

/// Resolves names for connections: what it answers is what is connected to, so a name cannot change its meaning between
/// the check and the connection.
impl Resolve for Targets {
    fn resolve(&self, name: Name) -> Resolving {
        let targets = self.clone();
        Box::pin(async move {
            let addresses = lookup(name.as_str()).await?;
            targets.check_addresses(name.as_str(), &addresses)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

async fn lookup(name: &str) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.collect())
}

/// `localhost` and everything under it, which resolvers answer by themselves.
fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVELOPMENT: Targets = Targets { local: LocalWebhooks::Allowed };
    const PRODUCTION: Targets = Targets { local: LocalWebhooks::Refused };

    #[test]
    fn public_https_urls_are_taken() {
        for url in
            ["https://example.com/hook?x=1", "https://1.1.1.1:8443/", "https://[2606:4700::1111]/", "HTTPS://a.b"]
        {
            assert!(DEVELOPMENT.check(url).is_ok() && PRODUCTION.check(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn plain_http_goes_to_this_machine_only_and_only_in_development() {
        for url in ["http://localhost:3000/hook", "http://127.0.0.1/", "http://127.1.2.3:9/", "http://2130706433/"] {
            assert!(DEVELOPMENT.check(url).is_ok(), "{url}");
            assert!(PRODUCTION.check(url).is_err(), "{url}");
        }
        for url in ["http://example.com/", "http://10.0.0.1/hook", "http://[::1]/", "http://localhost.example.com/"] {
            assert!(DEVELOPMENT.check(url).is_err(), "{url}");
        }
    }

    #[test]
    fn private_and_strange_urls_are_refused() {
        for url in [
            "https://localhost/",
            "https://a.localhost/",
            "https://LOCALHOST./",
            "https://127.0.0.1/",
            "https://0/",
            "https://0x7f.1/",
            "https://0300.0250.0.1/",
            "https://169.254.169.254/latest",
            "https://[::ffff:10.0.0.1]/",
            "https://[fd00::1]/",
            "https://[::]/",
            "https://2852039166/",
        ] {
            assert_eq!(DEVELOPMENT.check(url), Err(Refused::NotPublic), "{url}");
        }
        for url in ["ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1/", "unix:/x"] {
            assert!(DEVELOPMENT.check(url).is_err(), "{url}");
        }
        assert_eq!(DEVELOPMENT.check("https://u:p@example.com/"), Err(Refused::Credentials));
        for url in ["", "example.com/hook", "https://", "//example.com"] {
            assert_eq!(DEVELOPMENT.check(url), Err(Refused::Malformed), "{url}");
        }
    }

    #[test]
    fn a_name_is_what_it_resolves_to() {
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        assert!(PRODUCTION.check_addresses("a.example", &[address("1.1.1.1")]).is_ok());
        for mixed in [&["10.0.0.1"][..], &["1.1.1.1", "127.0.0.1"], &["::ffff:169.254.169.254"]] {
            let mixed: Vec<_> = mixed.iter().map(|text| address(text)).collect();
            assert_eq!(DEVELOPMENT.check_addresses("a.example", &mixed), Err(Refused::NotPublic));
        }
        assert!(DEVELOPMENT.check_addresses("localhost", &[address("127.0.0.1"), address("::1")]).is_ok());
        assert!(DEVELOPMENT.check_addresses("localhost", &[address("10.0.0.1")]).is_err());
        assert!(PRODUCTION.check_addresses("localhost", &[address("127.0.0.1")]).is_err());
    }
}
