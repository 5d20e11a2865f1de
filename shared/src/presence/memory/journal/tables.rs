//! The journal's tables, which are in SQLite only: see the migrations.

diesel::table! {
    engine_state (shard) {
        shard -> Integer,
        shards -> Integer,
        epoch -> Text,
        born_ms -> BigInt,
        trimmed_ms -> BigInt,
        trimmed_seq -> BigInt,
    }
}

diesel::table! {
    engine_users (user_id) {
        user_id -> BigInt,
        reason -> Text,
        gone_ms -> BigInt,
        profile -> Nullable<Text>,
    }
}

diesel::table! {
    engine_sessions (user_id, session_id) {
        user_id -> BigInt,
        session_id -> BigInt,
        timeout_ms -> BigInt,
        deadline_ms -> BigInt,
        leaving -> Bool,
        idle -> Bool,
        after_seq -> BigInt,
    }
}

diesel::table! {
    engine_moved (seq) {
        seq -> BigInt,
        deadlines -> Binary,
    }
}

diesel::table! {
    engine_transitions (shard, id_ms, id_seq) {
        shard -> Integer,
        id_ms -> BigInt,
        id_seq -> BigInt,
        entry -> Text,
    }
}
