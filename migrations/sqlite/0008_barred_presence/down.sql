DROP TRIGGER accounts_barred;
DROP TRIGGER presence_begins;
DROP INDEX presence_online_barred;
ALTER TABLE presence DROP COLUMN barred;
