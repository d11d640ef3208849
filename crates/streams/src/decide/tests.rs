use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_protocol::{ContentType, Lifetime, ProducerId, StreamPath, StreamSeq};
use proptest::prelude::*;

use super::*;
use crate::head::{Durability, StreamId, Version};

const NUMBER_MAX: u64 = (1 << 53) - 1;
const NOW_MS: u64 = 1_000;

fn head() -> Head {
    Head {
        id: StreamId(1),
        path: StreamPath::new("a").unwrap(),
        content_type: ContentType::new("text/plain").unwrap(),
        lifetime: Lifetime::Forever,
        durability: Durability::Durable,
        created_at_ms: 0,
        accessed_at_ms: 0,
        earliest: Offset::START,
        tail: Offset::new(10),
        closure: Closure::Open,
        stream_seq: None,
        producers: Default::default(),
        fork: None,
        inherited: std::sync::Arc::from([]),
        forks: 0,
        soft_deleted: false,
        version: Version(1),
    }
}

fn id() -> ProducerId {
    ProducerId::new("p").unwrap()
}

fn stamp(epoch: u64, seq: u64) -> ProducerStamp {
    ProducerStamp { id: id(), epoch: Epoch::new(epoch).unwrap(), seq: ProducerSeq::new(seq).unwrap() }
}

/// A stream on which producer `p` has got as far as `epoch` and `seq`.
fn known(epoch: u64, seq: u64) -> Head {
    let ProducerStamp { id, epoch, seq } = stamp(epoch, seq);
    Head { producers: [(id, ProducerState { epoch, seq })].into(), ..head() }
}

fn closed(head: Head, by: Option<ProducerStamp>) -> Head {
    Head { closure: Closure::Closed { by }, ..head }
}

fn append(payload: &'static str) -> Append {
    Append {
        path: StreamPath::new("a").unwrap(),
        content_type: Some(ContentType::new("text/plain").unwrap()),
        payload: Bytes::from_static(payload.as_bytes()),
        stream_seq: None,
        producer: None,
        close: false,
    }
}

fn produced(epoch: u64, seq: u64) -> Append {
    Append { producer: Some(stamp(epoch, seq)), ..append("x") }
}

fn marked(seq: &str) -> Append {
    Append { stream_seq: Some(StreamSeq::new(seq.as_bytes()).unwrap()), ..append("x") }
}

fn room(max: usize) -> ProducerRoom {
    ProducerRoom { max, others: 0 }
}

fn decide(head: &Head, append: &Append) -> Result<Verdict, AppendError> {
    decide_append(head, append, NOW_MS, room(2))
}

fn accepted(head: &Head, append: &Append) -> AppendDelta {
    match decide(head, append) {
        Ok(Verdict::Accept(delta)) => delta,
        other => panic!("expected to be accepted: {other:?}"),
    }
}

fn duplicate(head: &Head, append: &Append) -> Option<(u64, u64)> {
    match decide(head, append) {
        Ok(Verdict::Duplicate(highest)) => highest.map(|(epoch, seq)| (epoch.get(), seq.get())),
        other => panic!("expected a duplicate: {other:?}"),
    }
}

/// Short names of refusals, so that a table of them can be read.
fn refusal(head: &Head, append: &Append) -> String {
    match decide(head, append).expect_err("expected a refusal") {
        AppendError::Gone => "gone".into(),
        AppendError::Closed { tail } => format!("closed at {}", tail.get()),
        AppendError::ContentTypeDiffers(known) => format!("type is {known}"),
        AppendError::StreamSeqNotIncreasing => "stream-seq".into(),
        AppendError::Fenced { current } => format!("fenced by {}", current.get()),
        AppendError::EpochStart => "epoch start".into(),
        AppendError::Gap { expected, received } => format!("gap: {} not {}", expected.get(), received.get()),
        AppendError::TooManyProducers(max) => format!("{max} producers"),
        other => panic!("not a rule's refusal: {other:?}"),
    }
}

#[test]
fn an_accepted_append_starts_at_the_tail_and_carries_everything() {
    let request =
        Append { stream_seq: marked("7").stream_seq, producer: Some(stamp(3, 0)), close: true, ..append("payload") };
    let delta = accepted(&head(), &request);
    let closure = Some(Closure::Closed { by: Some(stamp(3, 0)) });
    let expected = AppendDelta {
        start: Offset::new(10),
        payload: Bytes::from_static(b"payload"),
        producers: vec![stamp(3, 0)],
        stream_seq: request.stream_seq,
        closure,
        trim_to: None,
        accessed_at_ms: NOW_MS,
    };
    assert_eq!(delta, expected);
}

