-- What kind of device a session is on: for statistics.
ALTER TABLE sessions ADD COLUMN platform TEXT NOT NULL DEFAULT 'other';
-- For counting log-ins of a stretch of time.
CREATE INDEX sessions_created ON sessions (created_at_ms);

-- History in two tables: intervals that are open, at most one a user, and those that are over, which never change and are
-- partitioned by month of their end, so that a month is forgotten by dropping a table.
ALTER TABLE presence_history RENAME TO presence_history_before;
ALTER INDEX presence_history_user RENAME TO presence_history_before_user;
CREATE SEQUENCE presence_history_ids;
SELECT setval('presence_history_ids', COALESCE((SELECT max(id) FROM presence_history_before), 0) + 1, false);

CREATE TABLE presence_open (
    user_id       BIGINT PRIMARY KEY,
    -- The id that it keeps when it is over.
    id            BIGINT NOT NULL DEFAULT nextval('presence_history_ids'),
    started_at_ms BIGINT NOT NULL,
    start_reason  TEXT NOT NULL,
    session_id    BIGINT,
    -- The session's, as a session's row does not live as long as history does.
    device        TEXT,
    platform      TEXT NOT NULL
);
-- For counting what began in a stretch of time.
CREATE INDEX presence_open_started ON presence_open (started_at_ms);

CREATE TABLE presence_history (
    id            BIGINT NOT NULL DEFAULT nextval('presence_history_ids'),
    user_id       BIGINT NOT NULL,
    started_at_ms BIGINT NOT NULL,
    ended_at_ms   BIGINT NOT NULL,
    start_reason  TEXT NOT NULL,
    end_reason    TEXT NOT NULL,
    session_id    BIGINT,
    device        TEXT,
    platform      TEXT NOT NULL,
    CONSTRAINT presence_history_order CHECK (ended_at_ms >= started_at_ms)
) PARTITION BY RANGE (ended_at_ms);
-- A user's own; the bounds of a range narrow the partitions.
CREATE INDEX presence_history_user ON presence_history (user_id, started_at_ms);
-- For statistics and retention. Rows come about in the order of their ends, and nearly in that of their beginnings.
CREATE INDEX presence_history_ended ON presence_history (ended_at_ms);
CREATE INDEX presence_history_started ON presence_history USING brin (started_at_ms) WITH (pages_per_range = 32);

