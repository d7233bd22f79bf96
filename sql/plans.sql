-- Plans: what would move, for every strategy. Nothing runs here.
SET client_min_messages = warning;
SELECT shardwise.add_local_shard('plan_a');
SELECT shardwise.add_local_shard('plan_b');
SET client_min_messages = notice;

CREATE TABLE h (k bigint PRIMARY KEY, v text);
CREATE TABLE h_lines (k bigint, line int, PRIMARY KEY (k, line));
CREATE TABLE ring (k text PRIMARY KEY, v text);
CREATE TABLE days (day date, n int, v text, PRIMARY KEY (day, n));
CREATE TABLE pairs (a text COLLATE "C", b int, PRIMARY KEY (a, b));
CREATE TABLE countries (code text PRIMARY KEY, v text);
INSERT INTO h SELECT i, repeat('x', 50) FROM generate_series(1, 9000) i;
INSERT INTO h_lines SELECT i, 1 FROM generate_series(1, 9000) i;
INSERT INTO ring SELECT 'key ' || i, repeat('x', 50) FROM generate_series(1, 9000) i;
INSERT INTO days SELECT '2026-01-01'::date + i / 25, i, repeat('x', 50) FROM generate_series(0, 8999) i;
INSERT INTO pairs SELECT chr(97 + i % 26), i FROM generate_series(0, 2599) i;
INSERT INTO countries VALUES ('de', ''), ('fr', ''), ('it', ''), ('us', '');
SELECT shardwise.distribute_table('h', 'k');
SELECT shardwise.distribute_table('h_lines', 'k', colocate_with => 'h');
SELECT shardwise.distribute_table('ring', 'k', 'consistent_hash', virtual_nodes => 20);
SELECT shardwise.distribute_table('days', 'day', 'range', splits => '{2026-03-01}');
SELECT shardwise.distribute_table('pairs', ARRAY['a', 'b'], 'range', splits => '{"(m,5)"}');
SELECT shardwise.distribute_table('countries', 'code', 'list', splits => '{de,fr}', default_shard => 'plan_b');
SELECT bool_and(ok) FROM shardwise.run_on_shards('ANALYZE');
SET client_min_messages = warning;
SELECT shardwise.add_local_shard('plan_c');
SET client_min_messages = notice;

-- Shows a plan; rows in thousands, as they are estimates.
CREATE FUNCTION show(plan int) RETURNS TABLE (move int, tables text, ranges text, way text, thousands numeric)
    LANGUAGE sql AS $$
        SELECT position, array_to_string(tables, ' '),
               CASE WHEN ranges LIKE '% more' THEN 'many' ELSE ranges END,
               source || ' -> ' || target, round(rows / 1000.0, 1)
          FROM shardwise.show_plan(plan) $$;

-- a newcomer: one move from each shard, a third of the rows of each keyspace
SELECT shardwise.plan_add_shard('plan_c') AS plan \gset
SELECT * FROM show(:plan);
SELECT k.strategy, round(sum(m.estimated_rows)::numeric / max(r.rows), 1) AS share
  FROM shardwise.move m JOIN shardwise.keyspace k USING (keyspace_id),
       LATERAL (SELECT sum(c.n)::numeric FROM (VALUES (1, 18000), (2, 9000), (3, 9000), (4, 2600), (5, 4)) c (id, n)
                 WHERE c.id = m.keyspace_id) r (rows)
 WHERE m.plan_id = :plan AND k.strategy <> 'list' GROUP BY m.keyspace_id, k.strategy ORDER BY m.keyspace_id;
SELECT * FROM shardwise.show_plan(0);
-- the same input makes the same plan
SELECT shardwise.plan_add_shard('plan_c') AS again \gset
SELECT count(*) AS differences
  FROM (SELECT m.position, m.source_shard, r.* FROM shardwise.move m JOIN shardwise.move_range r USING (move_id) WHERE plan_id = :plan) a
  FULL JOIN (SELECT m.position, m.source_shard, r.* FROM shardwise.move m JOIN shardwise.move_range r USING (move_id) WHERE plan_id = :again) b
    USING (position, source_shard, ordinal)
 WHERE (a.kind, a.lower_hash, a.upper_hash, a.lower_key, a.upper_key) IS DISTINCT FROM (b.kind, b.lower_hash, b.upper_hash, b.lower_key, b.upper_key);

