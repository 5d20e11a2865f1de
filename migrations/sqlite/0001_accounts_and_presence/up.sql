-- Times are milliseconds since 1970-01-01T00:00:00Z in BIGINT columns that end in _ms, the same on both databases.

CREATE TABLE accounts (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    username              TEXT NOT NULL,
    -- What makes a name unique: NFKC, then lower case.
    username_key          TEXT NOT NULL UNIQUE,
    email                 TEXT NOT NULL,
    email_key             TEXT NOT NULL UNIQUE,
    password_hash         TEXT NOT NULL,
    role                  TEXT NOT NULL CHECK (role IN ('user', 'admin')),
    status                TEXT NOT NULL CHECK (status IN ('active', 'pending', 'suspended', 'banned')),
    is_active             BOOLEAN NOT NULL,
    -- The user's own silence before offline; NULL follows the operator's setting.
    inactivity_timeout_ms BIGINT,
    created_at_ms         BIGINT NOT NULL,
    updated_at_ms         BIGINT NOT NULL
);
CREATE INDEX accounts_admins ON accounts (id) WHERE role = 'admin';
CREATE INDEX accounts_not_plainly_active ON accounts (status, id) WHERE status <> 'active' OR NOT is_active;

-- Presence as the transitions say: slim and apart from accounts, because it changes often and accounts are indexed.
CREATE TABLE presence (
    user_id      INTEGER PRIMARY KEY NOT NULL,
    online       BOOLEAN NOT NULL DEFAULT FALSE,
    -- 0: never seen.
    last_seen_ms BIGINT NOT NULL DEFAULT 0,
    reason       TEXT
);
CREATE INDEX presence_online ON presence (user_id) WHERE online;
CREATE INDEX presence_last_seen ON presence (last_seen_ms, user_id);

CREATE TABLE sessions (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id               BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    device                TEXT,
    -- SHA-256 of the part of the refresh token that stays, of the current and of the last turn's part.
    family_hash           BLOB NOT NULL,
    refresh_hash          BLOB NOT NULL,
    previous_refresh_hash BLOB,
    rotation_salt         BLOB,
    rotated_at_ms         BIGINT,
    created_at_ms         BIGINT NOT NULL,
    expires_at_ms         BIGINT NOT NULL,
    last_seen_ms          BIGINT NOT NULL,
    ended_at_ms           BIGINT,
    end_reason            TEXT
);
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_expiry ON sessions (expires_at_ms);
CREATE INDEX sessions_ended ON sessions (ended_at_ms) WHERE ended_at_ms IS NOT NULL;

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
CREATE UNIQUE INDEX presence_history_open ON presence_history (user_id) WHERE ended_at_ms IS NULL;
CREATE INDEX presence_history_user ON presence_history (user_id, started_at_ms);

-- How far the projector has come in each shard's transitions.
CREATE TABLE projector_offsets (
    shard   INTEGER PRIMARY KEY NOT NULL,
    epoch   TEXT NOT NULL,
    id_ms   BIGINT NOT NULL,
    id_seq  BIGINT NOT NULL
);

CREATE TABLE audit_log (
    id          INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at_ms       BIGINT NOT NULL,
    -- Names are kept beside the ids: an entry outlives the accounts that it speaks of.
    actor_id    BIGINT,
    actor_name  TEXT NOT NULL,
    action      TEXT NOT NULL,
    target_id   BIGINT,
    target_name TEXT NOT NULL,
    reason      TEXT,
    details     TEXT
);
CREATE INDEX audit_log_target ON audit_log (target_id, id);

-- How many accounts there are of each kind, kept by triggers so that a page's total is not a count of the table.
CREATE TABLE account_counts (
    role      TEXT NOT NULL,
    status    TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    n         BIGINT NOT NULL,
    PRIMARY KEY (role, status, is_active)
);
CREATE TRIGGER accounts_counted_insert AFTER INSERT ON accounts BEGIN
    INSERT INTO account_counts (role, status, is_active, n) VALUES (NEW.role, NEW.status, NEW.is_active, 1)
    ON CONFLICT (role, status, is_active) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER accounts_counted_delete AFTER DELETE ON accounts BEGIN
    UPDATE account_counts SET n = n - 1 WHERE role = OLD.role AND status = OLD.status AND is_active = OLD.is_active;
END;
CREATE TRIGGER accounts_counted_update AFTER UPDATE OF role, status, is_active ON accounts BEGIN
    UPDATE account_counts SET n = n - 1 WHERE role = OLD.role AND status = OLD.status AND is_active = OLD.is_active;
    INSERT INTO account_counts (role, status, is_active, n) VALUES (NEW.role, NEW.status, NEW.is_active, 1)
    ON CONFLICT (role, status, is_active) DO UPDATE SET n = n + 1;
END;

-- The memory engine's journal: what a restart of the stand-alone program begins with.
CREATE TABLE engine_sessions (
    user_id     BIGINT NOT NULL,
    session_id  BIGINT NOT NULL,
    timeout_ms  BIGINT NOT NULL,
    deadline_ms BIGINT NOT NULL,
    -- Whether the session said that it is leaving: its timeout is a grace then.
    leaving     BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (user_id, session_id)
) WITHOUT ROWID;
CREATE TABLE engine_users (
    user_id  INTEGER PRIMARY KEY NOT NULL,
    reason   TEXT NOT NULL,
    -- The newest sign of life of sessions that are gone; 0 where there is none.
    gone_ms  BIGINT NOT NULL
);
CREATE TABLE engine_transitions (
    shard        INTEGER NOT NULL,
    id_ms        BIGINT NOT NULL,
    id_seq       BIGINT NOT NULL,
    entry        TEXT NOT NULL,
    PRIMARY KEY (shard, id_ms, id_seq)
) WITHOUT ROWID;
CREATE TABLE engine_state (
    shard      INTEGER PRIMARY KEY NOT NULL,
    shards     INTEGER NOT NULL,
    epoch      TEXT NOT NULL,
    born_ms    BIGINT NOT NULL,
    trimmed_ms BIGINT NOT NULL DEFAULT 0,
    trimmed_seq BIGINT NOT NULL DEFAULT 0
);

-- What people and other programs read: accounts with their presence, in plain types.
CREATE VIEW users AS
SELECT a.id, a.username, a.email, a.role, a.status, a.is_active,
       CASE WHEN p.online AND a.status = 'active' AND a.is_active THEN 'online' ELSE 'offline' END AS online_status,
       CASE WHEN p.last_seen_ms > 0
            THEN strftime('%Y-%m-%dT%H:%M:%fZ', p.last_seen_ms / 1000.0, 'unixepoch') END AS last_seen,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.created_at_ms / 1000.0, 'unixepoch') AS created_at
FROM accounts a JOIN presence p ON p.user_id = a.id;
