//! Public keys and signatures of webhook deliveries (protocol sections 6.5 and 7.1). No cryptography but hashing: who
//! signs or verifies brings that.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The body of `__ds/jwks.json`, of content type `application/jwk-set+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The key in use and those that deliveries in flight may still be signed with.
    pub keys: Vec<Jwk>,
}

/// An Ed25519 public key as a JSON Web Key (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "RFC 7517 names and explains the fields")]
pub struct Jwk {
    pub kty: String,
    pub crv: String,
    pub kid: String,
    #[serde(rename = "use")]
    pub key_use: String,
    pub alg: String,
    pub x: String,
}

impl Jwk {
    /// The key, named `ds_` and its RFC 7638 thumbprint.
    pub fn ed25519(public_key: &[u8; 32]) -> Self {
        let x = URL_SAFE_NO_PAD.encode(public_key);
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        Self {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            kid: format!("ds_{}", URL_SAFE_NO_PAD.encode(thumbprint)),
            key_use: "sig".into(),
            alg: "EdDSA".into(),
            x,
        }
    }
}

/// The value of `Webhook-Signature`: `t=<seconds>,kid=<key>,ed25519=<base64url>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSignature {
    /// When it was signed, in Unix seconds.
    pub timestamp_seconds: u64,
    /// Which key of the [`JwkSet`] verifies it.
    pub kid: String,
    /// Over [`WebhookSignature::signed_bytes`].
    pub signature: [u8; 64],
}

/// A text is not a webhook signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not of the form t=<seconds>,kid=<key>,ed25519=<base64url>")]
pub struct InvalidSignature;

impl WebhookSignature {
    /// What is signed: the timestamp in decimal, a point, and the exact bytes of the body.
    pub fn signed_bytes(timestamp_seconds: u64, body: &[u8]) -> Vec<u8> {
        [timestamp_seconds.to_string().as_bytes(), b".", body].concat()
    }
}

impl fmt::Display for WebhookSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = URL_SAFE_NO_PAD.encode(self.signature);
        write!(f, "t={},kid={},ed25519={signature}", self.timestamp_seconds, self.kid)
    }
}

impl FromStr for WebhookSignature {
    type Err = InvalidSignature;

    fn from_str(text: &str) -> Result<Self, InvalidSignature> {
        let parts = text.strip_prefix("t=").and_then(|rest| {
            let (timestamp, rest) = rest.split_once(",kid=")?;
            let (kid, signature) = rest.split_once(",ed25519=")?;
            let digits = timestamp.bytes().all(|byte| byte.is_ascii_digit());
            let timestamp_seconds = timestamp.parse().ok().filter(|_| digits)?;
            let signature = URL_SAFE_NO_PAD.decode(signature).ok()?.try_into().ok()?;
            Some(Self { timestamp_seconds, kid: kid.to_owned(), signature })
        });
        parts.filter(|parts| !parts.kid.is_empty() && !parts.kid.contains(',')).ok_or(InvalidSignature)
    }
}