-- a drain takes everything, the default of a list too; other owners take it
SELECT shardwise.plan_remove_shard('plan_b') AS plan \gset
SELECT * FROM show(:plan);

-- even enough: nothing to do; all of the data on two of three shards: something
SELECT shardwise.plan_rebalance('h', threshold => 1) AS plan \gset
SELECT shardwise.plan_rebalance('days', 'uniform', by => 'rows') AS plan \gset
SELECT tables, way, thousands FROM show(:plan);
SELECT shardwise.plan_rebalance('days', by => 'rows') AS less \gset
SELECT sum(thousands) < (SELECT sum(thousands) FROM show(:plan)) AS moves_less FROM show(:less);

-- ranges by hand
SELECT shardwise.plan_move_range('h', '-100', NULL, 'plan_c') AS plan \gset
SELECT * FROM show(:plan);
SELECT shardwise.plan_move_range('days', '2026-02-10', '2026-03-05', 'plan_b') AS plan \gset
SELECT * FROM show(:plan);
SELECT shardwise.plan_move_range('pairs', '(c,10)', '(p,1)', 'plan_c') AS plan \gset
SELECT * FROM show(:plan);
SELECT shardwise.plan_move_range('countries', 'de', 'de', 'plan_c') AS plan \gset
SELECT * FROM show(:plan);

-- keys by hand; what is pinned stays where it is when the range around it moves
SELECT shardwise.plan_move_key('h_lines', 'plan_c', 42) AS plan \gset
SELECT * FROM show(:plan);
SELECT shardwise.plan_move_key('countries', 'plan_a', 'it') AS plan \gset
SELECT * FROM show(:plan);
BEGIN;
INSERT INTO shardwise.pin SELECT 1, '{42}', shard_id FROM shardwise.shard WHERE shard_name = 'plan_c';
INSERT INTO shardwise.pin SELECT 4, '{d,500}', shard_id FROM shardwise.shard WHERE shard_name = 'plan_c';
SELECT shardwise.plan_move_range('h', NULL, NULL, 'plan_b') AS plan \gset
SELECT * FROM show(:plan);
SELECT shardwise.plan_move_range('pairs', '(d,1)', '(f,1)', 'plan_b') AS plan \gset
SELECT * FROM show(:plan);
SELECT shardwise.plan_move_range('pairs', '(e,1)', '(f,1)', 'plan_b') AS plan \gset
SELECT * FROM show(:plan);
SELECT shardwise.plan_remove_shard('plan_c') AS plan \gset
SELECT tables, ranges, split_part(way, ' ', 1) AS source FROM show(:plan);
ROLLBACK;

-- what is uneven, and why
SELECT tables, shard, round(rows / 1000.0, 1) AS thousands, hint FROM shardwise.balance WHERE tables @> '{days}' ORDER BY shard;
SELECT shard, round(hot_share::numeric, 2) FROM shardwise.keyspace_sizes(3) WHERE rows > 0 ORDER BY shard;
SELECT * FROM shardwise.keyspace_sizes(99);

-- validation: what was planned above lies over each other; a changed map and a changed table are seen
SELECT shardwise.plan_move_range('countries', 'de', 'de', 'plan_c') AS plan \gset
CREATE VIEW validation AS
    SELECT p.plan_id, v.severity, v.check_name, regexp_replace(v.detail, '\d+( (bytes|kB|MB))?', 'N', 'g') AS detail
      FROM shardwise.plan p, shardwise.validate_plan(p.plan_id) v
     WHERE check_name NOT IN ('wal_level', 'prepared_transactions', 'long_transactions');
