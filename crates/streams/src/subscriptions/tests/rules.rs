//! Each rule of sections 6 and 7, one test.

use headwater_protocol::subscription::SubscriptionStatus;

use super::*;

const DONE_AT_5: &[(&str, u64)] = &[("events/a", 5)];

fn taken_webhook() -> Rules {
    let mut rules = Rules::webhook();
    assert!(rules.append("events/a", 5));
    rules.end_notice(1, NoticeOutcome::Taken);
    rules
}

fn claimed() -> (Rules, WakeRef) {
    let mut rules = Rules::pull_wake();
    rules.append("events/a", 5);
    rules.end_notice(1, NoticeOutcome::Taken);
    let wake = rules.claim("w1").unwrap();
    (rules, wake)
}

#[test]
fn pending_work_makes_one_wake_and_no_second_while_it_lasts() {
    let mut rules = Rules::webhook();
    assert!(rules.append("events/a", 5));
    assert!(!rules.append("events/a", 9), "a wake is in force already");
    assert!(!rules.append("events/b", 1));
    assert_eq!(rules.generation(), 1);
}

#[test]
fn a_stream_without_content_is_no_work() {
    let mut rules = Rules::webhook();
    assert!(!rules.append("events/a", 0));
    assert_eq!(rules.phase(), &Phase::Idle);
    assert!(rules.subscription.links().contains_key(&path("events/a")));
}

#[test]
fn a_synchronous_done_acks_what_the_notice_listed_and_wakes_again_for_the_rest() {
    let mut rules = Rules::webhook();
    rules.append("events/a", 5);
    rules.append("events/a", 9);
    let acks = vec![StreamAck { path: path("events/a"), offset: Offset::new(5) }];
    assert!(rules.end_notice(1, NoticeOutcome::Done { acks: acks.clone() }), "4 bytes came after the snapshot");
    assert_eq!((rules.acked("events/a"), rules.generation()), (5, 2));
    let acks = vec![StreamAck { offset: Offset::new(9), ..acks[0].clone() }];
    assert!(!rules.end_notice(2, NoticeOutcome::Done { acks }));
    assert_eq!(rules.phase(), &Phase::Idle);
}

#[test]
fn a_callback_acks_extends_the_lease_and_ends_it_with_done() {
    let mut rules = taken_webhook();
    let wake = rules.wake();
    rules.pass(TTL_MS - 1);
    assert_eq!(rules.ack(&wake, &[("events/a", 3)], false).unwrap(), Acked { next_wake: false });
    rules.pass(TTL_MS - 1);
    assert_eq!(rules.generation(), 1, "the callback has extended the lease");
    assert_eq!(rules.ack(&wake, DONE_AT_5, true).unwrap(), Acked { next_wake: false });
    assert_eq!(rules.phase(), &Phase::Idle);
    assert!(matches!(rules.ack(&wake, DONE_AT_5, true), Err(AckError::Fenced)));
}

#[test]
fn done_with_work_left_makes_the_next_wake() {
    let mut rules = taken_webhook();
    let wake = rules.wake();
    assert_eq!(rules.ack(&wake, &[("events/a", 4)], true).unwrap(), Acked { next_wake: true });
    assert_eq!(rules.generation(), 2);
    assert_ne!(rules.wake().wake_id, wake.wake_id);
}

#[test]
fn stale_wakes_are_fenced_and_move_nothing() {
    let (mut rules, wake) = claimed();
    for stale in stale(&wake) {
        assert!(matches!(rules.ack(&stale, DONE_AT_5, true), Err(AckError::Fenced)));
        assert!(matches!(rules.release(&stale), Err(AckError::Fenced)));
        let request = ack_request(&wake, DONE_AT_5, true);
        let answer = rules.round(|draft| draft.ack(&stale, &request)).0;
        assert!(matches!(answer, Err(AckError::Fenced)), "the token counts as much as the body");
    }
    assert_eq!(rules.acked("events/a"), 0);
    assert!(rules.ack(&wake, DONE_AT_5, true).is_ok());
}

#[test]
fn acks_that_go_back_pass_the_tail_or_name_a_stranger_change_nothing() {
    let (mut rules, wake) = claimed();
    rules.ack(&wake, &[("events/a", 3)], false).unwrap();
    let refused = |rules: &mut Rules, acks: &[(&str, u64)]| rules.ack(&wake, acks, true).unwrap_err();
    assert!(matches!(refused(&mut rules, &[("events/a", 2)]), AckError::Backwards { .. }));
    assert!(matches!(refused(&mut rules, &[("events/a", 6)]), AckError::BeyondTail { .. }));
    assert!(matches!(refused(&mut rules, &[("events/a", 5), ("other", 0)]), AckError::NotLinked(_)));
    for offset in ["-1", "now", "5", ""] {
        let mut request = ack_request(&wake, &[("events/a", 5)], true);
        request.acks[0].offset = offset.into();
        let answer = rules.round(|draft| draft.ack(&wake, &request)).0;
        assert!(matches!(answer, Err(AckError::Invalid(_))), "{offset:?}");
    }
    assert_eq!(rules.acked("events/a"), 3);
    assert!(matches!(rules.phase(), Phase::Claimed { .. }));
    assert!(rules.ack(&wake, &[("events/a", 3)], false).is_ok(), "the same position again is fine");
}

