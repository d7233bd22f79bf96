-- Aggregates over joins off the key, where the shards group one side's rows before the router joins
-- (shardwise.early_aggregation): aggregates of either side and of both, groups, NULLs, duplicates.
-- setup
CREATE TABLE scores (k int, customer bigint, mark text, points numeric, big bigint, small smallint, f float8, ok bool);
INSERT INTO scores VALUES (1, 3, 'a', 1.50, 9000000000, 3, 0.5, true), (2, 4, 'b', 2.5, -1, NULL, 1.5, false), (3, 5, 'c', NULL, NULL, 4, NULL, NULL),
    (3, NULL, 'd', 'NaN', 5, -5, 2, true), (NULL, 7, 'e', 4, 7, 7, 3, true), (40, 99, 'f', 1, 1, 1, 1, true), (2, 4, 'b', 2.5, -1, NULL, 1.5, false);
CREATE TABLE teams (id int PRIMARY KEY, lead bigint, name text COLLATE "C", level numeric, mood mood);
INSERT INTO teams SELECT i, nullif(i * 7 % 60, 0), 'team ' || i % 4, i / 4.0, (ARRAY['sad', 'ok', 'happy']::mood[])[1 + i % 3] FROM generate_series(1, 30) i;
CREATE TABLE nothing (a int);
CREATE FUNCTION thrice(n bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN n * 3; END';
CREATE AGGREGATE product (int) (SFUNC = int4mul, STYPE = int, INITCOND = '1');
CREATE VIEW paid AS SELECT o.*, c.region FROM orders o JOIN customers c USING (customer_id) WHERE o.status = 'paid';
-- shardwise: SELECT shardwise.distribute_table('teams', 'id')
CREATE TABLE secrets (customer_id bigint, line int, body text, PRIMARY KEY (customer_id, line));
INSERT INTO secrets SELECT i, l, 'note ' || i FROM generate_series(1, 60, 3) i, generate_series(1, 3) l;
-- shardwise: SELECT shardwise.distribute_table('secrets', 'customer_id', colocate_with => 'customers')
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secrets USING (line < 3 AND customer_id > 3);
GRANT SELECT ON scores, teams, secrets TO diff_reader;
-- shardwise: ANALYZE customers, orders, items, teams, secrets
ANALYZE scores;
-- test
-- router: SET shardwise.early_aggregation = 'always'
-- Aggregates of the grouped side, of the other, of none and of both.
SELECT count(*), count(o.amount), sum(o.amount), avg(o.amount), min(o.status), max(o.ordered_at) FROM orders o JOIN scores s ON s.k = o.item_id;
SELECT count(*), count(s.points), sum(s.points), avg(s.points), min(s.mark), max(s.points), sum(s.big), avg(s.big), sum(s.small), avg(s.small), sum(s.k), avg(s.k) FROM orders o JOIN scores s ON s.k = o.item_id WHERE s.points <> 'NaN' OR s.points IS NULL;
SELECT sum(s.points), avg(s.points), count(s.points) FROM orders o JOIN scores s ON s.k = o.item_id;
SELECT bool_and(s.ok), bool_or(s.ok), every(o.amount > 3), bool_or(o.amount > 3) FROM orders o JOIN scores s ON s.k = o.item_id;
SELECT variance(s.big), stddev(s.small), var_pop(o.item_id), stddev_pop(o.amount), variance(o.order_id) FROM orders o JOIN scores s ON s.k = o.item_id;
SELECT sum(o.item_id * s.k), avg(o.item_id + s.big), max(o.item_id - s.k), count(nullif(o.item_id, s.k)) FROM orders o JOIN scores s ON s.k < o.item_id;
SELECT count(DISTINCT o.status), count(DISTINCT s.mark), sum(DISTINCT s.points), count(DISTINCT o.item_id + s.k) FROM orders o JOIN scores s ON s.k = o.item_id;
SELECT count(*) FILTER (WHERE o.amount > 20), sum(s.points) FILTER (WHERE s.small > 1), count(s.big) FILTER (WHERE s.big > 0), sum(o.amount) FILTER (WHERE o.status = 'paid'), sum(s.big) FILTER (WHERE o.item_id > 2) FROM orders o JOIN scores s ON s.k = o.item_id;
SELECT count(*), sum(1), min('x'::text) FROM orders o JOIN teams t ON t.id = o.item_id;
SELECT sum(t.level), max(t.mood), min(t.name), count(*) FROM orders o JOIN teams t ON t.lead = o.order_id;
-- Groups: columns of either side, expressions, sets, HAVING, unselected ones, windows over groups.
SELECT s.mark, count(*), sum(o.amount), avg(s.points) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY s.mark ORDER BY 1;
SELECT o.status, t.name, count(*), sum(o.amount), sum(t.level) FROM orders o JOIN teams t ON t.id = o.item_id GROUP BY 1, 2 ORDER BY 1, 2;
SELECT o.item_id % 3, s.mark, count(*) FROM orders o JOIN scores s ON s.k <> o.item_id GROUP BY 1, 2 HAVING sum(o.amount) > 100 ORDER BY 1, 2;
SELECT date_trunc('month', o.ordered_at), sum(s.big), sum(o.amount) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY 1 ORDER BY 1;
SELECT upper(o.status) || t.name, count(*) FROM orders o JOIN teams t ON t.id = o.item_id GROUP BY o.status, t.name ORDER BY 1;
SELECT o.status, s.mark, count(*), sum(o.amount), grouping(o.status, s.mark) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY ROLLUP (o.status, s.mark) ORDER BY 1, 2;
SELECT o.status, s.mark, count(s.points) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY GROUPING SETS ((o.status), (s.mark), ()) ORDER BY 1, 2;
SELECT t.id, t.name, sum(o.amount) FROM orders o JOIN teams t ON t.id = o.item_id GROUP BY t.id HAVING count(*) > 3 ORDER BY sum(o.amount) DESC, t.id LIMIT 3;
SELECT o.status, sum(o.amount), rank() OVER (ORDER BY sum(o.amount) DESC) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY 1 ORDER BY 1;
SELECT DISTINCT count(*), max(t.mood) FROM orders o JOIN teams t ON t.id = o.item_id GROUP BY o.status, t.mood ORDER BY 1, 2;
SELECT count(*) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY o.status ORDER BY sum(s.big), 1;
SELECT s.mark FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY s.mark HAVING count(*) > 40 ORDER BY 1;
-- Types whose equal values differ are no groups.
SELECT o.amount, count(*), sum(t.level) FROM orders o JOIN teams t ON t.id = o.item_id WHERE o.amount < 9 GROUP BY 1 ORDER BY 1;
SELECT e.num, count(*) FROM everything e JOIN scores s ON s.k = e.id GROUP BY 1 ORDER BY 1;
SELECT e.e, count(*), sum(s.big) FROM everything e JOIN scores s ON s.k = e.id GROUP BY 1 ORDER BY 1;
SELECT e.t, e.vc, count(*) FROM everything e JOIN scores s ON s.k = e.id GROUP BY 1, 2 ORDER BY 1, 2;
-- Several tables of one side; more than two sides; reference and local tables; no condition; no row.
SELECT c.region, s.mark, count(*), sum(o.amount), sum(c.balance) FROM orders o JOIN customers c USING (customer_id) JOIN scores s ON s.k = o.item_id GROUP BY 1, 2 ORDER BY 1, 2;
SELECT i.name, t.name, count(*), sum(i.price), sum(o.amount) FROM orders o JOIN items i USING (item_id) JOIN teams t ON t.id = o.item_id GROUP BY 1, 2 ORDER BY 1, 2;
SELECT t.name, count(*), sum(a.amount), max(b.amount) FROM orders a JOIN orders b ON b.order_id = a.item_id JOIN teams t ON t.id = b.item_id GROUP BY 1 ORDER BY 1;
SELECT count(*), sum(c.balance), sum(t.level) FROM customers c, teams t, scores s;
SELECT count(*), sum(c.balance), sum(n.a) FROM customers c, nothing n;
SELECT n.a, count(*) FROM customers c, nothing n GROUP BY 1;
SELECT count(*), sum(t.level) FROM teams t JOIN scores s ON true WHERE t.id < 0;
SELECT s.mark, count(*) FROM teams t JOIN scores s ON true WHERE t.id < 0 GROUP BY 1;
SELECT s.mark, count(*) FROM teams t JOIN scores s ON true WHERE t.id < 0 OR s.k = 40 GROUP BY 1;
SELECT p.region, count(*), sum(p.amount) FROM paid p JOIN scores s ON s.k = p.item_id GROUP BY 1 ORDER BY 1;
SELECT count(*), sum(o.amount) FROM orders o JOIN (SELECT DISTINCT k FROM scores) s ON s.k = o.item_id;
SELECT count(*), sum(o.amount), sum(s.n) FROM orders o JOIN (SELECT item_id % 4 AS k, count(*) AS n FROM orders GROUP BY 1) s ON s.k = o.item_id;
SELECT count(*), sum(o.amount), sum(s.points) FROM orders o JOIN (scores s LEFT JOIN teams t ON t.id = s.k) ON s.k = o.item_id AND t.id > 1;
SELECT t.name, sum(o.amount) FROM scores s LEFT JOIN teams t ON t.id = s.k JOIN orders o ON o.item_id = coalesce(t.id, s.k) GROUP BY 1 ORDER BY 1;
SELECT count(*), sum(a.amount) FROM orders a JOIN orders b USING (item_id);
SELECT item_id, count(*), sum(a.amount), sum(b.amount) FROM orders a JOIN orders b USING (item_id) GROUP BY item_id ORDER BY 1;
SELECT x.mark, x.n + 1, c.name FROM (SELECT s.mark, max(s.customer) AS customer, count(*) AS n FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY 1) x LEFT JOIN customers c ON c.customer_id = x.customer ORDER BY 1;
WITH totals AS (SELECT t.id, sum(o.amount) AS total FROM orders o JOIN teams t ON t.id = o.item_id GROUP BY 1) SELECT max(total), min(total), count(*) FROM totals;
SELECT s.mark, (SELECT sum(o.amount) FROM orders o JOIN teams t ON t.id = o.item_id WHERE o.status <> s.mark AND t.id = s.k) FROM scores s ORDER BY 1;
SELECT (SELECT count(*) FROM orders o JOIN teams t ON t.id = o.item_id), count(*) FROM scores;
-- params: 'paid', 3, 2
SELECT t.name, $3::int, sum(o.amount * $3), count(*) FROM orders o JOIN teams t ON t.id = o.item_id WHERE o.status = $1 AND t.id > $2 GROUP BY 1 ORDER BY 1;
-- params: 3
SELECT t.name, count(*) FROM orders o JOIN teams t ON t.id = o.item_id WHERE o.customer_id = $1 GROUP BY 1 ORDER BY 1;
-- What has no exact form stays.
SELECT array_agg(o.order_id ORDER BY o.order_id) FROM orders o JOIN scores s ON s.k = o.item_id WHERE o.amount > 80;
SELECT string_agg(s.mark, ',' ORDER BY s.mark), count(*) FROM orders o JOIN scores s ON s.k = o.item_id WHERE o.amount > 80;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY o.amount), mode() WITHIN GROUP (ORDER BY s.mark) FROM orders o JOIN scores s ON s.k = o.item_id;
SELECT product(o.item_id) FROM orders o JOIN scores s ON s.k = o.item_id WHERE o.order_id < 20;
SELECT sum(s.f), avg(s.f) FROM orders o JOIN scores s ON s.k = o.item_id;
SELECT count(*) FROM orders o LEFT JOIN scores s ON s.k = o.item_id;
SELECT count(*), count(s.k), count(o.order_id) FROM orders o FULL JOIN scores s ON s.k = o.item_id;
SELECT sum(thrice(o.order_id)), sum(thrice(s.k)), count(*) FROM orders o JOIN scores s ON s.k = o.item_id;
SELECT count(*) FROM orders o JOIN scores s ON s.k = o.item_id AND thrice(o.item_id) > 4;
SELECT count(*) FROM orders o JOIN scores s ON s.k = o.item_id WHERE o.amount > random() * 0;
SELECT count(o), count(s), count(o.tableoid) FROM orders o JOIN scores s ON s.k = o.item_id;
SELECT o.tableoid::regclass, count(*) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY 1;
SELECT max(generate_series), count(*) FROM orders o JOIN generate_series(1, 3) ON generate_series = o.item_id;
SELECT count(*) FROM orders o JOIN LATERAL (SELECT k FROM scores s WHERE s.k = o.item_id LIMIT 1) s ON true;
SELECT count(*) FROM orders o JOIN scores s ON s.k = o.item_id WHERE o.customer_id IN (SELECT lead FROM teams);
SELECT e.kind, count(*), sum(s.points) FROM events e JOIN scores s ON s.k = e.id GROUP BY 1 ORDER BY 1;
BEGIN;
INSERT INTO orders VALUES (5, 5000, 3, 77.5, 'new', '2025-01-01 00:00+00');
UPDATE orders SET item_id = 2 WHERE order_id < 10;
SELECT s.mark, count(*), sum(o.amount), sum(s.big) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY 1 ORDER BY 1;
CREATE TABLE summary AS SELECT s.mark, count(*) AS n, sum(o.amount) AS total FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY 1;
SELECT * FROM summary ORDER BY 1;
INSERT INTO scores (mark, k) SELECT s.mark, count(*) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY 1;
UPDATE scores SET big = x.n FROM (SELECT t.mark, count(*) AS n FROM orders o JOIN teams s ON s.id = o.item_id JOIN scores t ON t.k = s.id GROUP BY t.mark) x WHERE x.mark = scores.mark;
ROLLBACK;
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT s.mark, count(*), sum(o.amount) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY 1 ORDER BY 1;
FETCH 2 FROM c;
FETCH PRIOR FROM c;
CLOSE c;
-- Both together, and as costs tell.
-- router: SET shardwise.join_reduction = 'always'
SELECT s.mark, count(*), sum(o.amount), sum(s.big) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY 1 ORDER BY 1;
SELECT t.name, count(*), sum(o.amount), sum(t.level) FROM orders o JOIN teams t ON t.lead = o.item_id GROUP BY 1 ORDER BY 1;
-- router: RESET shardwise.join_reduction
-- router: RESET shardwise.early_aggregation
SELECT s.mark, count(*), sum(o.amount), sum(s.big) FROM orders o JOIN scores s ON s.k = o.item_id GROUP BY 1 ORDER BY 1;
SELECT t.name, count(*), sum(o.amount), sum(t.level) FROM orders o JOIN teams t ON t.lead = o.item_id GROUP BY 1 ORDER BY 1;
-- Rows that a policy hides are in no group.
SET ROLE diff_reader;
-- router: SET shardwise.early_aggregation = 'always'
SELECT s.mark, count(*), sum(n.line), sum(s.points) FROM scores s JOIN secrets n ON n.line = s.k GROUP BY 1 ORDER BY 1;
SELECT t.lead, count(*), max(n.body) FROM teams t, secrets n WHERE n.line = t.id AND 6 / (3 - n.line) > 0 GROUP BY 1 ORDER BY 1;
SELECT count(*), sum(a.line), sum(b.line) FROM scores s, secrets a, secrets b WHERE a.customer_id = b.customer_id AND b.line = s.k;
-- router: RESET shardwise.early_aggregation
RESET ROLE;
-- teardown
DROP VIEW paid;
DROP TABLE scores, teams, nothing, secrets;
DROP FUNCTION thrice(bigint);
DROP AGGREGATE product (int);
