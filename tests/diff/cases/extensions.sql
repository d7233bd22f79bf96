-- Functions, types and aggregates of extensions, which run on shards that have the extension; sketches of
-- hll are equal however they are made, t-digests are near each other.
-- setup
CREATE EXTENSION citext;
CREATE EXTENSION hll;
CREATE EXTENSION tdigest;
-- shardwise: SELECT shardwise.ship_extension('hll')
-- shardwise: SELECT shardwise.ship_extension('tdigest')
CREATE TABLE mails (id int PRIMARY KEY, address citext UNIQUE, seen hll, delay tdigest);
ALTER TABLE mails DROP CONSTRAINT mails_address_key;
-- shardwise: SELECT shardwise.distribute_table('mails', 'id')
INSERT INTO mails SELECT i, CASE i % 2 WHEN 0 THEN 'USER' ELSE 'user' END || i % 7 || '@example.org', (SELECT hll_add_agg(hll_hash_integer(x)) FROM generate_series(1, i) x), (SELECT tdigest(x::float8, 100) FROM generate_series(1, i) x) FROM generate_series(1, 40) i;
-- test

-- Comparisons of citext run on the shards.
SELECT count(*) FROM mails WHERE address = 'User3@EXAMPLE.org';
SELECT id, address FROM mails WHERE address ~ '^user1' ORDER BY address, id;
SELECT lower(address::text), count(*), count(DISTINCT address), max(id) FROM mails GROUP BY lower(address::text) ORDER BY 1;
SELECT address = lower(address), count(*) FROM mails GROUP BY 1 ORDER BY 1;
SELECT lower(min(address)), lower(max(address)), count(DISTINCT address), cardinality(array_agg(address)) FROM mails;
SELECT address FROM mails WHERE id = 3;
-- params: 'USER5@example.ORG'
SELECT id FROM mails WHERE address = $1::citext ORDER BY id;
UPDATE mails SET address = replace(address, 'ORG', 'com') WHERE address = 'user6@example.org' AND id > 20;
SELECT id, address FROM mails WHERE id > 20 ORDER BY 1;

-- HyperLogLog.
SELECT hll_cardinality(hll_add_agg(hll_hash_bigint(order_id))), # hll_add_agg(hll_hash_text(status)) FROM orders;
SELECT hll_add_agg(hll_hash_bigint(order_id)), hll_add_agg(hll_hash_integer(item_id), 12), hll_add_agg(hll_hash_numeric(amount::numeric), 10, 5, 0), hll_add_agg(hll_hash_text(status), 11, 5, -1, 1) FROM orders, LATERAL (SELECT 1) l;
SELECT status, hll_cardinality(hll_add_agg(hll_hash_bigint(customer_id)) FILTER (WHERE item_id > 3)), count(*) FROM orders GROUP BY status ORDER BY status;
SELECT status, hll_add_agg(hll_hash_bigint(order_id)) FROM orders GROUP BY ROLLUP (status) ORDER BY status;
SELECT hll_union_agg(seen), # hll_union_agg(seen), hll_add_agg(hll_hash_integer(id)) = hll_union_agg(seen) FROM mails;
SELECT id % 3, hll_union_agg(seen), count(*) FROM mails GROUP BY 1 ORDER BY 1;
SELECT hll_union_agg(seen), hll_add_agg(hll_hash_integer(id)), hll_cardinality(hll_union_agg(seen)) FROM mails WHERE id < 0;
SELECT id, hll_cardinality(seen), hll_cardinality(hll_add_agg(hll_hash_integer(id))) FROM mails GROUP BY id ORDER BY id LIMIT 3;
SELECT hll_add_agg(DISTINCT hll_hash_integer(item_id)), count(DISTINCT item_id) FROM orders;
SELECT hll_cardinality(hll_union_agg(h)) FROM (SELECT status, hll_add_agg(hll_hash_bigint(order_id)) AS h FROM orders GROUP BY status) s;

-- A t-digest of few values has them all, one of many is near the truth.
SELECT id, tdigest_count(delay), delay FROM mails WHERE id < 5 ORDER BY id;
SELECT tdigest_count(tdigest(amount::float8, 100)), tdigest_count(tdigest(delay)) FROM orders LEFT JOIN mails ON id = customer_id;
SELECT status, tdigest_count(tdigest(amount::float8, 50)), tdigest_count(tdigest(amount::float8, item_id::bigint, 50)) FROM orders GROUP BY status ORDER BY 1;
SELECT abs(tdigest_percentile(order_id::float8, 100, 0.5) - 180.5) < 3, abs((tdigest_percentile(order_id::float8, 100, ARRAY[0.1, 0.9]))[2] - 324) < 4 FROM orders;
SELECT abs(tdigest_percentile_of(order_id::float8, 100, 90) - 0.25) < 0.02, cardinality(tdigest_percentile_of(order_id::float8, 100, ARRAY[10.0, 20, 30])) FROM orders;
SELECT abs(tdigest_percentile(order_id::float8, 2::bigint, 100, 0.5) - 180.5) < 3, abs((tdigest_percentile(order_id::float8, item_id::bigint, 100, ARRAY[0.5]))[1] - 180) < 8, abs(tdigest_percentile_of(order_id::float8, 3::bigint, 100, 90) - 0.25) < 0.02, cardinality(tdigest_percentile_of(order_id::float8, 3::bigint, 100, ARRAY[90.0, 1])) FROM orders;
SELECT abs(tdigest_avg(order_id::float8, 100, 0, 1) - 180.5) < 0.01, abs(tdigest_sum(order_id::float8, 2::bigint, 100, 0, 1) - 129960) < 1, abs(tdigest_sum(order_id::float8, 100, 0.25, 0.75) - 32490) < 600 FROM orders;
SELECT abs(tdigest_percentile(delay, 0.5) - 14) < 2, abs(tdigest_percentile_of(delay, 20) - 0.7) < 0.1, tdigest_avg(delay, 0, 1) > 13, tdigest_sum(delay, 0, 1) = 11480, cardinality(tdigest_percentile(delay, ARRAY[0.1, 0.2])), cardinality(tdigest_percentile_of(delay, ARRAY[1.0, 2])) FROM mails;
SELECT tdigest_percentile(order_id::float8, 100, 0.5), tdigest(order_id::float8, 100), tdigest_percentile(order_id::float8, 100, ARRAY[0.1]) FROM orders WHERE order_id < 0;
SELECT abs(tdigest_percentile(order_id::float8, 100, item_id / 1000.0) - 1) < 400 FROM orders WHERE item_id = 3 GROUP BY item_id;
SELECT tdigest_percentile(order_id::float8, 5, 0.5) FROM orders;
SELECT tdigest_percentile(order_id::float8, 100, 1.5) FROM orders;
-- params: 0.5
SELECT abs(tdigest_percentile(order_id::float8, 100, $1::float8) - 180.5) < 3 FROM orders;

-- Functions that depend on the session, and own aggregates over an extension's type.
CREATE AGGREGATE public.joined(citext) (SFUNC = textcat, STYPE = text, INITCOND = '');
SELECT length(joined(address)), count(*) FROM mails;
DROP AGGREGATE public.joined(citext);

-- teardown
DROP TABLE mails;
DROP EXTENSION citext, hll, tdigest;
