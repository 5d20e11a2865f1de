//! The service as its users and operators meet it: real processes, driven over HTTP, in both forms.
//!
//! - [`harness`]: starts a form of the service with everything around it.
//! - [`client`]: a client of the API; [`sight`]: what others see of a user, in every read.
//! - [`faults`]: what goes wrong under load, and a checker.
//! - [`time`]: polling, and what is true when.
//! - the rest: the scenarios, a file an area. The table below says which form each is for.
#![expect(clippy::unwrap_used, reason = "a scenario ends where something is not as it should be")]

mod abuse;
mod accounts;
mod changes;
mod client;
mod crowd;
mod devices;
mod directory;
mod faults;
mod harness;
mod hidden;
mod live;
mod losses;
mod presence;
mod restarts;
mod secure;
mod sight;
mod stops;
mod time;
mod timeouts;
mod tokens;
mod webhooks;
mod workers;

macro_rules! test {
    (($(#[$attribute:meta])*) $form:ident $area:ident $scenario:ident) => {
        $(#[$attribute])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $scenario() {
            Box::pin(crate::$area::$scenario(crate::harness::Form::$form)).await;
        }
    };
}

macro_rules! tests {
    ($attributes:tt $form:ident: $($area:ident::$scenario:ident)*) => {
        $(test! { $attributes $form $area $scenario })*
    };
}

/// One test a scenario and form: `standalone::…`, `distributed::…`, and that on a Redis Cluster, `cluster::…`; of these some
/// only in the long run, by `make test-faults`.
macro_rules! scenarios {
    (
        everywhere { $($all_area:ident::$all:ident)* }
        both { $($area:ident::$scenario:ident)* }
        standalone { $($alone_area:ident::$alone:ident)* }
        distributed { $($many_area:ident::$many:ident)* }
        with_own_redis { $($own_area:ident::$own:ident)* }
    ) => {
        mod standalone {
            tests! { () StandAlone: $($all_area::$all)* $($area::$scenario)* $($alone_area::$alone)* }
        }
        mod distributed {
            tests! { () Distributed: $($all_area::$all)* $($area::$scenario)* $($many_area::$many)* $($own_area::$own)* }
        }
        mod cluster {
            tests! { () Cluster: $($all_area::$all)* }
            tests! { (#[ignore = "in make test-faults"]) Cluster: $($area::$scenario)* $($many_area::$many)* }
        }
    };
}

scenarios! {
    everywhere {
        presence::heartbeats_keep_a_user_online
        presence::silence_is_seen_at_the_deadline_without_a_sweep
        presence::the_database_follows_after_the_next_sweep
        directory::an_admin_sees_every_change
        changes::every_transition_is_told_once_and_in_order
        live::a_watcher_is_told_of_every_change
        live::an_api_that_stops_says_so_and_a_client_goes_on_where_it_was
        webhooks::kills_lose_nothing_that_was_to_be_told
    }
    both {
        accounts::a_barred_user_is_offline_at_once_and_can_come_back
        accounts::no_heartbeat_gets_past_a_suspension
        accounts::a_deleted_user_is_gone
        accounts::approval_comes_before_the_first_log_in
        accounts::registration_can_be_closed
        devices::one_device_logs_out_and_the_other_falls_silent
        devices::a_log_out_is_seen_in_the_next_read
        devices::a_log_out_everywhere_ends_every_device
        devices::a_page_that_was_closed_is_missed_after_a_short_grace
        changes::log_ins_at_the_same_time_are_told_once
        timeouts::a_timeout_of_ones_own
        timeouts::different_timeouts_end_at_different_times
        tokens::a_refresh_token_is_turned_and_reuse_ends_the_session
        tokens::keys_are_rotated_and_nobody_is_logged_out
        secure::it_speaks_tls_and_takes_a_renewed_certificate
        stops::a_stop_finishes_what_is_in_hand
        live::an_expiry_is_told_within_a_second_without_a_sweep
        live::a_socket_keeps_its_user_online_and_silence_does_not
        live::what_came_while_away_is_told_once_and_in_order
        live::tokens_and_barring_end_a_socket
        live::only_an_admin_watches_everybody
        live::what_is_typed_is_told_and_kept_nowhere
        live::who_is_waited_for_is_told_of
        hidden::what_is_hidden_is_told_to_nobody
        live::many_who_change_at_once_are_all_told_of
        abuse::whatever_is_sent_harms_nobody_else
        abuse::what_is_no_handshake_is_refused
        crowd::readers_that_stall_slow_nobody
        webhooks::a_receiver_is_told_of_log_ins_log_outs_and_accounts
    }
    standalone {
        restarts::a_kill_loses_nothing_that_was_acknowledged
        restarts::a_kill_amid_log_ins_and_log_outs
        restarts::a_clean_stop_loses_nothing
    }
    distributed {
        accounts::an_admin_is_asked_while_admins_change_accounts
        stops::an_api_that_was_killed_is_missed_by_nobody
        workers::another_worker_finishes_a_sweep
        workers::reads_are_right_without_workers
        live::replicas_tell_of_each_others_users
        live::kills_of_its_replica_hide_nothing_from_a_watcher
    }
    with_own_redis {
        losses::everybody_is_back_after_redis_was_emptied
        losses::nothing_hangs_while_redis_is_away
        live::a_lost_redis_is_told_as_a_snapshot
    }
}
