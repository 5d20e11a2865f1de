DROP TRIGGER accounts_barred ON accounts;
DROP FUNCTION bar_presence();
DROP TRIGGER presence_begins ON presence;
DROP FUNCTION begin_barred();
DROP INDEX presence_online_barred;
ALTER TABLE presence DROP COLUMN barred;
