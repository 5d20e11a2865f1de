-- Whether the account is barred, beside its presence: a barred account whom the last transition has online is offline for
-- every reader. There is next to none of these at any time, and no other index can tell which without walking all who are
-- barred.
ALTER TABLE presence ADD COLUMN barred BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE presence SET barred = TRUE
WHERE user_id IN (SELECT id FROM accounts WHERE status <> 'active' OR NOT is_active);
CREATE INDEX presence_online_barred ON presence (user_id) WHERE online AND barred;
-- Without the barred, so that a page of these is not looked for among all who are online.
DROP INDEX presence_online_last_seen;
CREATE INDEX presence_online_last_seen ON presence (last_seen_ms, user_id) WHERE online AND NOT barred;

CREATE TRIGGER presence_begins AFTER INSERT ON presence BEGIN
    UPDATE presence SET barred = TRUE WHERE user_id = NEW.user_id
        AND EXISTS (SELECT 1 FROM accounts WHERE id = NEW.user_id AND (status <> 'active' OR NOT is_active));
END;
CREATE TRIGGER accounts_barred AFTER UPDATE OF status, is_active ON accounts
WHEN (OLD.status <> 'active' OR NOT OLD.is_active) <> (NEW.status <> 'active' OR NOT NEW.is_active) BEGIN
    UPDATE presence SET barred = (NEW.status <> 'active' OR NOT NEW.is_active) WHERE user_id = NEW.id;
END;
