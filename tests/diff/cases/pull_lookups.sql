-- Scans that run for each row above with a condition `column = value of that row`: asked from the
-- shards for each value, kept whole and found by a hash, and both (shardwise.max_lookups).
-- setup
CREATE TABLE outers (id int, a int, b bigint, t text, n numeric, d date, m mood, v varchar(5));
INSERT INTO outers SELECT i, nullif(i % 11, 3), i % 7, 'k' || i % 5, i % 4 + 0.50, date '2025-01-01' + i % 9, (ARRAY['sad', 'ok', 'happy']::mood[])[1 + i % 3], 'v' || i % 3 FROM generate_series(1, 40) i;
INSERT INTO outers VALUES (41, 5000, 5000000000, 'none', 'NaN', 'infinity', NULL, NULL), (42, NULL, NULL, NULL, NULL, NULL, 'glad', '');
CREATE TABLE inners (id int PRIMARY KEY, a int, b int, t text, n numeric, d timestamp, m mood, v varchar(5), w text COLLATE "C");
INSERT INTO inners SELECT i, nullif(i % 13, 5), i % 7, 'k' || i % 6, i % 5 * 0.5, timestamp '2025-01-01' + i % 12 * interval '1 day', (ARRAY['sad', 'ok', 'glad']::mood[])[1 + i % 3], 'v' || i % 4, 'k' || i % 9 FROM generate_series(1, 2000) i;
INSERT INTO inners VALUES (2001, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (2002, 5000, NULL, 'none', 'NaN', 'infinity', NULL, '');
-- shardwise: SELECT shardwise.distribute_table('inners', 'id')
-- shardwise: ANALYZE inners
ANALYZE outers;
CREATE TABLE tree (a int NOT NULL, b int, c text) PARTITION BY RANGE (a);
CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (20);
CREATE TABLE tree_2 PARTITION OF tree FOR VALUES FROM (20) TO (60) PARTITION BY RANGE (b);
CREATE TABLE tree_2_1 PARTITION OF tree_2 FOR VALUES FROM (0) TO (3);
CREATE TABLE tree_2_2 PARTITION OF tree_2 FOR VALUES FROM (3) TO (9);
INSERT INTO tree SELECT i, i % 7, 'c' || i % 3 FROM generate_series(0, 58, 2) i;
-- shardwise: SELECT shardwise.distribute_table('tree', 'a')
-- test
-- Each value is asked for.
-- router: SET shardwise.max_lookups = 1000000
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT sum(i.id) FROM inners i WHERE i.b = o.b) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT i.t FROM inners i WHERE i.id = o.id) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT i.t FROM inners i WHERE i.id = o.b) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT i.t FROM inners i WHERE o.a * 100 = i.id) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.t = o.t AND i.a < o.a) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.t = o.t AND i.b = o.b AND i.id % 2 = 0) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.n = o.n) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.d = o.d) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.m = o.m) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.v = o.v) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.w = o.t) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.w = o.t || '') FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE lower(i.t) = o.t) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT max(i.id) FROM inners i WHERE i.a = o.a OR i.b = o.b) FROM outers o ORDER BY 1;
SELECT o.id FROM outers o WHERE EXISTS (SELECT FROM inners i WHERE i.a = o.a AND i.id > o.b * 300) ORDER BY 1;
SELECT o.id FROM outers o WHERE o.b > ALL (SELECT i.b FROM inners i WHERE i.a = o.a) ORDER BY 1;
SELECT o.id, o.a IN (SELECT i.b FROM inners i WHERE i.t = o.t) FROM outers o ORDER BY 1;
SELECT o.id, x.id FROM outers o, LATERAL (SELECT i.id FROM inners i WHERE i.a = o.a ORDER BY i.id DESC LIMIT 2) x ORDER BY 1, 2;
SELECT o.id, x.n FROM outers o LEFT JOIN LATERAL (SELECT count(*) AS n FROM inners i JOIN inners j ON j.id = i.id + 1 WHERE i.a = o.a AND j.b = o.b) x ON true ORDER BY 1;
-- A condition of a part of UNION ALL that is about the row outside.
SELECT o.id, x.id FROM (SELECT id, a, b || 'x' AS c FROM outers WHERE a IN (SELECT a FROM inners)) o, LATERAL (SELECT i.id, i.a, o.c FROM inners i UNION ALL SELECT 0, a, max(b) FROM inners GROUP BY a) x (id, a, c) WHERE x.a = o.a AND x.c = x.c AND x.c > 'a' ORDER BY 1, 2;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a AND EXISTS (SELECT FROM inners j WHERE j.id = i.b + o.id)) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT (SELECT count(*) FROM inners i WHERE i.a = p.a AND i.b = o.b) FROM outers p WHERE p.id = o.id + 1) FROM outers o ORDER BY 1;
SELECT o.id, ARRAY(SELECT i.id FROM inners i WHERE i.id = o.a ORDER BY 1) FROM outers o ORDER BY 1;
SELECT id, t FROM inners WHERE id = (SELECT max(b) FROM outers WHERE a < 100) ORDER BY 1;
SELECT count(*) FROM inners WHERE t = (SELECT max(t) FROM outers WHERE id < 40) AND b > (SELECT min(b) FROM outers);
SELECT count(*) FROM inners WHERE a = (SELECT a FROM outers WHERE id = 42);
SELECT e.id, (SELECT count(*) FROM events f WHERE f.id = e.tenant) FROM events e ORDER BY 1;
SELECT e.id, (SELECT max(f.at) FROM events f WHERE f.tenant = e.id % 7 AND f.at < e.at) FROM events e ORDER BY 1;
SELECT o.id, (SELECT name FROM items i WHERE i.item_id = o.a) FROM outers o ORDER BY 1;
WITH RECURSIVE r (id, n) AS (SELECT 1, 0 UNION ALL SELECT (SELECT min(i.id) FROM inners i WHERE i.a = r.id % 13 AND i.id > r.id), n + 1 FROM r WHERE n < 20) SELECT * FROM r ORDER BY n;
-- params: 'k2', 3
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.b = o.b AND i.t = $1) FROM outers o WHERE o.a > $2 ORDER BY 1;
BEGIN;
INSERT INTO inners (id, a, b, t) VALUES (3000, 1, 1, 'k1'), (3001, 5000, 1, 'k1');
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a) FROM outers o ORDER BY 1;
UPDATE inners x SET n = (SELECT count(*) FROM inners i WHERE i.a = x.b) WHERE x.id < 20;
UPDATE inners x SET n = (SELECT max(o.id) FROM outers o WHERE o.a = x.b) WHERE x.id < 20;
INSERT INTO inners (id, a) SELECT 4000 + o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a) FROM outers o;
DELETE FROM inners x WHERE (SELECT count(*) FROM inners i WHERE i.id = x.a) > 0 AND x.id < 100;
SELECT count(*), sum(a), sum(n) FROM inners;
SAVEPOINT a;
SELECT o.id, (SELECT i.id FROM inners i WHERE i.a = o.a) FROM outers o;
ROLLBACK TO a;
DECLARE c CURSOR FOR SELECT o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a) FROM outers o ORDER BY 1;
FETCH 7 FROM c;
MOVE 3 FROM c;
FETCH 2 FROM c;
CLOSE c;
ROLLBACK;
-- All rows are kept.
-- router: SET shardwise.max_lookups = 0
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT sum(i.id) FROM inners i WHERE i.b = o.b) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT i.t FROM inners i WHERE i.id = o.id) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT i.t FROM inners i WHERE i.id = o.b) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT i.t FROM inners i WHERE o.a * 100 = i.id) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.t = o.t AND i.a < o.a) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.t = o.t AND i.b = o.b AND i.id % 2 = 0) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.n = o.n) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.d = o.d) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.m = o.m) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.v = o.v) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.w = o.t) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.w = o.t || '') FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE lower(i.t) = o.t) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT max(i.id) FROM inners i WHERE i.a = o.a OR i.b = o.b) FROM outers o ORDER BY 1;
SELECT o.id FROM outers o WHERE EXISTS (SELECT FROM inners i WHERE i.a = o.a AND i.id > o.b * 300) ORDER BY 1;
SELECT o.id FROM outers o WHERE o.b > ALL (SELECT i.b FROM inners i WHERE i.a = o.a) ORDER BY 1;
SELECT o.id, o.a IN (SELECT i.b FROM inners i WHERE i.t = o.t) FROM outers o ORDER BY 1;
SELECT o.id, x.id FROM outers o, LATERAL (SELECT i.id FROM inners i WHERE i.a = o.a ORDER BY i.id DESC LIMIT 2) x ORDER BY 1, 2;
SELECT o.id, x.n FROM outers o LEFT JOIN LATERAL (SELECT count(*) AS n FROM inners i JOIN inners j ON j.id = i.id + 1 WHERE i.a = o.a AND j.b = o.b) x ON true ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a AND EXISTS (SELECT FROM inners j WHERE j.id = i.b + o.id)) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT (SELECT count(*) FROM inners i WHERE i.a = p.a AND i.b = o.b) FROM outers p WHERE p.id = o.id + 1) FROM outers o ORDER BY 1;
SELECT o.id, ARRAY(SELECT i.id FROM inners i WHERE i.id = o.a ORDER BY 1) FROM outers o ORDER BY 1;
SELECT id, t FROM inners WHERE id = (SELECT max(b) FROM outers WHERE a < 100) ORDER BY 1;
SELECT count(*) FROM inners WHERE t = (SELECT max(t) FROM outers WHERE id < 40) AND b > (SELECT min(b) FROM outers);
SELECT count(*) FROM inners WHERE a = (SELECT a FROM outers WHERE id = 42);
SELECT e.id, (SELECT count(*) FROM events f WHERE f.id = e.tenant) FROM events e ORDER BY 1;
SELECT e.id, (SELECT max(f.at) FROM events f WHERE f.tenant = e.id % 7 AND f.at < e.at) FROM events e ORDER BY 1;
SELECT o.id, (SELECT name FROM items i WHERE i.item_id = o.a) FROM outers o ORDER BY 1;
WITH RECURSIVE r (id, n) AS (SELECT 1, 0 UNION ALL SELECT (SELECT min(i.id) FROM inners i WHERE i.a = r.id % 13 AND i.id > r.id), n + 1 FROM r WHERE n < 20) SELECT * FROM r ORDER BY n;
-- params: 'k2', 3
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.b = o.b AND i.t = $1) FROM outers o WHERE o.a > $2 ORDER BY 1;
BEGIN;
INSERT INTO inners (id, a, b, t) VALUES (3000, 1, 1, 'k1'), (3001, 5000, 1, 'k1');
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a) FROM outers o ORDER BY 1;
UPDATE inners x SET n = (SELECT count(*) FROM inners i WHERE i.a = x.b) WHERE x.id < 20;
UPDATE inners x SET n = (SELECT max(o.id) FROM outers o WHERE o.a = x.b) WHERE x.id < 20;
INSERT INTO inners (id, a) SELECT 4000 + o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a) FROM outers o;
DELETE FROM inners x WHERE (SELECT count(*) FROM inners i WHERE i.id = x.a) > 0 AND x.id < 100;
SELECT count(*), sum(a), sum(n) FROM inners;
SAVEPOINT a;
SELECT o.id, (SELECT i.id FROM inners i WHERE i.a = o.a) FROM outers o;
ROLLBACK TO a;
DECLARE c CURSOR FOR SELECT o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a) FROM outers o ORDER BY 1;
FETCH 7 FROM c;
MOVE 3 FROM c;
FETCH 2 FROM c;
CLOSE c;
ROLLBACK;
-- All rows are kept after some.
-- router: SET shardwise.max_lookups = 3
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT i.t FROM inners i WHERE i.id = o.b) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.t = o.t AND i.b = o.b AND i.id % 2 = 0) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.m = o.m) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.w = o.t || '') FROM outers o ORDER BY 1;
SELECT o.id FROM outers o WHERE EXISTS (SELECT FROM inners i WHERE i.a = o.a AND i.id > o.b * 300) ORDER BY 1;
SELECT o.id, x.id FROM outers o, LATERAL (SELECT i.id FROM inners i WHERE i.a = o.a ORDER BY i.id DESC LIMIT 2) x ORDER BY 1, 2;
SELECT o.id, (SELECT (SELECT count(*) FROM inners i WHERE i.a = p.a AND i.b = o.b) FROM outers p WHERE p.id = o.id + 1) FROM outers o ORDER BY 1;
SELECT count(*) FROM inners WHERE t = (SELECT max(t) FROM outers WHERE id < 40) AND b > (SELECT min(b) FROM outers);
SELECT e.id, (SELECT max(f.at) FROM events f WHERE f.tenant = e.id % 7 AND f.at < e.at) FROM events e ORDER BY 1;
-- They do not fit into memory.
-- router: SET shardwise.max_lookups = 2
-- router: SET work_mem = 64
-- router: SET hash_mem_multiplier = 1
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT i.t FROM inners i WHERE i.id = o.b) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.t = o.t AND i.b = o.b AND i.id % 2 = 0) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.m = o.m) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.w = o.t || '') FROM outers o ORDER BY 1;
SELECT o.id FROM outers o WHERE EXISTS (SELECT FROM inners i WHERE i.a = o.a AND i.id > o.b * 300) ORDER BY 1;
SELECT o.id, x.id FROM outers o, LATERAL (SELECT i.id FROM inners i WHERE i.a = o.a ORDER BY i.id DESC LIMIT 2) x ORDER BY 1, 2;
SELECT o.id, (SELECT (SELECT count(*) FROM inners i WHERE i.a = p.a AND i.b = o.b) FROM outers p WHERE p.id = o.id + 1) FROM outers o ORDER BY 1;
SELECT count(*) FROM inners WHERE t = (SELECT max(t) FROM outers WHERE id < 40) AND b > (SELECT min(b) FROM outers);
SELECT e.id, (SELECT max(f.at) FROM events f WHERE f.tenant = e.id % 7 AND f.at < e.at) FROM events e ORDER BY 1;
-- router: RESET work_mem
-- router: RESET hash_mem_multiplier
-- router: RESET shardwise.max_lookups
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.a = o.a) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT i.t FROM inners i WHERE i.id = o.b) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.t = o.t AND i.b = o.b AND i.id % 2 = 0) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.m = o.m) FROM outers o ORDER BY 1;
SELECT o.id, (SELECT count(*) FROM inners i WHERE i.w = o.t || '') FROM outers o ORDER BY 1;
SELECT o.id FROM outers o WHERE EXISTS (SELECT FROM inners i WHERE i.a = o.a AND i.id > o.b * 300) ORDER BY 1;
SELECT o.id, x.id FROM outers o, LATERAL (SELECT i.id FROM inners i WHERE i.a = o.a ORDER BY i.id DESC LIMIT 2) x ORDER BY 1, 2;
SELECT o.id, (SELECT (SELECT count(*) FROM inners i WHERE i.a = p.a AND i.b = o.b) FROM outers p WHERE p.id = o.id + 1) FROM outers o ORDER BY 1;
SELECT count(*) FROM inners WHERE t = (SELECT max(t) FROM outers WHERE id < 40) AND b > (SELECT min(b) FROM outers);
SELECT e.id, (SELECT max(f.at) FROM events f WHERE f.tenant = e.id % 7 AND f.at < e.at) FROM events e ORDER BY 1;
-- Conditions of LATERAL on partitions that are partitioned.
-- router: SET enable_partitionwise_join = on
SELECT t.a, t.b, s.* FROM tree t LEFT JOIN LATERAL (SELECT u.a AS ua, u.c, i.id, least(t.a, u.a, i.id) FROM tree u JOIN inners i ON u.a = i.b * 3) s
    ON t.a = s.ua AND t.c = s.c WHERE t.b < 4 ORDER BY t.a, s.id;
SELECT t.a, s.* FROM tree t LEFT JOIN LATERAL (SELECT u.a AS ua, u.c, v.b, least(t.a, u.a, v.b) FROM tree u JOIN tree v ON u.a = v.a AND u.c = v.c) s
    ON t.a = s.ua AND t.c = s.c WHERE t.b = 0 ORDER BY t.a;
-- router: RESET enable_partitionwise_join
SELECT t.a, s.* FROM tree t LEFT JOIN LATERAL (SELECT u.tableoid::regclass, u.a AS ua, u.c, i.id, least(t.a, u.a, i.id) FROM tree u JOIN inners i ON u.a = i.b * 3) s
    ON t.a = s.ua AND t.c = s.c WHERE t.b < 4 ORDER BY t.a, s.id;
-- teardown
DROP TABLE outers, inners, tree;
