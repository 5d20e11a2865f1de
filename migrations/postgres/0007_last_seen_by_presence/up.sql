-- Pages ordered by last seen, of those who are online or offline only: by the index of all, such a page walks past everybody
-- of the other kind.
CREATE INDEX presence_online_last_seen ON presence (last_seen_ms, user_id) WHERE online;
CREATE INDEX presence_offline_last_seen ON presence (last_seen_ms, user_id) WHERE NOT online;
