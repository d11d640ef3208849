//! HTTP clients for calling hosts that somebody else named.
//!
//! They follow no redirect and ask no proxy of the environment: either would lead past the check of the address, which is
//! the resolver's that `configure` sets.

use std::error::Error;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

/// A client that trusts the system's certificate authorities, and nobody over https where there are none; `callees` names
/// them in the warning that says so.
pub fn client(callees: &str, configure: impl Fn(ClientBuilder) -> ClientBuilder) -> Client {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
    let builder = || configure(Client::builder().redirect(Policy::none()).no_proxy());
    builder().build().unwrap_or_else(|error| {
        tracing::warn!(cause = chain(&error), "no certificate authorities: {callees} over https will fail");
        builder().tls_certs_only([]).build().expect("a client that trusts nobody needs nothing from the system")
    })
}

/// An error with its causes: the outermost alone rarely says what went wrong.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
