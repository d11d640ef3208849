//! Whatever happens to streams, projector and engine, in whatever order: in the end rows and streams say the same.

use std::collections::BTreeSet;

use headwater_projection::Projector;
use headwater_protocol::Offset;
use headwater_sessions::Operation;
use headwater_testing::stage::{fork_at, json_stream};
use proptest::prelude::*;
use serde_json::json;

use crate::world::{Store, World, call, catch_up, chunk, line, path};

#[derive(Debug, Clone)]
enum Act {
    Create(u8),
    Append {
        session: u8,
        agent: u8,
        tokens: u8,
    },
    Call {
        session: u8,
        key: u8,
    },
    Line(u8),
    Delete(u8),
    Fork {
        from: u8,
        to: u8,
    },
    Trim(u8),
    Rounds(u8),
    /// The projector ends without a word.
    Drop,
    /// So does the engine.
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    let session = || 0_u8..4;
    prop_oneof![
        3 => session().prop_map(Act::Create),
        8 => (session(), 0_u8..2, 1_u8..6).prop_map(|(session, agent, tokens)| Act::Append { session, agent, tokens }),
        3 => (session(), 0_u8..3).prop_map(|(session, key)| Act::Call { session, key }),
        3 => session().prop_map(Act::Line),
        1 => session().prop_map(Act::Delete),
        1 => (session(), session()).prop_map(|(from, to)| Act::Fork { from, to }),
        1 => session().prop_map(Act::Trim),
        6 => (1_u8..5).prop_map(Act::Rounds),
        2 => Just(Act::Drop),
        1 => Just(Act::Crash),
    ]
}

async fn live(acts: Vec<Act>) {
    let mut world = World::in_small_steps().await;
    let mut projector = None;
    let mut sessions = BTreeSet::new();
    let mut trimmed = false;
    for (number, act) in acts.into_iter().enumerate() {
        let name = |session: u8| format!("session/{session}");
        match act {
            Act::Create(session) => {
                let created = world.stage.engine.create(json_stream(&name(session))).await;
                sessions.extend(created.is_ok().then_some(session));
            }
            Act::Append { session, agent, tokens } if sessions.contains(&session) => {
                for token in 0..tokens {
                    let chunk = chunk(&agent.to_string(), 0, &format!("w{number}-{token} pa"));
                    world.append(&name(session), &[chunk]).await;
                }
            }
            Act::Call { session, key } if sessions.contains(&session) => {
                let call = call(&key.to_string(), Operation::Insert, json!({"n": number}), None);
                world.append(&name(session), &[call]).await;
            }
            Act::Line(session) if sessions.contains(&session) => {
                world.append(&name(session), &[line(&number.to_string(), "a line")]).await;
            }
            Act::Delete(session) if sessions.remove(&session) => world.stage.delete(&name(session)).await,
            Act::Fork { from, to } if sessions.contains(&from) && !sessions.contains(&to) => {
                let fork = fork_at(&name(to), &name(from), None, 0);
                if world.stage.engine.create(fork).await.is_ok() {
                    sessions.insert(to);
                }
            }
            Act::Trim(session) if sessions.contains(&session) => {
                let tail = world.stage.tail(&name(session)).await;
                trimmed |= world.stage.engine.trim(&path(&name(session)), Offset::new(tail)).await.is_ok();
            }
            Act::Rounds(rounds) => {
                if projector.is_none() {
                    projector = Some(world.projector().await);
                }
                for _ in 0..rounds {
                    projector.as_mut().unwrap().round().await.unwrap();
                }
            }
            Act::Drop => projector = None,
            Act::Crash => {
                projector = None;
                world.stage = world.stage.crash().await;
            }
            _ => {}
        }
    }
    finish(&world, projector, &sessions, trimmed).await;
}

/// Catches up, and compares.
async fn finish(world: &World, projector: Option<Projector<Store>>, sessions: &BTreeSet<u8>, trimmed: bool) {
    // What was trimmed while nobody looked is noticed with the next event.
    for session in sessions {
        world.append(&format!("session/{session}"), &[line("last", "the end")]).await;
    }
    let mut projector = match projector {
        Some(projector) => projector,
        None => world.projector().await,
    };
    catch_up(&mut projector).await;
    let names: Vec<String> = sessions.iter().map(u8::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(world.events(), world.expected(&names).await);
    // A message is found until its last chunk goes, so after a trim it may be longer than the stream has it.
    if !trimmed {
        assert_eq!(world.indexed_messages(), world.folded_messages(&names).await);
    }
    world.assert_sound();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn rows_and_streams_say_the_same(acts in proptest::collection::vec(act(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(live(acts));
    }
}
