//! Positions as a client sees them: opaque.

use std::fmt;
use std::sync::Arc;

/// A position in a stream, as a server handed it out. Opaque: keep it, send it back, compare it for equality only.
///
/// ```
/// use headwater_client::Offset;
///
/// let kept = Offset::from("0000000000000000_0000000000000042");
/// assert_eq!(kept.as_str().parse::<Offset>(), Ok(kept));
/// assert_ne!(Offset::start(), Offset::now());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Offset(Arc<str>);

impl Offset {
    /// The beginning of every stream.
    pub fn start() -> Self {
        Self("-1".into())
    }

    /// The tail at the time of the request: only what comes later is read.
    pub fn now() -> Self {
        Self("now".into())
    }

    /// The text to keep and to send.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_now(&self) -> bool {
        &*self.0 == "now"
    }
}

impl Default for Offset {
    fn default() -> Self {
        Self::start()
    }
}

impl From<&str> for Offset {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Offset {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Offset> for String {
    fn from(offset: Offset) -> Self {
        offset.0.as_ref().to_owned()
    }
}

impl std::str::FromStr for Offset {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offset({})", self.0)
    }
}
