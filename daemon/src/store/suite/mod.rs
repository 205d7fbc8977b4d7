//! What every database must do. The daemon's unit tests run it on SQLite, the tests crate includes
//! these files and runs them on PostgreSQL: so nothing here knows which one it is.

pub mod access;
pub mod audit;
pub mod claims;
pub mod fixtures;
pub mod journal;
pub mod notices;
pub mod orders;
pub mod records;
pub mod tickets;
pub mod transactions;

/// How a test ends: errors say enough by themselves.
pub type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Makes a test of every function of the suite: `place` gives an empty database, and keeps it for as
/// long as the value lives.
#[macro_export]
macro_rules! store_suite {
    ($suite:path, $place:path) => {
        $crate::store_suite! { @ $suite, $place;
            transactions: eight_writers_lose_nothing,
                two_daemons_lose_nothing,
                a_transaction_that_is_dropped_leaves_nothing,
                a_reopened_database_is_as_it_was,
                a_database_of_a_later_release_is_refused,
                a_scratch_copy_is_independent,
                a_reader_migrates_and_changes_nothing;
            claims: several_claimers_never_claim_a_step_twice,
                a_step_waits_for_lower_ranks_of_its_case_and_connector,
                a_hold_keeps_deletions_from_being_claimed,
                mail_sessions_are_ended_only_once_the_account_is_shut,
                deletions_need_permission_an_open_case_and_a_disabled_account,
                a_rehired_person_is_left_alone,
                only_open_departures_are_carried_out,
                a_disabling_that_failed_keeps_the_deletions_of_its_case,
                a_lease_that_ran_out_is_taken_over_and_the_old_owner_is_fenced_off,
                a_restarted_daemon_takes_its_own_leases_back,
                an_extended_lease_is_not_taken_over,
                only_passed_and_released_plans_are_carried_out,
                a_release_expires_unless_it_was_used,
                a_release_by_which_somebody_was_asked_is_used,
                dates_and_retries_are_waited_for,
                what_waits_goes_on_when_the_clock_is_set_back,
                dismissals_come_first_and_groups_together,
                ten_thousand_steps_take_seconds;
            orders: a_hold_on_a_population_keeps_everyone_whom_it_describes,
                a_hold_on_a_population_keeps_whom_nothing_is_known_of,
                who_moved_elsewhere_stays_under_the_hold,
                a_hold_that_this_release_does_not_know_keeps_everyone,
                a_hold_placed_just_before_the_act_stops_it,
                orders_that_cant_be_read_stop_deletions_and_nothing_else,
                a_mailbox_that_somebody_reads_is_not_deleted,
                a_mailbox_of_which_content_is_asked_for_is_not_deleted,
                a_home_waits_until_its_copy_was_read_back,
                what_is_no_longer_wished_is_not_begun,
                facts_of_before_the_upgrade_are_known;
            journal: adding_steps_again_leaves_what_is_under_way,
                a_deletion_that_was_done_is_not_planned_again,
                a_step_of_a_replaced_plan_comes_over_to_the_new_one,
                a_date_moves_later_but_never_earlier,
                a_step_that_drifted_is_planned_again,
                steps_are_found_by_every_filter,
                read_back_is_due_at_once_and_on_its_days,
                whoever_loses_access_anywhere_counts_as_departing,
                counts_and_windows_fit_the_journal;
            records: people_are_found_by_every_key,
                a_person_known_by_a_stated_user_id_only_is_found,
                a_changed_key_finds_a_person_no_longer,
                a_link_loses_nothing_that_was_noticed_meanwhile,
                a_mark_set_again_since_it_was_read_stays,
                drops_are_known_by_their_digest,
                statements_are_remembered_by_source,
                departures_come_due,
                plans_keep_their_decisions,
                holds_are_placed_and_lifted,
                rows_set_aside_stay_until_settled,
                a_user_id_once_taken_stays_taken,
                settings_take_any_value,
                one_daemon_at_a_time_has_the_turn;
            access: two_daemons_never_set_the_same_user_id_apart,
                a_user_id_that_was_set_apart_is_not_given_again_whatever_its_case,
                who_rests_is_looked_at_again_once_something_moves,
                the_end_of_a_step_ends_a_rest_that_is_not_firm,
                what_a_form_gave_that_ended_before_it_was_made_is_known,
                what_leavers_hold_is_known,
                a_gate_taken_back_stays_so_when_its_feed_repeats_it;
            tickets: a_ticket_is_in_one_daemons_hands_at_a_time,
                a_matter_has_one_ticket_at_a_time;
            audit: the_audit_of_many_writers_is_one_chain,
                a_hash_is_made_as_documented,
                each_tampering_is_found,
                a_cut_or_forged_checkpoint_file_is_found,
                a_missing_last_checkpoint_is_mended_and_no_alarm,
                a_checkpoint_file_has_one_writer,
                a_cut_audit_is_an_alarm_at_the_next_start,
                a_row_put_in_behind_is_an_alarm_before_it_is_signed,
                a_row_put_in_while_the_daemon_was_down_is_an_alarm,
                a_row_taken_out_under_the_daemon_is_an_alarm,
                a_checkpoint_file_that_is_gone_or_short_is_an_alarm,
                a_commit_whose_caller_is_given_up_raises_no_alarm,
                two_daemons_with_files_of_their_own_raise_no_alarm;
            notices: the_same_notice_is_queued_once,
                a_notice_of_a_dropped_decision_is_not_there,
                several_senders_never_hand_the_same_notice_over,
                a_notice_goes_on_when_the_clock_is_set_back,
                a_sender_that_lost_its_lease_hands_nothing_over,
                what_was_being_handed_over_when_its_daemon_died_is_in_doubt,
                a_restarted_sender_doubts_its_own_at_once,
                a_digest_carries_what_waits_for_it,
                the_lines_of_a_digest_that_failed_wait_for_the_next,
                a_flood_is_counted_by_kind_and_address,
                people_are_found_by_their_supervisor;
        }
    };
    (@ $suite:path, $place:path; $($module:ident: $($name:ident),+;)+) => {
        $(mod $module {
            use $suite as suite;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> suite::Ended {
                let place = $place().await?;
                suite::$module::$name(place.settings()).await
            })+
        })+
    };
}
