-- Next to nobody is online in the database and barred, but each of the two is common: taken for independent of each other, the
-- planner expects thousands, and walks everybody in the page's order to find some.
CREATE STATISTICS presence_online_and_barred (mcv) ON online, barred FROM presence;
ANALYZE presence;
