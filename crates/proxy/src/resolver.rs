//! Resolves upstreams' names for connections: what it answers is what is connected to, so that a name cannot change its
//! meaning between the check and the connection.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use headwater_protocol::is_public_address;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::allowlist::Allowlist;

/// Addresses that are being looked up.
pub type Lookup = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// What turns names into addresses. Ports do not matter.
pub trait Names: fmt::Debug + Send + Sync {
    /// All addresses that a name stands for at this moment.
    fn look_up(&self, name: &str) -> Lookup;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, name: &str) -> Lookup {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    }
}

/// Names that may stand for private, local and reserved addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrivateHosts(Vec<String>);

impl PrivateHosts {
    /// Of these names; their letters' case does not matter.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    fn names(&self, name: &str) -> bool {
        self.0.iter().any(|named| named == name)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    allowlist: Arc<Allowlist>,
    private: Arc<PrivateHosts>,
    names: Arc<dyn Names>,
}

/// A name stands for an address that may not be called.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the upstream's name stands for a private, local or reserved address")]
pub(crate) struct NotPublic;

impl Resolver {
    pub(crate) fn new(allowlist: Arc<Allowlist>, private: PrivateHosts, names: Arc<dyn Names>) -> Self {
        Self { allowlist, private: Arc::new(private), names }
    }

    /// All that a name stands for must be allowed: one that mixes is up to something.
    fn check(&self, name: &str, addresses: &[SocketAddr]) -> Result<(), NotPublic> {
        if self.private.names(name) {
            return Ok(());
        }
        let is_local = name == "localhost" && self.allowlist.names(name);
        let is_allowed = |ip: IpAddr| is_public_address(ip) || (is_local && ip.is_loopback());
        if addresses.iter().all(|address| is_allowed(address.ip())) { Ok(()) } else { Err(NotPublic) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.names.look_up(name.as_str()).await?;
            resolver.check(name.as_str(), &addresses)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether a failure to connect came from here.
pub(crate) fn was_refused(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver(patterns: &[&str], private: &[&str]) -> Resolver {
        let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
        let private = PrivateHosts::new(private.iter().map(|name| (*name).to_owned()));
        Resolver::new(Arc::new(Allowlist::new(patterns)), private, Arc::new(SystemNames))
    }

    fn stands_for(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect()
    }

    #[test]
    fn a_name_is_what_it_resolves_to() {
        let resolver = resolver(&["https://a.example", "*.b.example"], &[]);
        for name in ["a.example", "x.b.example"] {
            assert!(resolver.check(name, &stands_for(&["1.1.1.1", "2606:4700::1111"])).is_ok());
            for inside in [&["127.0.0.1"][..], &["169.254.169.254"], &["10.0.0.1"], &["::1"], &["1.1.1.1", "10.0.0.1"]]
            {
                assert_eq!(resolver.check(name, &stands_for(inside)), Err(NotPublic), "{inside:?}");
            }
        }
    }

    #[test]
    fn a_name_that_the_operator_calls_private_may_be() {
        let resolver = resolver(&["http://models.internal", "http://other.internal"], &["Models.Internal"]);
        assert!(resolver.check("models.internal", &stands_for(&["10.0.0.1"])).is_ok());
        assert!(resolver.check("other.internal", &stands_for(&["10.0.0.1"])).is_err());
    }

    #[test]
    fn localhost_is_this_machine_where_a_pattern_names_it() {
        let named = resolver(&["http://localhost:*/**"], &[]);
        assert!(named.check("localhost", &stands_for(&["127.0.0.1", "::1"])).is_ok());
        assert!(named.check("localhost", &stands_for(&["10.0.0.1"])).is_err());
        assert!(resolver(&["http://*.localhost"], &[]).check("localhost", &stands_for(&["127.0.0.1"])).is_err());
    }
}
