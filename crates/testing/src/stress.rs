//! Many tasks on one path at once: what followers see must still be streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_protocol::ReadFrom;
use headwater_streams::limits::EngineLimits;
use headwater_streams::{Create, CreateError, Engine, EngineError, ReadError, Store, StreamId};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::reopen::Reopen;
use crate::stage::{self, Stage};

const TASKS: u64 = 8;
const OPERATIONS_PER_TASK: u64 = 300;
const NAME: &str = "contended";

/// What followers saw of each incarnation, and whether from its start.
type Sightings = Arc<Mutex<BTreeMap<StreamId, Vec<Vec<u8>>>>>;

/// Appends to, deletes, recreates, forks, reads and follows one path from several threads; then stops the engine, ends
/// every follower, and asserts that all of them saw prefixes of the same streams, made of whole appends.
pub fn contend<R: Reopen>(factory: R, seed: u64) {
    eprintln!("seed {seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    runtime.expect("a runtime starts").block_on(async {
        // Little memory, so that the store is read and streams are evicted while they are used.
        let limits = EngineLimits { active_streams_max: 0, tail_cache_bytes_max: 2000, ..stage::limits() };
        let limits = EngineLimits { reap_interval: std::time::Duration::from_millis(1), ..limits };
        let stage = Stage::with_limits(factory, limits).await;
        let sightings = Sightings::default();
        let mut tasks = Vec::new();
        for task in 0..TASKS {
            let (engine, sightings) = (stage.engine.clone(), sightings.clone());
            tasks.push(tokio::spawn(work(engine, sightings, task, StdRng::seed_from_u64(seed + task))));
        }
        let mut followers = Vec::new();
        for task in tasks {
            followers.extend(stage::within(task).await.expect("no task fails"));
        }
        stage.engine.shutdown().await.expect("the engine stops");
        for follower in followers {
            stage::within(follower).await.expect("every follower ends");
        }
        assert_eq!(stage.engine.live_readers(), 0);
        check(&sightings.lock());
    });
}

async fn work<S: Store>(
    engine: Engine<S>,
    sightings: Sightings,
    task: u64,
    mut random: StdRng,
) -> Vec<tokio::task::JoinHandle<()>> {
    let path = stage::path(NAME);
    let mut followers = Vec::new();
    for number in 0..OPERATIONS_PER_TASK {
        match random.random_range(0..100) {
            0..60 => {
                // Refused while the stream does not exist, and fine.
                drop(engine.append(stage::append(NAME, format!("<{task}:{number:04}>"))).await);
            }
            60..70 => drop(engine.create(stage::text(NAME)).await.map_err(expect_held)),
            70..74 => drop(engine.delete(&path).await),
            74..80 => {
                let fork = format!("fork-{task}-{number}");
                if engine.create(Create { payload: "".into(), ..stage::fork(&fork, NAME) }).await.is_ok() {
                    engine.delete(&stage::path(&fork)).await.expect("the fork is this task's own");
                }
            }
            80..90 => {
                if let Ok(mut page) = engine.page(&path, ReadFrom::Start).await {
                    let mut bytes = Vec::new();
                    while let Some(Ok(chunk)) = page.chunk().await {
                        bytes.extend_from_slice(&chunk);
                    }
                    sightings.lock().entry(page.id).or_default().push(bytes);
                }
            }
            _ => {
                let (engine, sightings) = (engine.clone(), sightings.clone());
                followers.push(tokio::spawn(follow(engine, sightings)));
            }
        }
    }
    followers
}

fn expect_held(cause: CreateError) {
    assert!(matches!(cause, CreateError::PathHeld), "a text stream is what everybody creates: {cause:?}");
}

async fn follow<S: Store>(engine: Engine<S>, sightings: Sightings) {
    let Ok(mut follower) = engine.follow(&stage::path(NAME), ReadFrom::Start).await else { return };
    // The handle goes: a follower does not keep the engine running.
    drop(engine);
    let mut bytes = Vec::new();
    let cause = loop {
        match follower.next().await {
            Ok(batch) => {
                assert_eq!(batch.start.get(), bytes.len() as u64, "batches follow each other");
                assert!(!batch.bytes.is_empty(), "nobody closes this stream");
                bytes.extend_from_slice(&batch.bytes);
            }
            Err(cause) => break cause,
        }
    };
    let ended = matches!(cause, ReadError::NotFound | ReadError::Gone | ReadError::Engine(EngineError::Stopping));
    assert!(ended, "followers end when the stream or the engine does: {cause:?}");
    sightings.lock().entry(follower.id()).or_default().push(bytes);
}

fn check(sightings: &BTreeMap<StreamId, Vec<Vec<u8>>>) {
    for (id, seen) in sightings {
        let longest = seen.iter().max_by_key(|bytes| bytes.len()).expect("seen at least once");
        for bytes in seen {
            assert!(longest.starts_with(bytes), "two readers of {id:?} saw different streams");
        }
        let text = std::str::from_utf8(longest).expect("appends are text");
        let mut last = BTreeMap::new();
        for append in text.split_terminator('>') {
            let (task, number) = append.trim_start_matches('<').split_once(':').expect("appends are whole");
            let before = last.insert(task, number);
            assert!(before < Some(number), "task {task} appended {number} after {before:?}");
        }
    }
}
