//! Finds the subscriptions that a changed stream concerns without asking each of them.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use headwater_protocol::StreamPath;
use headwater_protocol::subscription::{SubscriptionConfig, SubscriptionId};

/// Who follows which stream, and whose pattern may match a new one.
#[derive(Debug, Default)]
pub(super) struct Index {
    linked: HashMap<StreamPath, Vec<SubscriptionId>, RandomState>,
    /// By the literal segments in front of the first wildcard: `chat/eu` for `chat/eu/*/events`.
    patterns: HashMap<Box<str>, Vec<SubscriptionId>, RandomState>,
    links: usize,
}

impl Index {
    /// Links over all subscriptions.
    pub(super) fn links(&self) -> usize {
        self.links
    }

    /// `id` follows `path` from now on; nothing happens when it does already.
    pub(super) fn link(&mut self, path: &StreamPath, id: &SubscriptionId) {
        let followers = self.linked.entry(path.clone()).or_default();
        if !followers.contains(id) {
            followers.push(id.clone());
            self.links += 1;
        }
    }

    /// `id` no longer follows `path`.
    pub(super) fn unlink(&mut self, path: &StreamPath, id: &SubscriptionId) {
        let Some(followers) = self.linked.get_mut(path) else { return };
        let before = followers.len();
        followers.retain(|follower| follower != id);
        self.links -= before - followers.len();
        if followers.is_empty() {
            self.linked.remove(path);
        }
    }

    /// Who follows `path`.
    pub(super) fn followers(&self, path: &StreamPath) -> &[SubscriptionId] {
        self.linked.get(path).map_or(&[], Vec::as_slice)
    }

    pub(super) fn add_pattern(&mut self, id: &SubscriptionId, config: &SubscriptionConfig) {
        if let Some(prefix) = literal_segments(config) {
            self.patterns.entry(prefix.into()).or_default().push(id.clone());
        }
    }

    pub(super) fn remove_pattern(&mut self, id: &SubscriptionId, config: &SubscriptionConfig) {
        let Some(prefix) = literal_segments(config) else { return };
        let Some(owners) = self.patterns.get_mut(prefix) else { return };
        owners.retain(|owner| owner != id);
        if owners.is_empty() {
            self.patterns.remove(prefix);
        }
    }

    /// Whose pattern begins like `path`; the pattern itself has to be asked still.
    pub(super) fn candidates<'a>(&'a self, path: &'a StreamPath) -> impl Iterator<Item = &'a SubscriptionId> {
        let text = path.as_str();
        let parents = text.match_indices('/').map(|(slash, _)| &text[..slash]);
        // The whole path too: `chat/**` matches `chat`.
        let prefixes = std::iter::once("").chain(parents).chain(std::iter::once(text));
        prefixes.filter_map(|prefix| self.patterns.get(prefix)).flatten()
    }
}

/// The literal segments in front of the pattern's first wildcard; of a pattern without wildcards, all but its last one.
fn literal_segments(config: &SubscriptionConfig) -> Option<&str> {
    let pattern = config.pattern.as_ref()?.as_str();
    let wildcard = pattern.find('*').unwrap_or(pattern.len());
    Some(pattern[..wildcard].rfind('/').map_or("", |slash| &pattern[..slash]))
}

/// The prefixes that every stream of some pattern begins with one of; none begins with another.
pub(super) fn covering_prefixes<'a>(patterns: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut prefixes: Vec<&str> = patterns.collect();
    prefixes.sort_unstable();
    prefixes.dedup_by(|next, kept| next.starts_with(*kept));
    prefixes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headwater_protocol::Glob;
    use headwater_protocol::subscription::Delivery;

    use super::*;
    use crate::subscriptions::config::selects;

    fn id(text: &str) -> SubscriptionId {
        SubscriptionId::new(&text.replace('/', "|")).unwrap()
    }

    fn config(pattern: &str) -> Arc<SubscriptionConfig> {
        Arc::new(SubscriptionConfig {
            delivery: Delivery::Webhook { url: String::new() },
            pattern: Some(Glob::new(pattern).unwrap()),
            streams: Default::default(),
            lease_ttl_ms: 1000,
            description: None,
        })
    }

    #[test]
    fn every_pattern_that_matches_is_a_candidate() {
        let patterns = ["**", "a/**", "a/*", "a/b/*/d", "a/b", "*/b", "a/b*", "a/b/c/d"];
        let mut index = Index::default();
        patterns.iter().for_each(|pattern| index.add_pattern(&id(pattern), &config(pattern)));
        for path in ["a", "a/b", "a/b/c/d", "a/bc", "x", "x/b"] {
            let path = StreamPath::new(path).unwrap();
            let found: Vec<_> = index.candidates(&path).collect();
            for pattern in patterns.iter().filter(|pattern| selects(&config(pattern), &path)) {
                assert!(found.contains(&&id(pattern)), "{pattern} for {path}");
            }
        }
        let elsewhere = StreamPath::new("z/y").unwrap();
        assert_eq!(index.candidates(&elsewhere).count(), 2, "only patterns that begin with a wildcard");
    }

    #[test]
    fn links_are_counted_once() {
        let mut index = Index::default();
        let path = StreamPath::new("a").unwrap();
        index.link(&path, &id("s"));
        index.link(&path, &id("s"));
        index.link(&path, &id("t"));
        assert_eq!((index.links(), index.followers(&path).len()), (2, 2));
        index.unlink(&path, &id("s"));
        index.unlink(&path, &id("s"));
        assert_eq!((index.links(), index.followers(&path)), (1, &[id("t")][..]));
    }

    #[test]
    fn covering_prefixes_hold_no_prefix_of_another() {
        assert_eq!(covering_prefixes(["b/", "a/b", "a/", "a/"].into_iter()), ["a/", "b/"]);
        assert_eq!(covering_prefixes(["b/", ""].into_iter()), [""]);
    }
}
