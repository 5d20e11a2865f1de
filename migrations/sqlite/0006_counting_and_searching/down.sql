-- Of the two databases only PostgreSQL needs it: SQLite counts accounts row by row without harm, and is searched by
-- reading all names.
SELECT 1;
