DROP INDEX presence_offline_last_seen;
DROP INDEX presence_online_last_seen;
