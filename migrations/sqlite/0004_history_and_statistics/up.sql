-- What kind of device a session is on: for statistics.
ALTER TABLE sessions ADD COLUMN platform TEXT NOT NULL DEFAULT 'other';
-- For counting log-ins of a stretch of time.
CREATE INDEX sessions_created ON sessions (created_at_ms);

-- History in two tables: intervals that are open, at most one a user, and those that are over, which never change.
ALTER TABLE presence_history RENAME TO presence_history_before;
DROP INDEX presence_history_open;
DROP INDEX presence_history_user;

CREATE TABLE presence_open (
    -- The id that it keeps when it is over; never given twice.
    id            INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id       BIGINT NOT NULL UNIQUE,
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
    id            INTEGER PRIMARY KEY NOT NULL,
    user_id       BIGINT NOT NULL,
    started_at_ms BIGINT NOT NULL,
    ended_at_ms   BIGINT NOT NULL,
    start_reason  TEXT NOT NULL,
    end_reason    TEXT NOT NULL,
    session_id    BIGINT,
    device        TEXT,
    platform      TEXT NOT NULL,
    CONSTRAINT presence_history_order CHECK (ended_at_ms >= started_at_ms)
);
CREATE INDEX presence_history_user ON presence_history (user_id, started_at_ms);
-- For statistics and retention.
CREATE INDEX presence_history_ended ON presence_history (ended_at_ms);
CREATE INDEX presence_history_started ON presence_history (started_at_ms);

INSERT INTO presence_open (id, user_id, started_at_ms, start_reason, session_id, device, platform)
SELECT h.id, h.user_id, h.started_at_ms, h.start_reason, h.session_id, s.device, 'other'
FROM presence_history_before h LEFT JOIN sessions s ON s.id = h.session_id WHERE h.ended_at_ms IS NULL;
INSERT INTO presence_history
SELECT h.id, h.user_id, h.started_at_ms, h.ended_at_ms, h.start_reason, COALESCE(h.end_reason, 'timeout'), h.session_id,
       s.device, 'other'
FROM presence_history_before h LEFT JOIN sessions s ON s.id = h.session_id WHERE h.ended_at_ms IS NOT NULL;
-- New ids come after all that were given.
UPDATE sqlite_sequence SET seq = max(seq, (SELECT COALESCE(max(id), 0) FROM presence_history_before))
WHERE name = 'presence_open';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'presence_open', (SELECT COALESCE(max(id), 0) FROM presence_history_before)
WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'presence_open');
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
) WITHOUT ROWID;
INSERT INTO presence_open_counts SELECT 0, 'other', count(*) FROM presence_open HAVING count(*) > 0;

-- From when on the projector has changed history since statistics last looked; null where it has not.
ALTER TABLE projector_offsets ADD COLUMN changed_from_ms BIGINT;
UPDATE projector_offsets SET changed_from_ms =
    (SELECT min(at) FROM (SELECT min(started_at_ms) AS at FROM presence_history UNION ALL SELECT min(started_at_ms) FROM presence_open));

-- Rollups. Of each minute and quarter of an hour (which all time zones' hours and days are made of): for how long users
-- were online, in milliseconds added up, and how many at most. Platform 'all' has a row for each that is known.
CREATE TABLE stats_minutes (
    at_ms     BIGINT NOT NULL,
    platform  TEXT NOT NULL,
    online_ms BIGINT NOT NULL,
    peak      BIGINT NOT NULL,
    logins    BIGINT NOT NULL,
    PRIMARY KEY (at_ms, platform)
) WITHOUT ROWID;
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
    lengths    BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (at_ms, platform)
) WITHOUT ROWID;
-- Who was online on a day (days since 1970, UTC): a Roaring bitmap of ids. Kept for the days that weeks and months need.
CREATE TABLE stats_active_users (
    day   INTEGER PRIMARY KEY NOT NULL,
    users BLOB NOT NULL
);
-- How many were: on the day, in the seven days and in the thirty days that end with it.
CREATE TABLE stats_active_days (
    day     INTEGER PRIMARY KEY NOT NULL,
    daily   BIGINT NOT NULL,
    weekly  BIGINT NOT NULL,
    monthly BIGINT NOT NULL
);
-- Ids of accounts that were deleted, until they are out of stats_active_users.
CREATE TABLE stats_forgotten_users (
    user_id INTEGER PRIMARY KEY NOT NULL
);
-- What only the moment shows, sampled each minute and added up by quarter of an hour: online users by availability,
-- accounts by status.
CREATE TABLE stats_samples (
    at_ms   BIGINT NOT NULL,
    word    TEXT NOT NULL,
    total   BIGINT NOT NULL,
    samples BIGINT NOT NULL,
    PRIMARY KEY (at_ms, word)
) WITHOUT ROWID;
-- How far a rollup has come, and from when on history has changed since.
CREATE TABLE stats_progress (
    rollup          TEXT PRIMARY KEY NOT NULL,
    done_ms         BIGINT,
    changed_from_ms BIGINT
);
INSERT INTO stats_progress (rollup) VALUES ('online'), ('active');
