-- Plans that join on the router what the shards hold.
SET client_min_messages = warning;
SELECT shardwise.add_local_shard('p1'), shardwise.add_local_shard('p2'), shardwise.add_local_shard('p3');
CREATE TABLE parcel (id int PRIMARY KEY, place int, weight numeric);
CREATE TABLE visit (id int, parcel bigint);
INSERT INTO parcel SELECT i, i % 50, i FROM generate_series(1, 3000) i;
INSERT INTO visit SELECT i, i FROM generate_series(1, 3) i;
INSERT INTO visit VALUES (4, 3), (5, NULL), (6, 5000000000), (7, 12);
SELECT shardwise.distribute_table('parcel', 'id', 'range', shards => ARRAY['p1','p2','p3'], splits => ARRAY['11', '21']);
CREATE TABLE visits AS SELECT generate_series(1, 100001) AS id;
ANALYZE parcel, visit, visits;

-- A small side's keys reduce what the shards return; those of the shard key go to their shards alone.
EXPLAIN (COSTS OFF) SELECT * FROM visit v JOIN parcel p ON p.id = v.parcel;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM visit v JOIN parcel p ON p.id = v.parcel;
EXPLAIN (COSTS OFF) SELECT * FROM visit v LEFT JOIN parcel p ON p.place = v.parcel;
EXPLAIN (COSTS OFF) SELECT * FROM visit v WHERE EXISTS (SELECT FROM parcel p WHERE p.place = v.parcel);
EXPLAIN (COSTS OFF) SELECT * FROM visit v WHERE NOT EXISTS (SELECT FROM parcel p WHERE p.place = v.parcel);
EXPLAIN (COSTS OFF) SELECT * FROM parcel p WHERE p.place IN (SELECT id FROM visit);
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM visit v JOIN parcel p ON p.id = v.parcel WHERE v.id = 5;
-- These keep rows without a partner, or compare what the shards cannot look up.
EXPLAIN (COSTS OFF) SELECT count(*) FROM parcel p LEFT JOIN visit v ON p.place = v.parcel;
EXPLAIN (COSTS OFF) SELECT count(*) FROM parcel p FULL JOIN visit v ON p.place = v.parcel;
EXPLAIN (COSTS OFF) SELECT count(*) FROM visit v JOIN parcel p ON p.weight::float8 = v.parcel::float4;
EXPLAIN (COSTS OFF) SELECT count(*) FROM visit v JOIN parcel p ON p.place = v.parcel + (random() * 0)::int;
SET shardwise.join_reduction = never;
EXPLAIN (COSTS OFF) SELECT * FROM visit v JOIN parcel p ON p.id = v.parcel;
SET shardwise.join_reduction = always;
-- More keys than are sent.
SELECT count(*) FROM visits g (id) JOIN parcel p ON p.id = g.id;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM visits g (id) JOIN parcel p ON p.id = g.id;
RESET shardwise.join_reduction;
-- Rounds of a recursion send other keys each time.
EXPLAIN (COSTS OFF) WITH RECURSIVE r (place, depth) AS (SELECT 1, 0 UNION ALL SELECT p.id, depth + 1 FROM r JOIN parcel p ON p.place = r.place AND depth < 2) SELECT count(*) FROM r;
WITH RECURSIVE r (place, depth) AS (SELECT 1, 0 UNION ALL SELECT p.id, depth + 1 FROM r JOIN parcel p ON p.place = r.place AND depth < 2) SELECT depth, count(*) FROM r GROUP BY depth ORDER BY depth;

-- Rows of a value are asked for, until it is time to keep all.
EXPLAIN (COSTS OFF) SELECT v.id, (SELECT max(weight) FROM parcel p WHERE p.place = v.parcel) FROM visit v;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT v.id, (SELECT max(weight) FROM parcel p WHERE p.place = v.parcel) FROM visit v;
SELECT v.id, (SELECT max(weight) FROM parcel p WHERE p.place = v.parcel) FROM visit v ORDER BY 1;
SET shardwise.max_lookups = 100;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT v.id, (SELECT weight FROM parcel p WHERE p.id = v.parcel) FROM visit v;
RESET shardwise.max_lookups;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT place FROM parcel p WHERE p.id = (SELECT max(parcel) FROM visit WHERE parcel < 1000);

