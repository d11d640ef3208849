//! What a start finds: subscriptions as they were written, and streams that went on without them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::RandomState;
use headwater_protocol::subscription::{Generation, SubscriptionConfig, SubscriptionId};
use headwater_protocol::{Glob, Offset, StreamPath};

use super::Worker;
use super::drafts::Drafts;
use crate::activity::StreamActivity;
use crate::change::DocumentKey;
use crate::operation::EngineError;
use crate::store::{Listed, Store};
use crate::subscriptions::documents::{self, Key, PREFIX, Stored, StoredLink, Write};
use crate::subscriptions::index::covering_prefixes;
use crate::subscriptions::limits::SCAN_PAGE_STREAMS;
use crate::subscriptions::subscription::{Control, Link, Origin, Subscription};

/// The documents by subscription.
#[derive(Default)]
struct Found {
    configs: HashMap<SubscriptionId, (SubscriptionConfig, Origin, u64), RandomState>,
    states: HashMap<SubscriptionId, Control, RandomState>,
    links: Vec<(SubscriptionId, StreamPath, StoredLink)>,
    tombstones: Vec<(u64, SubscriptionId, Generation)>,
    /// Their own documents cannot be read, so nothing of theirs is touched.
    unreadable: HashSet<SubscriptionId, RandomState>,
}

impl<S: Store> Worker<S> {
    /// Takes up every subscription where it was: cursors, leases and retries as written, tails as they are now.
    pub(super) async fn load(&mut self) -> Result<(), EngineError> {
        self.forget_everything();
        let found = Found::sort(self.engine.documents(PREFIX).await?);
        let orphans = self.adopt(found);
        self.write(orphans).await?;
        if self.subscriptions.is_empty() {
            return Ok(());
        }
        // ORDER: watch, then look, so that no append goes unseen between the two.
        self.watch().await?;
        self.look_at_streams().await?;
        self.look_at_missing().await?;
        let ids: Vec<_> = self.subscriptions.keys().cloned().collect();
        for id in ids {
            self.deadlines.set(&id, self.subscriptions[&id].deadline_ms());
        }
        tracing::info!(subscriptions = self.subscriptions.len(), links = self.index.links(), "subscriptions loaded");
        Ok(())
    }

    /// An earlier attempt to load may have got half way.
    fn forget_everything(&mut self) {
        self.subscriptions = Default::default();
        self.tombstones = Default::default();
        self.index = Default::default();
        self.deadlines = Default::default();
    }

    /// Builds what was written; answers the removals of what belongs to nobody.
    fn adopt(&mut self, mut found: Found) -> Vec<Write> {
        found.tombstones.sort();
        for (_, id, generation) in found.tombstones {
            self.tombstones.bury(id, generation);
        }
        for (id, (config, origin, created_at_ms)) in found.configs {
            let control = found.states.remove(&id).unwrap_or_default();
            let subscription = Subscription::new(id.clone(), Arc::new(config), origin, created_at_ms, control);
            self.subscriptions.insert(id, subscription);
        }
        let ownerless = found.states.into_keys().filter(|id| !found.unreadable.contains(id));
        let mut orphans: Vec<Write> = ownerless.map(|id| documents::remove(&Key::State(id))).collect();
        for (id, path, stored) in found.links {
            match self.subscriptions.get_mut(&id) {
                Some(owner) if owner.created_at_ms == stored.created_at_ms => owner.set_link(path, stored.link()),
                None if found.unreadable.contains(&id) => {}
                _ => orphans.push(documents::remove(&Key::Link(id, path))),
            }
        }
        for (id, subscription) in &self.subscriptions {
            self.index.add_pattern(id, &subscription.config);
            subscription.links().keys().for_each(|path| self.index.link(path, id));
        }
        orphans
    }

