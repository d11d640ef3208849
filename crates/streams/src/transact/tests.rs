use headwater_protocol::{ContentType, Epoch, ProducerId, ProducerSeq};

use super::*;
use crate::head::{Durability, ProducerState, StreamId};
use crate::limits::{TRANSACTION_BYTES_MAX, TRANSACTION_STEPS_MAX};
use crate::operation::ForkPoint;
use crate::step::check;

fn path() -> StreamPath {
    StreamPath::new("a").unwrap()
}

fn create() -> Create {
    Create {
        path: path(),
        content_type: Some(ContentType::new("text/plain").unwrap()),
        lifetime: None,
        payload: Bytes::new(),
        closed: false,
        fork: None,
        durability: Durability::Durable,
    }
}

fn stamp(id: &str, seq: u64) -> ProducerStamp {
    ProducerStamp { id: ProducerId::new(id).unwrap(), epoch: Epoch::ZERO, seq: ProducerSeq::new(seq).unwrap() }
}

fn append(payload: &'static str, producer: Option<ProducerStamp>) -> Append {
    Append {
        path: path(),
        content_type: Some(ContentType::new("text/plain").unwrap()),
        payload: payload.into(),
        stream_seq: None,
        producer,
        close: false,
    }
}

fn step(payload: &'static str) -> Step {
    Step::Append { append: append(payload, None), expected_tail: None }
}

/// A stream that remembers the producers p and q.
fn stored() -> Head {
    let mut head = new_head(StreamId(1), &create(), 0);
    for ProducerStamp { id, epoch, seq } in [stamp("p", 3), stamp("q", 4)] {
        head.producers.insert(id, ProducerState { epoch, seq });
    }
    head
}

fn decide(planned: &Planned, append: &Append) -> Result<Verdict, AppendError> {
    decide_append(&planned.head, append, 5, ProducerRoom { max: 3, others: planned.other_producers })
}

#[test]
fn a_planned_stream_takes_over_only_the_producers_that_are_asked_about() {
    let stored = stored();
    let mut planned = Planned::existing(&stored);
    planned.recall(&stored, &stamp("p", 4));
    assert_eq!((planned.head.producers.len(), planned.other_producers), (1, 1));
    let Ok(Verdict::Accept(delta)) = decide(&planned, &append("x", Some(stamp("p", 4)))) else { panic!("it is next") };
    planned.grow(delta);
    planned.recall(&stored, &stamp("p", 5));
    assert_eq!(planned.head.producers[&stamp("p", 0).id].seq.get(), 4, "what a step did stays");
    assert_eq!((planned.head.producers.len(), planned.other_producers), (1, 1));
}

#[test]
fn producers_that_were_not_taken_over_count_against_the_limit() {
    let stored = stored();
    let mut planned = Planned::existing(&stored);
    let Ok(Verdict::Accept(delta)) = decide(&planned, &append("x", Some(stamp("r", 0)))) else {
        panic!("a third fits")
    };
    planned.grow(delta);
    let refused = decide(&planned, &append("x", Some(stamp("s", 0))));
    assert!(matches!(refused, Err(AppendError::TooManyProducers(3))), "{refused:?}");
}

#[test]
fn appends_to_one_stream_grow_into_one_delta() {
    let mut planned = Planned::existing(&stored());
    for payload in ["one", "", "two"] {
        let Ok(Verdict::Accept(delta)) = decide(&planned, &append(payload, None)) else { panic!("it is open") };
        planned.grow(delta);
    }
    assert_eq!(planned.delta.map(|delta| (delta.start, delta.payload)), Some((Offset::START, Bytes::new())));
    assert_eq!((joined(planned.payloads), planned.head.tail.get()), ("onetwo".into(), 6));
}

#[test]
fn transactions_beyond_a_limit_are_refused() {
    let many = vec![step("x"); TRANSACTION_STEPS_MAX];
    assert!(check(&many).is_ok());
    let more = [many, vec![step("x")]].concat();
    assert!(matches!(check(&more), Err(TransactionError::TooManySteps(_))));
    let large = Create { payload: vec![0; TRANSACTION_BYTES_MAX].into(), ..create() };
    assert!(matches!(check(&[Step::Create(large)]), Err(TransactionError::TooManyBytes(_))));
}

#[test]
fn a_fork_in_a_transaction_is_refused() {
    let fork = Create { fork: Some(ForkPoint { source: path(), offset: None, sub_offset: 0 }), ..create() };
    let refused = check(&[step("x"), Step::Create(fork)]);
    assert!(matches!(refused, Err(TransactionError::Step { index: 1, why: StepError::Fork })), "{refused:?}");
}
