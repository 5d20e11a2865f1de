//! The tables as the queries see them; a test holds them against both databases.
#![expect(missing_docs, reason = "the migrations document the columns")]

diesel::table! {
    accounts (id) {
        id -> BigInt,
        username -> Text,
        username_key -> Text,
        email -> Text,
        email_key -> Text,
        password_hash -> Text,
        role -> Text,
        status -> Text,
        is_active -> Bool,
        inactivity_timeout_ms -> Nullable<BigInt>,
        availability -> Text,
        availability_text -> Nullable<Text>,
        availability_emoji -> Nullable<Text>,
        availability_until_ms -> Nullable<BigInt>,
        online_visibility -> Text,
        last_seen_visibility -> Text,
        away_after_ms -> Nullable<BigInt>,
        created_at_ms -> BigInt,
        updated_at_ms -> BigInt,
    }
}

diesel::table! {
    presence (user_id) {
        user_id -> BigInt,
        online -> Bool,
        last_seen_ms -> BigInt,
        reason -> Nullable<Text>,
        barred -> Bool,
    }
}

diesel::table! {
    sessions (id) {
        id -> BigInt,
        user_id -> BigInt,
        device -> Nullable<Text>,
        family_hash -> Binary,
        refresh_hash -> Binary,
        previous_refresh_hash -> Nullable<Binary>,
        rotation_salt -> Nullable<Binary>,
        rotated_at_ms -> Nullable<BigInt>,
        created_at_ms -> BigInt,
        expires_at_ms -> BigInt,
        last_seen_ms -> BigInt,
        ended_at_ms -> Nullable<BigInt>,
        end_reason -> Nullable<Text>,
        platform -> Text,
    }
}

diesel::table! {
    presence_history (id) {
        id -> BigInt,
        user_id -> BigInt,
        started_at_ms -> BigInt,
        ended_at_ms -> BigInt,
        start_reason -> Text,
        end_reason -> Text,
        session_id -> Nullable<BigInt>,
        device -> Nullable<Text>,
        platform -> Text,
    }
}

diesel::table! {
    presence_open (user_id) {
        user_id -> BigInt,
        id -> BigInt,
        started_at_ms -> BigInt,
        start_reason -> Text,
        session_id -> Nullable<BigInt>,
        device -> Nullable<Text>,
        platform -> Text,
    }
}

diesel::table! {
    presence_open_counts (part, platform) {
        part -> Integer,
        platform -> Text,
        open -> BigInt,
    }
}

diesel::table! {
    stats_minutes (at_ms, platform) {
        at_ms -> BigInt,
        platform -> Text,
        online_ms -> BigInt,
        peak -> BigInt,
        logins -> BigInt,
    }
}

diesel::table! {
    stats_quarters (at_ms, platform) {
        at_ms -> BigInt,
        platform -> Text,
        known_ms -> BigInt,
        online_ms -> BigInt,
        peak -> BigInt,
        logins -> BigInt,
        sessions -> BigInt,
        session_ms -> BigInt,
        lengths -> Binary,
    }
}

diesel::table! {
    stats_active_users (day) {
        day -> Integer,
        users -> Binary,
    }
}

diesel::table! {
    stats_active_days (day) {
        day -> Integer,
        daily -> BigInt,
        weekly -> BigInt,
        monthly -> BigInt,
    }
}

diesel::table! {
    stats_forgotten_users (user_id) {
        user_id -> BigInt,
    }
}

diesel::table! {
    stats_samples (at_ms, word) {
        at_ms -> BigInt,
        word -> Text,
        total -> BigInt,
        samples -> BigInt,
    }
}

diesel::table! {
    stats_progress (rollup) {
        rollup -> Text,
        done_ms -> Nullable<BigInt>,
        changed_from_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    projector_offsets (shard) {
        shard -> Integer,
        epoch -> Text,
        id_ms -> BigInt,
        id_seq -> BigInt,
        changed_from_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    audit_log (id) {
        id -> BigInt,
        at_ms -> BigInt,
        actor_id -> Nullable<BigInt>,
        actor_name -> Text,
        action -> Text,
        target_id -> Nullable<BigInt>,
        target_name -> Text,
        reason -> Nullable<Text>,
        details -> Nullable<Text>,
    }
}

diesel::table! {
    account_counts (role, status, is_active) {
        role -> Text,
        status -> Text,
        is_active -> Bool,
        n -> BigInt,
    }
}

diesel::table! {
    contacts (user_id, other_id) {
        user_id -> BigInt,
        other_id -> BigInt,
        state -> Text,
        since_ms -> BigInt,
        notify -> Nullable<Text>,
        notified_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    notifications (id) {
        id -> BigInt,
        user_id -> BigInt,
        kind -> Text,
        subject_id -> BigInt,
        at_ms -> BigInt,
        read_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    webhooks (id) {
        id -> BigInt,
        url -> Text,
        events -> Text,
        description -> Nullable<Text>,
        enabled -> Bool,
        disabled_reason -> Nullable<Text>,
        secret -> Text,
        previous_secret -> Nullable<Text>,
        previous_until_ms -> Nullable<BigInt>,
        failing_since_ms -> Nullable<BigInt>,
        last_attempt_at_ms -> Nullable<BigInt>,
        last_attempt_ok -> Nullable<Bool>,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    webhook_deliveries (id) {
        id -> BigInt,
        webhook_id -> BigInt,
        message_id -> Text,
        event -> Text,
        body -> Text,
        status -> Text,
        attempts -> Integer,
        next_attempt_at_ms -> BigInt,
        created_at_ms -> BigInt,
        last_attempt_at_ms -> Nullable<BigInt>,
        last_status -> Nullable<Integer>,
        last_error -> Nullable<Text>,
        last_response -> Nullable<Text>,
    }
}

diesel::joinable!(webhook_deliveries -> webhooks (webhook_id));
diesel::joinable!(sessions -> accounts (user_id));
diesel::joinable!(presence -> accounts (user_id));
diesel::allow_tables_to_appear_in_same_query!(
    accounts,
    presence,
    sessions,
    presence_history,
    presence_open,
    audit_log,
    account_counts,
    contacts,
    notifications,
    webhooks,
    webhook_deliveries
);
