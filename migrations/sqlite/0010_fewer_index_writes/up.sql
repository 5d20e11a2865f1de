-- Pages of all by last seen are merged of those who are online and those who are offline, of whom there is an index each.
DROP INDEX presence_last_seen;
