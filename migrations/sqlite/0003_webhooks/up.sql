-- Webhooks: where events are sent to, and each event on its way to each of them.

CREATE TABLE webhooks (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    url                   TEXT NOT NULL,
    -- What is sent there: exact types, or 'presence.*' and the like; a JSON list.
    events                TEXT NOT NULL,
    description           TEXT,
    enabled               BOOLEAN NOT NULL DEFAULT TRUE,
    -- Why it was disabled, where nobody did it by hand: 'gone' or 'failing'.
    disabled_reason       TEXT,
    -- As they are, since they must sign; the earlier one signs too until previous_until_ms.
    secret                TEXT NOT NULL,
    previous_secret       TEXT,
    previous_until_ms     BIGINT,
    -- Since when no attempt has succeeded, although some were made.
    failing_since_ms      BIGINT,
    last_attempt_at_ms    BIGINT,
    last_attempt_ok       BOOLEAN,
    created_at_ms         BIGINT NOT NULL
);

CREATE TABLE webhook_deliveries (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    webhook_id         BIGINT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    -- The webhook-id header: the same at each attempt.
    message_id         TEXT NOT NULL UNIQUE,
    event              TEXT NOT NULL,
    -- As it is sent, byte for byte.
    body               TEXT NOT NULL,
    status             TEXT NOT NULL DEFAULT 'pending'
                       CHECK (status IN ('pending', 'delivered', 'dead')),
    attempts           INTEGER NOT NULL DEFAULT 0,
    -- When it is due. While an attempt is made: when that counts as lost.
    next_attempt_at_ms BIGINT NOT NULL,
    created_at_ms      BIGINT NOT NULL,
    -- How the last attempt ended.
    last_attempt_at_ms BIGINT,
    last_status        INTEGER,
    last_error         TEXT,
    last_response      TEXT
);
-- What is due, in its order.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_attempt_at_ms, id) WHERE status = 'pending';
-- Pages of an endpoint's deliveries, of all and of one status.
CREATE INDEX webhook_deliveries_page ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_status ON webhook_deliveries (webhook_id, status, id);
-- For what is too old to be kept.
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at_ms);
