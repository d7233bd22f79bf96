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
    map_version bigint NOT NULL DEFAULT 1,    -- grows with every change of the shard map
    moved_by xid8,                            -- transaction in which rows last changed their shard
    checks_keys boolean NOT NULL DEFAULT false -- a table has had triggers that may change its key
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
    restored boolean NOT NULL DEFAULT false, -- comes from a dump: finish_restore() has to see to it
    CHECK ((keyspace_id IS NULL) = (key_columns IS NULL))
);
CREATE INDEX distribution_keyspace ON shardwise.distribution (keyspace_id);

-- What the shards' ANALYZE found of a table or partition, all shards together. Not in pg_class, where the
-- router's autovacuum, which finds an empty table, would forget it. Not dumped: oids differ.
CREATE TABLE shardwise.table_statistics (
    relation regclass PRIMARY KEY,
    rows float8 NOT NULL,
    pages float8 NOT NULL,
    analyzed text     -- of the table itself, not of partitions: when which shard had last analyzed it
);

-- Ranges that may hold rows on a shard which does not own them (a move is under way). Statements that
-- go to several shards leave these rows out. A row without any bound or key, in a keyspace of strategy
-- list, means all keys that neither an entry nor a pin names. A row must be committed, and all
-- transactions that hold a lock on a table of the keyspace have ended, before rows are copied.
CREATE TABLE shardwise.ghost_range (
    keyspace_id int NOT NULL,
    shard_id int NOT NULL,
    lower_hash bigint,
    upper_hash bigint,                        -- inclusive
    lower_key text[],
    upper_key text[],                         -- exclusive, NULL is MAXVALUE
    pin_key text[],                           -- the one key of a pin, or of a list: no range then
    move_id int                               -- whose rows they are
);

-- Functions, types, schemas and others that every shard has, because a distributed or reference table
-- needs them: what changes them on the router changes them there.
CREATE TABLE shardwise.shipped_function (
    function regprocedure PRIMARY KEY
);
CREATE TABLE shardwise.shipped_type (
    type regtype PRIMARY KEY
);
CREATE TABLE shardwise.shipped_schema (
    schema regnamespace PRIMARY KEY
);
CREATE TABLE shardwise.shipped_collation (
    object regcollation PRIMARY KEY
);
CREATE TABLE shardwise.shipped_operator (
    object regoperator PRIMARY KEY
);
-- Not dumped, for these have no names that a dump could keep: the next table that needs them brings the
-- row back.
CREATE TABLE shardwise.shipped_operator_class (
    object oid PRIMARY KEY
);
CREATE TABLE shardwise.shipped_operator_family (
    object oid PRIMARY KEY
);
CREATE TABLE shardwise.shipped_cast (
    object oid PRIMARY KEY
);
CREATE TABLE shardwise.shipped_parser (
    object oid PRIMARY KEY
);
CREATE TABLE shardwise.shipped_template (
    object oid PRIMARY KEY
);
CREATE TABLE shardwise.shipped_dictionary (
    object regdictionary PRIMARY KEY
);
CREATE TABLE shardwise.shipped_configuration (
    object regconfig PRIMARY KEY
);
-- Extensions that every shard has: their immutable functions and their aggregates run there.
CREATE TABLE shardwise.shipped_extension (
    extension name PRIMARY KEY
);

-- A plan: an ordered set of moves. Plans and their moves are not dumped: they describe work under way
-- between live servers (slots, publications, half-copied rows), which a restored copy of the router
-- must not go on with. Their numbers are, so that names made of them are never used twice.
CREATE TABLE shardwise.plan (
    plan_id int PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
    kind text NOT NULL CHECK (kind IN ('add_shard', 'remove_shard', 'rebalance', 'move_range',
                                       'move_key')),
    description text NOT NULL,                -- what was asked for
    state text NOT NULL DEFAULT 'planned'
        CHECK (state IN ('planned', 'running', 'paused', 'swapped', 'done', 'failed', 'cancelled',
                         'rolled_back')),
    owner oid NOT NULL,                       -- role that made it
    topology_hash bigint NOT NULL,            -- of the shards and maps that it was made from
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    error text,
    wanted text NOT NULL DEFAULT 'run'        -- by the operator
        CHECK (wanted IN ('run', 'pause', 'cancel', 'rollback', 'finish')),
    verification text NOT NULL DEFAULT 'full' CHECK (verification IN ('full', 'sampled', 'none')),
    on_mismatch text NOT NULL DEFAULT 'stop' CHECK (on_mismatch IN ('stop', 'repair', 'force'))
);

-- A move takes ranges of one keyspace from a source to a target shard: copied, verified and swapped
-- together. src/core/move_state.hpp has the transitions.
CREATE TABLE shardwise.move (
    move_id int PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
    plan_id int NOT NULL,
    position int NOT NULL,                    -- in the plan, from 1
    keyspace_id int NOT NULL,
    source_shard int NOT NULL,
    target_shard int NOT NULL,
    state text NOT NULL DEFAULT 'planned'
        CHECK (state IN ('planned', 'copying', 'catching_up', 'verifying', 'verified', 'swapping',
                         'swapped', 'cleaning', 'done', 'failed', 'cancelled', 'rolled_back')),
    estimated_rows float8 NOT NULL,
    estimated_bytes float8 NOT NULL,
    estimated_seconds float8 NOT NULL DEFAULT 0,
    started_at timestamptz,
    finished_at timestamptz,
    error text,                               -- the last in this state
    state_since timestamptz,
    swapped_at timestamptz,
    leftovers boolean NOT NULL DEFAULT false, -- shards have objects or rows of it
    snapshot text,                            -- on the source, that is copied under
    source_server text,                       -- system identifier and timeline when the copy began:
    target_server text,                       -- after a failover it is another one
    retries int NOT NULL DEFAULT 0,
    swap_attempts int NOT NULL DEFAULT 0,
    workers int NOT NULL DEFAULT 0,           -- sessions that copy or verify at this moment
    throttled_by text,                        -- rate limit, replica lag, latency: at this moment
    lag_bytes bigint,
    verified_rows bigint,
    write_block_ms float8,                    -- writers of the moving keys waited, at the swap
    swap_lsn pg_lsn,                          -- on the target; what comes after it goes back
    UNIQUE (plan_id, position)
);

