-- A shard's table has everything that the router's has.
SELECT shardwise.add_local_shard('def_a');
CREATE EXTENSION citext;
CREATE EXTENSION btree_gist;
CREATE ROLE def_reader;
CREATE ROLE def_owner;
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO def_reader;
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'very "happy"', 'it''s');
CREATE TYPE app.pair AS (a int, b text COLLATE "C", c app.mood[]);
CREATE DOMAIN app.posint AS int NOT NULL DEFAULT 3 CONSTRAINT pos CHECK (value > 0);
CREATE TYPE app.frange AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE COLLATION app.german (provider = icu, locale = 'de-DE');
CREATE FUNCTION app.is_fine(m app.mood) RETURNS bool IMMUTABLE LANGUAGE sql AS $$ SELECT m <> 'sad' $$;
CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.touched := 'T'; RETURN new; END $$;
CREATE FUNCTION app.twice(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 * 2; END $$;
CREATE TABLE app.ref (id int PRIMARY KEY, t text);
INSERT INTO app.ref VALUES (1, 'x'), (2, 'y');

CREATE TABLE app."Wide Table" (
    "Key" bigint NOT NULL,
    dropped int,
    id bigint GENERATED ALWAYS AS IDENTITY,
    ser serial,
    m app.mood DEFAULT 'ok' CHECK (app.is_fine(m)),
    p app.pair,
    d app.posint,
    fr app.frange,
    fm app.fmultirange DEFAULT '{[1,2)}',
    g text COLLATE app.german,
    c citext,
    dbl int GENERATED ALWAYS AS (app.twice(ser)) STORED,
    ts timestamptz DEFAULT '2020-01-01 12:00+02',
    iv interval DEFAULT '-1 day 02:00',
    touched text COMPRESSION pglz,
    arr int[] DEFAULT ARRAY[1, 2],
    js jsonb,
    mny money,
    reg regclass DEFAULT 'pg_class',
    b bytea DEFAULT '\x00ff',
    r int REFERENCES app.ref ON DELETE SET NULL,
    PRIMARY KEY ("Key", id),
    CONSTRAINT ex EXCLUDE USING gist ("Key" WITH =, fr WITH &&),
    CONSTRAINT uq UNIQUE ("Key", ser) WITH (fillfactor = 80) DEFERRABLE INITIALLY DEFERRED
) WITH (fillfactor = 70, toast.autovacuum_enabled = false);
ALTER TABLE app."Wide Table" DROP COLUMN dropped;
ALTER TABLE app."Wide Table" ALTER COLUMN g SET STATISTICS 333;
ALTER TABLE app."Wide Table" ALTER COLUMN c SET STORAGE EXTERNAL;
ALTER TABLE app."Wide Table" ALTER COLUMN g SET (n_distinct = -0.5, n_distinct_inherited = 7);
ALTER TABLE app."Wide Table" ADD CONSTRAINT nv CHECK (ser > 100) NOT VALID;
CREATE INDEX wt_expr ON app."Wide Table" (lower(g), app.twice(ser) DESC NULLS LAST) INCLUDE (js)
    WITH (fillfactor = 50) WHERE m <> 'sad';
ALTER INDEX app.wt_expr ALTER COLUMN 2 SET STATISTICS 44;
CREATE STATISTICS app.wt_stat (dependencies, ndistinct) ON ser, d FROM app."Wide Table";
ALTER STATISTICS app.wt_stat SET STATISTICS 55;
ALTER TABLE app."Wide Table" CLUSTER ON "Wide Table_pkey";
ALTER TABLE app."Wide Table" REPLICA IDENTITY USING INDEX "Wide Table_pkey";
COMMENT ON TABLE app."Wide Table" IS 'it''s a table';
COMMENT ON COLUMN app."Wide Table".g IS 'column';
COMMENT ON CONSTRAINT uq ON app."Wide Table" IS 'constraint';
COMMENT ON CONSTRAINT "Wide Table_r_fkey" ON app."Wide Table" IS 'foreign key';
COMMENT ON INDEX app.wt_expr IS 'index';
SELECT setval('app."Wide Table_ser_seq"', 101, false);
INSERT INTO app."Wide Table" ("Key", m, p, d, fr, g, c, js, mny, r)
    SELECT i, 'it''s', ROW (i, E'x\ty\\z\n', ARRAY['sad', 'ok']::app.mood[])::app.pair, i, app.frange(i, i + 1),
           'g' || i, 'C' || i, jsonb_build_object('i', i), 1234.56, 1 + i % 2 FROM generate_series(1, 300) i;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON app."Wide Table" FOR EACH ROW
    WHEN (new.touched IS NULL) EXECUTE FUNCTION app.stamp();
CREATE TRIGGER stamp_off AFTER DELETE ON app."Wide Table" EXECUTE FUNCTION app.stamp();
ALTER TABLE app."Wide Table" DISABLE TRIGGER stamp_off;
COMMENT ON TRIGGER stamp ON app."Wide Table" IS 'trigger';
ALTER TABLE app."Wide Table" ENABLE ROW LEVEL SECURITY;
CREATE POLICY pol ON app."Wide Table" FOR SELECT TO PUBLIC
    USING (app.is_fine(m) AND current_setting('app.none', true) IS NULL);
CREATE POLICY pol2 ON app."Wide Table" AS RESTRICTIVE FOR INSERT TO def_reader WITH CHECK (ser > 0);
GRANT SELECT, INSERT ON app."Wide Table" TO def_reader WITH GRANT OPTION;
GRANT UPDATE (g) ON app."Wide Table" TO def_reader;
GRANT TRIGGER ON app."Wide Table" TO PUBLIC;
ALTER TABLE app."Wide Table" OWNER TO def_owner;
CREATE TABLE wide_before AS TABLE app."Wide Table";

-- The catalogs' view of a table, without what stays home: identity and defaults that read sequences.
CREATE VIEW description AS
    SELECT 'column' AS part, attname::text AS name,
           concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation, attstorage,
                     attcompression, attstattarget, (SELECT string_agg(o, ',') FROM unnest(attoptions) o WHERE o !~ 'pg_attver'),
                     attgenerated, attacl,
                     (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum
                      AND pg_get_expr(adbin, adrelid) !~ 'nextval'), col_description(attrelid, attnum)) AS text
      FROM pg_attribute WHERE attrelid = 'app."Wide Table"'::regclass AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT 'constraint', conname, concat_ws(' ', pg_get_constraintdef(oid), convalidated, obj_description(oid, 'pg_constraint'))
      FROM pg_constraint WHERE conrelid = 'app."Wide Table"'::regclass
    UNION ALL
    SELECT 'index', indexrelid::regclass::text,
           concat_ws(' ', pg_get_indexdef(indexrelid), indisclustered, indisreplident,
                     (SELECT array_agg(attstattarget) FROM pg_attribute WHERE attrelid = indexrelid),
                     obj_description(indexrelid, 'pg_class'))
      FROM pg_index WHERE indrelid = 'app."Wide Table"'::regclass
    UNION ALL
    SELECT 'trigger', tgname, concat_ws(' ', pg_get_triggerdef(oid), tgenabled, obj_description(oid, 'pg_trigger'))
      FROM pg_trigger WHERE tgrelid = 'app."Wide Table"'::regclass AND NOT tgisinternal AND tgname !~ '_key_'
    UNION ALL
    SELECT 'policy', polname, concat_ws(' ', polcmd, polpermissive, polroles::regrole[], pg_get_expr(polqual, polrelid),
                                        pg_get_expr(polwithcheck, polrelid))
      FROM pg_policy WHERE polrelid = 'app."Wide Table"'::regclass
    UNION ALL
    SELECT 'statistics', stxname, concat_ws(' ', pg_get_statisticsobjdef(oid), stxstattarget)
      FROM pg_statistic_ext WHERE stxrelid = 'app."Wide Table"'::regclass
    UNION ALL
    SELECT 'table', c.relname, concat_ws(' ', c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.reloptions, t.reloptions,
                                 c.relowner::regrole, (SELECT string_agg(acl::text, ',' ORDER BY acl::text) FROM unnest(c.relacl) acl), obj_description(c.oid, 'pg_class'))
      FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid WHERE c.oid = 'app."Wide Table"'::regclass
    UNION ALL
    SELECT 'schema', nspname, (SELECT string_agg(acl::text, ',' ORDER BY acl::text) FROM unnest(nspacl) acl)
      FROM pg_namespace WHERE nspname = 'app';
