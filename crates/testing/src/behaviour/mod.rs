//! What a stream is, as tests: one suite that every store runs under the engine.
//!
//! Each behaviour is a function of a [`Reopen`](crate::Reopen). [`behaviours!`](crate::behaviours) makes each one a
//! test of its own for a store.

pub mod append;
pub mod create;
pub mod documents;
pub mod eviction;
pub mod expiry;
pub mod failure;
pub mod follow;
pub mod forks;
pub mod read;
pub mod transact;

use headwater_streams::Create;

use crate::reopen::Reopen;
use crate::stage::{Stage, text};

/// Makes every behaviour a test over the [`Reopen`](crate::Reopen) that `$factory` evaluates to.
#[macro_export]
macro_rules! behaviours {
    ($factory:expr) => {
        $crate::behaviour_tests! { $factory;
            create:
                a_new_stream_is_empty_and_open,
                a_creation_brings_content_and_closure_in_one_step,
                the_same_creation_again_finds_the_stream,
                another_description_of_an_existing_stream_is_refused,
                a_deleted_stream_is_gone_and_its_path_free,
                a_stream_created_again_is_another_incarnation,
                unknown_streams_are_not_found,
                create_delete_and_create_in_one_batch_leave_the_last,
                listing_goes_in_path_order_from_a_prefix,;
            append:
                appends_come_back_in_order,
                many_appends_share_one_commit,
                large_and_small_payloads_mix,
                a_closed_stream_takes_nothing_and_says_where_it_ends,
                a_body_of_another_type_is_refused,
                stream_seq_must_grow_across_restarts,
                a_producers_retry_is_recognised_across_restarts,
                a_producers_requests_pass_in_one_batch,
                the_request_that_closed_a_stream_may_be_repeated,
                a_stream_remembers_so_many_producers_and_no_more,
                a_new_incarnation_knows_no_producers,;
            read:
                a_large_stream_comes_in_pages,
                pages_of_json_end_between_messages,
                a_message_longer_than_a_page_comes_whole,
                a_position_inside_a_json_message_is_refused,
                a_position_past_the_tail_is_refused,
                now_is_the_tail,
                any_range_reads_the_same_from_memory_and_from_the_store,
                trimmed_positions_are_refused_and_the_rest_stays,
                json_is_trimmed_between_messages,;
            follow:
                a_follower_catches_up_and_then_goes_live,
                an_append_wakes_every_waiting_follower,
                several_appends_join_into_one_batch,
                followers_at_the_tail_share_one_encoding,
                a_lagging_follower_reads_from_the_store,
                long_json_messages_reach_followers_whole,
                a_close_ends_the_stream_for_followers,
                a_bare_close_wakes_a_waiting_follower,
                a_delete_ends_followers_at_once,
                a_soft_delete_ends_followers_of_the_source_only,
                stopping_ends_followers_even_when_an_append_comes_last,
                the_last_handle_ends_followers,
                a_trim_overtakes_a_lagging_follower,
                live_readers_are_limited_per_stream_and_over_all,
                a_refused_follow_leaves_no_reader_behind,
                a_read_overtaken_by_a_delete_says_so,
                a_read_overtaken_by_a_trim_says_so,;
            forks:
                a_fork_shares_history_and_nothing_after_it,
                a_fork_takes_its_first_content_with_it,
                chains_of_forks_read_through,
                sub_offsets_count_messages_or_bytes,
                fork_points_outside_the_data_are_refused,
                the_same_fork_again_is_found_and_another_refused,
                a_fork_of_a_closed_stream_is_open,
                a_fork_inherits_lifetime_but_no_producers,
                a_source_with_forks_is_kept_for_them,
                the_last_fork_takes_the_deleted_chain_with_it,
                a_living_source_survives_its_forks,
                a_follower_of_a_fork_never_sees_the_source_go_on,
                a_fork_made_and_deleted_in_one_batch_leaves_no_trace,
                chains_too_deep_are_refused,;
            expiry:
                an_idle_stream_ends_when_its_time_is_over,
                reads_and_writes_slide_the_lifetime,
                a_look_at_the_metadata_does_not_slide_it,
                a_live_reader_keeps_a_sliding_stream_alive,
                what_a_live_reader_kept_alive_survives_a_crash,
                a_fixed_end_comes_whoever_reads,
                the_reaper_removes_what_has_ended,
                the_reaper_spares_what_was_read_since,
                an_unrecorded_read_does_not_end_a_stream_early_after_a_crash,
                restarts_do_not_keep_an_idle_stream_alive,
                an_expired_path_can_be_created_again,
                a_refused_fork_over_an_expired_fork_breaks_nothing,
                an_expired_source_is_kept_for_its_forks,
                lifetimes_at_the_ends_of_the_number_space_are_harmless,;
            eviction:
                an_evicted_stream_comes_back_as_it_was,
                a_followed_stream_stays_in_memory,
                a_stream_created_in_the_batch_of_a_sweep_is_not_lost,
                eviction_spares_no_lifetime_and_ends_none_early,
                an_idle_stream_ends_however_often_it_was_evicted,
                forks_and_sources_come_back_together,
                positions_hold_after_the_cache_forgot_them,;
            failure:
                a_failed_commit_is_never_seen,
                a_failed_creation_or_deletion_changes_nothing_for_readers,
                a_full_store_refuses_writes_and_loses_nothing,
                a_full_store_still_brings_streams_into_memory,
                too_many_waiting_requests_are_refused_as_overload,
                too_many_waiting_bytes_are_refused_as_overload,;
            documents:
                documents_are_written_together_and_found_by_prefix,
                one_key_twice_in_a_write_keeps_the_last,
                activity_tells_each_changed_stream_once,
                activity_waits_for_a_change,;
            transact:
                the_steps_of_a_transaction_happen_together,
                a_refused_step_leaves_everything_as_it_was,
                a_step_sees_what_the_ones_before_it_did,
                an_existing_stream_counts_as_created,
                an_expected_tail_guards_a_transaction,
                a_repeated_transaction_is_recognised_across_restarts,
                a_repeated_transaction_is_known_when_a_stream_has_ended_since,
                a_transaction_that_is_a_duplicate_in_part_is_refused,
                producers_are_limited_in_a_transaction_too,
                followers_and_activity_hear_of_every_stream_of_a_transaction,
                transactions_and_appends_share_a_batch,
                an_expired_stream_makes_way_in_a_transaction,
                ephemeral_streams_take_part_in_transactions,
                a_transaction_that_fails_to_commit_is_never_seen,
                a_transaction_of_too_many_steps_or_with_a_fork_is_refused,;
        }
    };
}