-- Makes the partition of the month (in UTC) of a moment, where it is missing. Attached, not created in place: that locks
-- neither readers nor writers out.
CREATE FUNCTION presence_history_partition(at_ms BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    month TIMESTAMP := date_trunc('month', to_timestamp(at_ms / 1000.0) AT TIME ZONE 'UTC');
    name TEXT := 'presence_history_' || to_char(month, 'YYYY_MM');
    from_ms BIGINT := extract(epoch FROM month AT TIME ZONE 'UTC') * 1000;
    to_ms BIGINT := extract(epoch FROM (month + interval '1 month') AT TIME ZONE 'UTC') * 1000;
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    -- Of two who find it missing, one waits and finds it there.
    PERFORM pg_advisory_xact_lock(7223301970);
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE presence_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', name);
    EXECUTE format('ALTER TABLE presence_history ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name, from_ms, to_ms);
END $$;

SELECT presence_history_partition(extract(epoch FROM month AT TIME ZONE 'UTC')::BIGINT * 1000)
FROM generate_series(
    date_trunc('month', LEAST(
        (SELECT to_timestamp(min(ended_at_ms) / 1000.0) AT TIME ZONE 'UTC' FROM presence_history_before),
        now() AT TIME ZONE 'UTC' - interval '1 month')),
    date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months',
    interval '1 month') AS month;

INSERT INTO presence_open (user_id, id, started_at_ms, start_reason, session_id, device, platform)
SELECT h.user_id, h.id, h.started_at_ms, h.start_reason, h.session_id, s.device, 'other'
FROM presence_history_before h LEFT JOIN sessions s ON s.id = h.session_id WHERE h.ended_at_ms IS NULL;
INSERT INTO presence_history
SELECT h.id, h.user_id, h.started_at_ms, h.ended_at_ms, h.start_reason, COALESCE(h.end_reason, 'timeout'), h.session_id,
       s.device, 'other'
FROM presence_history_before h LEFT JOIN sessions s ON s.id = h.session_id
WHERE h.ended_at_ms IS NOT NULL ORDER BY h.ended_at_ms;
DROP TABLE presence_history_before;

-- Both kinds of intervals, for people and other programs.
CREATE VIEW online_intervals AS
SELECT id, user_id, started_at_ms, ended_at_ms, start_reason, end_reason, session_id, device, platform
FROM presence_history
UNION ALL
SELECT id, user_id, started_at_ms, NULL, start_reason, NULL, session_id, device, platform FROM presence_open;

-- How many intervals are open, by platform. The sum of the parts counts: whoever writes history adds to its own part.
CREATE TABLE presence_open_counts (
    part     INTEGER NOT NULL,
    platform TEXT NOT NULL,
    open     BIGINT NOT NULL,
    PRIMARY KEY (part, platform)
);
INSERT INTO presence_open_counts SELECT 0, 'other', count(*) FROM presence_open HAVING count(*) > 0;

-- From when on the projector has changed history since statistics last looked; null where it has not.
ALTER TABLE projector_offsets ADD COLUMN changed_from_ms BIGINT;
UPDATE projector_offsets SET changed_from_ms = LEAST(
    (SELECT min(started_at_ms) FROM presence_history), (SELECT min(started_at_ms) FROM presence_open));

-- Rollups. Of each minute and quarter of an hour (which all time zones' hours and days are made of): for how long users
-- were online, in milliseconds added up, and how many at most. Platform 'all' has a row for each that is known.
CREATE TABLE stats_minutes (
    at_ms     BIGINT NOT NULL,
    platform  TEXT NOT NULL,
    online_ms BIGINT NOT NULL,
    peak      BIGINT NOT NULL,
    logins    BIGINT NOT NULL,
    PRIMARY KEY (at_ms, platform)
);
CREATE TABLE stats_quarters (
    at_ms      BIGINT NOT NULL,
    platform   TEXT NOT NULL,
    -- How much of it is known yet.
    known_ms   BIGINT NOT NULL DEFAULT 0,
    online_ms  BIGINT NOT NULL,
    peak       BIGINT NOT NULL,
    logins     BIGINT NOT NULL,
    -- Intervals that ended in it: how many, how long together, and how many of which length.
    sessions   BIGINT NOT NULL DEFAULT 0,
    session_ms BIGINT NOT NULL DEFAULT 0,
    lengths    BYTEA NOT NULL DEFAULT '',
    PRIMARY KEY (at_ms, platform)
);
-- Who was online on a day (days since 1970, UTC): a Roaring bitmap of ids. Kept for the days that weeks and months need.
CREATE TABLE stats_active_users (
    day   INTEGER PRIMARY KEY,
    users BYTEA NOT NULL
);
-- How many were: on the day, in the seven days and in the thirty days that end with it.
CREATE TABLE stats_active_days (
    day     INTEGER PRIMARY KEY,
    daily   BIGINT NOT NULL,
    weekly  BIGINT NOT NULL,
    monthly BIGINT NOT NULL
);
-- Ids of accounts that were deleted, until they are out of stats_active_users.
CREATE TABLE stats_forgotten_users (
    user_id BIGINT PRIMARY KEY
);
-- What only the moment shows, sampled each minute and added up by quarter of an hour: online users by availability,
-- accounts by status.
CREATE TABLE stats_samples (
    at_ms   BIGINT NOT NULL,
    word    TEXT NOT NULL,
    total   BIGINT NOT NULL,
    samples BIGINT NOT NULL,
    PRIMARY KEY (at_ms, word)
);
-- How far a rollup has come, and from when on history has changed since.
CREATE TABLE stats_progress (
    rollup          TEXT PRIMARY KEY,
    done_ms         BIGINT,
    changed_from_ms BIGINT
);
INSERT INTO stats_progress (rollup) VALUES ('online'), ('active');
