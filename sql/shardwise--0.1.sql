-- shardwise 0.1: catalog, views and functions. See docs/reference.md for the manual.
\echo Use "CREATE EXTENSION shardwise" to load this file. \quit

------------------------------------------------------------------------------------------------
-- Catalog. All metadata is small and lives here; the C++ side reads it through src/catalog.
-- Written by the functions below only, which also keep the tables consistent with each other: foreign
-- keys would make parallel pg_restore fail. Every table is dumped by pg_dump.
------------------------------------------------------------------------------------------------

CREATE FUNCTION shardwise.server_options_validator(options text[], catalog oid) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'shardwise_server_options_validator';
CREATE FOREIGN DATA WRAPPER shardwise VALIDATOR shardwise.server_options_validator;
COMMENT ON FOREIGN DATA WRAPPER shardwise IS 'shards of this router: one foreign server each';

-- One row a shard. The connection is the foreign server of the same name and its user mappings.
CREATE TABLE shardwise.shard (
    shard_id int PRIMARY KEY CHECK (shard_id > 0),
    shard_name name NOT NULL UNIQUE,
    weight float8 NOT NULL DEFAULT 1 CHECK (weight > 0),
    is_local boolean NOT NULL DEFAULT false
);

-- A set of tables that share key types, strategy and shard map.
CREATE TABLE shardwise.keyspace (
    keyspace_id int PRIMARY KEY CHECK (keyspace_id > 0),
    strategy text NOT NULL CHECK (strategy IN ('hash', 'consistent_hash', 'range', 'list')),
    key_types regtype[] NOT NULL,
    key_collations regcollation[] NOT NULL,   -- '-' where the type has none
    virtual_nodes int,                        -- consistent_hash: ring points of a shard of weight 1
    default_shard int, -- range and list: owner of what no range names
    map_version bigint NOT NULL DEFAULT 1     -- grows with every change of the shard map
);

-- The shard map: a sorted, gapless list of ranges. A range reaches up to the next one's lower
-- bound. hash, consistent_hash: lower_hash, inclusive. range: lower_key, NULL is MINVALUE.
-- list: lower_key is the one key that the entry stands for.
CREATE TABLE shardwise.map_entry (
    keyspace_id int NOT NULL,
    entry int NOT NULL,                       -- position in the map, from 0
    lower_hash bigint,
    lower_key text[],
    shard_id int NOT NULL,
    PRIMARY KEY (keyspace_id, entry)
);
CREATE INDEX map_entry_shard ON shardwise.map_entry (shard_id);

-- One key placed by hand, over any strategy.
CREATE TABLE shardwise.pin (
    keyspace_id int NOT NULL,
    key text[] NOT NULL,
    shard_id int NOT NULL,
    PRIMARY KEY (keyspace_id, key)
);

-- One row a distributed table (keyspace_id set) or reference table (keyspace_id NULL).
CREATE TABLE shardwise.distribution (
    relation regclass PRIMARY KEY,
    keyspace_id int,
    key_columns name[],
    CHECK ((keyspace_id IS NULL) = (key_columns IS NULL))
);
CREATE INDEX distribution_keyspace ON shardwise.distribution (keyspace_id);

-- Ranges that may hold rows on a shard which does not own them (a move is under way).
CREATE TABLE shardwise.ghost_range (
    keyspace_id int NOT NULL,
    shard_id int NOT NULL,
    lower_hash bigint,
    upper_hash bigint,                        -- inclusive
    lower_key text[],
    upper_key text[]                          -- exclusive, NULL is MAXVALUE
);

-- Functions that every shard has, because a distributed or reference table needs them.
CREATE TABLE shardwise.shipped_function (
    function regprocedure PRIMARY KEY
);

SELECT pg_catalog.pg_extension_config_dump('shardwise.shard', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.keyspace', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.map_entry', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.pin', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.distribution', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.ghost_range', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.shipped_function', '');

------------------------------------------------------------------------------------------------
-- Functions that administer. Those for shards ask for EXECUTE and USAGE on foreign data wrapper
-- shardwise; those for tables, for ownership of the table.
------------------------------------------------------------------------------------------------

CREATE FUNCTION shardwise.check_shard(conninfo text)
    RETURNS TABLE (check_name text, ok boolean, detail text)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_check_shard';
REVOKE EXECUTE ON FUNCTION shardwise.check_shard(text) FROM PUBLIC;
COMMENT ON FUNCTION shardwise.check_shard(text) IS
'Compares a database with this router. conninfo: libpq connection string or URI. Returns one row a
check; detail says what to change. add_shard() refuses a database where one of reachable, writable,
separate_database, version, encoding, collation, collation_version, table_collations,
integer_datetimes or privileges fails, and warns of the others: public_schema, replication, time_zone,
max_prepared_transactions, wal_level, max_connections. Errors: 22023 invalid connection string, 42501
no USAGE on foreign data wrapper shardwise, or no password given by a role that is no superuser.';

