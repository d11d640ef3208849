//! The keys that sign webhooks (protocol sections 6.5 and 7.1): kept as documents, so that they outlive a restart.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use headwater_protocol::subscription::{Jwk, JwkSet, WebhookSignature};
use headwater_streams::{DocumentKey, Engine, EngineError, Store};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use super::limits::RETIRED_KEY_KEPT_MS;

const PREFIX: &str = "webhook-key/";

/// The key in use and those that were.
#[derive(Debug)]
pub(super) struct Keys(RwLock<Ring>);

/// The newest key signs.
#[derive(Debug)]
struct Ring {
    current: Key,
    retired: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Key {
    signing: SigningKey,
    public: Jwk,
    created_at_ms: u64,
    retired_at_ms: Option<u64>,
}

/// A key's document.
#[derive(Serialize, Deserialize)]
struct Stored {
    secret: String,
    created_at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_at_ms: Option<u64>,
}

impl Keys {
    /// Takes up the stored keys, or makes the first one. Where a key cannot be stored, one for this run has to do.
    pub(super) async fn load<S: Store>(engine: &Engine<S>) -> Self {
        let stored = engine.documents(PREFIX).await.unwrap_or_else(|cause| {
            tracing::error!(%cause, "webhook keys cannot be read: receivers will see a new one");
            Vec::new()
        });
        let mut keys: Vec<Key> = stored.iter().filter_map(|(key, value)| decode(key, value)).collect();
        keys.sort_by_key(|key| (key.retired_at_ms.is_none(), key.created_at_ms));
        let current = match keys.pop() {
            Some(newest) if newest.retired_at_ms.is_none() => newest,
            retired => {
                keys.extend(retired);
                first_key(engine).await
            }
        };
        Self(RwLock::new(Ring { current, retired: keys }))
    }

    /// The name of the key that signs now.
    pub(super) fn kid(&self) -> String {
        self.0.read().current.public.kid.clone()
    }

    /// Every key whose signatures may still be accepted at `now_ms` (Unix milliseconds).
    pub(super) fn published(&self, now_ms: u64) -> JwkSet {
        let ring = self.0.read();
        let retired = ring.retired.iter().filter(|key| key.is_published(now_ms));
        JwkSet { keys: std::iter::once(&ring.current).chain(retired).map(|key| key.public.clone()).collect() }
    }

    /// The value of `Webhook-Signature` for `body` at `now_ms` (Unix milliseconds).
    pub(super) fn sign(&self, now_ms: u64, body: &[u8]) -> WebhookSignature {
        let timestamp_seconds = now_ms / 1000;
        let ring = self.0.read();
        let signature = ring.current.signing.sign(&WebhookSignature::signed_bytes(timestamp_seconds, body));
        WebhookSignature { timestamp_seconds, kid: ring.current.public.kid.clone(), signature: signature.to_bytes() }
    }

    /// Signs with a new key from now on, and forgets those that nobody accepts any more.
    pub(super) async fn rotate<S: Store>(&self, engine: &Engine<S>) -> Result<(), EngineError> {
        let now_ms = engine.now_ms();
        let fresh = Key::generate(now_ms);
        let (retiring, retired) = {
            let ring = self.0.read();
            (Key { retired_at_ms: Some(now_ms), ..ring.current.clone() }, ring.retired.clone())
        };
        let (kept, forgotten): (Vec<Key>, Vec<Key>) = retired.into_iter().partition(|key| key.is_published(now_ms));
        let mut documents = vec![fresh.document(), retiring.document()];
        documents.extend(forgotten.iter().map(|key| (key.name(), None)));
        // ORDER: stored before it signs, or a restart could not publish it.
        engine.write_documents(documents).await?;
        *self.0.write() = Ring { current: fresh, retired: kept.into_iter().chain([retiring]).collect() };
        Ok(())
    }
}

async fn first_key<S: Store>(engine: &Engine<S>) -> Key {
    let key = Key::generate(engine.now_ms());
    if let Err(cause) = engine.write_documents(vec![key.document()]).await {
        tracing::warn!(%cause, "the webhook key cannot be stored: it is good for this run only");
    }
    key
}

impl Key {
    fn generate(now_ms: u64) -> Self {
        Self::new(rand::random(), now_ms, None)
    }

    fn new(secret: [u8; 32], created_at_ms: u64, retired_at_ms: Option<u64>) -> Self {
        let signing = SigningKey::from_bytes(&secret);
        let public = Jwk::ed25519(&signing.verifying_key().to_bytes());
        Self { signing, public, created_at_ms, retired_at_ms }
    }

    fn is_published(&self, now_ms: u64) -> bool {
        self.retired_at_ms.is_none_or(|at_ms| now_ms < at_ms + RETIRED_KEY_KEPT_MS)
    }

    fn name(&self) -> DocumentKey {
        DocumentKey(format!("{PREFIX}{}", self.public.kid).into())
    }

    fn document(&self) -> (DocumentKey, Option<Bytes>) {
        let stored = Stored {
            secret: URL_SAFE_NO_PAD.encode(self.signing.to_bytes()),
            created_at_ms: self.created_at_ms,
            retired_at_ms: self.retired_at_ms,
        };
        (self.name(), Some(serde_json::to_vec(&stored).expect("text and numbers serialize").into()))
    }
}

fn decode(key: &DocumentKey, value: &[u8]) -> Option<Key> {
    let decoded = serde_json::from_slice::<Stored>(value).ok().and_then(|stored| {
        let secret = URL_SAFE_NO_PAD.decode(&stored.secret).ok()?.try_into().ok()?;
        Some(Key::new(secret, stored.created_at_ms, stored.retired_at_ms))
    });
    if decoded.is_none() {
        tracing::error!(key = %key.0, "a webhook key cannot be read");
    }
    decoded
}
