//! The contract suite: what every store has to keep, as tests that each store runs.
//!
//! A store's tests implement [`Harness`] and name it once; each rule then shows as a test of its
//! own, `rotation::different_attempts_leave_no_live_successor` and so on:
//!
//! ```ignore
//! daypass_storage::contract_tests!(MyHarness::new());
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a suite of tests fails by panicking"
)]

pub mod rotation;

pub mod recovery;

pub mod endings;

pub mod races;

pub mod histories;

pub mod sessions;

pub mod people;

pub mod registry;

pub mod feed;

mod stage;

use std::sync::Arc;

use async_trait::async_trait;

pub use stage::TestClock;

use crate::Store;

/// How a rule gets at a store. One harness is one set of data, with nothing in it at first.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Opens the data with a store on `clock`. It may be open already, by another store.
    async fn open(&self, clock: Arc<TestClock>) -> Arc<dyn Store>;

    /// Sets the data as it is now aside, for [`put_back`](Self::put_back); no store is open. False:
    /// it cannot be done, and rules about lost commits have nothing to show.
    async fn set_aside(&self) -> bool {
        false
    }

    /// Loses everything since the data was set aside; no store is open.
    async fn put_back(&self) {}
}

/// Makes a test of every rule. The expression gives a new [`Harness`] each time it is evaluated.
/// Needs `tokio` with its macros and the multi-threaded runtime.
#[macro_export]
macro_rules! contract_tests {
    ($harness:expr) => {
        $crate::contract_tests! { @modules $harness;
            rotation {
                one_attempt_gets_one_successor
                clients_without_ids_share_one_successor_within_the_grace
                different_attempts_leave_no_live_successor
                two_openings_of_the_data_share_one_lineage
                sessions_rotate_beside_each_other
                an_unknown_session_has_no_row
                a_refusal_changes_nothing
                what_rotation_remembers_is_kept_to_the_last_field
                every_answer_shows_the_row_as_it_is
                reuse_ends_every_session_of_the_subject
                reuse_ends_the_one_session_where_the_policy_says_so
                only_what_somebody_may_ask_about_is_an_event
                three_generations_on_grace_are_an_event
            }
            recovery {
                a_row_that_is_behind_is_healed
                a_token_far_ahead_is_refused_and_told
                lost_rotations_heal
                reopening_keeps_everything
            }
            endings {
                a_second_end_changes_nothing
                nobody_ends_what_is_not_theirs
                each_reason_is_remembered
                ending_all_but_one_spares_that_one
                ending_all_spares_everybody_else
                a_sign_in_in_the_millisecond_of_a_revocation_lives
                a_sign_in_after_the_clock_went_back_lives
                a_revocation_after_the_clock_went_back_ends_what_began_later
                a_session_ends_at_its_boundary
                an_idle_session_ends_at_its_boundary
            }
            races {
                ending_one_session
                ending_all_sessions
                ending_all_but_one
                disabling_the_subject
                changing_the_password
                reuse_on_another_session
                sign_ins_beside_revocations
            }
            histories {
                every_two_changes_at_once
                every_three_changes_at_once
                renewals_and_thefts
                endings_and_renewals
                endings_and_renewals_as_time_passes
                endings_and_renewals_through_two_openings
            }
            sessions {
                every_field_comes_back
                the_list_is_newest_first_and_of_the_living
                the_list_holds_where_each_was_opened
                the_count_follows
                pruning_takes_what_nobody_can_ask_for
                ended_sessions_stay_until_their_time
                some_session_began_before
            }
            people {
                a_person_comes_back_by_name_and_by_sub
                names_and_subjects_are_taken_once
                people_come_in_pages_by_name
                a_name_is_a_persons_or_a_clients
                changed_claims_are_in_the_next_rotation
                disabling_ends_and_enabling_revives_nothing
                a_new_password_ends_the_other_sessions
                a_new_password_replaces_the_one_that_was_proven
                a_sign_in_by_a_password_is_overtaken_by_a_new_one
                a_rehash_ends_nothing_and_replaces_only_what_it_saw
                wrong_passwords_are_counted_until_a_right_one
            }
            registry {
                clients_come_back_whole
                clients_are_registered_once
                a_key_is_added_only_to_what_its_maker_saw
                a_new_key_retires_the_one_before
                a_dropped_key_is_gone
                a_key_is_dropped_only_from_what_its_dropper_saw
                a_dropped_key_hands_its_end_to_the_one_before
                the_keys_are_leased_to_one_at_a_time
                a_lost_lease_changes_no_key
                the_store_says_that_it_is_well
            }
            feed {
                endings_are_told_in_order
                the_feed_is_read_on_from_where_it_was_left
                an_unknown_cursor_reads_from_the_start
                entries_go_when_they_say_nothing_any_more
                events_are_read_on_from_where_they_were_left
                events_tell_of_acts_and_nothing_else
                old_events_go
            }
        }
    };
    (@modules $harness:expr; $($module:ident { $($rule:ident)* })*) => { $(
        mod $module {
            #[allow(unused_imports, reason = "the harness may be named by its path")]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $rule() {
                    $crate::contract::$module::$rule($harness).await;
                }
            )*
        }
    )* };
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_rule_is_a_test() {
        let listed = include_str!("mod.rs");
        let rules = [
            ("rotation", include_str!("rotation.rs")),
            ("recovery", include_str!("recovery.rs")),
            ("endings", include_str!("endings.rs")),
            ("races", include_str!("races.rs")),
            ("histories", include_str!("histories.rs")),
            ("sessions", include_str!("sessions.rs")),
            ("people", include_str!("people.rs")),
            ("registry", include_str!("registry.rs")),
            ("feed", include_str!("feed.rs")),
        ];
        for (module, source) in rules {
            let (_, list) = listed.split_once(&format!(" {module} {{\n")).unwrap();
            let (list, _) = list.split_once('}').unwrap();
            let listed: Vec<_> = list.split_whitespace().collect();
            let named = source.lines().filter_map(|line| line.strip_prefix("pub async fn "));
            let written: Vec<_> = named.map(|line| line.split_once('(').unwrap().0).collect();
            assert_eq!(listed, written, "{module}");
        }
    }
}
