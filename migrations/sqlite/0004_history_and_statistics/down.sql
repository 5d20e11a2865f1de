DROP VIEW online_intervals;
DROP TABLE stats_progress;
DROP TABLE stats_samples;
DROP TABLE stats_forgotten_users;
DROP TABLE stats_active_days;
DROP TABLE stats_active_users;
DROP TABLE stats_quarters;
DROP TABLE stats_minutes;
DROP TABLE presence_open_counts;
ALTER TABLE projector_offsets DROP COLUMN changed_from_ms;
ALTER TABLE presence_history RENAME TO presence_history_after;
DROP INDEX presence_history_user;
CREATE TABLE presence_history (
    id            INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id       BIGINT NOT NULL,
    started_at_ms BIGINT NOT NULL,
    ended_at_ms   BIGINT,
    start_reason  TEXT NOT NULL,
    end_reason    TEXT,
    session_id    BIGINT,
    CONSTRAINT presence_history_order CHECK (ended_at_ms IS NULL OR ended_at_ms >= started_at_ms)
);
INSERT INTO presence_history
SELECT id, user_id, started_at_ms, ended_at_ms, start_reason, end_reason, session_id FROM presence_history_after
UNION ALL SELECT id, user_id, started_at_ms, NULL, start_reason, NULL, session_id FROM presence_open;
CREATE UNIQUE INDEX presence_history_open ON presence_history (user_id) WHERE ended_at_ms IS NULL;
CREATE INDEX presence_history_user ON presence_history (user_id, started_at_ms);
DROP TABLE presence_history_after;
DROP TABLE presence_open;
DROP INDEX sessions_created;
ALTER TABLE sessions DROP COLUMN platform;