#[test]
fn a_webhook_lease_starts_with_the_notice_and_its_end_wakes_again() {
    let mut rules = taken_webhook();
    let wake = rules.wake();
    assert!(!rules.pass(TTL_MS - 1));
    assert!(rules.pass(1));
    assert_eq!(rules.generation(), 2);
    assert!(matches!(rules.ack(&wake, DONE_AT_5, true), Err(AckError::Fenced)));
}

#[test]
fn a_lease_that_ended_unseen_is_fenced_too() {
    let (mut rules, wake) = claimed();
    rules.now_ms += TTL_MS;
    assert!(matches!(rules.ack(&wake, DONE_AT_5, true), Err(AckError::Fenced)));
    let (mut rules, _) = claimed();
    rules.now_ms += TTL_MS;
    assert_eq!(rules.claim("w2").unwrap().generation.0, 2, "an expired lease stands in nobody's way");
}

#[test]
fn a_pull_wake_waits_for_its_claim_as_long_as_it_takes() {
    let mut rules = Rules::pull_wake();
    assert!(rules.append("events/a", 5));
    rules.end_notice(1, NoticeOutcome::Taken);
    assert!(!rules.pass(100 * TTL_MS));
    let wake = rules.claim("w1").unwrap();
    assert_eq!(wake.generation.0, 1, "the claim takes the wake on offer");
    assert!(!rules.pass(TTL_MS - 1));
    assert!(rules.pass(1), "the lease started at the claim");
    assert_eq!(rules.generation(), 2);
}

#[test]
fn a_claim_needs_work_and_a_free_lease() {
    let mut rules = Rules::pull_wake();
    assert!(matches!(rules.claim("w1"), Err(ClaimError::NoPendingWork)));
    rules.append("events/a", 5);
    rules.claim("w1").unwrap();
    match rules.claim("w2") {
        Err(ClaimError::AlreadyClaimed { holder, generation }) => {
            assert_eq!((holder.as_str(), generation.0), ("w1", 1));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(Rules::webhook().claim("w1"), Err(ClaimError::NotPullWake)));
}

#[test]
fn a_claim_before_the_wake_is_announced_needs_no_announcement() {
    let mut rules = Rules::pull_wake();
    rules.append("events/a", 5);
    let wake = rules.claim("w1").unwrap();
    rules.end_notice(1, NoticeOutcome::Failed);
    assert!(matches!(rules.phase(), Phase::Claimed { .. }));
    assert_eq!(rules.subscription.status(), SubscriptionStatus::Active);
    assert!(!rules.ack(&wake, DONE_AT_5, true).unwrap().next_wake);
}

#[test]
fn a_release_wakes_again_while_work_remains() {
    let (mut rules, wake) = claimed();
    rules.release(&wake).unwrap();
    assert_eq!(rules.generation(), 2);
    assert!(matches!(rules.phase(), Phase::Notifying { .. }));
    assert_eq!(rules.attempts, 2);
    assert!(matches!(rules.release(&wake), Err(AckError::Fenced)));
}

#[test]
fn failed_notices_are_tried_again_after_a_doubling_wait() {
    let mut rules = Rules::pull_wake();
    rules.append("events/a", 5);
    for expected_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
        let attempt = rules.attempts;
        assert!(!rules.end_notice(attempt, NoticeOutcome::Failed));
        assert_eq!(rules.subscription.status(), SubscriptionStatus::Failed);
        let wait_ms = rules.subscription.deadline_ms().unwrap() - rules.now_ms;
        assert!(wait_ms >= expected_ms * 8 / 10 && wait_ms <= expected_ms * 12 / 10, "{wait_ms} for {expected_ms}");
        assert!(!rules.pass(wait_ms - 1));
        assert!(rules.pass(1));
        assert_eq!(rules.generation(), 1, "it is the same wake that is announced again");
    }
    rules.end_notice(rules.attempts, NoticeOutcome::Taken);
    assert_eq!(rules.subscription.status(), SubscriptionStatus::Active);
}

