//! One round: decide, commit, publish.

use std::time::Duration;

use headwater_protocol::subscription::{Delivery, SubscriptionId};
use headwater_protocol::{Offset, StreamPath};

use super::drafts::{Drafts, Known};
use super::{Attempt, News, Worker};
use crate::operation::{EngineError, ReadError};
use crate::store::Store;
use crate::subscriptions::documents::{self, Key, Write};
use crate::subscriptions::draft::{Change, Claimed, LinkChange};
use crate::subscriptions::error::SubscriptionError;
use crate::subscriptions::limits::DELIVERY_TIMEOUT;
use crate::subscriptions::notice::{Announcement, NoticeOutcome, WebhookDelivery, announce, deliver};
use crate::subscriptions::service::{ClaimedStreams, Command, Reply, WrapsEngineError};
use crate::subscriptions::subscription::Subscription;
use crate::subscriptions::wake_ref::WakeRef;

/// An answer that waits until what it tells is durable.
type Answer = Box<dyn FnOnce(Result<Option<&Subscription>, EngineError>) + Send>;

/// A request with what had to be asked of the engine first.
enum Prepared {
    AddStreams { id: SubscriptionId, streams: Vec<Known>, reply: Reply<(), SubscriptionError> },
    Other(Command),
}

impl<S: Store> Worker<S> {
    /// Takes in everything of `news`.
    ///
    /// # Errors
    /// Nothing has changed then and requests have been told so; `news` keeps what has to be taken in again.
    pub(super) async fn round(&mut self, news: &mut News) -> Result<(), EngineError> {
        self.observe(news);
        let commands = self.prepare(std::mem::take(&mut news.commands)).await;
        let now_ms = self.engine.now_ms();
        let links = self.index.links();
        let mut drafts = Drafts::new(&self.subscriptions, &self.limits, &mut self.random, now_ms, links);
        news.activity.values().for_each(|activity| drafts.take_activity(&self.index, activity));
        news.ended.iter().for_each(|ended| drafts.take_ended(ended));
        for id in self.deadlines.due(now_ms) {
            if let Some(draft) = drafts.draft(id) {
                draft.advance();
            }
        }
        let answers: Vec<_> = commands.into_iter().map(|command| decide(&mut drafts, command)).collect();
        let changes = drafts.finish();
        let written = self.write(self.documents(&changes)).await;
        if written.is_ok() {
            news.ended.drain(..).for_each(|ended| self.end_attempt(&ended.attempt));
            self.apply_all(changes);
        }
        for (id, answer) in answers {
            answer(written.clone().map(|()| self.subscriptions.get(&id)));
        }
        written
    }

    /// Tails are the engine's: taken note of at once, since they need no writing down.
    fn observe(&mut self, news: &News) {
        for activity in news.activity.values().filter(|activity| !activity.created && !activity.removed) {
            for id in self.index.followers(&activity.path) {
                if let Some(subscription) = self.subscriptions.get_mut(id) {
                    subscription.observe(&activity.path, activity.tail);
                }
            }
        }
    }

    /// Asks the engine what the rules will need: tails of streams to link, and of streams acked past the known tail.
    async fn prepare(&mut self, commands: Vec<Command>) -> Vec<Prepared> {
        let mut prepared = Vec::with_capacity(commands.len());
        for command in commands {
            prepared.push(match command {
                Command::AddStreams { id, paths, reply } => {
                    let streams = self.tails(paths).await;
                    match streams {
                        Ok(streams) => Prepared::AddStreams { id, streams, reply },
                        Err(cause) => {
                            // The asker may have gone away, which is its own affair.
                            let _ = reply.send(Err(cause.into()));
                            continue;
                        }
                    }
                }
                Command::Ack { id, route, token, request, reply } => {
                    for (path, offset) in request.acks.iter().filter_map(|ack| ack.position().ok()) {
                        self.observe_beyond(&id, &path, offset).await;
                    }
                    Prepared::Other(Command::Ack { id, route, token, request, reply })
                }
                other => Prepared::Other(other),
            });
        }
        prepared
    }

    pub(super) async fn tails(&self, paths: Vec<StreamPath>) -> Result<Vec<Known>, EngineError> {
        let mut known = Vec::with_capacity(paths.len());
        for path in paths {
            let tail = self.tail(&path).await?;
            known.push(Known { path, tail });
        }
        Ok(known)
    }

    /// `None` for a stream that does not exist.
    pub(super) async fn tail(&self, path: &StreamPath) -> Result<Option<Offset>, EngineError> {
        match self.engine.metadata(path).await {
            Ok(metadata) => Ok(Some(metadata.tail)),
            Err(ReadError::Engine(cause)) => Err(cause),
            Err(_) => Ok(None),
        }
    }

    async fn observe_beyond(&mut self, id: &SubscriptionId, path: &StreamPath, offset: Offset) {
        let link = self.subscriptions.get(id).and_then(|subscription| subscription.links().get(path));
        if link.is_none_or(|link| link.tail.is_some_and(|tail| tail >= offset)) {
            return;
        }
        // Without an answer the known tail decides, and the ack is refused.
        if let (Ok(Some(tail)), Some(subscription)) = (self.tail(path).await, self.subscriptions.get_mut(id)) {
            subscription.observe(path, tail);
        }
    }

    fn documents(&self, changes: &[(SubscriptionId, Change)]) -> Vec<Write> {
        let mut writes = Vec::new();
        for (id, change) in changes {
            let created_at_ms = self.subscriptions[id].created_at_ms;
            writes.extend(change.links.iter().map(|(path, change)| match change {
                LinkChange::Set(link) => documents::write_link(id, created_at_ms, path, link),
                LinkChange::Remove => documents::remove(&Key::Link(id.clone(), path.clone())),
            }));
        }
        // ORDER: links before states. A crash between two steps leaves cursors that moved under a lease that still
        // holds, never a lease that ended without its cursors.
        let states = changes.iter().filter_map(|(id, change)| Some((id, change.control.as_ref()?)));
        writes.extend(states.map(|(id, control)| documents::write_state(id, control)));
        writes
    }

