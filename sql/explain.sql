-- What EXPLAIN says of statements on shards, and what the counters say afterwards.
SET client_min_messages = warning;
SELECT shardwise.add_local_shard('e1'), shardwise.add_local_shard('e2'), shardwise.add_local_shard('e3');
CREATE TABLE item (id int PRIMARY KEY, label text, price numeric);
CREATE TABLE kind (id int PRIMARY KEY, name text);
INSERT INTO item SELECT i, 'item ' || i, i / 4.0 FROM generate_series(1, 30) i;
INSERT INTO kind VALUES (1, 'one'), (2, 'two');
SELECT shardwise.distribute_table('item', 'id', 'range', shards => ARRAY['e1','e2','e3'], splits => ARRAY['11', '21']);
SELECT shardwise.create_reference_table('kind');

EXPLAIN (COSTS OFF) SELECT label FROM item WHERE id = 7;
EXPLAIN (COSTS OFF) SELECT * FROM item ORDER BY price DESC NULLS LAST, label, id + 1 NULLS FIRST;
EXPLAIN (COSTS OFF) SELECT * FROM item WHERE id < 15 ORDER BY label LIMIT 3;
EXPLAIN (COSTS OFF) SELECT sum(price), label FROM item WHERE id IN (3, 25) GROUP BY label;
EXPLAIN (COSTS OFF) SELECT label, sum(price) FROM item GROUP BY id, label ORDER BY sum(price) * 2, count(*) DESC;
EXPLAIN (COSTS OFF) SELECT substr(label, 1, 1), array_agg(id), json_agg(price), count(DISTINCT label) FROM item GROUP BY 1;
EXPLAIN (COSTS OFF) SELECT count(DISTINCT id), count(DISTINCT label), count(DISTINCT price) FILTER (WHERE id > 3), sum(price) FROM item;
EXPLAIN (COSTS OFF) SELECT mode() WITHIN GROUP (ORDER BY label) FILTER (WHERE price > 2), string_agg(label, ',' ORDER BY id) FILTER (WHERE price > 2) FROM item;
EXPLAIN (COSTS OFF) UPDATE item SET price = 0;
EXPLAIN (COSTS OFF) WITH gone AS (DELETE FROM item WHERE price < 0 RETURNING label) INSERT INTO kind SELECT 100 + length(label), label FROM gone;
EXPLAIN (COSTS OFF) SELECT name FROM kind;
PREPARE by_id (int) AS SELECT label FROM item WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_id (7);
RESET plan_cache_mode;

-- Bytes are those of the values as they came.
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT label FROM item WHERE id = 7;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM item;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id, label FROM item WHERE id <= 20 ORDER BY id DESC LIMIT 2;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT id FROM item WHERE id > 100;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) UPDATE item SET price = 1 WHERE id = 7;
CREATE FUNCTION explained(query text, times text) RETURNS json LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE format('EXPLAIN (ANALYZE, COSTS OFF, SUMMARY OFF, TIMING %s, FORMAT json) %s', times, query) INTO plan;
    RETURN plan #> '{0,Plan,Shard Execution}';
END $$;
SELECT * FROM json_to_recordset(explained('SELECT id FROM item ORDER BY id', 'off'))
    AS shard ("Shard" text, "Rows" int, "Bytes" int, "Total Time" float8);
SELECT count(*), bool_and("First Row Time" > 0 AND "Total Time" >= "First Row Time") AS timed
  FROM json_to_recordset(explained('SELECT id FROM item ORDER BY id', 'on'))
    AS shard ("First Row Time" float8, "Total Time" float8);

-- Counters: what is constant in a text is not shown.
SELECT shardwise.stat_reset();
SELECT label FROM item WHERE id = 8;
SELECT label FROM item WHERE id = 18 /* the same */;
SELECT label FROM item WHERE id = -9 AND label <> 'a ''secret''' AND label <> E'an\x6fther' AND label <> $tag$one$tag$;
SELECT count(*) FROM item WHERE price > 1.5e0;
SELECT count(*) FROM item a JOIN item b ON a.id = b.id + 1 WHERE a.id > 20; SELECT name FROM kind WHERE id = 1;
EXECUTE by_id (9);
EXECUTE by_id (28);
UPDATE item SET price = price + 1 WHERE id = 12;
UPDATE item SET price = price + 1 WHERE id < 21;
INSERT INTO item VALUES (31, 'secret', 1), (1001, 'secret', 2);
COPY item FROM stdin;
32	'secret'	3
1002	'secret'	4
\.
INSERT INTO item VALUES (-31, 'secret', 1), (33, 'secret', 2);
CREATE INDEX item_label ON item (label);
DROP INDEX item_label;
CREATE TABLE unseen (id int);
DROP TABLE unseen;
SELECT nothing FROM item;
INSERT INTO item VALUES (31, 'there already', 1);
SET shardwise.track_queries = off;
SELECT price FROM item WHERE id = 8;
RESET shardwise.track_queries;
SELECT query, calls, fast_path, single_shard, scatter, pull, rows, shards, queryid <> 0 AS has_id,
       total_time > 0 AND min_time <= mean_time AND mean_time <= max_time AS timed
  FROM shardwise.stat_queries ORDER BY query COLLATE "C";