#[test]
fn a_new_wake_does_not_hurry_past_a_failed_one() {
    let mut rules = Rules::webhook();
    rules.append("events/a", 5);
    // Five failures: the next wait is longer than the lease.
    for _ in 0..5 {
        let attempt = rules.attempts;
        rules.end_notice(attempt, NoticeOutcome::Failed);
        let wait_ms = rules.subscription.control().backoff.next_attempt_at_ms.unwrap() - rules.now_ms;
        let ttl_ms = TTL_MS.min(wait_ms - 1);
        assert!(!rules.pass(ttl_ms), "the lease ends, but the wait does not");
        assert!(rules.pass(wait_ms - ttl_ms));
    }
    assert!(rules.generation() > 1, "a lease that ended is fenced");
}

#[test]
fn a_notice_that_nobody_answers_for_a_whole_lease_has_failed() {
    let mut rules = Rules::webhook();
    rules.append("events/a", 5);
    assert!(!rules.pass(TTL_MS));
    assert_eq!(rules.phase(), &Phase::Idle);
    assert_eq!(rules.subscription.status(), SubscriptionStatus::Failed);
    assert!(!rules.end_notice(1, NoticeOutcome::Taken), "its answer comes too late");
    assert!(rules.pass(2 * TTL_MS));
    assert_eq!(rules.generation(), 2);
}

#[test]
fn a_callback_proves_that_the_notice_arrived() {
    let mut rules = Rules::webhook();
    rules.append("events/a", 5);
    let wake = rules.wake();
    rules.ack(&wake, &[], false).unwrap();
    rules.end_notice(1, NoticeOutcome::Failed);
    assert_eq!(rules.subscription.status(), SubscriptionStatus::Active);
    assert!(rules.ack(&wake, DONE_AT_5, true).is_ok());
}

#[test]
fn work_that_vanishes_withdraws_a_wake_that_nobody_heard_of() {
    let mut rules = Rules::pull_wake();
    rules.append("events/a", 5);
    rules.end_notice(1, NoticeOutcome::Failed);
    rules.round(|draft| draft.unlink(&path("events/a")));
    assert!(!rules.pass(10_000));
    assert_eq!((rules.phase(), rules.subscription.status()), (&Phase::Idle, SubscriptionStatus::Active));
}

#[test]
fn a_subscription_never_follows_its_own_wake_stream() {
    let mut rules = Rules::pull_wake();
    assert!(!rules.append("events/wake", 100));
    assert!(rules.subscription.links().is_empty());
}

#[test]
fn explicit_links_stand_in_front_of_the_pattern_and_leave_it_when_removed() {
    let mut rules = Rules::webhook();
    rules.append("events/a", 5);
    let stream = path("events/a");
    rules.round(|draft| draft.link_explicit(&stream, Some(Offset::new(5))));
    assert_eq!(
        rules.subscription.links()[&stream],
        Link { explicit: true, acked: Offset::START, tail: Some(Offset::new(5)) }
    );
    rules.round(|draft| draft.unlink_explicit(&stream));
    assert!(!rules.subscription.links()[&stream].explicit, "the pattern still matches");
    rules.round(|draft| draft.unlink_explicit(&stream));
    assert!(rules.subscription.links().contains_key(&stream), "removing what is absent changes nothing");

    let other = path("elsewhere");
    rules.round(|draft| draft.link_explicit(&other, Some(Offset::new(7))));
    assert_eq!(rules.acked("elsewhere"), 7, "from the tail");
    rules.round(|draft| draft.unlink_explicit(&other));
    assert!(!rules.subscription.links().contains_key(&other));
}

#[test]
fn a_removed_stream_drops_its_link_and_a_new_one_starts_afresh() {
    let mut rules = Rules::webhook();
    rules.append("events/a", 5);
    rules.end_notice(
        1,
        NoticeOutcome::Done { acks: vec![StreamAck { path: path("events/a"), offset: Offset::new(5) }] },
    );
    rules.round(|draft| draft.link_new(&path("events/a"), Offset::START, Offset::new(2)));
    assert_eq!(rules.acked("events/a"), 0, "another stream of that name");
    assert_eq!(rules.generation(), 2);
    rules.round(|draft| draft.unlink(&path("events/a")));
    assert!(rules.subscription.links().is_empty() && rules.subscription.pending().is_empty());
}

#[test]
fn a_wake_lists_every_stream_of_few_and_the_pending_ones_of_many() {
    let mut rules = Rules::webhook();
    rules.append("events/b", 0);
    rules.append("events/a", 5);
    let listed: Vec<_> = rules.subscription.snapshot().into_iter().map(|stream| stream.has_pending).collect();
    assert_eq!(listed, [true, false]);
    for n in 0..limits::WAKE_STREAMS_MAX {
        rules.append(&format!("events/{n:05}"), 0);
    }
    let listed = rules.subscription.snapshot();
    assert_eq!((listed.len(), listed[0].path.as_str()), (1, "events/a"));
}