    /// Writes changes down, then applies them.
    pub(super) async fn settle(&mut self, changes: Vec<(SubscriptionId, Change)>) -> Result<(), EngineError> {
        self.write(self.documents(&changes)).await?;
        self.apply_all(changes);
        Ok(())
    }

    fn apply_all(&mut self, changes: Vec<(SubscriptionId, Change)>) {
        changes.into_iter().for_each(|(id, change)| self.apply(&id, change));
    }

    fn apply(&mut self, id: &SubscriptionId, change: Change) {
        for (path, link) in &change.links {
            match link {
                LinkChange::Set(_) => self.index.link(path, id),
                LinkChange::Remove => self.index.unlink(path, id),
            }
        }
        let subscription = self.subscriptions.get_mut(id).expect("a draft is of a subscription that exists");
        let notify = change.notify;
        subscription.apply(change);
        if notify {
            self.notify(id);
        }
        self.deadlines.set(id, self.subscriptions[id].deadline_ms());
    }

    fn end_attempt(&mut self, attempt: &Attempt) {
        if let Some(subscription) = self.subscriptions.get_mut(&attempt.subscription) {
            subscription.end_attempt(attempt.number);
            self.deadlines.set(&attempt.subscription, subscription.deadline_ms());
        }
    }

    /// Starts the notice of the wake in force.
    fn notify(&mut self, id: &SubscriptionId) {
        let subscription = self.subscriptions.get_mut(id).expect("only subscriptions that exist are notified");
        let Some(wake_id) = subscription.control().wake_id().cloned() else { return };
        let wake = WakeRef { wake_id, generation: subscription.control().generation };
        let permits = self.permits.clone();
        let task = match &subscription.config.delivery {
            Delivery::Webhook { url } => {
                let lease = Duration::from_millis(subscription.config.lease_ttl_ms);
                let delivery = WebhookDelivery {
                    subscription: id.clone(),
                    url: url.clone(),
                    wake,
                    origin: subscription.origin.clone(),
                    streams: subscription.snapshot().into(),
                    timeout: DELIVERY_TIMEOUT.min(lease),
                };
                let sender = self.sender.clone();
                self.notices.spawn(async move {
                    let Ok(_permit) = permits.acquire().await else { return NoticeOutcome::Failed };
                    deliver(sender, delivery).await
                })
            }
            Delivery::PullWake { wake_stream } => {
                let Some(stream) = subscription.pending().first().cloned() else { return };
                let wake_stream = wake_stream.clone();
                let announcement = Announcement { subscription: id.clone(), wake, stream, wake_stream };
                let engine = self.engine.clone();
                self.notices.spawn(async move {
                    let Ok(_permit) = permits.acquire().await else { return NoticeOutcome::Failed };
                    announce(engine, announcement).await
                })
            }
        };
        self.attempts += 1;
        subscription.begin_attempt(self.attempts);
        self.under_way.insert(task.id(), Attempt { subscription: id.clone(), number: self.attempts });
    }
}

fn decide(drafts: &mut Drafts<'_>, command: Prepared) -> (SubscriptionId, Answer) {
    match command {
        Prepared::AddStreams { id, streams, reply } => {
            let decided = drafts.add_streams(&id, &streams);
            (id, answer(reply, decided, |(), _| ()))
        }
        Prepared::Other(Command::RemoveStream { id, path, reply }) => {
            let decided = drafts.remove_stream(&id, &path);
            (id, answer(reply, decided, |(), _| ()))
        }
        Prepared::Other(Command::Get { id, reply }) => {
            let decided = drafts.draft(&id).map(|_| ()).ok_or(SubscriptionError::NotFound);
            (id, answer(reply, decided, |(), subscription| subscription.report()))
        }
        Prepared::Other(Command::Claim { id, worker, reply }) => {
            let decided = drafts.claim(&id, worker);
            (id, answer(reply, decided, show_claim))
        }
        Prepared::Other(Command::Ack { id, route, token, request, reply }) => {
            let decided = drafts.ack(&id, route, &token, &request);
            (id, answer(reply, decided, |acked, _| acked))
        }
        Prepared::Other(Command::Release { id, token, request, reply }) => {
            let decided = drafts.release(&id, &token, &request);
            (id, answer(reply, decided, |(), _| ()))
        }
        Prepared::Other(_) => unreachable!("prepared as something else, or done alone after the round"),
    }
}

fn show_claim(claimed: Claimed, subscription: &Subscription) -> ClaimedStreams {
    ClaimedStreams { claimed, streams: subscription.snapshot() }
}

/// Keeps the answer to a request until the round is written.
fn answer<D, T, E>(
    reply: Reply<T, E>,
    decided: Result<D, E>,
    show: impl FnOnce(D, &Subscription) -> T + Send + 'static,
) -> Answer
where
    D: Send + 'static,
    T: Send + 'static,
    E: WrapsEngineError + Send + 'static,
{
    Box::new(move |written| {
        let answer = match (written, decided) {
            (Err(cause), _) => Err(E::wrap(cause)),
            (Ok(_), Err(refused)) => Err(refused),
            (Ok(Some(subscription)), Ok(decided)) => Ok(show(decided, subscription)),
            (Ok(None), Ok(_)) => unreachable!("a round ends no subscription"),
        };
        // The asker may have gone away, which is its own affair.
        let _ = reply.send(answer);
    })
}
