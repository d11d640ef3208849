//! What names a wake.

use headwater_protocol::subscription::{Generation, WakeId};
use rand::Rng;

/// What a request or a token says about the wake it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WakeRef {
    /// Which wake.
    pub wake_id: WakeId,
    /// Its generation.
    pub generation: Generation,
}

/// A wake's name that was never used before: 128 random bits.
pub(super) fn random_wake_id(random: &mut impl Rng) -> WakeId {
    WakeId::new(&format!("w_{:032x}", random.random::<u128>()))
}
