DROP INDEX accounts_email_pieces;
DROP INDEX accounts_username_pieces;
DROP FUNCTION search_pieces(TEXT);
DROP TRIGGER accounts_counted_delete ON accounts;
DROP TRIGGER accounts_counted_update ON accounts;
DROP TRIGGER accounts_counted_insert ON accounts;
CREATE OR REPLACE FUNCTION count_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.role, OLD.status, OLD.is_active) IS NOT DISTINCT FROM (NEW.role, NEW.status, NEW.is_active) THEN
        RETURN NULL;
    END IF;
    IF TG_OP IN ('DELETE', 'UPDATE') THEN
        UPDATE account_counts SET n = n - 1
        WHERE role = OLD.role AND status = OLD.status AND is_active = OLD.is_active;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        INSERT INTO account_counts (role, status, is_active, n) VALUES (NEW.role, NEW.status, NEW.is_active, 1)
        ON CONFLICT (role, status, is_active) DO UPDATE SET n = account_counts.n + 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER accounts_counted AFTER INSERT OR UPDATE OR DELETE ON accounts
    FOR EACH ROW EXECUTE FUNCTION count_accounts();
