//! One conformance suite for both stores: every case runs over SQLite and
//! over Redis — a server, a server with several shards, and a cluster — each
//! time on a fresh database of its own, under a clock that only the case moves.
//! A behaviour that the stores do not share is a fault in one of them, never a
//! special case in here.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a case that cannot go on has failed"
)]

mod api_keys;
mod cache;
mod cancel;
mod claim;
mod complete;
mod crashes;
mod enqueue;
mod fairness;
mod idempotency;
mod large_jobs;
mod leases;
mod limits;
mod lost_answers;
mod model_check;
mod operators;
mod read;
mod reporting;
mod retention;
mod retry;
mod uploads;
mod waking;
mod webhooks;
mod webhooks_breaker;
mod webhooks_claims;
mod webhooks_endpoints;
mod webhooks_ends;
mod webhooks_fairness;
mod webhooks_log;
mod world;

/// Makes each case a test of its own over each backend.
macro_rules! conformance {
    ($($topic:ident { $($case:ident,)+ })+) => {
        over!(sqlite Sqlite $($topic { $($case)+ })+);
        over!(redis Redis $($topic { $($case)+ })+);
        over!(redis_shards RedisShards $($topic { $($case)+ })+);
        over!(redis_cluster RedisCluster $($topic { $($case)+ })+);
    };
}

/// The same for cases that look inside one shard: a store of several promises
/// there only which job goes before which, and which answer before which.
macro_rules! inside_a_shard {
    ($($topic:ident { $($case:ident,)+ })+) => {
        over!(sqlite_alone Sqlite $($topic { $($case)+ })+);
        over!(redis_alone Redis $($topic { $($case)+ })+);
    };
}

macro_rules! over {
    ($name:ident $backend:ident $($topic:ident { $($case:ident)+ })+) => {
        mod $name {
            $(mod $topic { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let world = crate::world::World::over(crate::world::Over::$backend).await;
                    if let Some(world) = world {
                        crate::$topic::$case(&world).await;
                    }
                }
            )+ })+
        }
    };
}

