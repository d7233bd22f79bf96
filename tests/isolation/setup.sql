-- What the specs share: tables over two shards, which are databases of the same server, so that
-- one look at the server's locks shows who waits for whom.
CREATE TABLE accounts (id int PRIMARY KEY, owner text, balance int);
INSERT INTO accounts SELECT i, 'owner ' || i, 100 FROM generate_series(1, 20) i;
SELECT shardwise.distribute_table('accounts', 'id');
CREATE TABLE rates (id int PRIMARY KEY, rate int);
INSERT INTO rates VALUES (1, 10), (2, 20);
SELECT shardwise.create_reference_table('rates');

-- Each session of a spec works as a role of its own, so that its sessions on the shards can be told
-- from the others'. Its application name says which: that is seen at once, unlike a row.
CREATE FUNCTION work_as(name, OUT application_name text, OUT role text) LANGUAGE sql AS $$
    SELECT set_config('application_name', 'works as ' || $1, false), set_config('role', $1, false)
$$;

-- A router session is blocked, too, when its session on a shard is. The tester asks by this name.
ALTER FUNCTION pg_catalog.pg_isolation_test_session_is_blocked(int, int[]) RENAME TO pg_isolation_test_session_is_blocked_here;
CREATE FUNCTION pg_catalog.pg_isolation_test_session_is_blocked(int, int[]) RETURNS boolean
    LANGUAGE sql AS $$
    SELECT pg_catalog.pg_isolation_test_session_is_blocked_here($1, $2)
        OR EXISTS (SELECT FROM pg_catalog.pg_stat_activity r
                   JOIN pg_catalog.pg_stat_activity s ON r.application_name = 'works as ' || s.usename
                   WHERE r.pid = $1 AND cardinality(pg_catalog.pg_blocking_pids(s.pid)) > 0)
$$;
