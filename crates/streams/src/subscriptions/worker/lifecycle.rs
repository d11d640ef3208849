//! How subscriptions begin and end. Each is done alone, between rounds.

use std::sync::Arc;

use headwater_protocol::Offset;
use headwater_protocol::subscription::{SubscriptionConfig, SubscriptionId};

use super::Worker;
use super::drafts::Known;
use crate::change::DocumentKey;
use crate::operation::EngineError;
use crate::store::Store;
use crate::subscriptions::config::{selects, wake_stream};
use crate::subscriptions::documents::{self, Key, Write};
use crate::subscriptions::error::SubscribeError;
use crate::subscriptions::limits::SCAN_PAGE_STREAMS;
use crate::subscriptions::service::{Command, Subscribed};
use crate::subscriptions::subscription::{Control, Link, Origin, Subscription};

impl<S: Store> Worker<S> {
    pub(super) async fn perform(&mut self, command: Command) {
        // Whoever asked may have gone away, which is its own affair.
        match command {
            Command::Create { id, config, origin, reply } => drop(reply.send(self.create(id, config, origin).await)),
            Command::Delete { id, reply } => drop(reply.send(self.delete(id).await)),
            Command::LookAtTheClock { reply } => drop(reply.send(Ok(()))),
            _ => unreachable!("part of a round"),
        }
    }

    async fn create(
        &mut self,
        id: SubscriptionId,
        config: SubscriptionConfig,
        origin: Origin,
    ) -> Result<Subscribed, SubscribeError> {
        if let Some(known) = self.subscriptions.get(&id) {
            let same = Subscribed { is_new: false, subscription: known.report() };
            return if *known.config == config { Ok(same) } else { Err(SubscribeError::Differs) };
        }
        if wake_stream(&config).is_some_and(|path| config.streams.contains(path)) {
            return Err(SubscribeError::WakesItself);
        }
        if self.subscriptions.len() >= self.limits.subscriptions_max {
            return Err(SubscribeError::TooManySubscriptions(self.subscriptions.len()));
        }
        // ORDER: watch, then look, so that no stream begins unseen between the two.
        self.watch().await?;
        let generation = self.tombstones.generation(&id).unwrap_or_default();
        let control = Control { generation, ..Control::default() };
        let mut subscription = Subscription::new(id.clone(), Arc::new(config), origin, self.engine.now_ms(), control);
        self.link_existing(&mut subscription).await?;
        self.write(creation(&subscription)).await?;
        self.tombstones.raise(&id);
        let report = subscription.report();
        self.insert(subscription);
        Ok(Subscribed { is_new: true, subscription: report })
    }

    /// Takes a durable subscription into the index.
    pub(super) fn insert(&mut self, subscription: Subscription) {
        let id = subscription.id.clone();
        self.index.add_pattern(&id, &subscription.config);
        subscription.links().keys().for_each(|path| self.index.link(path, &id));
        self.deadlines.set(&id, subscription.deadline_ms());
        self.subscriptions.insert(id, subscription);
    }

    /// Has the engine note which streams change, from the first subscription on.
    pub(super) async fn watch(&mut self) -> Result<(), EngineError> {
        if self.is_watching {
            return Ok(());
        }
        self.engine.watch_activity();
        // A batch that was begun unwatched may be on its way still: one more write goes behind it.
        self.engine.write_documents(vec![(DocumentKey("subscription-watch".into()), None)]).await?;
        self.is_watching = true;
        Ok(())
    }

    /// Links what exists: streams asked for by name and those that the pattern matches, all from their tails.
    async fn link_existing(&self, subscription: &mut Subscription) -> Result<(), SubscribeError> {
        let explicit = subscription.config.streams.iter().cloned().collect();
        for Known { path, tail } in self.tails(explicit).await? {
            subscription.set_link(path, Link { explicit: true, acked: tail.unwrap_or(Offset::START), tail });
        }
        let config = subscription.config.clone();
        let Some(pattern) = &config.pattern else { return self.check_links(subscription) };
        let mut after = None;
        loop {
            let page = self.engine.list(pattern.literal_prefix(), after.as_ref(), SCAN_PAGE_STREAMS).await?;
            let Some(last) = page.last() else { return self.check_links(subscription) };
            after = Some(last.path.clone());
            for listed in page {
                let is_new = !subscription.links().contains_key(&listed.path);
                if is_new && !listed.soft_deleted && selects(&config, &listed.path) {
                    let link = Link { explicit: false, acked: listed.tail, tail: Some(listed.tail) };
                    subscription.set_link(listed.path, link);
                }
            }
            self.check_links(subscription)?;
        }
    }

    fn check_links(&self, subscription: &Subscription) -> Result<(), SubscribeError> {
        let links = subscription.links().len();
        let room = self.limits.links_max.saturating_sub(self.index.links());
        let links_max = self.limits.links_per_subscription_max.min(room);
        if links <= links_max { Ok(()) } else { Err(SubscribeError::TooManyLinks(links_max)) }
    }

    async fn delete(&mut self, id: SubscriptionId) -> Result<(), EngineError> {
        let Some(subscription) = self.subscriptions.get(&id) else { return Ok(()) };
        let generation = subscription.control().generation;
        // ORDER: the tombstone first. Links that a crash leaves behind belong to nobody and go at the next start.
        let mut writes = vec![documents::write_tombstone(&id, generation, self.engine.now_ms())];
        writes.push(documents::remove(&Key::State(id.clone())));
        self.write(writes).await?;
        let subscription = self.subscriptions.remove(&id).expect("it was found above");
        self.deadlines.set(&id, None);
        self.index.remove_pattern(&id, &subscription.config);
        subscription.links().keys().for_each(|path| self.index.unlink(path, &id));
        let mut writes: Vec<Write> =
            subscription.links().keys().map(|path| documents::remove(&Key::Link(id.clone(), path.clone()))).collect();
        let forgotten = self.tombstones.bury(id, generation);
        writes.extend(forgotten.map(|forgotten| documents::remove(&Key::Subscription(forgotten))));
        if let Err(cause) = self.write(writes).await {
            tracing::warn!(%cause, "cursors of a deleted subscription stay until the next start");
        }
        Ok(())
    }
}

/// The documents of a new subscription.
fn creation(subscription: &Subscription) -> Vec<Write> {
    let (id, created_at_ms) = (&subscription.id, subscription.created_at_ms);
    let links = subscription.links().iter();
    let mut writes: Vec<Write> =
        links.map(|(path, link)| documents::write_link(id, created_at_ms, path, link)).collect();
    // ORDER: the subscription after its links: it exists only with all of them.
    writes.push(documents::write_state(id, subscription.control()));
    writes.push(documents::write_config(subscription));
    writes
}
