-- Room in each page for another version of its rows: when a session was last seen is in no index, so noting it writes to none
-- either, where the page has room. Pages that are full get it once their rows have moved.
ALTER TABLE sessions SET (fillfactor = 85);
-- Pages of all by last seen are merged of those who are online and those who are offline, of whom there is an index each.
DROP INDEX presence_last_seen;
