//! The figures as OpenMetrics text.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use headwater_proxy::Figures;
use headwater_sessions::SearchStatus;
use headwater_streams::StoreStats;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::histogram::{Distribution, Histogram};
use super::{CLASSES, METHODS, Metrics, WorkerMetrics};
use crate::operation::Operation;

/// Seconds in a nanosecond.
const NANOSECOND: f64 = 1e-9;

pub(super) fn render(
    metrics: &Metrics,
    live_readers: usize,
    store: StoreStats,
    search: Option<&SearchStatus>,
    proxy: Option<&Figures>,
) -> String {
    let mut registry = Registry::with_prefix("headwater");
    let mut snapshot = Snapshot::take(metrics, live_readers, store);
    snapshot.gauges.extend(search.into_iter().flat_map(search_gauges));
    if let Some(proxy) = proxy {
        snapshot.gauges.push(("proxy_running", "Upstream responses under way", None, proxy.running as u64));
        snapshot.counters.push(("proxy_started", "Upstream responses that became streams", None, proxy.started));
        let outcomes = proxy.outcomes.iter();
        snapshot.outcomes = outcomes.map(|(outcome, count)| (vec![("outcome", outcome.as_str())], *count)).collect();
    }
    registry.register_collector(Box::new(snapshot));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("a String takes every write");
    text
}

/// All figures at one moment.
#[derive(Debug)]
struct Snapshot {
    answers: Vec<(Labels, u64)>,
    latency: Vec<(Labels, Distribution)>,
    batch_operations: Distribution,
    sync: Distribution,
    counters: Vec<(&'static str, &'static str, Option<Unit>, u64)>,
    gauges: Vec<Gauge>,
    /// How proxied responses ended.
    outcomes: Vec<(Labels, u64)>,
}

/// Name, help, unit and value.
type Gauge = (&'static str, &'static str, Option<Unit>, u64);
type Labels = Vec<(&'static str, &'static str)>;

impl Snapshot {
    fn take(metrics: &Metrics, live_readers: usize, store: StoreStats) -> Self {
        let workers = metrics.workers.lock().clone();
        Self {
            answers: answers(&workers),
            latency: latency(&workers),
            batch_operations: Histogram::sum([&metrics.batch_operations], 1.0),
            sync: Histogram::sum([&metrics.sync], NANOSECOND),
            counters: counters(metrics, &workers, store),
            gauges: gauges(&workers, live_readers, store),
            outcomes: Vec::new(),
        }
    }
}

fn answers(workers: &[Arc<WorkerMetrics>]) -> Vec<(Labels, u64)> {
    let mut answers = Vec::new();
    for operation in Operation::ALL {
        for (method_number, method) in METHODS.into_iter().enumerate() {
            for (class_number, class) in CLASSES.into_iter().enumerate() {
                let of = |worker: &Arc<WorkerMetrics>| {
                    worker.answers[operation as usize][method_number][class_number].load(Relaxed)
                };
                let count: u64 = workers.iter().map(of).sum();
                if count > 0 {
                    let labels = vec![("operation", operation.name()), ("method", method), ("status", class)];
                    answers.push((labels, count));
                }
            }
        }
    }
    answers
}

fn latency(workers: &[Arc<WorkerMetrics>]) -> Vec<(Labels, Distribution)> {
    let of = |operation: Operation| {
        let distribution = Histogram::sum(workers.iter().map(|worker| &worker.latency[operation as usize]), NANOSECOND);
        (vec![("operation", operation.name())], distribution)
    };
    Operation::ALL.into_iter().map(of).filter(|(_, distribution)| distribution.count > 0).collect()
}

fn counters(
    metrics: &Metrics,
    workers: &[Arc<WorkerMetrics>],
    store: StoreStats,
) -> Vec<(&'static str, &'static str, Option<Unit>, u64)> {
    let sum = |of: fn(&WorkerMetrics) -> &AtomicU64| workers.iter().map(|worker| of(worker).load(Relaxed)).sum();
    let bytes = || Some(Unit::Bytes);
    vec![
        ("appends", "Appends and first contents that were written", None, sum(|worker| &worker.appends)),
        ("append_payload", "Payload of these", bytes(), sum(|worker| &worker.append_bytes)),
        ("read_payload", "Stored bytes handed to readers", bytes(), sum(|worker| &worker.read_bytes)),
        ("commit_payload", "Payload made durable", bytes(), metrics.committed_bytes.load(Relaxed)),
        ("commit_written", "Bytes the commits handed to the disk", bytes(), metrics.written_bytes.load(Relaxed)),
        ("store_written", "Bytes handed to the disk, of every kind", bytes(), store.written_bytes),
        ("streams_reaped", "Streams removed because their lifetime ended", None, metrics.reaped.load(Relaxed)),
        ("connections_refused", "Connections above the limit", None, metrics.connections_refused.load(Relaxed)),
    ]
}