-- What is joined by the key inside of a larger join is one scan, unless its rows are more than those of its sides.
CREATE TABLE stop (parcel int, n int, place int, PRIMARY KEY (parcel, n));
INSERT INTO stop SELECT i, n, (i + n) % 60 FROM generate_series(1, 3000) i, generate_series(1, 2) n;
SELECT shardwise.distribute_table('stop', 'parcel', colocate_with => 'parcel');
CREATE TABLE town (id int PRIMARY KEY, name text);
INSERT INTO town SELECT i, 'town ' || i FROM generate_series(0, 59) i;
SELECT shardwise.create_reference_table('town');
ANALYZE stop, town;
EXPLAIN (COSTS OFF) SELECT v.id, p.weight, s.n FROM visit v JOIN parcel p ON p.place = v.parcel JOIN stop s ON s.parcel = p.id;
EXPLAIN (COSTS OFF) SELECT v.id, p.weight, s.n FROM visit v JOIN parcel p ON p.place = v.id LEFT JOIN stop s ON s.parcel = p.id AND s.place < 5 WHERE p.weight > 10;
EXPLAIN (COSTS OFF) SELECT v.id FROM visit v JOIN parcel p ON p.place = v.id WHERE EXISTS (SELECT FROM stop s WHERE s.parcel = p.id AND s.place = 7) AND NOT EXISTS (SELECT FROM town t WHERE t.id = p.place);
EXPLAIN (COSTS OFF) SELECT v.id, t.name FROM visit v LEFT JOIN (stop s JOIN town t ON t.id = s.place) ON s.n = v.id WHERE v.id < 3;
EXPLAIN (COSTS OFF) SELECT count(*) FROM parcel p JOIN stop s ON s.parcel = p.id JOIN stop r ON r.place = s.place WHERE p.weight < 100;
-- The shards group one side's rows where groups are few, or as they are told.
EXPLAIN (COSTS OFF) SELECT p.place, count(*), sum(s.n), sum(p.weight) FROM parcel p JOIN stop s ON s.place = p.place GROUP BY 1;
EXPLAIN (COSTS OFF) SELECT v.id, count(*), avg(v.parcel), max(s.n) FROM visit v JOIN parcel p ON p.place = v.id JOIN stop s ON s.parcel = p.id WHERE p.weight > 100 GROUP BY 1;
EXPLAIN (COSTS OFF) SELECT count(*), sum(s.n) FROM visit v JOIN stop s ON s.parcel = v.parcel;
SET shardwise.early_aggregation = always;
EXPLAIN (COSTS OFF) SELECT count(*), sum(s.n) FROM visit v JOIN stop s ON s.parcel = v.parcel;
EXPLAIN (COSTS OFF) SELECT v.id, array_agg(s.n) FROM visit v JOIN stop s ON s.place = v.id GROUP BY 1;
SET shardwise.early_aggregation = never;
EXPLAIN (COSTS OFF) SELECT p.place, count(*), sum(s.n) FROM parcel p JOIN stop s ON s.place = p.place GROUP BY 1;
RESET shardwise.early_aggregation;
-- A condition that the router applies; rows that are locked.
EXPLAIN (COSTS OFF) SELECT v.id FROM visit v JOIN parcel p ON p.place = v.id JOIN stop s ON s.parcel = p.id AND pg_column_size(s) > p.place;
EXPLAIN (COSTS OFF) SELECT v.id FROM visit v JOIN parcel p ON p.place = v.id JOIN stop s ON s.parcel = p.id FOR UPDATE OF s;

-- A partitioned table is one scan; the shards prune its partitions.
CREATE TABLE mail (id int NOT NULL, day date) PARTITION BY RANGE (day);
CREATE TABLE mail_one PARTITION OF mail FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE mail_two PARTITION OF mail FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
SELECT shardwise.distribute_table('mail', 'id');
EXPLAIN (COSTS OFF) SELECT count(*) FROM mail m JOIN visit v ON v.id = m.id + 1 WHERE m.day > '2025-01-15';

DROP TABLE mail, parcel, stop, town, visit, visits;
SELECT shardwise.remove_shard('p1'), shardwise.remove_shard('p2'), shardwise.remove_shard('p3');
