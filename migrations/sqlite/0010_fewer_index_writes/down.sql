CREATE INDEX presence_last_seen ON presence (last_seen_ms, user_id);