#[test]
fn a_deleted_stream_is_gone_whatever_is_sent() {
    let deleted = Head { soft_deleted: true, ..closed(known(5, 5), None) };
    for request in [append("x"), produced(1, 0), produced(5, 5), Append { close: true, ..append("") }] {
        assert_eq!(refusal(&deleted, &request), "gone");
    }
}

#[test]
fn a_stale_producer_is_fenced_before_anything_else_is_looked_at() {
    let other_type = Append { content_type: Some(ContentType::octet_stream()), ..produced(4, 0) };
    for head in [known(5, 5), closed(known(5, 5), None), closed(known(5, 5), Some(stamp(4, 0)))] {
        assert_eq!(refusal(&head, &produced(4, 0)), "fenced by 5");
        assert_eq!(refusal(&head, &produced(4, NUMBER_MAX)), "fenced by 5");
        assert_eq!(refusal(&head, &other_type), "fenced by 5");
    }
}

#[test]
fn closure_comes_before_type_and_type_before_sequence() {
    let misfit = Append {
        content_type: Some(ContentType::octet_stream()),
        stream_seq: marked("1").stream_seq,
        ..produced(5, 9)
    };
    let marked_head = Head { stream_seq: marked("5").stream_seq, ..known(5, 5) };
    assert_eq!(refusal(&closed(marked_head.clone(), None), &misfit), "closed at 10");
    assert_eq!(refusal(&marked_head, &misfit), "type is text/plain");
    let typed = Append { content_type: append("").content_type, ..misfit };
    assert_eq!(refusal(&marked_head, &typed), "gap: 6 not 9");
    assert_eq!(refusal(&marked_head, &Append { producer: Some(stamp(5, 6)), ..typed }), "stream-seq");
}

#[test]
fn a_duplicate_is_recognised_before_its_stream_seq_could_refuse_it() {
    let head = Head { stream_seq: marked("5").stream_seq, ..known(5, 5) };
    let retry = Append { stream_seq: marked("5").stream_seq, ..produced(5, 5) };
    assert_eq!(duplicate(&head, &retry), Some((5, 5)));
}

#[test]
fn the_type_of_an_empty_body_does_not_matter() {
    for content_type in [None, Some(ContentType::octet_stream())] {
        let request = Append { content_type, close: true, ..append("") };
        assert_eq!(accepted(&head(), &request).closure, Some(Closure::Closed { by: None }));
    }
    assert_eq!(refusal(&head(), &Append { content_type: None, ..append("x") }), "type is text/plain");
    let spelled = Append { content_type: Some(ContentType::new("TEXT/Plain; charset=utf-8").unwrap()), ..append("x") };
    accepted(&head(), &spelled);
}

#[test]
fn a_producer_begins_at_zero_in_any_epoch() {
    for epoch in [0, 1, NUMBER_MAX] {
        accepted(&head(), &produced(epoch, 0));
        assert_eq!(refusal(&head(), &produced(epoch, 1)), "gap: 0 not 1");
    }
    for epoch in [6, NUMBER_MAX] {
        accepted(&known(5, 5), &produced(epoch, 0));
        assert_eq!(refusal(&known(5, 5), &produced(epoch, 6)), "epoch start");
    }
}

#[test]
fn within_an_epoch_requests_come_without_gaps_and_may_come_again() {
    for seq in 0..=5 {
        assert_eq!(duplicate(&known(5, 5), &produced(5, seq)), Some((5, 5)));
    }
    accepted(&known(5, 5), &produced(5, 6));
    assert_eq!(refusal(&known(5, 5), &produced(5, 7)), "gap: 6 not 7");
    assert_eq!(refusal(&known(5, 5), &produced(5, NUMBER_MAX)), format!("gap: 6 not {NUMBER_MAX}"));
}

#[test]
fn the_last_sequence_number_has_no_successor() {
    accepted(&known(0, NUMBER_MAX - 1), &produced(0, NUMBER_MAX));
    assert_eq!(duplicate(&known(0, NUMBER_MAX), &produced(0, NUMBER_MAX)), Some((0, NUMBER_MAX)));
    accepted(&known(NUMBER_MAX - 1, NUMBER_MAX), &produced(NUMBER_MAX, 0));
    assert_eq!(duplicate(&known(NUMBER_MAX, 0), &produced(NUMBER_MAX, 0)), Some((NUMBER_MAX, 0)));
}

#[test]
fn a_retry_that_adds_a_close_closes_nothing() {
    let retry = Append { close: true, ..produced(5, 5) };
    assert_eq!(duplicate(&known(5, 5), &retry), Some((5, 5)));
}