SELECT pg_get_viewdef('description') AS definition \gset
CREATE TABLE on_router AS TABLE description;
SELECT count(*) FROM on_router;

SELECT shardwise.create_reference_table('app.ref');
SET datestyle = 'SQL, DMY';
SET intervalstyle = sql_standard;
SELECT shardwise.distribute_table('app."Wide Table"', 'Key');
RESET datestyle;
RESET intervalstyle;
SELECT function FROM shardwise.shipped_function ORDER BY function::text;
SELECT ok, result FROM shardwise.run_on_shards('CREATE VIEW description AS ' || :'definition');
CREATE TABLE on_shard AS SELECT x.* FROM shardwise.run_on_shards('SELECT json_agg(d) FROM description d'),
    json_to_recordset(result::json) x (part text, name text, text text);
(SELECT 'router', * FROM (TABLE on_router EXCEPT TABLE on_shard) a)
UNION ALL (SELECT 'shard', * FROM (TABLE on_shard EXCEPT TABLE on_router) b) ORDER BY 1, 2, 3;
-- the shard draws numbers of its own, from its own range
SELECT ok, result FROM shardwise.run_on_shards($$SELECT string_agg(attname || ' ' || attidentity::text, ' ') FROM pg_attribute
    WHERE attrelid = 'app."Wide Table"'::regclass AND attidentity <> ''$$);
