//! Who may create, and who may read: service secrets and the signatures made with them.
//!
//! Several secrets are accepted, so that they can be changed without a gap; the first one signs. All comparisons take the
//! same time whatever is wrong.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use thiserror::Error;

use crate::limits::SECRET_BYTES_MIN;

type HmacSha256 = Hmac<Sha256>;

/// What tokens are compared under: a MAC has one length and a comparison in constant time, whatever its message has.
const COMPARED_UNDER: &[u8] = b"headwater proxy: comparison of service secrets";

/// The service secrets. Never printed.
#[derive(Clone)]
pub struct Secrets(Vec<String>);

/// Why a secret cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidSecret {
    /// There is none.
    #[error("there is no secret")]
    None,
    /// Too easy to guess.
    #[error("a secret has fewer than {SECRET_BYTES_MIN} bytes")]
    TooShort,
    /// With characters that no header can carry.
    #[error("a secret holds a space, a control character or a character beyond ASCII")]
    Unprintable,
}

/// Why a signed URL was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureRefused {
    /// Its time is over.
    #[error("the signed URL has expired")]
    Expired,
    /// It was signed with another secret, for another stream or for another time, or never.
    #[error("the signature does not match the URL")]
    Invalid,
}

impl Secrets {
    /// Takes the secrets in order; the first one signs.
    pub fn new(secrets: Vec<String>) -> Result<Self, InvalidSecret> {
        if secrets.is_empty() {
            return Err(InvalidSecret::None);
        }
        for secret in &secrets {
            if secret.len() < SECRET_BYTES_MIN {
                return Err(InvalidSecret::TooShort);
            }
            if !secret.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(InvalidSecret::Unprintable);
            }
        }
        Ok(Self(secrets))
    }

    /// Whether `token` is one of them.
    pub fn knows(&self, token: &str) -> bool {
        let told = mac(COMPARED_UNDER, token).finalize().into_bytes();
        // Every secret is looked at, so that the time does not tell which one matched.
        self.0.iter().fold(false, |known, secret| known | mac(COMPARED_UNDER, secret).verify(&told).is_ok())
    }

    /// The signature of a URL of `id` that is good until `expires`, in Unix seconds.
    pub fn sign(&self, id: &str, expires: u64) -> String {
        let first = self.0.first().expect("there is at least one secret");
        URL_SAFE_NO_PAD.encode(signed(first, id, &expires.to_string()).finalize().into_bytes())
    }

    /// Checks a signed URL as it was sent: first its time, then its signature.
    pub fn verify(&self, id: &str, expires: &str, signature: &str, now_ms: u64) -> Result<(), SignatureRefused> {
        let is_number = !expires.is_empty() && expires.bytes().all(|b| b.is_ascii_digit());
        let until: u64 = expires.parse().ok().filter(|_| is_number).ok_or(SignatureRefused::Invalid)?;
        if now_ms > until.saturating_mul(1000) {
            return Err(SignatureRefused::Expired);
        }
        let told = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SignatureRefused::Invalid)?;
        let matches = self
            .0
            .iter()
            .fold(false, |matched, secret| matched | signed(secret, id, expires).verify_slice(&told).is_ok());
        if matches { Ok(()) } else { Err(SignatureRefused::Invalid) }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

fn signed(secret: &str, id: &str, expires: &str) -> HmacSha256 {
    mac(secret.as_bytes(), &format!("{id}:{expires}"))
}

fn mac(key: &[u8], message: &str) -> HmacSha256 {
    let mut mac = HmacSha256::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(message.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190c3a2-0000-7000-8000-000000000000";
    const OLD: &str = "an-old-secret-of-enough-length";
    const NEW: &str = "a-new-secret-of-enough-length";

    fn secrets(texts: &[&str]) -> Secrets {
        Secrets::new(texts.iter().map(|text| (*text).to_owned()).collect()).unwrap()
    }

    #[test]
    fn a_signature_is_that_of_the_protocol() {
        // printf 'stream-1:1700000000' | openssl dgst -sha256 -hmac test-secret-key-for-development -binary | base64url
        let signature = secrets(&["test-secret-key-for-development"]).sign("stream-1", 1_700_000_000);
        assert_eq!(signature.len(), 43);
        assert_eq!(signature, "R36aCgYCPRzn0lFvxpYnKjIqOR4eZrRwchRZ33br6kQ");
    }

    #[test]
    fn secrets_rotate_without_a_gap() {
        let signature = secrets(&[OLD]).sign(ID, 10);
        let both = secrets(&[NEW, OLD]);
        assert_eq!(both.verify(ID, "10", &signature, 0), Ok(()));
        assert_ne!(both.sign(ID, 10), signature);
        assert_eq!(secrets(&[NEW]).verify(ID, "10", &signature, 0), Err(SignatureRefused::Invalid));
        assert!(both.knows(OLD) && both.knows(NEW) && !both.knows("another") && !both.knows(""));
    }

    #[test]
    fn time_is_checked_before_the_signature() {
        let known = secrets(&[NEW]);
        assert_eq!(known.verify(ID, "10", "nonsense", 10_001), Err(SignatureRefused::Expired));
        assert_eq!(known.verify(ID, "10", "nonsense", 10_000), Err(SignatureRefused::Invalid));
        assert_eq!(known.verify(ID, "10", &known.sign(ID, 10), 10_000), Ok(()));
    }

    #[test]
    fn a_signature_is_bound_to_stream_and_time_and_has_one_form() {
        let known = secrets(&[NEW]);
        let signature = known.sign(ID, 10);
        for (id, expires, signature) in [
            ("another", "10", signature.clone()),
            (ID, "11", signature.clone()),
            (ID, "010", signature.clone()),
            (ID, "+10", signature.clone()),
            (ID, "", signature.clone()),
            (ID, "10", format!("{signature}=")),
            (ID, "10", signature[..42].to_owned()),
            (ID, "10", String::new()),
        ] {
            assert_eq!(known.verify(id, expires, &signature, 0), Err(SignatureRefused::Invalid), "{id} {expires}");
        }
    }

    #[test]
    fn weak_secrets_are_refused_and_none_is_printed() {
        assert_eq!(Secrets::new(Vec::new()).unwrap_err(), InvalidSecret::None);
        assert_eq!(Secrets::new(vec!["short".into()]).unwrap_err(), InvalidSecret::TooShort);
        assert_eq!(Secrets::new(vec!["with a space in it".into()]).unwrap_err(), InvalidSecret::Unprintable);
        assert_eq!(format!("{:?}", secrets(&[NEW, OLD])), "Secrets(2)");
    }
}
