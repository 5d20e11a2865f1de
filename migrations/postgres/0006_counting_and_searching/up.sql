-- Accounts are counted once a statement, not once a row: a row of account_counts that changes a million times in one
-- transaction leaves a million dead versions behind, and each change passes those before it.
DROP TRIGGER accounts_counted ON accounts;
CREATE OR REPLACE FUNCTION count_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO account_counts AS c (role, status, is_active, n)
        SELECT role, status, is_active, count(*) FROM added GROUP BY role, status, is_active ORDER BY 1, 2, 3
        ON CONFLICT (role, status, is_active) DO UPDATE SET n = c.n + EXCLUDED.n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO account_counts AS c (role, status, is_active, n)
        SELECT role, status, is_active, -count(*) FROM removed GROUP BY role, status, is_active ORDER BY 1, 2, 3
        ON CONFLICT (role, status, is_active) DO UPDATE SET n = c.n + EXCLUDED.n;
    ELSE
        INSERT INTO account_counts AS c (role, status, is_active, n)
        SELECT role, status, is_active, sum(n) FROM (
            SELECT role, status, is_active, 1 AS n FROM added
            UNION ALL SELECT role, status, is_active, -1 FROM removed
        ) changed GROUP BY role, status, is_active HAVING sum(n) <> 0 ORDER BY 1, 2, 3
        ON CONFLICT (role, status, is_active) DO UPDATE SET n = c.n + EXCLUDED.n;
    END IF;
    RETURN NULL;
END $$;
-- One for each kind of statement: that is how a trigger is given the rows of the whole.
CREATE TRIGGER accounts_counted_insert AFTER INSERT ON accounts
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_accounts();
CREATE TRIGGER accounts_counted_update AFTER UPDATE ON accounts
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_accounts();
CREATE TRIGGER accounts_counted_delete AFTER DELETE ON accounts
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_accounts();

-- The letters of a text, and its pairs of letters: pg_trgm has an index of three letters and more only, and of none that
-- are neither letters nor digits.
CREATE FUNCTION search_pieces(name TEXT) RETURNS TEXT[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    pieces TEXT[] := string_to_array(name, NULL);
BEGIN
    FOR i IN 1 .. length(name) - 1 LOOP
        pieces := pieces || substr(name, i, 2);
    END LOOP;
    RETURN pieces;
END $$;
CREATE INDEX accounts_username_pieces ON accounts USING gin (search_pieces(username_key));
CREATE INDEX accounts_email_pieces ON accounts USING gin (search_pieces(email_key));
