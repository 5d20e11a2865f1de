-- Whether the account is barred, beside its presence: a barred account whom the last transition has online is offline for
-- every reader. There is next to none of these at any time, and no other index can tell which without walking all who are
-- barred.
ALTER TABLE presence ADD COLUMN barred BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE presence p SET barred = TRUE FROM accounts a WHERE a.id = p.user_id AND (a.status <> 'active' OR NOT a.is_active);
CREATE INDEX presence_online_barred ON presence (user_id) WHERE online AND barred;
-- Without the barred, so that a page of these is not looked for among all who are online.
DROP INDEX presence_online_last_seen;
CREATE INDEX presence_online_last_seen ON presence (last_seen_ms, user_id) WHERE online AND NOT barred;

CREATE FUNCTION begin_barred() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.barred := EXISTS (SELECT FROM accounts WHERE id = NEW.user_id AND (status <> 'active' OR NOT is_active));
    RETURN NEW;
END $$;
CREATE TRIGGER presence_begins BEFORE INSERT ON presence FOR EACH ROW EXECUTE FUNCTION begin_barred();
CREATE FUNCTION bar_presence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE presence SET barred = (NEW.status <> 'active' OR NOT NEW.is_active) WHERE user_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER accounts_barred AFTER UPDATE OF status, is_active ON accounts FOR EACH ROW
    WHEN ((OLD.status <> 'active' OR NOT OLD.is_active) IS DISTINCT FROM (NEW.status <> 'active' OR NOT NEW.is_active))
    EXECUTE FUNCTION bar_presence();
