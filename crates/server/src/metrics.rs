//! Figures for operators: counted per worker without contention, summed when somebody asks.
//!
//! Labels name operations, methods and status classes, never streams.

mod histogram;
mod render;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use headwater_proxy::Figures;
use headwater_sessions::SearchStatus;
use headwater_streams::{Observer, StoreStats};
use http::{Method, StatusCode};
use parking_lot::Mutex;

use crate::operation::Operation;
use histogram::Histogram;

/// Methods as labels; anything else is the last one.
const METHODS: [&str; 8] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "other"];
/// Status classes as labels.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Upper bounds of the latency buckets, in nanoseconds.
const LATENCY_BOUNDS: &[u64] = &[
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];
/// Upper bounds of the buckets of operations per batch.
const BATCH_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/// The server's figures. Hand it to the engine as its observer and to the server.
#[derive(Debug)]
pub struct Metrics {
    workers: Mutex<Vec<Arc<WorkerMetrics>>>,
    connections_refused: AtomicU64,
    batch_operations: Histogram,
    sync: Histogram,
    committed_bytes: AtomicU64,
    written_bytes: AtomicU64,
    reaped: AtomicU64,
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            workers: Mutex::default(),
            connections_refused: AtomicU64::new(0),
            batch_operations: Histogram::new(BATCH_BOUNDS),
            sync: Histogram::new(LATENCY_BOUNDS),
            committed_bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            reaped: AtomicU64::new(0),
        })
    }

    /// All figures as OpenMetrics text.
    pub(crate) fn render(
        &self,
        live_readers: usize,
        store: StoreStats,
        search: Option<&SearchStatus>,
        proxy: Option<&Figures>,
    ) -> String {
        render::render(self, live_readers, store, search, proxy)
    }

    pub(crate) fn worker(&self) -> Arc<WorkerMetrics> {
        let worker = Arc::new(WorkerMetrics::new());
        self.workers.lock().push(worker.clone());
        worker
    }

    pub(crate) fn refused_connection(&self) {
        self.connections_refused.fetch_add(1, Relaxed);
    }
}

impl Observer for Metrics {
    fn committed(&self, operations: usize, payload_bytes: u64, written_bytes: u64, sync: Duration) {
        self.batch_operations.observe(operations as u64);
        self.sync.observe(sync.as_nanos() as u64);
        self.committed_bytes.fetch_add(payload_bytes, Relaxed);
        self.written_bytes.fetch_add(written_bytes, Relaxed);
    }

    fn reaped(&self, streams: usize) {
        self.reaped.fetch_add(streams as u64, Relaxed);
    }
}

/// One worker's share.
#[derive(Debug)]
pub(crate) struct WorkerMetrics {
    /// Connections the worker has, or is about to take.
    pub(crate) connections: Arc<AtomicUsize>,
    answers: [[[AtomicU64; CLASSES.len()]; METHODS.len()]; Operation::ALL.len()],
    latency: [Histogram; Operation::ALL.len()],
    appends: AtomicU64,
    append_bytes: AtomicU64,
    read_bytes: AtomicU64,
}

impl WorkerMetrics {
    fn new() -> Self {
        Self {
            connections: Arc::default(),
            answers: Default::default(),
            latency: std::array::from_fn(|_| Histogram::new(LATENCY_BOUNDS)),
            appends: AtomicU64::new(0),
            append_bytes: AtomicU64::new(0),
            read_bytes: AtomicU64::new(0),
        }
    }

    /// A request was answered; `elapsed` ends where its answer's body begins.
    pub(crate) fn answered(&self, operation: Operation, method: &Method, status: StatusCode, elapsed: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.answers[operation as usize][method_number(method)][class].fetch_add(1, Relaxed);
        self.latency[operation as usize].observe(elapsed.as_nanos() as u64);
    }

    pub(crate) fn appended(&self, bytes: usize) {
        self.appends.fetch_add(1, Relaxed);
        self.append_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn read(&self, bytes: u64) {
        self.read_bytes.fetch_add(bytes, Relaxed);
    }
}

fn method_number(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::PUT => 2,
        Method::POST => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        Method::OPTIONS => 6,
        _ => 7,
    }
}