SELECT shard, statements > 0 AS asked, rows > 0 AS rows, bytes_received > 0 AS bytes, errors,
       total_response_time > 0 AND max_response_time <= total_response_time AS timed,
       connections, transactions > 0 AS one_phase, two_phase_transactions, last_error IS NOT NULL AS failed
  FROM shardwise.stat_shards ORDER BY shard;
SELECT * FROM shardwise.stat_progress;

-- Others' queries are not shown; roles that read all statistics see them.
CREATE ROLE regress_other;
CREATE ROLE regress_monitor IN ROLE pg_read_all_stats;
SET ROLE regress_other;
SELECT DISTINCT queryid, query FROM shardwise.stat_queries;
SELECT count(*) FROM shardwise.stat_shards;
SELECT shardwise.stat_reset();
SET ROLE regress_monitor;
SELECT query FROM shardwise.stat_queries WHERE fast_path = 2 ORDER BY 1;
RESET ROLE;
SELECT shardwise.stat_reset();
SELECT count(*) FROM shardwise.stat_queries;
SELECT shard, statements, rows, errors, connections, last_error FROM shardwise.stat_shards ORDER BY shard;

-- A shard whose rows did not change has not been written, unless a trigger may have done more.
SELECT shardwise.stat_reset();
UPDATE item SET label = 'last' WHERE id = 20;
UPDATE item SET price = 7 WHERE label = 'last';
BEGIN;
UPDATE item SET price = 8 WHERE label = 'last';
DELETE FROM item WHERE label = 'nowhere';
UPDATE item SET price = 9 WHERE id = 20;
COMMIT;
SELECT sum(transactions) AS one_phase, sum(two_phase_transactions) AS two_phase FROM shardwise.stat_shards;
CREATE FUNCTION do_nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER nothing BEFORE UPDATE ON item EXECUTE FUNCTION do_nothing();
SELECT shardwise.stat_reset();
UPDATE item SET price = 7 WHERE label = 'last';
SELECT sum(transactions) AS one_phase, sum(two_phase_transactions) AS two_phase FROM shardwise.stat_shards;

-- Shards of one host share the parallel workers of a statement that runs on several of them.
SELECT count(*) FROM shardwise.run_on_shards($command$DO $$
DECLARE setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY['max_parallel_workers_per_gather = 6', 'parallel_setup_cost = 0',
                                   'parallel_tuple_cost = 0', 'min_parallel_table_scan_size = 0'] LOOP
        EXECUTE format('ALTER DATABASE %I SET %s', current_database(), setting);
    END LOOP;
    ALTER TABLE item SET (parallel_workers = 10);
END $$$command$) WHERE ok;
CREATE FUNCTION workers_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
        IF line ~ 'Workers Planned' THEN RETURN trim(line); END IF;
    END LOOP;
    RETURN 'none';
END $$;
\c
SELECT query, workers_of('SELECT count(*) FROM item ' || query) FROM unnest(ARRAY[
    '', 'WHERE id <= 20', '', 'WHERE id IN (3, 5)', 'WHERE label > ''k''']) query;
BEGIN;
SELECT workers_of('SELECT label FROM item WHERE id IN (3, 5)');
ROLLBACK;
SELECT workers_of('SELECT label FROM item WHERE id <= 20 ORDER BY price LIMIT 1');
SET shardwise.share_parallel_workers = off;
SELECT workers_of('SELECT label FROM item ORDER BY price');
RESET shardwise.share_parallel_workers;
SELECT workers_of('SELECT label FROM item ORDER BY price');

-- What prints the plans of all statements asks no shard for more.
SELECT count(*) FROM item;
SELECT shardwise.stat_reset();
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_analyze = on;
SET auto_explain.log_verbose = on;
SET auto_explain.log_nested_statements = on;
UPDATE item SET price = 8 WHERE id = 1;
SELECT count(*) FROM item;
SELECT calls, query FROM shardwise.stat_queries ORDER BY query;
SELECT sum(statements) FROM shardwise.stat_shards;
SELECT workers_of('SELECT label FROM item ORDER BY price');
SET compute_query_id = off;
EXPLAIN (COSTS off) DECLARE one SCROLL CURSOR FOR SELECT label FROM item WHERE id = 1;
RESET compute_query_id;
BEGIN;
DECLARE one SCROLL CURSOR FOR SELECT label FROM item WHERE id = 1;
FETCH one;
FETCH PRIOR FROM one;
COMMIT;
SET auto_explain.log_min_duration = -1;
DROP FUNCTION workers_of(text);

DROP ROLE regress_other, regress_monitor;
DROP FUNCTION explained(text, text);
DROP TABLE item, kind;
DROP FUNCTION do_nothing();
SELECT shardwise.remove_shard('e1'), shardwise.remove_shard('e2'), shardwise.remove_shard('e3');