-- What a move takes. range: hash strategies use lower_hash to upper_hash, both inclusive; range
-- lower_key (NULL: MINVALUE) to upper_key, exclusive (NULL: MAXVALUE). key: the entry of strategy list
-- with this lower_key. default: all keys of strategy list that no entry names. pin: the one key
-- pin_key. except: pin_key, a pinned key inside of the ranges above, which stays where it is.
CREATE TABLE shardwise.move_range (
    move_id int NOT NULL,
    ordinal int NOT NULL,                     -- from 1, in the order of the key space
    kind text NOT NULL CHECK (kind IN ('range', 'key', 'default', 'pin', 'except')),
    lower_hash bigint,
    upper_hash bigint,
    lower_key text[],
    upper_key text[],
    pin_key text[],
    PRIMARY KEY (move_id, ordinal)
);

-- The decision to commit a transaction on several servers: its row commits with the router's part.
-- Written at commit, one row a backend, used again; recovery removes what is left. Of this server
-- alone, so not dumped.
CREATE TABLE shardwise.commit_decision (
    -- Name of the prepared transactions, without _<shard>. It is written when the snapshot has gone,
    -- which values out of line would need: the length keeps it without a TOAST table.
    gid varchar(200) NOT NULL
) WITH (fillfactor = 50);

-- What of a table one transaction of a copy takes: the rows in some of the source's pages.
CREATE TABLE shardwise.move_chunk (
    move_id int NOT NULL,
    relation text NOT NULL,                   -- on the source: the table, or a partition of it
    chunk int NOT NULL,                       -- from 0
    table_name text NOT NULL,
    lower_page bigint NOT NULL,
    upper_page bigint NOT NULL,               -- exclusive; the last chunk has no end
    rows bigint,
    bytes bigint,
    copied_at timestamptz,
    PRIMARY KEY (move_id, relation, chunk)
);

-- What happened to a move: every change of its state, and what an operator may want to know.
CREATE TABLE shardwise.move_event (
    event_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    move_id int NOT NULL,
    at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    event text NOT NULL,
    detail text
);
CREATE INDEX move_event_move ON shardwise.move_event (move_id);

-- The last verification of a move.
CREATE TABLE shardwise.move_verification (
    move_id int NOT NULL,
    relation text NOT NULL,
    rows bigint NOT NULL,                     -- on the side that owns them
    mismatched bigint NOT NULL,
    missing bigint NOT NULL,                  -- on the other side
    extra bigint NOT NULL,                    -- there
    key_hashes bigint[] NOT NULL,             -- hashes of the primary keys of rows that differ
    seconds float8 NOT NULL,
    verified_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (move_id, relation)
);

-- Moves that swap, or are about to: writers of their keys take a lock (src/catalog/gate.hpp).
CREATE TABLE shardwise.gate (
    keyspace_id int NOT NULL,
    move_id int NOT NULL,
    PRIMARY KEY (keyspace_id, move_id)
);

