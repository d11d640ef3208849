//! Callback and claim tokens (protocol section 12.9).
//!
//! A token names its wake and carries a MAC over it and the subscription's id, so that nothing is stored per token and
//! a server that restarted still knows its own. It ends with its wake: the rules fence it as soon as another begins.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use headwater_protocol::subscription::{Generation, SubscriptionId, WakeId};
use headwater_streams::subscriptions::WakeRef;
use headwater_streams::{DocumentKey, Engine, Store};
use hmac::{Hmac, Mac};
use sha2::Sha256;

const DOCUMENT: &str = "webhook-token-key";
/// Sets these MACs apart from whatever else the key might be used for one day.
const CONTEXT: &[u8] = b"headwater wake token 1\0";

/// Issues tokens and knows them again.
pub(super) struct Tokens(Hmac<Sha256>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// Takes up the stored key, or makes one. Where it cannot be stored, one for this run has to do.
    pub(super) async fn load<S: Store>(engine: &Engine<S>) -> Self {
        let stored = engine.documents(DOCUMENT).await.unwrap_or_default();
        if let Some(secret) = stored.into_iter().find_map(|(_, value)| <[u8; 32]>::try_from(&value[..]).ok()) {
            return Self::new(secret);
        }
        let secret: [u8; 32] = rand::random();
        let document = (DocumentKey(DOCUMENT.into()), Some(Bytes::copy_from_slice(&secret)));
        if let Err(cause) = engine.write_documents(vec![document]).await {
            tracing::warn!(%cause, "the token key cannot be stored: a restart will refuse the tokens of this run");
        }
        Self::new(secret)
    }

    fn new(secret: [u8; 32]) -> Self {
        Self(Hmac::new_from_slice(&secret).expect("an HMAC takes keys of any length"))
    }

    /// A token for one wake of one subscription.
    pub(super) fn issue(&self, id: &SubscriptionId, wake: &WakeRef) -> String {
        let mac = self.mac(id, wake.generation, wake.wake_id.as_str()).finalize().into_bytes();
        format!("{}.{}.{}", wake.generation, wake.wake_id, URL_SAFE_NO_PAD.encode(mac))
    }

    /// The wake a token was issued for; `None` when this server did not issue it for this subscription.
    pub(super) fn verify(&self, id: &SubscriptionId, token: &str) -> Option<WakeRef> {
        let (named, mac) = token.rsplit_once('.')?;
        let (generation, wake_id) = named.split_once('.')?;
        let generation = Generation(generation.parse().ok()?);
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        // Compares in constant time.
        self.mac(id, generation, wake_id).verify_slice(&mac).ok()?;
        Some(WakeRef { wake_id: WakeId::new(wake_id), generation })
    }

    /// Every part is of fixed length or preceded by its length, so no two scopes read the same.
    fn mac(&self, id: &SubscriptionId, generation: Generation, wake_id: &str) -> Hmac<Sha256> {
        let id = id.as_str().as_bytes();
        self.0
            .clone()
            .chain_update(CONTEXT)
            .chain_update(generation.0.to_be_bytes())
            .chain_update((id.len() as u64).to_be_bytes())
            .chain_update(id)
            .chain_update(wake_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_subscription_and_wake_alone() {
        let tokens = Tokens::new([7; 32]);
        let id = |text| SubscriptionId::new(text).unwrap();
        let wake = WakeRef { wake_id: WakeId::new("w_1"), generation: Generation(3) };
        let token = tokens.issue(&id("s"), &wake);
        assert_eq!(tokens.verify(&id("s"), &token), Some(wake));
        assert_eq!(tokens.verify(&id("t"), &token), None);
        assert_eq!(Tokens::new([8; 32]).verify(&id("s"), &token), None);
        let (_, mac) = token.rsplit_once('.').unwrap();
        for forged in [format!("4.w_1.{mac}"), format!("3.w_2.{mac}"), format!("03.w_1.x{mac}"), token[1..].to_owned()]
        {
            assert_eq!(tokens.verify(&id("s"), &forged), None, "{forged}");
        }
        for text in ["", ".", "..", "3.w_1.", "3.w_1", "x.w_1.AAAA"] {
            assert_eq!(tokens.verify(&id("s"), text), None, "{text}");
        }
    }
}