#[test]
fn stream_seq_must_grow_byte_by_byte() {
    let head = Head { stream_seq: marked("5").stream_seq, ..head() };
    for stale in ["5", "49", "10", "4"] {
        assert_eq!(refusal(&head, &marked(stale)), "stream-seq", "{stale}");
    }
    for fresh in ["50", "6", "a"] {
        accepted(&head, &marked(fresh));
    }
    assert_eq!(accepted(&head, &append("x")).stream_seq, None, "a request without one changes nothing");
}

#[test]
fn a_refused_stream_seq_leaves_the_producer_where_it_was() {
    let head = Head { stream_seq: marked("5").stream_seq, ..known(5, 5) };
    let stale = Append { stream_seq: marked("5").stream_seq, ..produced(5, 6) };
    assert_eq!(refusal(&head, &stale), "stream-seq");
}

#[test]
fn a_closed_stream_recognises_the_request_that_closed_it_and_no_other() {
    let closed_by_producer = closed(known(5, 5), Some(stamp(5, 5)));
    assert_eq!(duplicate(&closed_by_producer, &Append { close: true, ..produced(5, 5) }), Some((5, 5)));
    assert_eq!(duplicate(&closed_by_producer, &produced(5, 5)), Some((5, 5)));
    let other = ProducerStamp { id: ProducerId::new("q").unwrap(), ..stamp(5, 5) };
    for producer in [stamp(5, 4), stamp(5, 6), stamp(6, 0), other] {
        let request = Append { producer: Some(producer), close: true, ..append("") };
        assert_eq!(refusal(&closed_by_producer, &request), "closed at 10");
    }
}

#[test]
fn a_bare_close_of_a_closed_stream_is_done_already() {
    for by in [None, Some(stamp(5, 5))] {
        let head = closed(known(5, 5), by);
        assert_eq!(duplicate(&head, &Append { close: true, content_type: None, ..append("") }), None);
        assert_eq!(refusal(&head, &Append { close: true, ..append("x") }), "closed at 10");
        assert_eq!(refusal(&head, &append("x")), "closed at 10");
    }
    assert_eq!(refusal(&closed(known(5, 5), None), &produced(5, 5)), "closed at 10");
}

#[test]
fn a_full_stream_takes_no_new_producer_and_goes_on_with_the_known_ones() {
    let mut full = known(5, 5);
    let other = ProducerState { epoch: Epoch::ZERO, seq: ProducerSeq::ZERO };
    full.producers.insert(ProducerId::new("q").unwrap(), other);
    let newcomer = ProducerStamp { id: ProducerId::new("r").unwrap(), ..stamp(0, 0) };
    assert_eq!(refusal(&full, &Append { producer: Some(newcomer), ..append("x") }), "2 producers");
    accepted(&full, &produced(5, 6));
    accepted(&full, &produced(6, 0));
    accepted(&full, &append("x"));
}

fn any_request() -> impl Strategy<Value = (u8, u64, u64, bool)> {
    (0_u8..3, 0_u64..3, 0_u64..4, prop::bool::weighted(0.05))
}

proptest! {
    /// Whatever is sent, in whatever order and however often: what is accepted from a producer is 0, 1, 2 … of growing
    /// epochs, and repeating everything changes nothing.
    #[test]
    fn accepted_requests_of_a_producer_are_gapless(requests in prop::collection::vec(any_request(), 0..60)) {
        let mut head = head();
        let mut last: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
        for (producer, epoch, seq, close) in requests {
            let id = ProducerId::new(["p", "q", "r"][producer as usize]).unwrap();
            let request = Append { producer: Some(ProducerStamp { id, ..stamp(epoch, seq) }), close, ..append("x") };
            let tail = head.tail;
            if let Ok(Verdict::Accept(delta)) = decide_append(&head, &request, NOW_MS, room(3)) {
                let follows = match last.get(&producer) {
                    None => seq == 0,
                    Some((known, highest)) => (epoch == *known && seq == highest + 1) || (epoch > *known && seq == 0),
                };
                prop_assert!(follows, "{epoch}/{seq} after {:?}", last.get(&producer));
                prop_assert!(!head.is_closed());
                head.apply(&delta);
                last.insert(producer, (epoch, seq));
                prop_assert_eq!(head.tail, tail.advance(1));
                prop_assert!(matches!(decide_append(&head, &request, NOW_MS, room(3)), Ok(Verdict::Duplicate(Some(_)))));
            }
        }
    }
}
