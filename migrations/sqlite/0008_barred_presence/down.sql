DROP TRIGGER accounts_barred;
DROP TRIGGER presence_begins;
DROP INDEX presence_online_barred;
DROP INDEX presence_online_last_seen;
CREATE INDEX presence_online_last_seen ON presence (last_seen_ms, user_id) WHERE online;
ALTER TABLE presence DROP COLUMN barred;
