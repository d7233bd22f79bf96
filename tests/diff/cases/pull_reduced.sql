-- Joins off the key whose one side reduces the other by its keys (shardwise.join_reduction): always,
-- then not at all; with NULLs, duplicates, all kinds of joins, types, many keys, uncommitted writes.
-- setup
CREATE TABLE few (a int, b bigint, s smallint, t text, v varchar(20), n numeric, f float8, d date, ts timestamptz, m mood, u uuid, c char(6), note text);
INSERT INTO few VALUES
    (1, 1, 1, 'a-key', 'note 1', 1.0, 0.1, '2025-01-01', '2025-01-01 07:00+00', 'happy', md5('1')::uuid, 'new', 'one'),
    (1, 1, 1, 'a-key', 'note 1', 1.00, 0.1, '2025-01-01', '2025-01-01 07:00+00', 'happy', md5('1')::uuid, 'new', 'one again'),
    (3, 9223372036854775807, 3, 'Ünïcode ''quoted''', 'ü', 'NaN', 'NaN', '2025-02-03', '2025-01-01 21:00+00', 'sad', md5('3')::uuid, 'paid', 'three'),
    (-7, -5000000000, -7, '', '', 2.5, '-0', 'infinity', 'infinity', 'ok', md5('x')::uuid, '', 'none'),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'null'),
    (NULL, 4, NULL, 'A', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'mostly null'),
    (6, 6, 6, 'a', 'a', 60.25, 'Infinity', '2025-03-01', '2025-01-02 18:00+00', 'glad', md5('6')::uuid, 'paid', 'six');
