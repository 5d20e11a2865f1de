-- A generated past: :intervals intervals of :users users, in the 92 days up to now, one a user in each of as many slots as
-- that takes, so that none overlap. More by day than by night.
\set ON_ERROR_STOP on
INSERT INTO accounts (username, username_key, email, email_key, password_hash, role, status, is_active, created_at_ms, updated_at_ms)
SELECT 'bench' || n, 'bench' || n, 'bench' || n || '@example.org', 'bench' || n || '@example.org', 'none', 'user', 'active', TRUE, 0, 0
FROM generate_series(1, :users) AS n;
INSERT INTO presence (user_id) SELECT id FROM accounts WHERE username_key LIKE 'bench%' ON CONFLICT DO NOTHING;

SELECT presence_history_partition((extract(epoch FROM at) * 1000)::BIGINT)
FROM generate_series(now() - interval '93 days', now(), interval '10 days') AS at;

SELECT setseed(0.5);
INSERT INTO presence_history (user_id, started_at_ms, ended_at_ms, start_reason, end_reason, session_id, device, platform)
WITH shape AS (
    SELECT (extract(epoch FROM now()) * 1000)::BIGINT AS now_ms, 92 * 86400000::BIGINT AS span,
           greatest(1, :intervals / :users) AS slots
), drawn AS (
    SELECT a.id AS user_id, now_ms - span + k * (span / slots) AS slot, span / slots AS length,
           random() AS r1, random() AS r2, random() AS r3
    FROM shape, accounts a, generate_series(0, slots - 1) AS k WHERE a.username_key LIKE 'bench%'
), placed AS (
    -- The begin leans towards the afternoon in UTC; the length is mostly short, and ends within the slot.
    SELECT user_id, r3, (slot + length * 0.55 * r1)::BIGINT AS started,
           least(length * 0.4, 60000 + 5400000 * -ln(1 - r2 * 0.999))::BIGINT AS lasted
    FROM drawn
)
SELECT user_id, started, started + lasted, 'login', CASE WHEN r3 < 0.3 THEN 'logout' ELSE 'timeout' END, NULL,
       CASE WHEN r3 < 0.6 THEN 'Firefox on Linux' ELSE 'Pixel 9' END,
       CASE WHEN r3 < 0.6 THEN 'web' WHEN r3 < 0.85 THEN 'android' ELSE 'ios' END
FROM placed ORDER BY started + lasted;
VACUUM (ANALYZE) presence_history;
SELECT count(*) AS intervals, pg_size_pretty(sum(pg_total_relation_size(inhrelid))) AS size
FROM (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'presence_history'::regclass) AS p, LATERAL (SELECT 1) AS one;
