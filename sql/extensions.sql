-- Extensions whose functions and aggregates run on the shards.
SET client_min_messages = warning;
SELECT shardwise.add_local_shard('x1'), shardwise.add_local_shard('x2');
CREATE EXTENSION hll;
CREATE EXTENSION tdigest;
CREATE EXTENSION citext;
CREATE TABLE visit (k int PRIMARY KEY, page citext, took float8, n bigint);
INSERT INTO visit SELECT i, CASE i % 2 WHEN 0 THEN 'Page' ELSE 'pAGE' END || i % 3, i, i FROM generate_series(1, 100) i;
SELECT shardwise.distribute_table('visit', 'k');
SELECT * FROM shardwise.shipped_extension ORDER BY 1;

-- Not on the shards yet: the arguments come.
EXPLAIN (COSTS OFF) SELECT hll_cardinality(hll_add_agg(hll_hash_bigint(n))) FROM visit;
SELECT hll_cardinality(hll_add_agg(hll_hash_bigint(n))) FROM visit;

-- Every shard gets it, those to come as well.
CREATE ROLE regress_shipper;
SET ROLE regress_shipper;
SELECT shardwise.ship_extension('hll');
RESET ROLE;
GRANT EXECUTE ON FUNCTION shardwise.ship_extension(name) TO regress_shipper;
GRANT USAGE ON FOREIGN DATA WRAPPER shardwise TO regress_shipper;
SET ROLE regress_shipper;
SELECT shardwise.ship_extension('hll');
RESET ROLE;
SELECT shardwise.ship_extension('nothing');
SELECT shardwise.ship_extension('shardwise');
SELECT shardwise.ship_extension('hll'), shardwise.ship_extension('hll'), shardwise.ship_extension('tdigest');
SELECT shardwise.add_local_shard('x3');
SELECT shard, result FROM shardwise.run_on_shards($$SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension WHERE extname <> 'plpgsql'$$) ORDER BY 1;
SELECT * FROM shardwise.shipped_extension ORDER BY 1;

-- Comparisons, sketches, and what an extension says can be merged.
EXPLAIN (COSTS OFF) SELECT k FROM visit WHERE page = 'page1';
EXPLAIN (COSTS OFF) SELECT min(page), max(page) FROM visit;
EXPLAIN (COSTS OFF) SELECT page, hll_add_agg(hll_hash_bigint(n), 12), hll_cardinality(hll_add_agg(hll_hash_bigint(n))) FROM visit GROUP BY page;
EXPLAIN (COSTS OFF) SELECT tdigest_percentile(took, 100, ARRAY[0.5, 0.9]), tdigest_percentile_of(took, n, 100, 3), tdigest_sum(took, 50, 0.1, 0.9), tdigest(took, 20) FROM visit;
SELECT min(page) = 'page0', hll_cardinality(hll_add_agg(hll_hash_bigint(n))), tdigest_percentile(took, 200, 1) FROM visit;
-- What is asked of a digest is another thing in each row; what depends on the session.
EXPLAIN (COSTS OFF) SELECT tdigest_percentile(took, 100, k / 100.0) FROM visit;
CREATE AGGREGATE own_max(citext) (SFUNC = citext_larger, STYPE = citext, COMBINEFUNC = citext_larger);
EXPLAIN (COSTS OFF) SELECT own_max(page) FROM visit WHERE n > 3;
EXPLAIN (COSTS OFF) SELECT k, own_max(page) FROM visit GROUP BY k;
DROP AGGREGATE own_max(citext);

-- The shards keep it when it goes; nothing is sent there any more.
SELECT * FROM shardwise.check_schema();
DROP EXTENSION hll;
SELECT * FROM shardwise.shipped_extension ORDER BY 1;
SELECT count(DISTINCT page) FROM visit;
DROP TABLE visit;
DROP EXTENSION tdigest, citext;
SELECT count(*) FROM shardwise.shipped_extension;
REVOKE ALL ON FOREIGN DATA WRAPPER shardwise FROM regress_shipper;
REVOKE ALL ON FUNCTION shardwise.ship_extension(name) FROM regress_shipper;
DROP ROLE regress_shipper;
SELECT shardwise.remove_shard('x1'), shardwise.remove_shard('x2'), shardwise.remove_shard('x3');
