-- What users say of themselves and who may see it; contacts; notifications.

-- The user's own choice, until availability_until_ms where that is set.
ALTER TABLE accounts ADD COLUMN availability TEXT NOT NULL DEFAULT 'available'
    CHECK (availability IN ('available', 'away', 'dnd', 'invisible'));
ALTER TABLE accounts ADD COLUMN availability_text TEXT;
ALTER TABLE accounts ADD COLUMN availability_emoji TEXT;
ALTER TABLE accounts ADD COLUMN availability_until_ms BIGINT;
ALTER TABLE accounts ADD COLUMN online_visibility TEXT NOT NULL DEFAULT 'everyone'
    CHECK (online_visibility IN ('everyone', 'contacts', 'nobody'));
ALTER TABLE accounts ADD COLUMN last_seen_visibility TEXT NOT NULL DEFAULT 'everyone'
    CHECK (last_seen_visibility IN ('everyone', 'contacts', 'nobody'));
-- A device that nobody has touched for so long is away; NULL follows the operator's setting.
ALTER TABLE accounts ADD COLUMN away_after_ms BIGINT;
-- Those whom not everybody may see: few, and the only ones whom a page's order has to treat apart.
CREATE INDEX accounts_private ON accounts (id) WHERE online_visibility <> 'everyone' OR last_seen_visibility <> 'everyone';
-- Those who have chosen to be invisible: for admins, where the operator lets them see it.
CREATE INDEX accounts_invisible ON accounts (id) WHERE availability = 'invisible';

-- What one user is to another, as the first has it: a row for each side.
CREATE TABLE contacts (
    user_id        BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    other_id       BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- requested: by user_id; incoming: by other_id; blocked: by user_id.
    state          TEXT NOT NULL CHECK (state IN ('requested', 'incoming', 'accepted', 'blocked')),
    since_ms       BIGINT NOT NULL,
    -- Whether user_id wants to be told when other_id comes online; and when it was told last.
    notify         TEXT CHECK (notify IN ('once', 'always')),
    notified_at_ms BIGINT,
    PRIMARY KEY (user_id, other_id),
    CHECK (user_id <> other_id)
) WITHOUT ROWID;
CREATE INDEX contacts_other ON contacts (other_id, state);
CREATE INDEX contacts_notify ON contacts (other_id) WHERE notify IS NOT NULL;

CREATE TABLE notifications (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id    BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL CHECK (kind IN ('online')),
    subject_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    at_ms      BIGINT NOT NULL,
    read_at_ms BIGINT
);
CREATE INDEX notifications_user ON notifications (user_id, id);
CREATE INDEX notifications_unread ON notifications (user_id) WHERE read_at_ms IS NULL;
CREATE INDEX notifications_subject ON notifications (subject_id);
-- For what is too old to be kept.
CREATE INDEX notifications_at ON notifications (at_ms);

-- The memory engine's journal: what a user says of itself and who may see it, where that is not the usual; and whether
-- nobody has touched a device for long.
ALTER TABLE engine_users ADD COLUMN profile TEXT;
ALTER TABLE engine_sessions ADD COLUMN idle BOOLEAN NOT NULL DEFAULT FALSE;
