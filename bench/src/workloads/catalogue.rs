//! Every workload by name, at full size and at the size of a smoke run.

use std::time::Duration;

use headwater_load::{AppendLoad, Content, Mode, Payload, Producers};

use crate::metric::Target;

use super::append::AppendTargets;
use super::{Plan, Scale, Servers, Workload, sessions};

/// How large the workloads are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Full,
    /// Everything once, as small and short as it still makes sense.
    Quick,
}

impl Size {
    pub(crate) fn scale(self) -> Scale {
        match self {
            Size::Full => Scale { warm_up: Duration::from_secs(1), measure: Duration::from_secs(4), rounds: 3 },
            Size::Quick => {
                Scale { warm_up: Duration::from_millis(100), measure: Duration::from_millis(400), rounds: 1 }
            }
        }
    }

    /// `full`, or a hundredth of it.
    pub(crate) fn of(self, full: usize) -> usize {
        match self {
            Size::Full => full,
            Size::Quick => full.div_ceil(100),
        }
    }

    fn bytes(self, full: u64) -> u64 {
        match self {
            Size::Full => full,
            Size::Quick => full / 32,
        }
    }
}

const MIB: u64 = 1 << 20;

/// All workloads, in the order of the report.
pub(crate) fn catalogue(size: Size) -> Vec<Workload> {
    [appends(size), latencies(size), reads(size), footprints(size), vec![proxied(size)], sessions::catalogue(size)]
        .concat()
}

fn appends(size: Size) -> Vec<Workload> {
    let grid: &[(usize, usize, usize)] = match size {
        Size::Full => &GRID,
        Size::Quick => &[(1, 1, 1), (64, 1, 100), (64, 8, 100)],
    };
    let mut workloads: Vec<Workload> = grid.iter().map(|&(c, d, s)| append(c, d, s, Producers::None)).collect();
    workloads.extend([1, 8].map(|in_flight| append(64, in_flight, 100, Producers::Idempotent)));
    workloads.extend([10, 100].map(json));
    if size == Size::Full {
        let alone = [1, 8].map(|in_flight| append(64, in_flight, 100_000, Producers::None));
        workloads.extend(alone.map(|workload| Workload { servers: Servers::HeadwaterOnly, ..workload }));
    }
    workloads
}

/// Connections, requests in flight on each, streams.
const GRID: [(usize, usize, usize); 18] = [
    (1, 1, 1),
    (1, 1, 100),
    (1, 1, 10_000),
    (1, 8, 1),
    (1, 8, 100),
    (1, 8, 10_000),
    (64, 1, 1),
    (64, 1, 100),
    (64, 1, 10_000),
    (64, 8, 1),
    (64, 8, 100),
    (64, 8, 10_000),
    (256, 1, 1),
    (256, 1, 100),
    (256, 1, 10_000),
    (256, 8, 1),
    (256, 8, 100),
    (256, 8, 10_000),
];

fn append(connections: usize, in_flight: usize, streams: usize, producers: Producers) -> Workload {
    let (payload, targets) = (Payload::Bytes(256), targets(connections, in_flight, streams));
    let with = match producers {
        Producers::None => "",
        Producers::Idempotent => ", idempotent producers",
    };
    let name = format!("append 256 B: {connections} conn × {in_flight} in flight, {streams} streams{with}");
    both(name, Plan::Append(AppendLoad { connections, in_flight, streams, payload, producers }, targets))
}

fn json(messages: usize) -> Workload {
    let (payload, producers) = (Payload::Json { messages, bytes: 0 }, Producers::None);
    let load = AppendLoad { connections: 64, in_flight: 1, streams: 100, payload, producers };
    both(
        format!("append JSON: {messages} messages each, 64 conn × 1 in flight, 100 streams"),
        Plan::Append(load, AppendTargets::default()),
    )
}

fn targets(connections: usize, in_flight: usize, streams: usize) -> AppendTargets {
    let rate = match (connections, in_flight, streams) {
        (64, 1, 100) => Some(1.4),
        (64, 8, 100) => Some(2.2),
        (64, 1, 10_000) => Some(1.6),
        _ => None,
    };
    let closed_loop = (connections, in_flight, streams) == (64, 1, 100);
    let at_most = |most| closed_loop.then_some(Target::RatioAtMost(most));
    AppendTargets { rate: rate.map(Target::RatioAtLeast), p50: at_most(0.7), p99: at_most(1.0), cpu: at_most(0.7) }
}

fn latencies(size: Size) -> Vec<Workload> {
    let mut workloads = vec![
        both(
            "append at half the peer's load: open loop, 64 conn, 100 streams".into(),
            Plan::HalfLoad { connections: 64, streams: 100 },
        ),
        both("delivery: append → long-poll".into(), Plan::Delivery(Mode::LongPoll)),
        both("delivery: append → SSE".into(), Plan::Delivery(Mode::Sse)),
    ];
    workloads.extend([100, 1000, 5000].map(|full| {
        let subscribers = size.of(full);
        both(format!("fan-out: {subscribers} SSE subscribers, 20 messages/s"), Plan::FanOut { subscribers })
    }));
    workloads
}

fn reads(size: Size) -> Vec<Workload> {
    let bytes = size.bytes(256 * MIB);
    let mut workloads = Vec::new();
    for (content, label) in [(Content::Binary, "binary"), (Content::Json, "JSON")] {
        for readers in [1, 8] {
            let name = format!("catch-up: {} MiB {label}, readers: {readers}", bytes / MIB);
            workloads.push(both(name, Plan::CatchUp { bytes, readers, content }));
        }
    }
    workloads.push(both("mixed: appends, 100 subscribers, catch-up".into(), Plan::Mixed));
    workloads
}

fn footprints(size: Size) -> Vec<Workload> {
    let (restart, idle, peer) = (size.of(100_000), size.of(1_000_000), size.of(10_000));
    let (many, written, history) = (size.of(100_000), size.bytes(1024 * MIB), size.bytes(1024 * MIB));
    let mut wide = both(format!("disk: {many} streams"), Plan::Written { streams: many, bytes: written });
    wide.servers = Servers::HeadwaterOnly;
    vec![
        both(
            format!("restart after kill -9: {restart} streams (official: {peer})"),
            Plan::Restart { streams: restart, official_streams: peer },
        ),
        both(format!("idle: {idle} streams (official: {peer})"), Plan::Idle { streams: idle, official_streams: peer }),
        both("disk: 100 streams".into(), Plan::Written { streams: 100, bytes: written }),
        wide,
        both(format!("memory: 8 readers of {} MiB", history / MIB), Plan::ReadersMemory { bytes: history, readers: 8 }),
    ]
}

fn proxied(size: Size) -> Workload {
    let responses = size.of(500);
    let name = format!("proxy: {responses} responses of 50 tokens/s");
    Workload { name, servers: Servers::HeadwaterOnly, plan: Plan::Proxy { responses } }
}

fn both(name: String, plan: Plan) -> Workload {
    Workload { name, servers: Servers::Both, plan }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_a_name_of_its_own() {
        for size in [Size::Full, Size::Quick] {
            let mut names: Vec<String> = catalogue(size).into_iter().map(|workload| workload.name).collect();
            let all = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }
}
