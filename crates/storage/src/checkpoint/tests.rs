//! A patch does to a head what the changes it stands for would have done, once.

use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::{ContentType, Epoch, ProducerSeq, ProducerStamp};
use headwater_streams::Durability;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn empty_head() -> Head {
    Head {
        id: StreamId(1),
        path: StreamPath::new("a").unwrap(),
        content_type: ContentType::octet_stream(),
        lifetime: Lifetime::Forever,
        durability: Durability::Durable,
        created_at_ms: 0,
        accessed_at_ms: 50,
        earliest: Offset::START,
        tail: Offset::START,
        closure: Closure::Open,
        stream_seq: None,
        producers: Default::default(),
        fork: None,
        inherited: Arc::from([]),
        forks: 0,
        soft_deleted: false,
        version: Version(1),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append {
        len: u64,
        producer: Option<(u8, u64)>,
        seq: Option<u8>,
        closes: bool,
        trim: Option<u64>,
        at_ms: u64,
    },
    Fork,
    SoftDelete,
    /// A checkpoint: the next patch starts here.
    Cut,
}

fn steps() -> impl Strategy<Value = Step> {
    let append = (
        0..100u64,
        proptest::option::of((0..3u8, 0..100u64)),
        proptest::option::of(any::<u8>()),
        any::<bool>(),
        proptest::option::of(0..300u64),
        0..100u64,
    );
    prop_oneof![
        5 => append.prop_map(|(len, producer, seq, closes, trim, at_ms)| {
            Step::Append { len, producer, seq, closes, trim, at_ms }
        }),
        1 => Just(Step::Fork),
        1 => Just(Step::SoftDelete),
        2 => Just(Step::Cut),
    ]
}

/// Takes one step with the head and with the patch.
fn take(step: &Step, head: &mut Head, patch: &mut HeadPatch) {
    match step {
        Step::Append { len, producer, seq, closes, trim, at_ms } => {
            let stamp = |(id, seq): (u8, u64)| ProducerStamp {
                id: ProducerId::new(["x", "y", "z"][usize::from(id)]).unwrap(),
                epoch: Epoch::ZERO,
                seq: ProducerSeq::new(seq).unwrap(),
            };
            let delta = AppendDelta {
                start: head.tail,
                payload: Bytes::from(vec![0; *len as usize]),
                producers: producer.map(stamp).into_iter().collect(),
                stream_seq: seq.map(|seq| StreamSeq::new(&[seq]).unwrap()),
                closure: closes.then_some(Closure::Closed { by: None }),
                trim_to: trim.map(Offset::new),
                accessed_at_ms: *at_ms,
            };
            head.apply(&delta);
            patch.append(&delta, *len);
        }
        Step::Fork => {
            head.forks += 1;
            head.version.0 += 1;
            patch.add_forks(1);
        }
        Step::SoftDelete => {
            head.soft_deleted = true;
            head.version.0 += 1;
            patch.soft_delete();
        }
        Step::Cut => {}
    }
}

proptest! {
    #[test]
    fn patches_bring_a_head_of_any_age_to_the_same_state_once(steps in vec(steps(), 1..30), repeats in vec(1..3u8, 31)) {
        let mut head = empty_head();
        let mut ages = vec![head.clone()];
        let mut patches = vec![HeadPatch::new(head.id, head.version)];
        for step in &steps {
            take(step, &mut head, patches.last_mut().expect("there is always one"));
            if matches!(step, Step::Cut) {
                ages.push(head.clone());
                patches.push(HeadPatch::new(head.id, head.version));
            }
        }
        for mut old in ages {
            for (patch, times) in patches.iter().zip(&repeats) {
                for _ in 0..*times {
                    prop_assert_ne!(patch.apply_to(&mut old), Patched::Missing);
                }
            }
            prop_assert_eq!(&old, &head);
        }
    }

    #[test]
    fn a_patch_does_not_apply_when_changes_before_it_are_missing(lost in 1..5usize) {
        let mut head = empty_head();
        let old = head.clone();
        let mut patch = HeadPatch::new(head.id, head.version);
        (0..lost).for_each(|_| take(&Step::Fork, &mut head, &mut patch));
        let mut patch = HeadPatch::new(head.id, head.version);
        take(&Step::SoftDelete, &mut head, &mut patch);
        let mut behind = old.clone();
        prop_assert_eq!(patch.apply_to(&mut behind), Patched::Missing);
        prop_assert_eq!(behind, old);
    }

    #[test]
    fn positions_keep_their_order_as_numbers(a in (0..1u64 << 24, 0..1u64 << 40), b in (0..1u64 << 24, 0..1u64 << 40)) {
        let position = |(segment, offset)| JournalPosition { segment, offset };
        let (a, b) = (position(a), position(b));
        prop_assert_eq!(a.cmp(&b), a.to_bits().cmp(&b.to_bits()));
        prop_assert_eq!(JournalPosition::from_bits(a.to_bits()), a);
    }
}