CREATE TABLE nobody (a int);
CREATE TABLE wide (id int PRIMARY KEY, k int, t text COLLATE "C", big bigint, small smallint, txt varchar(20));
INSERT INTO wide SELECT i, nullif(i % 97, 13), 'k' || i % 50, i % 10, i % 7, 'v' || i % 3 FROM generate_series(1, 3000) i;
CREATE TABLE many (id int PRIMARY KEY, k int);
INSERT INTO many SELECT i, i FROM generate_series(1, 2500) i;
-- shardwise: SELECT shardwise.distribute_table('wide', 'id')
-- shardwise: SELECT shardwise.distribute_table('many', 'id')
-- shardwise: ANALYZE wide, many
ANALYZE few;
-- test
-- router: SET shardwise.join_reduction = 'always'
-- Every kind of join; the key and other columns; integers of other widths.
SELECT f.note, w.id FROM few f JOIN wide w ON w.k = f.a ORDER BY 1, 2;
SELECT f.note, w.id FROM wide w JOIN few f ON w.id = f.b ORDER BY 1, 2;
SELECT f.note, w.id FROM few f JOIN wide w ON w.small = f.b ORDER BY 1, 2;
SELECT f.note, w.id FROM few f JOIN wide w ON w.big = f.s ORDER BY 1, 2;
SELECT * FROM few f JOIN wide w ON w.id = f.a ORDER BY w.id, f.note;
SELECT * FROM few f LEFT JOIN wide w ON w.k = f.b AND w.id < 500 ORDER BY f.note, w.id;
SELECT * FROM few f WHERE EXISTS (SELECT FROM wide w WHERE w.id = f.s) ORDER BY f.note;
SELECT * FROM few f WHERE NOT EXISTS (SELECT FROM wide w WHERE w.id = f.s) ORDER BY f.note;
SELECT * FROM (SELECT a, b FROM few OFFSET 0) f JOIN wide w ON w.id = f.b ORDER BY w.id;
SELECT f.note, w.id FROM few f LEFT JOIN wide w ON w.id = f.a ORDER BY 1, 2;
SELECT f.note, w.id FROM few f LEFT JOIN wide w ON w.k = f.a AND w.id < 200 AND f.note <> 'six' ORDER BY 1, 2;
SELECT f.note, w.id FROM wide w LEFT JOIN few f ON w.id = f.a WHERE w.id < 10 ORDER BY 2, 1;
SELECT f.note, w.id FROM few f RIGHT JOIN wide w ON w.id = f.a WHERE w.id < 10 ORDER BY 2, 1;
SELECT f.note, count(w.id) FROM few f FULL JOIN wide w ON w.k = f.a GROUP BY 1 ORDER BY 1;
SELECT f.note FROM few f WHERE EXISTS (SELECT FROM wide w WHERE w.k = f.a) ORDER BY 1;
SELECT f.note FROM few f WHERE NOT EXISTS (SELECT FROM wide w WHERE w.k = f.a) ORDER BY 1;
SELECT f.note FROM few f WHERE f.a IN (SELECT k FROM wide) ORDER BY 1;
SELECT f.note FROM few f WHERE f.a NOT IN (SELECT k FROM wide WHERE k IS NOT NULL) ORDER BY 1;
SELECT count(*), sum(w.id) FROM wide w WHERE w.k IN (SELECT a FROM few);
SELECT count(*), sum(w.id) FROM wide w WHERE NOT EXISTS (SELECT FROM few f WHERE f.a = w.k);
SELECT count(*), sum(w.id) FROM wide w WHERE w.k NOT IN (SELECT a FROM few);
SELECT f.note, w.id FROM few f JOIN wide w ON w.k = f.a AND w.big = f.b ORDER BY 1, 2;
SELECT f.note, w.id FROM few f JOIN wide w ON w.k = f.a OR w.id = f.b ORDER BY 1, 2;
SELECT f.note, w.id FROM few f JOIN wide w ON w.k + 1 = f.a * 2 ORDER BY 1, 2;
SELECT f.note, w.id, x.id FROM few f JOIN wide w ON w.id = f.a JOIN many x ON x.k = w.big ORDER BY 1, 2;
SELECT count(*) FROM few f, wide w, many x WHERE w.k = f.a AND x.k = w.id;
SELECT f.note, w.id FROM few f LEFT JOIN (wide w JOIN many x ON x.k = w.id) ON w.k = f.a WHERE w.id < 300 OR w.id IS NULL ORDER BY 1, 2;
SELECT f.note, x.n FROM few f LEFT JOIN (SELECT k, count(*) AS n FROM wide GROUP BY k) x ON x.k = f.a ORDER BY 1, 2;
SELECT f.note, w.id FROM few f JOIN LATERAL (SELECT id FROM wide w WHERE w.k = f.a ORDER BY id LIMIT 2) w ON true ORDER BY 1, 2;
-- No keys at all, and none but NULL.
SELECT * FROM nobody n JOIN wide w ON w.id = n.a;
SELECT * FROM nobody n LEFT JOIN wide w ON w.k = n.a;
SELECT count(*) FROM wide w WHERE w.k IN (SELECT a FROM nobody);
SELECT count(*) FROM (SELECT * FROM few WHERE note = 'null') f JOIN wide w ON w.id = f.a;
SELECT count(w.id) FROM (SELECT * FROM few WHERE note = 'null') f LEFT JOIN wide w ON w.id = f.a;
-- Types and collations.
SELECT f.note, x.value FROM few f JOIN by_text x ON x.key = f.t ORDER BY 1, 2;
SELECT f.note, x.value FROM few f JOIN by_text x ON x.note = f.v ORDER BY 1, 2;
SELECT f.note, x.value FROM few f JOIN by_text x ON x.key = f.t COLLATE "C" ORDER BY 1, 2;
SELECT f.note, w.id FROM few f JOIN wide w ON w.t = 'k' || f.a ORDER BY 1, 2 LIMIT 20;
SELECT f.note, e.id FROM few f JOIN everything e ON e.num = f.n ORDER BY 1, 2;
SELECT f.note, e.id FROM few f JOIN everything e ON e.f8 = f.f ORDER BY 1, 2;
SELECT f.note, e.id FROM few f JOIN everything e ON e.f4 = f.f ORDER BY 1, 2;
SELECT f.note, e.id FROM few f LEFT JOIN everything e ON e.e = f.m ORDER BY 1, 2;
SELECT f.note, e.id FROM few f JOIN everything e ON e.i2 = f.b OR e.i8 = f.b ORDER BY 1, 2;
SELECT f.note, e.id FROM few f JOIN everything e ON e.i8 = f.b ORDER BY 1, 2;
SELECT f.note, e.id FROM few f LEFT JOIN everything e ON e.bp = f.c ORDER BY 1, 2;
SELECT f.note, d.day, d.device FROM few f JOIN by_date d ON d.day = f.d ORDER BY 1, 2, 3;
SELECT f.note, d.day, d.device FROM few f JOIN by_date d ON d.day = f.ts ORDER BY 1, 2, 3;
SELECT f.note, c.name FROM few f JOIN customers c ON c.created = f.ts ORDER BY 1, 2;
SELECT f.note, u.payload FROM few f JOIN by_uuid u ON u.id = f.u ORDER BY 1;
SELECT f.note, o.order_id FROM few f JOIN orders o ON o.status = f.c AND o.order_id < 50 ORDER BY 1, 2;
SELECT a.id, b.id FROM everything a JOIN everything b ON a.ints = b.ints ORDER BY 1, 2;
SELECT a.id, b.id FROM everything a JOIN everything b ON a.jb = b.jb AND a.inet = b.inet ORDER BY 1, 2;
SELECT a.id, b.id FROM everything a JOIN everything b ON a.rc = b.rc ORDER BY 1, 2;
SELECT p.code, t.id FROM by_pair p JOIN by_tenant t ON t.id = p.tenant WHERE p.code = 'code 3' ORDER BY 1, 2;
SELECT f.note, i.name FROM few f JOIN items i ON i.item_id = f.a ORDER BY 1;
-- A partitioned table is read as one.
SELECT f.note, e.* FROM few f JOIN events e ON e.id = f.a ORDER BY e.id, f.note;
SELECT f.note, e.at FROM few f LEFT JOIN events e ON e.tenant = f.a AND e.at < '2025-02-01' ORDER BY 1, 2;
SELECT f.note, e, e.tableoid::regclass FROM few f JOIN events e ON e.id = f.a ORDER BY e.id, f.note;
SELECT f.note, e FROM few f JOIN events e ON e.id = f.a ORDER BY e.id, f.note;
SELECT count(*) FROM few f JOIN events e ON e.id = f.a WHERE e.tableoid = 'events_january'::regclass;
SELECT count(*) FROM few f JOIN events e ON e.id = f.a WHERE e.at > '2026-01-01';
SELECT count(*) FROM few f JOIN ONLY events e ON e.id = f.a;
SELECT f.note, e.kind FROM few f JOIN events_january e ON e.id = f.a ORDER BY 1, 2;
SELECT e.kind, count(*) FROM events e JOIN wide w ON w.k = e.id GROUP BY 1 ORDER BY 1;
SELECT a.id, b.id FROM events a LEFT JOIN events b ON b.id = a.id + 20 AND b.at >= '2025-02-10' ORDER BY 1, 2;
-- More keys than fit a single small statement; distributed on both sides.
SELECT count(*), sum(w.id) FROM many x JOIN wide w ON w.id = x.k;
SELECT count(*), sum(w.id) FROM many x JOIN wide w ON w.k = x.k WHERE x.id % 2 = 0;
SELECT count(*) FROM wide a JOIN wide b ON a.id = b.k JOIN wide c ON c.id = b.big;
-- params: 'six', 100
SELECT w.id FROM few f JOIN wide w ON w.k = f.a WHERE f.note = $1 AND w.id > $2 ORDER BY 1;
-- params: 6, 3
SELECT w.id, f.note FROM few f JOIN wide w ON w.id = f.a + $2 WHERE f.b = $1 ORDER BY 1;
-- Run again and again: in subqueries, recursion, and loops.
SELECT f.note, (SELECT count(*) FROM few g JOIN wide w ON w.k = g.a WHERE g.s <= f.s) FROM few f ORDER BY 1;
SELECT f.note, (SELECT count(*) FROM few g JOIN wide w ON w.k = g.a) FROM few f ORDER BY 1;
WITH RECURSIVE r (id, depth) AS (SELECT 1, 0 UNION ALL SELECT w.id, depth + 1 FROM r JOIN wide w ON w.id = r.id + 7 AND depth < 150) SELECT count(*), max(id) FROM r;
WITH RECURSIVE r (k, depth) AS (SELECT a, 0 FROM few WHERE a > 0 UNION SELECT w.big::int, depth + 1 FROM r JOIN wide w ON w.k = r.k AND depth < 4) SELECT k, depth FROM r ORDER BY 1, 2;
SELECT f.note, x.id FROM few f, LATERAL (SELECT w.id FROM few g JOIN wide w ON w.k = g.a WHERE g.b > f.b ORDER BY 1 LIMIT 1) x ORDER BY 1;
SELECT count(*) FROM generate_series(1, 3) g LEFT JOIN (few f JOIN wide w ON w.k = f.a) ON g < w.id;
-- Rows of this transaction; rows that are locked and changed by way of such a join.
BEGIN;
INSERT INTO few (a, note) VALUES (3001, 'new');
INSERT INTO wide VALUES (3001, 3001, 'x', 1, 1, 'x');
UPDATE wide SET k = 3001 WHERE id = 5;
SELECT f.note, w.id FROM few f JOIN wide w ON w.k = f.a WHERE f.note = 'new' ORDER BY 1, 2;
UPDATE wide w SET txt = f.note FROM few f WHERE w.k = f.a AND f.note IN ('six', 'new');
SELECT id, txt FROM wide WHERE txt IN ('six', 'new') ORDER BY 1;
DELETE FROM wide w USING few f WHERE w.id = f.b;
SELECT count(*), sum(id) FROM wide;
SELECT w.id FROM wide w JOIN few f ON w.k = f.a WHERE f.note = 'six' ORDER BY 1 FOR UPDATE OF w;
UPDATE events e SET kind = f.note FROM few f WHERE e.id = f.a AND f.note <> 'one again' RETURNING e.id, e.kind;
DELETE FROM events e USING few f WHERE e.id = f.s AND e.at > '2025-01-12';
SELECT e.id, f.note FROM events e JOIN few f ON f.a = e.id ORDER BY 1, 2 FOR UPDATE OF e;
SELECT count(*), sum(id) FROM events;
SAVEPOINT a;
SELECT f.note, 1 / (w.id - w.id) FROM few f JOIN wide w ON w.k = f.a;
ROLLBACK TO a;
DECLARE c CURSOR FOR SELECT w.id FROM few f JOIN wide w ON w.k = f.a;
MOVE 5 FROM c;
CLOSE c;
ROLLBACK;
SELECT f.note FROM few f JOIN wide w ON w.k = f.a LIMIT 0;
-- router: SET shardwise.join_reduction = 'never'
SELECT f.note, w.id FROM few f JOIN wide w ON w.k = f.a ORDER BY 1, 2;
SELECT f.note, w.id FROM few f LEFT JOIN wide w ON w.id = f.a ORDER BY 1, 2;
SELECT f.note FROM few f WHERE NOT EXISTS (SELECT FROM wide w WHERE w.k = f.a) ORDER BY 1;
-- router: RESET shardwise.join_reduction
SELECT f.note, w.id FROM few f JOIN wide w ON w.k = f.a ORDER BY 1, 2;
SELECT f.note, w.id FROM few f LEFT JOIN wide w ON w.id = f.a ORDER BY 1, 2;
-- teardown
DROP TABLE few, nobody, wide, many;