CREATE FUNCTION shardwise.add_shard(name text, conninfo text, weight float8 DEFAULT 1)
    RETURNS void LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_add_shard';
REVOKE EXECUTE ON FUNCTION shardwise.add_shard(text, text, float8) FROM PUBLIC;
COMMENT ON FUNCTION shardwise.add_shard(text, text, float8) IS
'Adds a database as a shard. name: also the name of its foreign server; conninfo: libpq connection
string, of which user, password, passfile and keys go to a user mapping FOR PUBLIC and the rest to the
server; weight: its share of the keys under strategy consistent_hash. Runs check_shard() first. The
shard gets all reference tables with their rows, and distributed tables without. Errors: 55000 the
database cannot be a shard (DETAIL: failed checks), 42710 name or database in use, 22023 invalid
argument, 42501 privilege.';

CREATE FUNCTION shardwise.add_local_shard(name text, weight float8 DEFAULT 1)
    RETURNS void LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_add_local_shard';
REVOKE EXECUTE ON FUNCTION shardwise.add_local_shard(text, float8) FROM PUBLIC;
COMMENT ON FUNCTION shardwise.add_local_shard(text, float8) IS
'Adds database shard_<name> of this server as a shard, creating it if it does not exist; otherwise
like add_shard(). The database stays if the transaction rolls back, and after remove_shard(). For
development, tests and one-machine use; superuser only.';

CREATE FUNCTION shardwise.update_shard(name text, conninfo text DEFAULT NULL, weight float8 DEFAULT NULL)
    RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_update_shard';
REVOKE EXECUTE ON FUNCTION shardwise.update_shard(text, text, float8) FROM PUBLIC;
COMMENT ON FUNCTION shardwise.update_shard(text, text, float8) IS
'Changes how a shard is reached (conninfo replaces all options; the database must hold the shard''s
tables) or its weight, which counts for keyspaces made afterwards. NULL: leave as it is. Errors: 42704
no such shard, 55000 another database, 42501 not the server''s owner.';

CREATE FUNCTION shardwise.remove_shard(name text)
    RETURNS void LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_remove_shard';
REVOKE EXECUTE ON FUNCTION shardwise.remove_shard(text) FROM PUBLIC;
COMMENT ON FUNCTION shardwise.remove_shard(text) IS
'Removes a shard that owns no keys: drops its (empty) tables there and its copies of reference tables,
then its server. The database itself stays. A shard that does not answer is removed with a warning.
Errors: 55006 it owns a range, a pinned key or a default, or holds rows; 42704 no such shard.';

CREATE FUNCTION shardwise.distribute_table(relation regclass, key text[], strategy text DEFAULT 'hash',
        colocate_with regclass DEFAULT NULL, shards text[] DEFAULT NULL, virtual_nodes int DEFAULT 150,
        splits text[] DEFAULT NULL, default_shard text DEFAULT NULL)
    RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_distribute_table';
COMMENT ON FUNCTION shardwise.distribute_table(regclass, text[], text, regclass, text[], int, text[], text) IS
'Moves a table with its rows, partitions, indexes, constraints, triggers, policies and grants to the
shards; the router keeps it empty. key: 1 to 8 NOT NULL columns that every unique constraint contains.
strategy: hash (equal slices), consistent_hash (virtual_nodes ring points for each unit of weight),
range (splits in ascending order: the first shard owns what is below the first split, and so on; with
default_shard, both ends are its) or list (splits are the keys; default_shard owns the others). A split
of several columns is a row literal, (a,b). shards: owners, in order, taken in turns; all by default.
colocate_with: shares the keyspace of that table instead, so that equal keys live together.
Identity columns and sequences stay with the router, which draws the values. Errors, with nothing
changed: 42P16 key or constraint does not fit, 55000 already distributed or no shards, 42704 unknown
shard, 22023 invalid options, 42P07 a shard has a table of that name, 08001 a shard does not answer.';

CREATE FUNCTION shardwise.distribute_table(relation regclass, key text, strategy text DEFAULT 'hash',
        colocate_with regclass DEFAULT NULL, shards text[] DEFAULT NULL, virtual_nodes int DEFAULT 150,
        splits text[] DEFAULT NULL, default_shard text DEFAULT NULL)
    RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_distribute_table_by_column';
COMMENT ON FUNCTION shardwise.distribute_table(regclass, text, text, regclass, text[], int, text[], text) IS
'distribute_table() with a key of one column.';

CREATE FUNCTION shardwise.create_reference_table(relation regclass)
    RETURNS void LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_create_reference_table';