fn gauges(workers: &[Arc<WorkerMetrics>], live_readers: usize, store: StoreStats) -> Vec<Gauge> {
    let connections: usize = workers.iter().map(|worker| worker.connections.load(Relaxed)).sum();
    let bytes = || Some(Unit::Bytes);
    vec![
        ("connections", "Open connections", None, connections as u64),
        ("live_readers", "Readers that follow a stream", None, live_readers as u64),
        ("store_streams", "Streams, soft-deleted ones included", None, store.streams),
        ("store_journal", "Journal on disk", bytes(), store.journal_bytes),
        ("store_journal_segments", "Journal segments", None, store.journal_segments),
        ("store_archive", "Archive on disk", bytes(), store.archive_bytes),
        ("store_archive_files", "Archive files", None, store.archive_files),
        ("store_catalog", "Catalog on disk", bytes(), store.catalog_bytes),
        ("store_replay", "Journal that a restart would replay", bytes(), store.replay_bytes),
        ("store_poisoned", "1 when the store takes no changes until a restart", None, u64::from(store.poisoned)),
    ]
}

fn search_gauges(status: &SearchStatus) -> [Gauge; 2] {
    let is_failing = matches!(status, SearchStatus::Failing { .. } | SearchStatus::Stopped);
    let is_caught_up = *status == SearchStatus::CaughtUp;
    [
        ("search_caught_up", "1 when all events can be found", None, u64::from(is_caught_up)),
        ("search_failing", "1 when the index cannot go on; the log says why", None, u64::from(is_failing)),
    ]
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut family = encoder.encode_descriptor("requests", "Requests answered", None, MetricType::Counter)?;
        for (labels, count) in &self.answers {
            family.encode_family(&Pairs(labels))?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }
        if !self.outcomes.is_empty() {
            let help = "Upstream responses that ended, by what ended them";
            let mut family = encoder.encode_descriptor("proxy_ended", help, None, MetricType::Counter)?;
            for (labels, count) in &self.outcomes {
                family.encode_family(&Pairs(labels))?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
            }
        }
        let help = "From a request's head to its answer's body; long-polls include the wait";
        let mut family =
            encoder.encode_descriptor("request_duration", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (labels, shown) in &self.latency {
            let labels = Pairs(labels);
            let mut one = family.encode_family(&labels)?;
            one.encode_histogram::<NoLabelSet>(shown.sum, shown.count, &shown.buckets, None)?;
        }
        let (batches, sync) = (&self.batch_operations, &self.sync);
        encoder
            .encode_descriptor("commit_operations", "Operations per group commit", None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(batches.sum, batches.count, &batches.buckets, None)?;
        encoder
            .encode_descriptor(
                "commit_sync",
                "From first write to durable",
                Some(&Unit::Seconds),
                MetricType::Histogram,
            )?
            .encode_histogram::<NoLabelSet>(sync.sum, sync.count, &sync.buckets, None)?;
        for (name, help, unit, value) in &self.counters {
            let mut one = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
            one.encode_counter::<NoLabelSet, _, u64>(value, None)?;
        }
        for (name, help, unit, value) in &self.gauges {
            let mut one = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            one.encode_gauge(&(*value as i64))?;
        }
        Ok(())
    }
}

/// Label pairs that prometheus-client encodes.
#[derive(Debug)]
struct Pairs<'a>(&'a Labels);

impl EncodeLabelSet for Pairs<'_> {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelSetEncoder) -> fmt::Result {
        for (name, value) in self.0 {
            let mut label = encoder.encode_label();
            let mut key = label.encode_label_key()?;
            key.write_str(name)?;
            let mut shown = key.encode_label_value()?;
            shown.write_str(value)?;
            shown.finish()?;
        }
        Ok(())
    }
}