conformance! {
    enqueue {
        a_job_is_found_as_it_was_submitted,
        a_job_is_found_as_its_submission_was_answered,
        the_same_id_again_replays_and_writes_nothing,
        the_same_id_replays_even_when_the_job_has_ended,
        the_same_id_from_eight_at_once_makes_one_job,
        over_the_limit_is_full_and_nothing_is_written,
        a_full_store_takes_jobs_again_once_items_have_ended,
        a_replay_is_recognised_even_when_the_store_is_full,
        metadata_comes_back_as_it_went_in,
        sources_reach_the_worker_byte_for_byte,
        two_hundred_items_go_in_one_step,
        no_item_or_too_many_are_invalid,
    }
    uploads {
        bytes_and_job_come_together,
        a_mebibyte_of_two_hundred_images_comes_in_one_step,
        a_refused_job_leaves_no_bytes,
        a_replayed_job_keeps_the_bytes_that_it_has,
        a_repeated_request_leaves_no_bytes,
        bytes_that_came_with_a_job_count_until_their_items_end,
        other_bytes_than_an_item_has_are_invalid,
        uploads_come_with_their_items_where_they_are_asked_for,
        a_claim_brings_no_more_than_a_mebibyte,
        the_end_of_an_item_takes_its_bytes_but_not_of_a_dead_letter,
    }
    large_jobs {
        an_open_job_is_seen_by_nobody_until_it_is_sealed,
        appending_the_same_place_again_changes_nothing,
        appending_past_the_total_is_invalid,
        only_an_open_job_can_be_appended_to,
        a_job_with_items_missing_cannot_be_sealed,
        sealing_again_is_harmless,
        opening_again_replays,
        submitting_a_large_job_again_at_any_point_completes_it_once,
        a_large_job_submitted_again_after_it_was_sealed_replays,
        an_open_job_counts_against_the_limit,
        a_job_never_sealed_is_aborted_after_ten_minutes,
        a_sealed_job_is_not_aborted,
    }
    claim {
        an_empty_store_has_nothing_to_hand_out,
        a_claimed_item_carries_all_that_a_worker_needs,
        the_first_claim_starts_the_job,
        no_more_than_max_are_handed_out,
        each_model_has_its_own_work,
        every_claim_has_a_token_of_its_own,
        sixteen_claimers_share_five_thousand_items_without_overlap,
        a_delayed_item_comes_when_due_and_not_before,
        items_delayed_into_the_future_do_not_hide_ready_ones,
        many_items_due_at_once_all_come,
    }
    leases {
        a_lease_holds_until_its_time_is_up,
        extending_keeps_the_items,
        extending_what_is_not_held_says_lost,
        a_forged_extension_does_not_prolong_the_lease,
        an_expired_lease_that_nobody_reaped_still_counts,
        a_crash_in_one_model_does_not_stop_another,
        releasing_gives_the_attempt_back,
        releasing_clears_solo,
        releasing_what_is_not_held_changes_nothing,
        a_lease_far_in_the_future_is_taken_back,
        reaping_and_recording_at_once_have_one_winner,
    }
    crashes {
        the_second_crash_alone_makes_a_dead_letter,
        an_item_survives_its_crash_budget_and_no_more,
        a_crash_at_the_last_attempt_makes_a_dead_letter,
        a_crash_is_counted_as_an_attempt,
        one_bad_item_does_not_take_its_batch_down,
        reaping_takes_no_more_than_its_limit,
        an_item_of_a_canceled_job_ends_canceled_when_its_worker_dies,
    }
    complete {
        an_outcome_is_kept_as_it_was_recorded,
        recording_again_says_gone_and_keeps_the_first,
        a_forged_token_is_fenced,
        an_item_that_nobody_holds_is_fenced,
        an_item_of_no_job_is_gone,
        the_one_who_lost_the_item_is_fenced_and_the_new_holder_records,
        one_who_released_the_item_is_fenced,
        the_last_item_ends_the_job,
        the_outcomes_decide_the_status,
        a_batch_is_answered_in_its_order,
        a_large_batch_is_recorded_whole,
        an_outcome_may_be_as_large_as_the_limit_and_no_larger,
    }
    retry {
        an_item_tried_again_keeps_its_attempts_and_its_job_open,
        without_delay_it_is_ready_at_once,
        spent_attempts_make_a_dead_letter,
        a_single_attempt_is_spent_at_once,
        an_item_of_a_canceled_job_is_not_tried_again,
        one_who_does_not_hold_the_item_is_fenced,
        asking_again_for_the_same_retry_does_not_move_the_delay,
    }
    cancel {
        a_queued_job_ends_at_once,
        delayed_and_solo_items_end_too,
        running_items_learn_it_when_they_extend,
        an_item_that_finishes_first_keeps_its_result,
        an_item_given_back_to_a_canceled_job_ends,
        ten_thousand_items_are_canceled_in_one_call,
        canceling_again_says_the_same,
        a_job_that_has_ended_stays_as_it_ended,
        only_the_tenant_may_cancel,
    }
    read {
        no_tenant_sees_another_ones_jobs,
        jobs_are_listed_newest_first,
        pages_neither_repeat_nor_skip_while_jobs_arrive,
        the_last_page_has_no_next,
        jobs_are_listed_by_status_and_model,
        results_are_read_by_place,
        an_ended_job_is_found_with_its_results,
        the_results_of_a_large_job_come_in_order,
        every_visible_change_raises_the_version,
        what_changes_nothing_leaves_the_version,
    }
    retention {
        a_job_is_forgotten_when_its_retention_is_over,
        a_job_that_has_not_ended_is_never_forgotten,
        each_job_has_its_own_retention,
        sweeping_takes_no_more_than_its_limit,
        a_job_is_deleted_on_request,
        a_job_deleted_while_it_runs_is_lost_to_its_workers,
    }
    idempotency {
        a_key_again_repeats_the_first_job_and_writes_nothing,
        a_job_whose_id_is_not_for_its_key_is_invalid,
        a_key_for_another_request_is_refused,
        a_key_is_one_tenants_own,
        a_key_is_forgotten_when_its_time_is_over,
        a_key_outlives_its_job,
        a_key_from_eight_at_once_makes_one_job,
        a_repeated_key_is_recognised_when_nothing_is_taken_in,
        a_refused_job_leaves_its_key_free,
        the_submitter_itself_may_repeat_its_call,
        a_key_of_a_large_job_waits_until_it_is_sealed,
        a_large_job_that_was_aborted_frees_its_key,
        keys_leave_nothing_behind,
    }
    limits {
        a_bucket_gives_its_quota_at_once_and_fills_evenly,
        a_bucket_is_shared_by_every_handle,
        buckets_do_not_touch_each_other,
        forty_at_once_take_no_more_than_the_quota,
        what_is_full_of_one_tenant_is_not_of_another,
        waiting_bytes_are_counted_until_their_items_end,
        bytes_of_large_jobs_are_counted_too,
        bytes_leave_with_a_job_that_is_deleted_aborted_or_canceled,
        a_full_store_says_when_there_will_be_room,
        a_closed_intake_takes_nothing_and_ends_what_it_has,
        a_paused_queue_hands_nothing_out_until_it_is_resumed,
        switches_are_seen_by_every_handle,
        what_would_be_refused_is_told_before,
    }
    reporting {
        a_job_is_counted_once_when_its_last_item_is_recorded,
        a_canceled_job_is_counted,
        a_job_that_the_reaper_ends_is_counted,
        a_canceled_job_whose_last_item_is_handed_back_is_counted,
    }
    waking {
        new_work_wakes_a_worker,
        new_work_wakes_a_worker_of_another_process,
        waiting_for_work_ends_at_its_timeout,
        a_change_wakes_its_reader,
        a_change_wakes_its_reader_in_another_process,
        each_kind_of_change_wakes,
        a_quiet_job_wakes_at_the_timeout,
        a_jobs_end_wakes_a_sender,
        a_jobs_end_wakes_a_sender_of_another_process,
        waiting_for_deliveries_ends_at_its_timeout,
    }
    webhooks_ends {
        a_job_that_nobody_asked_about_is_told_nobody,
        a_job_that_has_not_ended_is_not_told,
        recording_the_last_item_tells_how_the_job_ended,
        a_dead_letter_tells,
        a_reaped_item_tells,
        canceling_what_waits_tells_once,
        canceling_a_large_job_tells_once,
        the_last_running_item_of_a_canceled_job_tells,
        a_deleted_job_is_not_told,
        each_endpoint_and_the_callback_are_told,
        an_endpoint_is_told_only_what_it_wants,
        a_disabled_endpoint_is_not_told,
        another_tenants_endpoint_is_not_told,
        what_is_told_outlives_the_job,
    }
    webhooks_claims {
        nothing_is_due_in_an_empty_store,
        a_claimed_delivery_carries_all_that_a_sender_needs,
        a_secret_signs_until_it_expires,
        a_held_delivery_is_handed_to_nobody_else,
        a_dead_senders_delivery_comes_back_with_the_same_id,
        a_late_outcome_counts_unless_another_has_claimed,
        settling_again_says_the_same_and_changes_nothing,
        a_forged_token_changes_nothing,
        a_released_delivery_is_due_at_once_and_its_attempt_not_counted,
        a_delivery_is_tried_again_when_due_and_not_before,
        senders_together_hold_no_more_of_a_lane_than_its_cap,
        a_full_lane_takes_what_ends_while_it_is_full,
        tenants_have_lanes_of_their_own,
        the_longest_due_goes_first,
        lanes_take_turns,
        a_clock_that_was_set_back_holds_up_nothing_new,
        a_lane_of_two_thousand_starves_no_other,
        senders_at_once_share_without_overlap,
    }
    webhooks_fairness {
        senders_together_hold_no_more_of_a_tenant_than_its_share,
        tenants_take_turns_however_many_receivers_they_have,
        a_claim_gives_to_each_tenant_before_it_gives_one_more,
        a_tenant_of_three_hundred_hanging_receivers_delays_no_other,
        what_ends_while_its_tenant_has_its_share_goes_out_after_it,
        what_is_still_to_be_told_is_counted,
        what_no_sender_claims_is_overdue,
    }
    webhooks_breaker {
        a_lane_that_fails_five_times_rests,
        a_success_between_failures_starts_the_count_anew,
        each_failed_try_doubles_the_rest_up_to_the_longest,
        a_try_that_succeeds_closes_the_breaker,
        a_try_whose_sender_dies_is_made_by_another,
        failures_that_were_under_way_do_not_prolong_the_rest,
        a_success_that_was_under_way_ends_the_rest,
        a_lane_that_rests_holds_up_no_other,
        what_comes_while_a_lane_rests_waits_too,
        an_endpoint_that_fails_for_five_days_is_disabled,
        a_success_within_the_five_days_keeps_an_endpoint,
        a_few_failures_far_apart_disable_nothing,
        an_endpoint_that_is_gone_is_disabled,
        a_callback_that_is_gone_stops_no_other,
        callbacks_are_never_disabled,
    }
    webhooks_endpoints {
        an_endpoint_is_found_as_it_was_registered,
        an_endpoint_is_changed_by_who_has_seen_it_last,
        the_same_change_again_is_harmless,
        changes_at_once_have_one_winner,
        a_removed_endpoint_is_gone,
        no_tenant_sees_or_touches_anothers_endpoint,
        a_tenant_has_fifty_endpoints_and_its_callbacks,
        every_endpoint_but_that_of_callbacks_has_a_url,
        removing_an_endpoint_gives_up_what_is_pending,
        what_is_held_when_its_endpoint_goes_is_not_tried_again,
        what_is_not_due_waits_for_a_disabled_endpoint,
        what_comes_due_for_a_disabled_endpoint_is_given_up,
        a_disabled_endpoint_holds_up_no_other,
        a_changed_url_is_where_pending_deliveries_go,
        changing_an_endpoint_ends_its_rest,
        callbacks_need_what_signs_them,
    }
    webhooks_log {
        a_delivery_is_read_as_it_stands,
        the_last_twenty_attempts_are_kept,
        no_tenant_sees_or_replays_anothers_delivery,
        deliveries_are_listed_newest_first,
        deliveries_of_one_job_have_an_order_too,
        deliveries_are_listed_by_endpoint_job_and_status,
        a_long_log_is_filtered_in_bounded_pages,
        a_delivered_one_is_sent_again_on_request,
        a_failed_one_starts_its_schedule_anew,
        one_that_waits_is_sent_at_once_on_request,
        one_that_is_held_is_left_to_its_sender,
        a_delivery_is_forgotten_seven_days_after_its_end,
    }
    api_keys {
        a_key_is_found_as_it_was_made,
        what_a_key_lacks_stays_lacking,
        the_same_key_again_changes_nothing_and_another_of_its_id_is_invalid,
        keys_are_listed_from_the_oldest_to_the_newest,
        a_thousand_keys_are_all_listed,
        a_revoked_key_is_revoked_for_good,
        keys_that_ended_long_ago_are_purged_and_no_others,
        a_purge_goes_through_all_keys,
        a_key_expires_when_its_lifetime_is_over,
        the_last_use_is_known_to_the_day,
    }
    cache {
        an_answer_is_found_under_its_key_and_no_other,
        an_answer_is_seen_by_every_handle,
        a_later_answer_takes_the_place_of_an_earlier,
        an_answer_is_forgotten_when_its_time_is_over,
        no_more_answers_are_kept_than_the_limit,
        too_many_or_too_large_an_answer_is_invalid,
        a_job_counts_the_answers_that_were_there_already,
    }
    operators {
        announced_models_are_listed_by_name,
        a_heartbeat_keeps_a_worker_and_silence_loses_it,
        a_retired_worker_serves_nothing,
        a_worker_that_announces_anew_serves_the_new_models_only,
        a_model_is_forgotten_when_the_last_that_serves_it_withdraws_it,
        a_worker_that_is_silent_does_not_keep_a_model_that_was_withdrawn,
        a_model_is_forgotten_seven_days_after_its_last_worker,
        an_item_that_waits_alone_is_counted_as_ready,
        an_empty_store_counts_nothing,
        the_newest_dead_letters_come_first,
        existing_jobs_are_told_from_others,
        a_sound_store_passes_its_check,
        another_handle_sees_the_same_store,
    }
}

inside_a_shard! {
    claim {
        items_of_a_tenant_come_in_the_order_submitted,
    }
    leases {
        an_item_that_took_a_worker_down_comes_alone,
    }
    retention {
        a_forgotten_job_leaves_nothing_but_a_tombstone,
    }
    webhooks_log {
        forgotten_deliveries_leave_nothing,
    }
    cache {
        the_oldest_answers_go_when_there_are_too_many,
        a_lower_limit_is_come_down_to_step_by_step,
    }
    operators {
        the_counts_are_those_of_a_recount,
    }
    fairness {
        bands_are_strict_but_every_eighth_claim_is_reversed,
        a_claim_with_room_goes_on_to_the_next_band,
        one_item_does_not_wait_behind_two_thousand_of_another_tenant,
        tenants_of_equal_weight_share_equally,
        a_tenant_with_weight_three_gets_three_shares,
        an_idle_tenant_saves_up_no_credit,
        a_busy_tenant_pays_no_debt_when_it_comes_again,
        a_flood_in_one_model_delays_no_other,
    }
}