    /// Goes through the streams that some pattern may match: those with a link show their tails, those without one
    /// were created meanwhile and are followed from their beginning.
    async fn look_at_streams(&mut self) -> Result<(), EngineError> {
        let patterns: Vec<Glob> =
            self.subscriptions.values().filter_map(|owner| owner.config.pattern.clone()).collect();
        for prefix in covering_prefixes(patterns.iter().map(Glob::literal_prefix)) {
            let mut after = None;
            loop {
                let page = self.engine.list(prefix, after.as_ref(), SCAN_PAGE_STREAMS).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.path.clone());
                let page: Vec<Listed> = page.into_iter().filter(|listed| !listed.soft_deleted).collect();
                page.iter().for_each(|listed| self.observe_or_reset(&listed.path, listed.tail));
                self.link_unknown(&page).await?;
            }
        }
        Ok(())
    }

    fn observe_or_reset(&mut self, path: &StreamPath, tail: Offset) {
        for id in self.index.followers(path) {
            let Some(subscription) = self.subscriptions.get_mut(id) else { continue };
            let Some(link) = subscription.links().get(path).copied() else { continue };
            // A cursor past the tail is one of an earlier stream of that name.
            let acked = if link.acked > tail { Offset::START } else { link.acked };
            subscription.set_link(path.clone(), Link { acked, tail: Some(tail), ..link });
        }
    }

    async fn link_unknown(&mut self, page: &[Listed]) -> Result<(), EngineError> {
        let now_ms = self.engine.now_ms();
        let links = self.index.links();
        let mut drafts = Drafts::new(&self.subscriptions, &self.limits, &mut self.random, now_ms, links);
        for listed in page {
            let (path, tail) = (listed.path.clone(), listed.tail);
            let news = StreamActivity { path, from: Offset::START, tail, created: true, removed: false };
            self.index.candidates(&news.path).for_each(|id| drafts.link_matching(id, &news));
        }
        let changes = drafts.finish_links();
        self.settle(changes).await
    }

    /// Linked streams that no listing showed: those asked for by name may exist, the others are gone.
    async fn look_at_missing(&mut self) -> Result<(), EngineError> {
        let mut gone = Vec::new();
        let unseen: Vec<(SubscriptionId, StreamPath, bool)> = self
            .subscriptions
            .values()
            .flat_map(|owner| owner.links().iter().map(move |(path, link)| (owner, path, link)))
            .filter(|(_, _, link)| link.tail.is_none())
            .map(|(owner, path, link)| (owner.id.clone(), path.clone(), link.explicit))
            .collect();
        for (id, path, explicit) in unseen {
            match self.tail(&path).await? {
                Some(tail) => self.observe_or_reset(&path, tail),
                None if explicit => {}
                None => gone.push((id, path)),
            }
        }
        let now_ms = self.engine.now_ms();
        let links = self.index.links();
        let mut drafts = Drafts::new(&self.subscriptions, &self.limits, &mut self.random, now_ms, links);
        for (id, path) in &gone {
            if let Some(draft) = drafts.draft(id) {
                draft.unlink(path);
            }
        }
        let changes = drafts.finish_links();
        self.settle(changes).await
    }
}

impl Found {
    fn sort(documents: Vec<(DocumentKey, Bytes)>) -> Self {
        let mut found = Self::default();
        for (key, value) in documents {
            match Key::parse(&key) {
                Some(Key::Subscription(id)) => match documents::decode(&key, &value) {
                    Some(Stored::Live { config, origin, created_at_ms }) => {
                        found.configs.insert(id, (config, origin, created_at_ms));
                    }
                    Some(Stored::Deleted { generation, at_ms }) => found.tombstones.push((at_ms, id, generation)),
                    None => drop(found.unreadable.insert(id)),
                },
                Some(Key::State(id)) => {
                    found.states.extend(documents::decode(&key, &value).map(|control| (id, control)));
                }
                Some(Key::Link(id, path)) => {
                    found.links.extend(documents::decode(&key, &value).map(|link| (id, path, link)));
                }
                None => tracing::warn!(key = %key.0, "a document among the subscriptions is not one of theirs"),
            }
        }
        found
    }
}
