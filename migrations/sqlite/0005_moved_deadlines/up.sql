-- The memory engine's journal: what heartbeats move is appended, many at a time, instead of a row written for each.

CREATE TABLE engine_moved (
    seq       INTEGER PRIMARY KEY NOT NULL,
    -- User, session and deadline_ms of each, as 8 bytes with the lowest first.
    deadlines BLOB NOT NULL
);
-- What is in engine_moved up to this seq is older than the row.
ALTER TABLE engine_sessions ADD COLUMN after_seq BIGINT NOT NULL DEFAULT 0;
