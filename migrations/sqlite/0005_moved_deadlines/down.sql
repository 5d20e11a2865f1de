-- Deadlines that heartbeats moved since their sessions' rows were written are lost with it.
ALTER TABLE engine_sessions DROP COLUMN after_seq;
DROP TABLE engine_moved;