/// The tests themselves; see [`behaviours!`](crate::behaviours).
#[macro_export]
macro_rules! behaviour_tests {
    ($factory:expr; $($module:ident: $($name:ident),+ $(,)?;)+) => {
        $(mod $module {
            use super::*;

            $(#[tokio::test]
            async fn $name() {
                $crate::behaviour::$module::$name($factory).await;
            })+
        })+
    };
}

/// Expects an error of a shape, and prints what came instead.
macro_rules! assert_refused {
    ($outcome:expr, $refusal:pat $(if $guard:expr)?) => {
        match $outcome {
            Err($refusal) $(if $guard)? => {}
            other => panic!("expected a refusal like {}, got {other:?}", stringify!($refusal $(if $guard)?)),
        }
    };
}
use assert_refused;

fn closed_text(name: &str, payload: &'static str) -> Create {
    Create { payload: payload.into(), closed: true, ..text(name) }
}

/// Stops the committer inside a commit, so that everything submitted until the release becomes one batch.
async fn hold_committer<R: Reopen>(stage: &Stage<R>) {
    stage.faults.hold();
    let engine = stage.engine.clone();
    tokio::spawn(async move { engine.write_documents(Vec::new()).await.expect("an empty write succeeds") });
    crate::stage::within(stage.faults.commit_waits()).await;
}

#[cfg(test)]
mod tests {
    /// A behaviour that is written but not listed would never run.
    #[test]
    fn every_behaviour_is_listed() {
        let list = include_str!("mod.rs");
        let modules = [
            include_str!("create.rs"),
            include_str!("append.rs"),
            include_str!("read.rs"),
            include_str!("follow.rs"),
            include_str!("forks.rs"),
            include_str!("expiry.rs"),
            include_str!("eviction.rs"),
            include_str!("failure.rs"),
            include_str!("documents.rs"),
            include_str!("transact.rs"),
        ];
        for source in modules {
            for line in source.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
                let name = line.split(['<', '(']).next().unwrap();
                assert!(list.contains(&format!("                {name}")), "{name} is not listed");
            }
        }
    }
}