SELECT DISTINCT severity, check_name, detail FROM validation WHERE plan_id = :plan ORDER BY 1, 2, 3;
SELECT ok FROM shardwise.run_on_shards('ALTER TABLE countries ADD extra int', '{plan_c}');
SELECT detail FROM validation WHERE plan_id = :plan AND check_name = 'schema';
SELECT ok FROM shardwise.run_on_shards('ALTER TABLE countries DROP extra', '{plan_c}');
SELECT detail FROM validation WHERE plan_id = :plan AND check_name = 'schema';
BEGIN;
UPDATE shardwise.map_entry SET shard_id = (SELECT shard_id FROM shardwise.shard WHERE shard_name = 'plan_b') WHERE keyspace_id = 5 AND lower_key = '{de}';
SELECT severity, detail FROM validation WHERE plan_id = :plan AND check_name = 'topology';
ROLLBACK;
BEGIN;
UPDATE shardwise.map_entry SET shard_id = (SELECT shard_id FROM shardwise.shard WHERE shard_name = 'plan_a') WHERE keyspace_id = 5 AND lower_key = '{fr}';
SELECT severity, detail FROM validation WHERE plan_id = :plan AND check_name = 'topology';
ROLLBACK;
SELECT * FROM shardwise.validate_plan(0);

-- refused
SELECT shardwise.plan_add_shard('nowhere');
SELECT shardwise.plan_add_shard('plan_a');
SELECT shardwise.plan_rebalance('h', 'best');
SELECT shardwise.plan_rebalance('h', by => 'weight');
SELECT shardwise.plan_rebalance('h', threshold => -1);
SELECT shardwise.plan_rebalance('pg_class');
SELECT shardwise.plan_move_range('h', '5', '5', 'plan_c');
SELECT shardwise.plan_move_range('h', 'abc', NULL, 'plan_c');
SELECT shardwise.plan_move_range('days', '2026-02-01', '2026-01-01', 'plan_b');
SELECT shardwise.plan_move_range('days', '2026-01-01', '2026-01-15', 'plan_a');
SELECT shardwise.plan_move_range('countries', 'de', 'fr', 'plan_c');
SELECT shardwise.plan_move_range('countries', 'it', 'it', 'plan_c');
SELECT shardwise.plan_move_key('h', 'plan_c', NULL::bigint);
SELECT shardwise.plan_move_key('h', 'plan_c', 1, 2);
SELECT shardwise.plan_move_key('countries', 'plan_b', 'it');

-- the owner of a keyspace's tables may plan for it, others may not; administrators of shards may
CREATE ROLE plan_owner;
CREATE ROLE plan_reader;
ALTER TABLE countries OWNER TO plan_owner;
SET ROLE plan_owner;
SELECT shardwise.plan_move_range('countries', 'fr', 'fr', 'plan_a') AS plan \gset
SELECT plan_id = :plan, owner, state FROM shardwise.plans WHERE plan_id = :plan;
SELECT shardwise.plan_remove_shard('plan_a');
SET ROLE plan_reader;
SELECT shardwise.plan_move_range('countries', 'fr', 'fr', 'plan_a');
SELECT shardwise.plan_move_key('h', 'plan_c', 42);
SELECT * FROM shardwise.validate_plan(:plan);
RESET ROLE;
BEGIN READ ONLY;
SELECT shardwise.plan_remove_shard('plan_a');
ROLLBACK;

-- tables and shards that go leave plans that cannot run, and their numbers are not given to others
SET client_min_messages = warning;
DROP VIEW validation;
DROP TABLE countries;
CREATE TABLE countries (country text PRIMARY KEY);
SELECT shardwise.distribute_table('countries', 'country', strategy => 'list', splits => '{de,fr,it}');
SELECT severity, check_name, regexp_replace(detail, '\d+', 'N') AS detail FROM shardwise.validate_plan(:plan);
SELECT shardwise.cancel_plan(:plan);
DROP FUNCTION show;
DROP TABLE h, h_lines, ring, days, pairs, countries;
SELECT shardwise.remove_shard(name) FROM unnest('{plan_a,plan_b,plan_c}'::text[]) name;
DROP DATABASE shard_plan_a WITH (FORCE);
DROP DATABASE shard_plan_b WITH (FORCE);
DROP DATABASE shard_plan_c WITH (FORCE);
DROP ROLE plan_owner, plan_reader;
