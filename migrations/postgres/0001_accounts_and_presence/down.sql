DROP VIEW users;
DROP TABLE audit_log, projector_offsets, presence_history, sessions, presence, accounts, account_counts;
DROP FUNCTION count_accounts();