COMMENT ON FUNCTION shardwise.create_reference_table(regclass) IS
'Puts a table with all its rows on every shard, where it joins with any table; the router keeps it
empty. Errors as distribute_table().';

CREATE FUNCTION shardwise.undistribute_table(relation regclass)
    RETURNS void LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_undistribute_table';
COMMENT ON FUNCTION shardwise.undistribute_table(regclass) IS
'Brings the rows of a distributed or reference table home and drops it on the shards, once the router
has committed. No trigger fires, sequences stay. Errors: 55000 not distributed, 2BP01 a foreign key of
another table on the shards refers to it, 42501 not the owner.';

CREATE FUNCTION shardwise.locate(relation regclass, VARIADIC key "any")
    RETURNS text LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'shardwise_locate';
COMMENT ON FUNCTION shardwise.locate(regclass, "any") IS
'Name of the shard that owns a key, one argument for each key column, in order; NULL where no shard does
(range and list without default). Needs SELECT on the table. Errors: 42809 not a distributed table,
22004 NULL in the key, 22023 wrong number of key columns.';

CREATE FUNCTION shardwise.run_on_shards(command text, shards text[] DEFAULT NULL)
    RETURNS TABLE (shard text, ok boolean, result text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_run_on_shards';
REVOKE EXECUTE ON FUNCTION shardwise.run_on_shards(text, text[]) FROM PUBLIC;
COMMENT ON FUNCTION shardwise.run_on_shards(text, text[]) IS
'Runs SQL on the shards (all by default) at the same time. result: first column of the first row, else
the command tag; where not ok, the error. Each shard runs it in a session and transaction of its own:
it does not see what the caller''s transaction has changed on shards, waits for its locks, and stays when
that rolls back. Errors: 42704 unknown shard, 42501 not the servers'' owner.';

-- A shard is reached through the foreign server of its name.
CREATE FUNCTION shardwise.keep_servers() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'shardwise_keep_servers';
CREATE EVENT TRIGGER shardwise_keep_servers ON ddl_command_end
    WHEN TAG IN ('DROP SERVER', 'DROP OWNED', 'ALTER SERVER')
    EXECUTE FUNCTION shardwise.keep_servers();

-- The planner's own: in a plan, rows that shards deliver look like this function in FROM.
CREATE FUNCTION shardwise.shard_rows(part int) RETURNS SETOF record
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'shardwise_shard_rows';
COMMENT ON FUNCTION shardwise.shard_rows(int) IS
    'stands for rows of the shards in plans; cannot be called';

------------------------------------------------------------------------------------------------
-- Views, and functions that read the catalog.
------------------------------------------------------------------------------------------------

-- Statements that change the catalog (a restore, say) announce it to every backend's cache; the C++
-- side announces its own changes.
CREATE FUNCTION shardwise.catalog_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'shardwise_catalog_changed';
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.shard
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.keyspace
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.map_entry
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.pin
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.distribution
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce_relation AFTER INSERT OR UPDATE OR DELETE ON shardwise.distribution
    FOR EACH ROW EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.shipped_function
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();

CREATE FUNCTION shardwise.key_hash(relation regclass, VARIADIC key "any") RETURNS bigint
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'shardwise_key_hash';
COMMENT ON FUNCTION shardwise.key_hash(regclass, "any")
    IS 'hash of a key of a distributed table; NULL for a key with a NULL';

CREATE FUNCTION shardwise.key_hash_expression(relation regclass) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shardwise_key_hash_expression';
COMMENT ON FUNCTION shardwise.key_hash_expression(regclass)
    IS 'the hash of a row''s key as an SQL expression that every PostgreSQL server computes';

-- Shows a key of several columns as a row, a key of one as it is.
CREATE FUNCTION shardwise.show_key(key text[]) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT CASE pg_catalog.cardinality(key) WHEN 1 THEN key[1]
                 ELSE '(' || pg_catalog.array_to_string(key, ', ') || ')' END $$;

CREATE VIEW shardwise.shards AS
    SELECT s.shard_id, s.shard_name AS name, o.host, o.port, o.dbname, s.weight, s.is_local,
           (SELECT count(*) FROM shardwise.map_entry m WHERE m.shard_id = s.shard_id) AS ranges,
           (SELECT count(*) FROM shardwise.pin p WHERE p.shard_id = s.shard_id) AS pins
      FROM shardwise.shard s
      LEFT JOIN pg_catalog.pg_foreign_server f
             ON f.srvname = s.shard_name
            AND f.srvfdw = (SELECT w.oid FROM pg_catalog.pg_foreign_data_wrapper w
                             WHERE w.fdwname = 'shardwise'),
           LATERAL (SELECT coalesce(max(option_value) FILTER (WHERE option_name = 'host'),
                                    max(option_value) FILTER (WHERE option_name = 'hostaddr')) AS host,
                           max(option_value) FILTER (WHERE option_name = 'port') AS port,
                           max(option_value) FILTER (WHERE option_name = 'dbname') AS dbname
                      FROM pg_catalog.pg_options_to_table(f.srvoptions)) o;
COMMENT ON VIEW shardwise.shards IS 'shards, where they are, and how much of the key spaces they own';

CREATE VIEW shardwise.tables AS
    SELECT d.relation,
           CASE WHEN d.keyspace_id IS NULL THEN 'reference' ELSE 'distributed' END AS kind,
           d.key_columns, k.strategy, d.keyspace_id
      FROM shardwise.distribution d
      LEFT JOIN shardwise.keyspace k USING (keyspace_id);
COMMENT ON VIEW shardwise.tables IS 'distributed and reference tables';

CREATE VIEW shardwise.keyspaces AS
    SELECT k.keyspace_id, k.strategy, k.key_types, k.virtual_nodes,
           (SELECT s.shard_name FROM shardwise.shard s WHERE s.shard_id = k.default_shard) AS default_shard,
           ARRAY(SELECT d.relation FROM shardwise.distribution d
                  WHERE d.keyspace_id = k.keyspace_id ORDER BY d.relation::text) AS tables,
           (SELECT count(*) FROM shardwise.map_entry m WHERE m.keyspace_id = k.keyspace_id) AS ranges,
           (SELECT count(*) FROM shardwise.pin p WHERE p.keyspace_id = k.keyspace_id) AS pins,
           k.map_version
      FROM shardwise.keyspace k;
COMMENT ON VIEW shardwise.keyspaces IS 'sets of tables that share key types, strategy and shard map';

-- kind: range; key (of strategy list) and pin, where lower and upper are the key; default, for what
-- no entry names. A range reaches from lower, inclusive, to upper, exclusive; hash strategies show
-- hashes of keys.
CREATE VIEW shardwise.ranges AS
    WITH entry AS (
        SELECT m.keyspace_id, m.shard_id, m.entry AS position,
               CASE k.strategy WHEN 'list' THEN 'key' ELSE 'range' END AS kind,
               CASE WHEN m.lower_hash > -9223372036854775808 THEN m.lower_hash::text
                    WHEN m.lower_hash IS NULL THEN shardwise.show_key(m.lower_key) END AS lower
          FROM shardwise.map_entry m JOIN shardwise.keyspace k USING (keyspace_id)
    ), shown AS (
        SELECT keyspace_id, shard_id, position, kind, coalesce(lower, 'MINVALUE') AS lower,
               CASE kind WHEN 'key' THEN lower
                         ELSE coalesce(lead(lower) OVER (PARTITION BY keyspace_id ORDER BY position),
                                       'MAXVALUE') END AS upper
          FROM entry
        UNION ALL
        SELECT keyspace_id, default_shard, NULL, 'default', NULL, NULL
          FROM shardwise.keyspace
         WHERE default_shard IS NOT NULL AND strategy = 'list'
        UNION ALL
        SELECT keyspace_id, shard_id, NULL, 'pin', shardwise.show_key(key), shardwise.show_key(key)
          FROM shardwise.pin
    )
    SELECT r.keyspace_id, k.tables, r.kind, r.position, r.lower, r.upper, s.shard_name AS shard
      FROM shown r
      JOIN shardwise.keyspaces k USING (keyspace_id)
      JOIN shardwise.shard s USING (shard_id);
COMMENT ON VIEW shardwise.ranges IS 'shard maps: who owns which range of the key space';

CREATE VIEW shardwise.ghost_ranges AS
    SELECT g.keyspace_id, k.tables, s.shard_name AS shard,
           coalesce(nullif(g.lower_hash, -9223372036854775808)::text,
                    shardwise.show_key(g.lower_key), 'MINVALUE') AS lower,
           coalesce(nullif(g.upper_hash, 9223372036854775807)::text,
                    shardwise.show_key(g.upper_key), 'MAXVALUE') AS upper
      FROM shardwise.ghost_range g
      JOIN shardwise.keyspaces k USING (keyspace_id)
      JOIN shardwise.shard s USING (shard_id);
COMMENT ON VIEW shardwise.ghost_ranges
    IS 'ranges that may hold rows on a shard which does not own them (hash bounds are inclusive)';

-- The catalog holds no secrets: connections' passwords are in user mappings.
GRANT USAGE ON SCHEMA shardwise TO PUBLIC;
GRANT SELECT ON shardwise.shard, shardwise.keyspace, shardwise.map_entry, shardwise.pin,
                shardwise.distribution, shardwise.ghost_range, shardwise.shipped_function TO PUBLIC;
GRANT SELECT ON shardwise.shards, shardwise.tables, shardwise.keyspaces, shardwise.ranges,
                shardwise.ghost_ranges TO PUBLIC;
