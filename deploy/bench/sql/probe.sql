-- What the projector and a reader do all the time: an interval is written, and a user's last are read.
\set user random(1, 1000)
INSERT INTO presence_history (user_id, started_at_ms, ended_at_ms, start_reason, end_reason, platform)
VALUES (:user, (extract(epoch FROM now()) * 1000)::BIGINT - 1000, (extract(epoch FROM now()) * 1000)::BIGINT, 'login', 'logout', 'web');
SELECT * FROM presence_history WHERE user_id = :user AND ended_at_ms >= (extract(epoch FROM now()) * 1000)::BIGINT - 2592000000
ORDER BY started_at_ms DESC LIMIT 100;
