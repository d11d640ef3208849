//! The session workloads by name.

use super::super::catalogue::Size;
use super::super::{Plan, Servers, Workload};
use super::SessionPlan;
use super::viewers::ViewedLoad;
use super::writes::TokenLoad;

const SESSIONS: usize = 1_000;
const VIEWERS: usize = 2;
/// Events per second, acknowledged and on disk, that are to be sustained without viewers.
const WRITES_MIN: f64 = 20_000.0;
/// From the request to the viewer, in microseconds, at half that rate with viewers.
const DELIVERY_P99_MICROS_MAX: f64 = 50_000.0;

pub(crate) fn catalogue(size: Size) -> Vec<Workload> {
    let sessions = size.of(SESSIONS);
    let mut workloads = vec![
        writes(size, 64, 4, 1, Some(WRITES_MIN)),
        writes(size, 256, 1, 1, None),
        writes(size, 64, 4, 10, None),
        named(
            format!("sessions: writes with {VIEWERS} viewers each, {sessions} sessions, 64 conn × 4 in flight"),
            SessionPlan::WritesViewed { load: load(size, 64, 4, 1), viewers: VIEWERS },
        ),
    ];
    for (rate, target) in [(10_000, Some(DELIVERY_P99_MICROS_MAX)), (20_000, None)] {
        let (connections, rate) = (64.min(sessions), size.of(rate));
        let load = ViewedLoad { sessions, viewers: VIEWERS, connections, rate, target };
        let name = format!("sessions: {rate} tokens/s to {sessions} sessions with {VIEWERS} SSE viewers each");
        workloads.push(named(name, SessionPlan::Viewers { load }));
    }
    let (turns, tokens) = (size.of(1_000), 200);
    let name = format!("sessions: join after {turns} turns of {tokens} tokens");
    workloads.push(named(name, SessionPlan::Join { turns, tokens }));
    let open = size.of(9_000);
    workloads.push(named(format!("sessions: memory of {open} open sessions"), SessionPlan::Memory { sessions: open }));
    let (people, moves_per_second) = (if size == Size::Quick { 5 } else { 50 }, 20);
    let name = format!("sessions: {people} people in one session, {moves_per_second} cursor moves/s each");
    workloads.push(named(name, SessionPlan::Presence { people, moves_per_second }));
    workloads
}

fn writes(size: Size, connections: usize, in_flight: usize, events: usize, target: Option<f64>) -> Workload {
    let load = load(size, connections, in_flight, events);
    let sessions = load.sessions;
    let each = if events == 1 { String::new() } else { format!(", arrays of {events}") };
    let name = format!("sessions: writes, {sessions} sessions, {connections} conn × {in_flight} in flight{each}");
    named(name, SessionPlan::Writes { load, target })
}

fn load(size: Size, connections: usize, in_flight: usize, events: usize) -> TokenLoad {
    let sessions = size.of(SESSIONS);
    TokenLoad { sessions, connections: connections.min(sessions), in_flight, events }
}

fn named(name: String, plan: SessionPlan) -> Workload {
    Workload { name, servers: Servers::HeadwaterOnly, plan: Plan::Sessions(plan) }
}
