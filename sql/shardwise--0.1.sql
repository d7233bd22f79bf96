-- shardwise 0.1: catalog, views and functions. See docs/reference.md for the manual.
\echo Use "CREATE EXTENSION shardwise" to load this file. \quit

------------------------------------------------------------------------------------------------
-- Catalog. All metadata is small and lives here; the C++ side reads it through src/catalog.
-- Written by the functions below only; every table is dumped by pg_dump.
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
    default_shard int REFERENCES shardwise.shard, -- range and list: owner of what no range names
    map_version bigint NOT NULL DEFAULT 1     -- grows with every change of the shard map
);

-- The shard map: a sorted, gapless list of ranges. A range reaches up to the next one's lower
-- bound. hash, consistent_hash: lower_hash, inclusive. range: lower_key, NULL is MINVALUE.
-- list: lower_key is the one key that the entry stands for.
CREATE TABLE shardwise.map_entry (
    keyspace_id int NOT NULL REFERENCES shardwise.keyspace ON DELETE CASCADE,
    entry int NOT NULL,                       -- position in the map, from 0
    lower_hash bigint,
    lower_key text[],
    shard_id int NOT NULL REFERENCES shardwise.shard,
    PRIMARY KEY (keyspace_id, entry)
);
CREATE INDEX map_entry_shard ON shardwise.map_entry (shard_id);

-- One key placed by hand, over any strategy.
CREATE TABLE shardwise.pin (
    keyspace_id int NOT NULL REFERENCES shardwise.keyspace ON DELETE CASCADE,
    key text[] NOT NULL,
    shard_id int NOT NULL REFERENCES shardwise.shard,
    PRIMARY KEY (keyspace_id, key)
);

-- One row a distributed table (keyspace_id set) or reference table (keyspace_id NULL).
CREATE TABLE shardwise.distribution (
    relation regclass PRIMARY KEY,
    keyspace_id int REFERENCES shardwise.keyspace,
    key_columns name[],
    CHECK ((keyspace_id IS NULL) = (key_columns IS NULL))
);
CREATE INDEX distribution_keyspace ON shardwise.distribution (keyspace_id);

-- Ranges that may hold rows on a shard which does not own them (a move is under way).
CREATE TABLE shardwise.ghost_range (
    keyspace_id int NOT NULL REFERENCES shardwise.keyspace ON DELETE CASCADE,
    shard_id int NOT NULL REFERENCES shardwise.shard,
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