SELECT shard_id AS range FROM shardwise.shard \gset
SELECT ok, result = concat_ws(' ', 'app."Wide Table"', 'app."Wide Table_id_seq"', (:range::bigint << 44), (:range::bigint + 1 << 44) - 1, 'def_owner') AS own
FROM shardwise.run_on_shards($$SELECT string_agg(concat_ws(' ', refobjid::regclass, seqrelid::regclass, seqstart, seqmax, relowner::regrole), '; ')
    FROM pg_sequence JOIN pg_depend ON objid = seqrelid AND deptype = 'i' JOIN pg_class c ON c.oid = seqrelid$$);
SELECT ok, result FROM shardwise.run_on_shards($$SELECT string_agg(first::text, E'\n') FROM (SELECT "Key", ser, m, p, d, fr, fm, g, c, dbl,
    ts, iv, touched, arr, js, reg, b, r FROM app."Wide Table" ORDER BY 1 LIMIT 2) first$$);

-- undistribute: the same rows, everything still in place
SELECT ok, result FROM shardwise.run_on_shards('DROP VIEW description');
SELECT shardwise.undistribute_table('app."Wide Table"');
SELECT count(*) FROM (TABLE wide_before EXCEPT TABLE app."Wide Table") d;
SELECT count(*) FROM app."Wide Table";
(TABLE on_router EXCEPT TABLE description) UNION ALL (TABLE description EXCEPT TABLE on_router);

-- types and functions are on the shard already, with the same definitions; a missing role is left out
CREATE ROLE def_gone;
CREATE TABLE app.again (LIKE app."Wide Table" INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED);
CREATE POLICY p ON app.again TO def_gone USING (true);
SELECT shardwise.distribute_table('app.again', 'Key');

-- partitioned tables, with columns in another order
CREATE TABLE part (tenant int NOT NULL, at date NOT NULL, junk int, v text DEFAULT 'x' CONSTRAINT v CHECK (v <> ''),
                   PRIMARY KEY (tenant, at)) PARTITION BY RANGE (at);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE part_2 (v text CONSTRAINT v CHECK (v <> ''), at date NOT NULL, dropped int, tenant int NOT NULL, junk int DEFAULT 7);