SELECT pg_catalog.pg_extension_config_dump('shardwise.shard', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.keyspace', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.map_entry', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.pin', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.distribution', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.ghost_range', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.shipped_function', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.shipped_type', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.shipped_schema', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.shipped_extension', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.shipped_collation', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.shipped_operator', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.shipped_dictionary', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.shipped_configuration', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.plan_plan_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('shardwise.move_move_id_seq', '');

------------------------------------------------------------------------------------------------
-- Functions that administer. Those for shards ask for EXECUTE and USAGE on foreign data wrapper
-- shardwise; those for tables, for ownership of the table.
------------------------------------------------------------------------------------------------

CREATE FUNCTION shardwise.check_shard(conninfo text)
    RETURNS TABLE (check_name text, ok boolean, detail text)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_check_shard';
REVOKE EXECUTE ON FUNCTION shardwise.check_shard(text) FROM PUBLIC;
COMMENT ON FUNCTION shardwise.check_shard(text) IS
'Compares a database with this router. conninfo: libpq connection string or URI, or the name of a shard
(for the owner of its server). Returns one row a check; detail says what to change. add_shard() refuses a database where one of reachable, writable,
separate_database, version, encoding, collation, collation_version, table_collations,
integer_datetimes or privileges fails, and warns of the others: index_collations, public_schema, replication, time_zone,
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

CREATE FUNCTION shardwise.finish_restore(OUT relation regclass, OUT action text, OUT rows bigint)
    RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_finish_restore';
COMMENT ON FUNCTION shardwise.finish_restore() IS
'After a dump of a router has been restored: brings the rows that the dump holds of distributed and
reference tables, and the restore has left in the router''s own tables, in line with the shards.
Action: "kept" the shards'' rows, no rows in the dump; "dropped" the dump''s rows, as the shards have
rows; "loaded" them into the shards'' empty tables; "created" the tables on the shards and loaded
them. Rows: of the dump. Errors: 55000 a table is on some shards only, 42501 not the owner.';
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

CREATE FUNCTION shardwise.check_schema(shard text DEFAULT NULL)
    RETURNS TABLE (shard text, object text, difference text, router_definition text,
                   shard_definition text, advice text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_check_schema';
REVOKE EXECUTE ON FUNCTION shardwise.check_schema(text) FROM PUBLIC;
COMMENT ON FUNCTION shardwise.check_schema(text) IS
'Compares the router''s distributed and reference tables with those of a shard (all by default): columns,
constraints, indexes, triggers, policies, statistics, the types, functions and schemas that the shards
have because of them, and whether extensions are there. One row a difference: missing (on the shard),
extra or different; none if all agree. Errors: 42704 no such shard, 42501 no USAGE on foreign data wrapper shardwise, 08xxx a shard
does not answer.';

CREATE FUNCTION shardwise.run_on_shards(command text, shards text[] DEFAULT NULL)
    RETURNS TABLE (shard text, ok boolean, result text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_run_on_shards';
REVOKE EXECUTE ON FUNCTION shardwise.run_on_shards(text, text[]) FROM PUBLIC;
COMMENT ON FUNCTION shardwise.run_on_shards(text, text[]) IS
'Runs SQL on the shards (all by default) at the same time. result: first column of the first row, else
the command tag; where not ok, the error. Each shard runs it in a session and transaction of its own:
it does not see what the caller''s transaction has changed on shards, waits for its locks, and stays when
that rolls back. Errors: 42704 unknown shard, 42501 not the servers'' owner.';

CREATE FUNCTION shardwise.ship_extension(extension name) RETURNS void
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_ship_extension';
REVOKE EXECUTE ON FUNCTION shardwise.ship_extension(name) FROM PUBLIC;
COMMENT ON FUNCTION shardwise.ship_extension(name) IS
'Creates an extension that the router has on all shards, and on those to come, so that its immutable
functions and its aggregates may run there. Extensions that distributed tables need are there without
it. A shard that has the extension keeps it as it is. Errors: 42704 the router does not have it, 42501
not its owner or no USAGE on foreign data wrapper shardwise, and what CREATE EXTENSION raises there.';

CREATE FUNCTION shardwise.recover_transactions()
    RETURNS TABLE (shard name, gid text, prepared timestamptz, owner text, outcome text)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_recover_transactions';
REVOKE EXECUTE ON FUNCTION shardwise.recover_transactions() FROM PUBLIC;
COMMENT ON FUNCTION shardwise.recover_transactions() IS
'Finishes transactions that an interrupted commit left prepared on shards, as a background worker does
by itself: committed if the router''s transaction committed, else rolled back. Returns a row for each;
warns of shards that do not answer. Transactions that are just committing are left alone.';

CREATE FUNCTION shardwise.prepared_transactions()
    RETURNS TABLE (shard name, gid text, prepared timestamptz, owner text, decision text)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_prepared_transactions';
REVOKE EXECUTE ON FUNCTION shardwise.prepared_transactions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shardwise.prepared_transactions() TO pg_monitor;
COMMENT ON FUNCTION shardwise.prepared_transactions() IS
'Lists what this router has prepared on its shards. decision: commit, rollback, or in progress while
the transaction''s session is alive and finishes it. Warns of shards that do not answer.';
------------------------------------------------------------------------------------------------
-- Plans. Who makes or reads one owns the tables of the keyspaces that it moves, or administers shards
-- (USAGE on foreign data wrapper shardwise). Making a plan moves nothing.
------------------------------------------------------------------------------------------------

CREATE FUNCTION shardwise.plan_add_shard(name text) RETURNS int
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_plan_add_shard';
COMMENT ON FUNCTION shardwise.plan_add_shard(text) IS
'Plans how a shard that owns nothing gets its share (by weight) of every keyspace: at most 1.15 times
that share moves, to it alone. hash: a slice of each shard that has more than its share;
consistent_hash: what its points on the ring take; range, list: by bytes. Keyspaces in which it owns
something already are left out, with a notice. Returns the plan''s number. Errors: 42704 no such shard,
42501 privilege, 08001 a shard does not answer.';

CREATE FUNCTION shardwise.plan_remove_shard(name text) RETURNS int
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_plan_remove_shard';
COMMENT ON FUNCTION shardwise.plan_remove_shard(text) IS
'Plans how everything leaves a shard (drain): ranges, listed keys, defaults and pins. The other owners of
each keyspace take it so that bytes follow weights, the emptiest first; where there is none, all other
shards. Returns the plan''s number. Errors: 55000 no other shard; as plan_add_shard().';

CREATE FUNCTION shardwise.plan_rebalance(relation regclass DEFAULT NULL,
        strategy text DEFAULT 'minimize_movement', by text DEFAULT 'bytes', threshold float8 DEFAULT 0.3)
    RETURNS int LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_plan_rebalance';
COMMENT ON FUNCTION shardwise.plan_rebalance(regclass, text, text, float8) IS
'Plans how the keyspace of a table (all, each for itself, by default) is spread over all shards by their
weights. by: bytes or rows, as the shards'' statistics have them. threshold: nothing moves while every
shard is within this part of its share. strategy: minimize_movement moves as little as brings every
shard within half of the threshold; uniform gives every shard its exact share. Hash ranges are cut
anywhere, ranges of keys at sampled keys; listed keys and pins are not cut, and pins stay. Returns the
plan''s number. Errors: 22023 invalid argument; as plan_add_shard().';

CREATE FUNCTION shardwise.plan_move_range(relation regclass, lower text, upper text, target text)
    RETURNS int LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_plan_move_range';
COMMENT ON FUNCTION shardwise.plan_move_range(regclass, text, text, text) IS
'Plans how a range goes to a shard. lower (inclusive) and upper (exclusive) are hashes for hash
strategies, keys for range (a row literal where the key has several columns), the same listed key twice
for list; NULL is MINVALUE or MAXVALUE. Parts that the target owns stay. Pins stay. Returns the plan''s
number. Errors: 22023 the range is empty, 55000 the target owns all of it; as plan_add_shard().';

CREATE FUNCTION shardwise.plan_move_key(relation regclass, target text, VARIADIC key "any")
    RETURNS int LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_plan_move_key';
COMMENT ON FUNCTION shardwise.plan_move_key(regclass, text, "any") IS
'Plans how one key (a large tenant, say) goes to a shard of its own, where it is pinned: later moves of
the range around it leave it there. Moved back to the shard that owns this range, it is pinned no more.
Returns the plan''s number. Errors: 55000 the key is there already, 22004 NULL in the key; as
plan_add_shard().';

-- Shows a range of a move. Upper bounds are exclusive here, as in view ranges.
CREATE FUNCTION shardwise.show_move_range(r shardwise.move_range) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT CASE r.kind
                 WHEN 'range' THEN '[' ||
                      coalesce(nullif(r.lower_hash, -9223372036854775808)::text,
                               shardwise.show_key(r.lower_key), 'MINVALUE') || ', ' ||
                      coalesce((nullif(r.upper_hash, 9223372036854775807) + 1)::text,
                               shardwise.show_key(r.upper_key), 'MAXVALUE') || ')'
                 WHEN 'key' THEN 'key ' || shardwise.show_key(r.lower_key)
                 WHEN 'pin' THEN 'key ' || shardwise.show_key(r.pin_key)
                 WHEN 'except' THEN 'not key ' || shardwise.show_key(r.pin_key)
                 ELSE 'default' END $$;

CREATE FUNCTION shardwise.require_plan(plan_id int)
    RETURNS void LANGUAGE c STRICT STABLE AS 'MODULE_PATHNAME', 'shardwise_require_plan';
COMMENT ON FUNCTION shardwise.require_plan(int) IS
'Raises 42704 if there is no such plan.';

CREATE FUNCTION shardwise.show_plan(plan_id int)
    RETURNS TABLE (move_id int, "position" int, tables regclass[], ranges text, source name, target name,
                   rows bigint, bytes bigint, duration interval)
    LANGUAGE sql STABLE STRICT
    AS $$ SELECT shardwise.require_plan(show_plan.plan_id);
          SELECT m.move_id, m.position,
                 ARRAY(SELECT d.relation FROM shardwise.distribution d
                        WHERE d.keyspace_id = m.keyspace_id ORDER BY d.relation::text),
                 (SELECT string_agg(shardwise.show_move_range(r), ' ' ORDER BY r.ordinal)
                    FROM shardwise.move_range r WHERE r.move_id = m.move_id AND r.ordinal <= 4) ||
                 coalesce((SELECT ' and ' || count(*) || ' more' FROM shardwise.move_range r
                            WHERE r.move_id = m.move_id AND r.ordinal > 4 HAVING count(*) > 0), ''),
                 s.shard_name, t.shard_name, m.estimated_rows::bigint, m.estimated_bytes::bigint,
                 make_interval(secs => round(m.estimated_seconds))
            FROM shardwise.move m
            LEFT JOIN shardwise.shard s ON s.shard_id = m.source_shard
            LEFT JOIN shardwise.shard t ON t.shard_id = m.target_shard
           WHERE m.plan_id = show_plan.plan_id
           ORDER BY m.position $$;
COMMENT ON FUNCTION shardwise.show_plan(int) IS
'Shows what a plan would do: one row a move in their order, with the ranges it takes, source and target,
and estimates of rows, bytes (with indexes) and duration. Table move_range has all ranges. Errors: 42704
no such plan.';

CREATE FUNCTION shardwise.validate_plan(plan_id int)
    RETURNS TABLE (severity text, check_name text, detail text)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_validate_plan';
COMMENT ON FUNCTION shardwise.validate_plan(int) IS
'Finds what would keep a plan from running. severity: error (it cannot run), warning, info; detail says
what to do. Publications and subscriptions are tried on the shards and rolled back. Checks: topology,
overlap, primary_key; for each shard reachable, version, recovery, wal_level, replication_slots,
wal_senders, replication_workers, privileges, prepared_transactions, long_transactions, disk; between
source and target schema, triggers, publication, connectivity. Errors: 42704 no such plan, 42501
privilege.';

CREATE FUNCTION shardwise.keyspace_sizes(keyspace_id int)
    RETURNS TABLE (shard name, weight float8, rows float8, bytes float8, hot_share float8)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_keyspace_sizes';
COMMENT ON FUNCTION shardwise.keyspace_sizes(int) IS
'Estimates what each shard holds of a keyspace: rows, bytes with indexes, and the part of the largest
table''s rows that its most frequent key has, from a sample. Asks all shards at once. Errors: 42704 no
such keyspace, 42501 not the owner of its tables nor an administrator of shards, 08001 a shard does not
answer.';

------------------------------------------------------------------------------------------------
-- Running plans. Only the role that made a plan, or a superuser, may do so.
------------------------------------------------------------------------------------------------

CREATE FUNCTION shardwise.start_plan(plan_id int, verification text DEFAULT 'full')
    RETURNS void LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_start_plan';
COMMENT ON FUNCTION shardwise.start_plan(int, text) IS
'Starts a plan; background workers run its moves in order once the transaction commits. verification:
full (every row), sampled (a sixteenth, all of them where that differs) or none. Errors: 42704 no such
plan, 55000 it was started already, 42501.';

CREATE FUNCTION shardwise.wait_plan(plan_id int, timeout interval DEFAULT NULL)
    RETURNS text LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_wait_plan';
COMMENT ON FUNCTION shardwise.wait_plan(int, interval) IS
'Waits until a plan needs its operator again (swapped, done, paused, failed, cancelled, rolled_back), or
for `timeout`, and returns its state. Call it outside of a transaction block: workers wait for
transactions that have used the moving tables.';

CREATE FUNCTION shardwise.pause_plan(plan_id int)
    RETURNS void LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_pause_plan';
COMMENT ON FUNCTION shardwise.pause_plan(int) IS
'Stops a plan after the chunk or step that is under way; replication slots on the sources stay. Errors:
55000 it does not run.';

CREATE FUNCTION shardwise.resume_plan(plan_id int, on_mismatch text DEFAULT NULL)
    RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'shardwise_resume_plan';
COMMENT ON FUNCTION shardwise.resume_plan(int, text) IS
'Goes on with a plan that was paused or failed. on_mismatch: what to do where a verification finds
differences from now on: stop, repair (copy these rows again, and verify again) or force (swap in spite
of them). Errors: 55000 neither paused nor failed, 22023.';

CREATE FUNCTION shardwise.cancel_plan(plan_id int)
    RETURNS void LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_cancel_plan';
COMMENT ON FUNCTION shardwise.cancel_plan(int) IS
'Undoes the moves of a plan that have not swapped: their rows on the targets and all objects on shards
are removed. Moves that have swapped stay so. Errors: 55000 over, or all moves have swapped.';

CREATE FUNCTION shardwise.rollback_plan(plan_id int)
    RETURNS void LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_rollback_plan';
COMMENT ON FUNCTION shardwise.rollback_plan(int) IS
'Undoes a plan: moves that have not swapped are cancelled, those that have are verified and swapped back
with all writes since. Possible until finish_plan(). Errors: 55000.';

CREATE FUNCTION shardwise.finish_plan(plan_id int)
    RETURNS void LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_finish_plan';
COMMENT ON FUNCTION shardwise.finish_plan(int) IS
'Ends the time in which a plan can be rolled back: the sources'' rows are deleted. Happens by itself
after shardwise.rollback_window. Errors: 55000 not all moves have swapped.';

CREATE FUNCTION shardwise.verify_move(move_id int)
    RETURNS TABLE (relation text, shard text, rows bigint, mismatched bigint, missing bigint, extra bigint,
                   misplaced bigint)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_verify_move';
COMMENT ON FUNCTION shardwise.verify_move(int) IS
'Compares every row of a move that is between its copy and its end on both shards, while both are
written. shard: the one that does not own the rows. Errors: 55000 its rows are not on two shards, 42704,
42501.';

CREATE FUNCTION shardwise.verify_table(relation regclass)
    RETURNS TABLE (relation text, shard text, rows bigint, mismatched bigint, missing bigint, extra bigint,
                   misplaced bigint)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'shardwise_verify_table';
COMMENT ON FUNCTION shardwise.verify_table(regclass) IS
'Counts the rows of a distributed table on every shard, and how many of them (misplaced) belong to
another one; rows that moves have under way are left out. Errors: 42809 not a distributed table, 42501
not the owner.';

------------------------------------------------------------------------------------------------
-- The extension's own: triggers that watch over the catalog, and functions that stand in plans.
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
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.gate
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.pin
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.ghost_range
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.distribution
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce_relation AFTER INSERT OR UPDATE OR DELETE ON shardwise.distribution
    FOR EACH ROW EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.shipped_function
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.shipped_extension
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.shipped_type
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.shipped_collation
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.shipped_configuration
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shardwise.shipped_dictionary
    FOR EACH STATEMENT EXECUTE FUNCTION shardwise.catalog_changed();

-- The dump says nothing of whether it is being restored.
CREATE FUNCTION shardwise.mark_restored() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'shardwise_mark_restored';
CREATE TRIGGER mark_restored BEFORE INSERT ON shardwise.distribution
    FOR EACH ROW EXECUTE FUNCTION shardwise.mark_restored();

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

-- The planner's own, too: where the row of a cursor is, for WHERE CURRENT OF.
CREATE FUNCTION shardwise.cursor_shard(cursor_name text, relation oid) RETURNS int
    LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'shardwise_cursor_shard';
CREATE FUNCTION shardwise.cursor_place(cursor_name text, relation oid) RETURNS tid
    LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'shardwise_cursor_place';
CREATE FUNCTION shardwise.cursor_partition(cursor_name text, relation oid) RETURNS oid
    LANGUAGE c PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'shardwise_cursor_partition';
COMMENT ON FUNCTION shardwise.cursor_shard(text, oid) IS 'shard of the row that a cursor is on';
COMMENT ON FUNCTION shardwise.cursor_place(text, oid) IS 'ctid there of the row that a cursor is on';
COMMENT ON FUNCTION shardwise.cursor_partition(text, oid) IS
    'Oid there of the partition with the row that a cursor is on';

-- And this: a row's place over all shards as one value, where ctids of several are compared.
CREATE FUNCTION shardwise.pack_place(shard cid, place tid) RETURNS tid
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'shardwise_pack_place';
CREATE FUNCTION shardwise.unpack_place(place tid) RETURNS tid
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shardwise_unpack_place';
COMMENT ON FUNCTION shardwise.pack_place(cid, tid) IS
    'place of a row over all shards: its ctid with the number of its shard in the offset';
COMMENT ON FUNCTION shardwise.unpack_place(tid) IS 'ctid of such a place on its shard';

-- Merge the states of PostgreSQL's floating-point statistics, of which each shard sends one.
CREATE AGGREGATE shardwise.merge_variance(state float8[]) (
    SFUNC = float8_combine, STYPE = float8[], COMBINEFUNC = float8_combine,
    INITCOND = '{0,0,0}', PARALLEL = SAFE);
COMMENT ON AGGREGATE shardwise.merge_variance(float8[]) IS
    'merges count, sum and sum of squared deviations of several shards';
CREATE AGGREGATE shardwise.merge_regression(state float8[]) (
    SFUNC = float8_regr_combine, STYPE = float8[], COMBINEFUNC = float8_regr_combine,
    INITCOND = '{0,0,0,0,0,0}', PARALLEL = SAFE);
COMMENT ON AGGREGATE shardwise.merge_regression(float8[]) IS
    'merges count, sums and sums of squared deviations of pairs of several shards';

-- Put together what array_agg(), json_agg(), json_object_agg(), jsonb_agg() and jsonb_object_agg() have
-- made on several shards.
CREATE FUNCTION shardwise.append_array(state internal, part anyarray) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'shardwise_append_array';
CREATE FUNCTION shardwise.finish_array(state internal, part anyarray) RETURNS anyarray
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'shardwise_finish_array';
CREATE AGGREGATE shardwise.merge_arrays(part anyarray) (
    SFUNC = shardwise.append_array, STYPE = internal,
    FINALFUNC = shardwise.finish_array, FINALFUNC_EXTRA);
COMMENT ON AGGREGATE shardwise.merge_arrays(anyarray) IS
    'one array of one dimension with the elements of all, in order; NULL of no arrays';
CREATE FUNCTION shardwise.append_json(state internal, part json, starts_lines boolean)
    RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'shardwise_append_json';
CREATE FUNCTION shardwise.finish_json(state internal) RETURNS json
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'shardwise_finish_json';
CREATE AGGREGATE shardwise.merge_json(part json, starts_lines boolean) (
    SFUNC = shardwise.append_json, STYPE = internal, FINALFUNC = shardwise.finish_json);
COMMENT ON AGGREGATE shardwise.merge_json(json, boolean) IS
    'joins the texts of what json_agg() or json_object_agg() have made; starts_lines: of rows and arrays';
CREATE FUNCTION shardwise.append_jsonb(state internal, part jsonb) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'shardwise_append_jsonb';
CREATE FUNCTION shardwise.finish_jsonb(state internal) RETURNS jsonb
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'shardwise_finish_jsonb';
CREATE AGGREGATE shardwise.merge_jsonb(part jsonb) (
    SFUNC = shardwise.append_jsonb, STYPE = internal, FINALFUNC = shardwise.finish_jsonb,
    FINALFUNC_MODIFY = READ_WRITE);
COMMENT ON AGGREGATE shardwise.merge_jsonb(jsonb) IS
    'one array, or one object, with the members of all; of equal keys the last one stays';

------------------------------------------------------------------------------------------------
-- Views, and functions that read the catalog.
------------------------------------------------------------------------------------------------

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
    SELECT g.keyspace_id, k.tables, s.shard_name AS shard, g.kind,
           CASE kind WHEN 'range' THEN coalesce(nullif(lower_hash, -9223372036854775808)::text,
                                                shardwise.show_key(lower_key), 'MINVALUE')
                     WHEN 'key' THEN shardwise.show_key(coalesce(pin_key, lower_key)) END AS lower,
           CASE kind WHEN 'range' THEN coalesce(nullif(upper_hash, 9223372036854775807)::text,
                                                shardwise.show_key(upper_key), 'MAXVALUE')
                     WHEN 'key' THEN shardwise.show_key(coalesce(pin_key, lower_key)) END AS upper
      FROM (SELECT g.*, CASE WHEN pin_key IS NOT NULL THEN 'key' WHEN strategy <> 'list' THEN 'range'
                             WHEN lower_key IS NULL THEN 'default' ELSE 'key' END AS kind
              FROM shardwise.ghost_range g JOIN shardwise.keyspace USING (keyspace_id)) g
      JOIN shardwise.keyspaces k USING (keyspace_id)
      JOIN shardwise.shard s USING (shard_id);
COMMENT ON VIEW shardwise.ghost_ranges
    IS 'ranges that may hold rows on a shard which does not own them (hash bounds are inclusive)';

CREATE VIEW shardwise.in_doubt_transactions AS
    SELECT shard, gid, prepared, owner, decision
      FROM shardwise.prepared_transactions()
     WHERE decision <> 'in progress';
COMMENT ON VIEW shardwise.in_doubt_transactions
    IS 'transactions that an interrupted commit left prepared on shards, until they are recovered';

-- Counters since the server's start, or stat_reset(). Times in milliseconds.
CREATE FUNCTION shardwise.shard_counters(
        OUT server oid, OUT statements bigint, OUT rows bigint, OUT bytes_received bigint,
        OUT errors bigint, OUT total_response_time float8, OUT median_response_time float8,
        OUT p99_response_time float8, OUT max_response_time float8, OUT connections_opened bigint,
        OUT connections bigint, OUT transactions bigint, OUT two_phase_transactions bigint,
        OUT last_error timestamptz)
    RETURNS SETOF record LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'shardwise_shard_counters';
COMMENT ON FUNCTION shardwise.shard_counters() IS 'what view stat_shards shows, by foreign server';

CREATE FUNCTION shardwise.query_counters(
        OUT role oid, OUT queryid bigint, OUT query text, OUT calls bigint, OUT fast_path bigint,
        OUT single_shard bigint, OUT scatter bigint, OUT pull bigint, OUT total_time float8,
        OUT min_time float8, OUT max_time float8, OUT rows bigint, OUT shards bigint)
    RETURNS SETOF record LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'shardwise_query_counters';
COMMENT ON FUNCTION shardwise.query_counters() IS 'what view stat_queries shows, by role';

CREATE FUNCTION shardwise.connection_progress(
        OUT pid int, OUT role oid, OUT server oid, OUT started timestamptz, OUT rows bigint,
        OUT bytes_received bigint)
    RETURNS SETOF record LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'shardwise_connection_progress';
COMMENT ON FUNCTION shardwise.connection_progress() IS 'what view stat_progress shows, by foreign server';

CREATE FUNCTION shardwise.stat_reset() RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'shardwise_stat_reset';
COMMENT ON FUNCTION shardwise.stat_reset() IS
'Sets the counters of stat_shards and stat_queries of this database to zero; connections that are open
stay counted. For superusers and whom they grant it.';
REVOKE EXECUTE ON FUNCTION shardwise.stat_reset() FROM PUBLIC;

CREATE VIEW shardwise.stat_shards AS
    SELECT s.name AS shard, c.statements, c.rows, c.bytes_received, c.errors, c.total_response_time,
           c.total_response_time / nullif(c.statements, 0) AS mean_response_time,
           c.median_response_time, c.p99_response_time, c.max_response_time,
           c.connections_opened, c.connections, c.transactions, c.two_phase_transactions,
           c.last_error
      FROM shardwise.shards s
      JOIN pg_catalog.pg_foreign_server f ON f.srvname = s.name
      JOIN shardwise.shard_counters() c ON c.server = f.oid;
COMMENT ON VIEW shardwise.stat_shards IS 'what each shard was asked and how it answered';

CREATE VIEW shardwise.stat_queries AS
    SELECT pg_catalog.pg_get_userbyid(q.role) AS role, q.queryid, q.query, q.calls, q.fast_path,
           q.single_shard, q.scatter, q.pull, q.total_time, q.total_time / q.calls AS mean_time,
           q.min_time, q.max_time, q.rows, q.shards
      FROM shardwise.query_counters() q;
COMMENT ON VIEW shardwise.stat_queries IS 'normalised queries that shards answered, with their tiers and times';

CREATE VIEW shardwise.stat_progress AS
    SELECT p.pid, pg_catalog.pg_get_userbyid(p.role) AS role, f.srvname AS shard, p.started,
           p.rows, p.bytes_received, a.query
      FROM shardwise.connection_progress() p
      JOIN pg_catalog.pg_foreign_server f ON f.oid = p.server
      LEFT JOIN pg_catalog.pg_stat_activity a USING (pid);
COMMENT ON VIEW shardwise.stat_progress IS 'statements that run on shards now, and what they have brought so far';

-- rows and bytes: of the copy; a total is the planner's estimate until the copy is over. rate: bytes a
-- second since the copy began.
CREATE VIEW shardwise.moves AS
    SELECT m.move_id, m.plan_id, m.position, k.tables, s.shard_name AS source, t.shard_name AS target,
           m.state, c.rows_done,
           CASE WHEN c.chunks = c.chunks_done AND c.chunks > 0 THEN c.rows_done
                ELSE greatest(m.estimated_rows::bigint, c.rows_done) END AS rows_total,
           c.bytes_done,
           CASE WHEN c.chunks = c.chunks_done AND c.chunks > 0 THEN c.bytes_done
                ELSE greatest(m.estimated_bytes::bigint, c.bytes_done) END AS bytes_total,
           c.chunks_done, c.chunks,
           (c.bytes_done / nullif(extract(epoch FROM coalesce(c.last_at, pg_catalog.clock_timestamp())
                                                   - c.first_at), 0))::bigint AS rate,
           CASE WHEN m.state = 'copying' AND c.chunks_done > 0 THEN
                (pg_catalog.clock_timestamp() - c.first_at) * ((c.pages - c.pages_done)::float8 / c.pages_done)
                END AS eta,
           m.lag_bytes, m.verified_rows, m.write_block_ms, m.swap_attempts, m.retries, m.workers,
           m.throttled_by, m.leftovers, m.started_at, m.state_since, m.swapped_at, m.finished_at, m.error
      FROM shardwise.move m
      JOIN shardwise.keyspaces k USING (keyspace_id)
      LEFT JOIN shardwise.shard s ON s.shard_id = m.source_shard
      LEFT JOIN shardwise.shard t ON t.shard_id = m.target_shard,
           LATERAL (SELECT count(*) AS chunks, count(copied_at) AS chunks_done,
                           sum(upper_page - lower_page) AS pages,
                           sum(upper_page - lower_page) FILTER (WHERE copied_at IS NOT NULL) AS pages_done,
                           coalesce(sum(rows), 0)::bigint AS rows_done,
                           coalesce(sum(bytes), 0)::bigint AS bytes_done,
                           CASE WHEN count(*) = count(copied_at) THEN max(copied_at) END AS last_at,
                           (SELECT max(e.at) FROM shardwise.move_event e
                             WHERE e.move_id = m.move_id AND e.event = 'copying') AS first_at
                      FROM shardwise.move_chunk c WHERE c.move_id = m.move_id) c;
COMMENT ON VIEW shardwise.moves IS 'moves of all plans: state, progress, and what they have measured';

CREATE VIEW shardwise.move_events AS
    SELECT e.event_id, m.plan_id, e.move_id, e.at, e.event, e.detail
      FROM shardwise.move_event e JOIN shardwise.move m USING (move_id);
COMMENT ON VIEW shardwise.move_events IS 'what happened to moves: changes of state, retries, findings';

CREATE VIEW shardwise.plans AS
    SELECT p.plan_id, p.kind, p.description, p.state,
           pg_catalog.pg_get_userbyid(p.owner) AS owner,
           (SELECT count(*) FROM shardwise.move m WHERE m.plan_id = p.plan_id) AS moves,
           (SELECT count(*) FROM shardwise.move m
             WHERE m.plan_id = p.plan_id AND m.state IN ('swapped', 'cleaning', 'done')) AS moves_swapped,
           e.rows::bigint AS estimated_rows, e.bytes::bigint AS estimated_bytes,
           pg_catalog.make_interval(secs => pg_catalog.round(e.seconds)) AS estimated_duration,
           p.created_at, p.started_at, p.finished_at, p.error
      FROM shardwise.plan p,
           LATERAL (SELECT coalesce(sum(m.estimated_rows), 0) AS rows,
                           coalesce(sum(m.estimated_bytes), 0) AS bytes,
                           coalesce(sum(m.estimated_seconds), 0) AS seconds
                      FROM shardwise.move m WHERE m.plan_id = p.plan_id) e;
COMMENT ON VIEW shardwise.plans IS 'plans, with the sums of their moves'' estimates';

CREATE VIEW shardwise.balance AS
    WITH sized AS (
        SELECT k.keyspace_id, z.shard, z.rows, z.bytes, z.hot_share, z.weight,
               sum(z.bytes) OVER (PARTITION BY k.keyspace_id) AS total,
               sum(z.weight) OVER (PARTITION BY k.keyspace_id) AS weights
          FROM shardwise.keyspace k, LATERAL shardwise.keyspace_sizes(k.keyspace_id) z
    ), shares AS (
        SELECT *, bytes / nullif(total, 0) AS share, weight / weights AS fair_share FROM sized
    )
    SELECT s.keyspace_id, k.tables, s.shard, s.rows::bigint, s.bytes::bigint,
           pg_catalog.round(s.share::numeric, 3) AS share,
           pg_catalog.round(s.fair_share::numeric, 3) AS fair_share,
           CASE WHEN s.share IS NULL THEN NULL
                WHEN s.hot_share > 0.2 AND s.share > s.fair_share
                     THEN 'one key has ' || pg_catalog.round(100 * s.hot_share::numeric) ||
                          ' % of the shard''s rows: plan_move_key() gives it a shard of its own'
                WHEN s.share > 1.3 * s.fair_share THEN 'more than its weight says: plan_rebalance()'
                WHEN s.share < 0.7 * s.fair_share THEN 'less than its weight says: plan_rebalance()'
           END AS hint
      FROM shares s JOIN shardwise.keyspaces k USING (keyspace_id);
COMMENT ON VIEW shardwise.balance IS
    'what each shard has of each keyspace, against its weight''s share; asks every shard';

-- The catalog holds no secrets: connections' passwords are in user mappings.
GRANT USAGE ON SCHEMA shardwise TO PUBLIC;
GRANT SELECT ON shardwise.shard, shardwise.keyspace, shardwise.map_entry, shardwise.pin,
                shardwise.distribution, shardwise.table_statistics, shardwise.ghost_range,
                shardwise.shipped_function,
                shardwise.shipped_type, shardwise.shipped_schema, shardwise.shipped_extension,
                shardwise.shipped_collation, shardwise.shipped_operator,
                shardwise.shipped_operator_class, shardwise.shipped_operator_family,
                shardwise.shipped_cast, shardwise.shipped_parser, shardwise.shipped_template,
                shardwise.shipped_dictionary, shardwise.shipped_configuration,
                shardwise.plan, shardwise.move, shardwise.move_range TO PUBLIC;
GRANT SELECT ON shardwise.move_chunk, shardwise.move_event, shardwise.move_verification,
                shardwise.moves, shardwise.move_events TO PUBLIC;
GRANT SELECT ON shardwise.shards, shardwise.tables, shardwise.keyspaces, shardwise.ranges,
                shardwise.ghost_ranges, shardwise.plans, shardwise.balance,
                shardwise.stat_shards, shardwise.stat_queries, shardwise.stat_progress TO PUBLIC;
GRANT SELECT ON shardwise.in_doubt_transactions TO pg_monitor;
