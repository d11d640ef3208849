//! The drafts of one round, and what each piece of news does to them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;
use headwater_protocol::subscription::{AckRequest, ReleaseRequest, SubscriptionId, WorkerName};
use headwater_protocol::{Offset, StreamPath};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{EndedAttempt, Subscriptions};
use crate::activity::StreamActivity;
use crate::subscriptions::config::{selects, wake_stream};
use crate::subscriptions::draft::{Acked, Change, Claimed, Draft};
use crate::subscriptions::error::{AckError, ClaimError, SubscriptionError};
use crate::subscriptions::index::Index;
use crate::subscriptions::limits::SubscriptionLimits;
use crate::subscriptions::service::AckRoute;
use crate::subscriptions::wake_ref::WakeRef;

pub(super) struct Drafts<'a> {
    subscriptions: &'a Subscriptions,
    limits: &'a SubscriptionLimits,
    random: &'a mut StdRng,
    now_ms: u64,
    drafts: HashMap<SubscriptionId, Draft<'a>, RandomState>,
    /// Links over all subscriptions, drafted ones included.
    links: usize,
}

impl<'a> Drafts<'a> {
    pub(super) fn new(
        subscriptions: &'a Subscriptions,
        limits: &'a SubscriptionLimits,
        random: &'a mut StdRng,
        now_ms: u64,
        links: usize,
    ) -> Self {
        Self { subscriptions, limits, random, now_ms, drafts: HashMap::default(), links }
    }

    /// Ends every draft: what happens by itself comes last.
    pub(super) fn finish(self) -> Vec<(SubscriptionId, Change)> {
        let finish = |(id, mut draft): (SubscriptionId, Draft<'_>)| {
            draft.advance();
            (id, draft.finish())
        };
        self.drafts.into_iter().map(finish).collect()
    }

    /// Ends every draft without asking what happens by itself: for membership while tails are still being asked for.
    pub(super) fn finish_links(self) -> Vec<(SubscriptionId, Change)> {
        self.drafts.into_iter().map(|(id, draft)| (id, draft.finish())).collect()
    }

    /// The draft of `id`, started when this is the first news of it.
    pub(super) fn draft(&mut self, id: &SubscriptionId) -> Option<&mut Draft<'a>> {
        match self.drafts.entry(id.clone()) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(vacant) => {
                let subscription = self.subscriptions.get(id)?;
                let random = StdRng::from_rng(self.random);
                Some(vacant.insert(Draft::new(subscription, self.now_ms, random)))
            }
        }
    }

    pub(super) fn take_activity(&mut self, index: &Index, news: &StreamActivity) {
        for id in index.followers(&news.path) {
            let Some(draft) = self.draft(id) else { continue };
            if news.removed {
                draft.unlink(&news.path);
            } else if news.created {
                draft.link_new(&news.path, news.from, news.tail);
            }
        }
        if news.created && !news.removed {
            index.candidates(&news.path).for_each(|id| self.link_matching(id, news));
        }
    }

    pub(super) fn take_ended(&mut self, ended: &EndedAttempt) {
        if let Some(draft) = self.draft(&ended.attempt.subscription) {
            draft.notice_ended(ended.attempt.number, &ended.outcome);
        }
    }

    pub(super) fn add_streams(&mut self, id: &SubscriptionId, paths: &[Known]) -> Result<(), SubscriptionError> {
        let (limits, links) = (self.limits, self.links);
        let draft = self.draft(id).ok_or(SubscriptionError::NotFound)?;
        if paths.iter().any(|known| wake_stream(&draft.subscription.config) == Some(&known.path)) {
            return Err(SubscriptionError::WakesItself);
        }
        let new = paths.iter().filter(|known| draft.link(&known.path).is_none()).count();
        if draft.link_count() + new > limits.links_per_subscription_max || links + new > limits.links_max {
            return Err(SubscriptionError::TooManyLinks(limits.links_per_subscription_max));
        }
        paths.iter().for_each(|known| draft.link_explicit(&known.path, known.tail));
        self.links += new;
        Ok(())
    }

    pub(super) fn remove_stream(&mut self, id: &SubscriptionId, path: &StreamPath) -> Result<(), SubscriptionError> {
        self.draft(id).ok_or(SubscriptionError::NotFound)?.unlink_explicit(path);
        Ok(())
    }

    pub(super) fn claim(&mut self, id: &SubscriptionId, worker: WorkerName) -> Result<Claimed, ClaimError> {
        self.draft(id).ok_or(SubscriptionError::NotFound)?.claim(worker)
    }

    pub(super) fn ack(
        &mut self,
        id: &SubscriptionId,
        route: AckRoute,
        token: &WakeRef,
        request: &AckRequest,
    ) -> Result<Acked, AckError> {
        self.draft_for(id, route)?.ack(token, request)
    }

    pub(super) fn release(
        &mut self,
        id: &SubscriptionId,
        token: &WakeRef,
        request: &ReleaseRequest,
    ) -> Result<(), AckError> {
        self.draft_for(id, AckRoute::PullWake)?.release(token, request)
    }

    fn draft_for(&mut self, id: &SubscriptionId, route: AckRoute) -> Result<&mut Draft<'a>, AckError> {
        let draft = self.draft(id).ok_or(SubscriptionError::NotFound)?;
        let is_for_webhooks = route == AckRoute::Webhook;
        if is_for_webhooks == draft.subscription.is_webhook() { Ok(draft) } else { Err(AckError::WrongType) }
    }

    /// A new stream that a pattern may match is linked, unless its owner has as many links as it may.
    pub(super) fn link_matching(&mut self, id: &SubscriptionId, news: &StreamActivity) {
        let (limits, links) = (self.limits, self.links);
        let matches = self.subscriptions.get(id).is_some_and(|owner| selects(&owner.config, &news.path));
        if !matches {
            return;
        }
        let Some(draft) = self.draft(id) else { return };
        if draft.link(&news.path).is_some() {
            return;
        }
        if draft.link_count() >= limits.links_per_subscription_max || links >= limits.links_max {
            tracing::warn!(subscription = %id, path = %news.path, "too many streams match: this one is not followed");
            return;
        }
        draft.link_new(&news.path, news.from, news.tail);
        self.links += 1;
    }
}

/// A stream somebody asked for, and its tail if it exists.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) path: StreamPath,
    pub(super) tail: Option<Offset>,
}