ALTER TABLE part_2 DROP COLUMN dropped;
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE part_3 PARTITION OF part DEFAULT PARTITION BY LIST (tenant);
CREATE TABLE part_3_1 PARTITION OF part_3 DEFAULT;
CREATE INDEX part_v ON part (v);
CREATE UNIQUE INDEX part_1_only ON part_1 (tenant, v, at);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER nothing AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE part_1 DISABLE TRIGGER nothing;
CREATE TABLE refers (tenant int, at date, n int, PRIMARY KEY (tenant, n), FOREIGN KEY (tenant, at) REFERENCES part);
INSERT INTO part SELECT i % 50, date '2020-01-01' + i, i, 'v' || i FROM generate_series(1, 1500) i;
INSERT INTO refers SELECT tenant, at, junk FROM part;
CREATE TABLE part_before AS SELECT tableoid::regclass::text AS partition, * FROM part;
SELECT shardwise.add_local_shard('def_b');
SELECT shardwise.distribute_table('part', 'tenant');
SELECT shardwise.distribute_table('refers', 'tenant', colocate_with => 'part');
SELECT result::json ->> 'n' AS n, sum((result::json ->> 'rows')::int) FROM (SELECT json_array_elements(result::json)::text AS result
    FROM shardwise.run_on_shards($$SELECT json_agg(x) FROM (SELECT tableoid::regclass AS n, count(*) AS rows FROM part GROUP BY 1) x$$)) r
    GROUP BY 1 ORDER BY 1;
SELECT result FROM shardwise.run_on_shards($$SELECT string_agg(indexrelid::regclass || ' ' || indisvalid, E'\n' ORDER BY indexrelid::regclass::text)
    FROM pg_index WHERE indrelid::regclass::text LIKE 'part%'$$, '{def_a}');
SELECT result FROM shardwise.run_on_shards($$SELECT string_agg(tgrelid::regclass || ' ' || tgenabled::text, ' ' ORDER BY tgrelid::regclass::text)
    FROM pg_trigger WHERE tgname = 'nothing'$$, '{def_a}');
SELECT result FROM shardwise.run_on_shards($$SELECT string_agg(attname || coalesce(' ' || pg_get_expr(adbin, adrelid), ''), ', ' ORDER BY attnum)
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = 'part_2'::regclass AND attnum > 0$$, '{def_a}');
SELECT shardwise.undistribute_table('part_2');
SELECT shardwise.undistribute_table('part');
SELECT shardwise.undistribute_table('refers');
SELECT shardwise.undistribute_table('part');
SELECT count(*) FROM (SELECT tableoid::regclass::text, * FROM part EXCEPT TABLE part_before) d;
SELECT count(*) FROM part;
SELECT count(*) FROM refers;

-- a table of a role that is no superuser
GRANT ALL ON SCHEMA public TO def_owner;
SET ROLE def_owner;
CREATE TABLE owned (id int PRIMARY KEY, v text);
INSERT INTO owned VALUES (1, 'a'), (2, 'b');
SELECT shardwise.distribute_table('owned', 'id');
SELECT v FROM owned WHERE id = 2;
SELECT shardwise.undistribute_table('owned');
TABLE owned ORDER BY id;
RESET ROLE;

-- the extension goes, the rows stay
SELECT shardwise.distribute_table('part', 'tenant');
BEGIN;
\set VERBOSITY terse
DROP EXTENSION shardwise CASCADE;
\set VERBOSITY default
SELECT count(*) FROM part;
ROLLBACK;
SELECT sum(result::int) FROM shardwise.run_on_shards('SELECT count(*) FROM part');

DROP VIEW description;
DROP TABLE app."Wide Table", app.again, app.ref, refers, part, part_before, wide_before, on_router, on_shard, owned;
\set VERBOSITY terse
DROP SCHEMA app CASCADE;
DROP FUNCTION nothing;
DROP EXTENSION citext, btree_gist;
\set VERBOSITY default
SELECT count(*) FROM shardwise.shipped_function;
SELECT shardwise.remove_shard(name) FROM shardwise.shards;
DROP DATABASE shard_def_a WITH (FORCE);
DROP DATABASE shard_def_b WITH (FORCE);
REVOKE ALL ON SCHEMA public FROM def_owner;
DROP ROLE def_reader, def_owner, def_gone;
