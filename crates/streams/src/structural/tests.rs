use headwater_protocol::TtlSeconds;
use proptest::prelude::*;

use super::*;
use crate::head::Durability;
use bytes::Bytes;

fn path(name: &str) -> StreamPath {
    StreamPath::new(name).unwrap()
}

fn create() -> Create {
    Create {
        path: path("a"),
        content_type: None,
        lifetime: None,
        payload: Bytes::new(),
        closed: false,
        fork: None,
        durability: Durability::Durable,
    }
}

fn typed(name: &str) -> Create {
    Create { content_type: Some(ContentType::new(name).unwrap()), ..create() }
}

fn point(offset: Option<u64>, sub_offset: u64) -> ForkPoint {
    ForkPoint { source: path("source"), offset: offset.map(Offset::new), sub_offset }
}

fn forked(offset: Option<u64>, sub_offset: u64) -> Create {
    Create { fork: Some(point(offset, sub_offset)), ..create() }
}

fn stream(create: &Create) -> Head {
    new_head(StreamId(1), create, 0)
}

/// A fork as it was asked for, resolved to `at`.
fn fork(create: &Create, at: u64) -> Head {
    let wanted = create.fork.clone().unwrap();
    let origin = ForkOrigin {
        source: StreamId(9),
        source_path: wanted.source,
        requested_offset: wanted.offset,
        sub_offset: wanted.sub_offset,
        at: Offset::new(at),
    };
    Head { fork: Some(origin), ..stream(create) }
}

fn difference(head: &Head, create: &Create) -> Option<&'static str> {
    match check_same(head, create) {
        Ok(()) => None,
        Err(CreateError::Differs(what)) => Some(what),
        Err(other) => panic!("not a difference: {other:?}"),
    }
}

#[test]
fn no_type_means_octets_for_a_stream_and_the_sources_for_a_fork() {
    assert_eq!(difference(&stream(&create()), &typed("application/octet-stream")), None);
    assert_eq!(difference(&stream(&typed("application/octet-stream")), &create()), None);
    assert_eq!(difference(&stream(&typed("text/plain")), &create()), Some("content type"));
    assert_eq!(difference(&stream(&typed("text/plain")), &typed("TEXT/plain; charset=utf-8")), None);
    let text_fork = Head { content_type: ContentType::new("text/plain").unwrap(), ..fork(&forked(None, 0), 4) };
    assert_eq!(difference(&text_fork, &forked(None, 0)), None);
    let mistyped = Create { content_type: Some(ContentType::octet_stream()), ..forked(None, 0) };
    assert_eq!(difference(&text_fork, &mistyped), Some("content type"));
}

#[test]
fn no_lifetime_means_for_ever_for_a_stream_and_the_sources_for_a_fork() {
    let lives = |lifetime| Create { lifetime: Some(lifetime), ..create() };
    let (minute, hour) = (Lifetime::Sliding(TtlSeconds(60)), Lifetime::Sliding(TtlSeconds(3600)));
    assert_eq!(difference(&stream(&lives(minute)), &lives(minute)), None);
    assert_eq!(difference(&stream(&create()), &lives(Lifetime::Forever)), None);
    assert_eq!(difference(&stream(&lives(minute)), &create()), Some("lifetime"));
    assert_eq!(difference(&stream(&lives(minute)), &lives(hour)), Some("lifetime"));
    assert_eq!(difference(&stream(&lives(minute)), &lives(Lifetime::Until { at_ms: 60_000 })), Some("lifetime"));
    let inherited = Head { lifetime: minute, ..fork(&forked(None, 0), 4) };
    assert_eq!(difference(&inherited, &forked(None, 0)), None);
    let other = Create { lifetime: Some(hour), ..forked(None, 0) };
    assert_eq!(difference(&inherited, &other), Some("lifetime"));
}

#[test]
fn closure_is_compared_as_it_stands() {
    let closed = Create { closed: true, ..create() };
    assert_eq!(difference(&stream(&closed), &closed), None);
    assert_eq!(difference(&stream(&closed), &create()), Some("closure"));
    assert_eq!(difference(&stream(&create()), &closed), Some("closure"));
}

#[test]
fn first_content_is_not_compared() {
    assert_eq!(difference(&stream(&create()), &Create { payload: Bytes::from_static(b"x"), ..create() }), None);
}

#[test]
fn a_fork_is_the_same_only_from_the_same_point() {
    let at_tail = fork(&forked(None, 0), 4);
    assert_eq!(difference(&at_tail, &forked(None, 0)), None);
    assert_eq!(difference(&at_tail, &forked(Some(4), 0)), None, "the tail of that moment was 4");
    assert_eq!(difference(&at_tail, &forked(Some(3), 0)), Some("fork origin"));
    let inside = fork(&forked(Some(4), 2), 9);
    assert_eq!(difference(&inside, &forked(Some(4), 2)), None);
    for other in [forked(Some(4), 0), forked(Some(4), 1), forked(Some(9), 0), forked(Some(9), 2)] {
        assert_eq!(difference(&inside, &other), Some("fork origin"));
    }
    let elsewhere = Create { fork: Some(ForkPoint { source: path("other"), ..point(Some(4), 2) }), ..create() };
    assert_eq!(difference(&inside, &elsewhere), Some("fork origin"));
    assert_eq!(difference(&stream(&create()), &forked(None, 0)), Some("fork origin"));
    assert_eq!(difference(&at_tail, &create()), Some("fork origin"));
}

/// A chain of forks: each branches off the one before at `at` and then appends `own` bytes.
fn chain(links: &[(u64, u64)]) -> Vec<Head> {
    let root = Head { tail: Offset::new(10), ..stream(&create()) };
    let mut heads = vec![root];
    for (number, (at, own)) in links.iter().enumerate() {
        let source = heads.last().expect("the root");
        let at = Offset::new(at % (source.tail.get() + 1));
        let inherited = inherit(source, at).into();
        let next = Head {
            id: StreamId(number as u64 + 2),
            inherited,
            tail: at.advance(*own),
            ..fork(&forked(None, 0), at.get())
        };
        heads.push(next);
    }
    heads
}

/// Whose byte lies at `position` of the stream at the end of `heads`, the slow way: up the chain.
fn owner(heads: &[Head], position: u64) -> StreamId {
    let head = heads.last().expect("never past the root");
    if position >= head.own_from().get() { head.id } else { owner(&heads[..heads.len() - 1], position) }
}

proptest! {
    #[test]
    fn flat_spans_say_what_the_chain_says(links in prop::collection::vec((0_u64..40, 0_u64..6), 0..12)) {
        let heads = chain(&links);
        let head = heads.last().unwrap();
        let mut end = Offset::START;
        for span in head.inherited.iter() {
            prop_assert_eq!(span.from, end, "no holes");
            prop_assert!(span.from < span.to, "no empty spans");
            for position in span.from.get()..span.to.get() {
                prop_assert_eq!(span.source, owner(&heads, position));
            }
            end = span.to;
        }
        prop_assert_eq!(end, head.own_from(), "everything before the fork point");
    }
}
