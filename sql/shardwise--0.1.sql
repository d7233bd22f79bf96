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
