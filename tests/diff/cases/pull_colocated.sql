-- Joins off the key of which a part is joined by the key, so that the shards do that part: all kinds of
-- joins above and below, NULLs, conditions on either side, functions of the router, row security, places.
-- setup
CREATE TABLE scores (k int, customer bigint, mark text);
INSERT INTO scores VALUES (1, 3, 'a'), (2, 4, 'b'), (3, 5, 'c'), (3, NULL, 'd'), (NULL, 7, 'e'), (40, 99, 'f');
CREATE TABLE notes (customer_id bigint, line int, body text, PRIMARY KEY (customer_id, line));
INSERT INTO notes SELECT i, l, CASE WHEN l > 1 THEN 'note ' || i END FROM generate_series(1, 60, 3) i, generate_series(1, 3) l;
CREATE TABLE teams (id int PRIMARY KEY, lead bigint, name text);
INSERT INTO teams SELECT i, nullif(i * 7 % 60, 0), 'team ' || i FROM generate_series(1, 30) i;
CREATE TABLE secrets AS SELECT * FROM notes;
ALTER TABLE secrets ALTER customer_id SET NOT NULL;
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secrets USING (line < 3 AND customer_id > 3);
GRANT SELECT ON secrets, customers, scores TO diff_reader;
CREATE FUNCTION twice(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE FUNCTION thrice(n bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN n * 3; END';
-- shardwise: SELECT shardwise.distribute_table('notes', 'customer_id', colocate_with => 'customers')
-- shardwise: SELECT shardwise.distribute_table('teams', 'id')
-- shardwise: SELECT shardwise.distribute_table('secrets', 'customer_id', colocate_with => 'customers')
-- shardwise: ANALYZE customers, orders, items, notes, teams
ANALYZE scores;
-- test
-- Inner joins of two and three tables, and with reference tables, below joins off the key.
SELECT s.mark, c.name, o.order_id FROM customers c JOIN orders o USING (customer_id) JOIN scores s ON s.k = o.item_id ORDER BY 1, 2, 3;
SELECT t.name, c.name, count(*), sum(o.amount) FROM customers c JOIN orders o USING (customer_id) JOIN teams t ON t.id = o.item_id GROUP BY 1, 2 ORDER BY 1, 2;
SELECT t.name, c.name, n.body FROM customers c JOIN orders o USING (customer_id) JOIN notes n ON n.customer_id = o.customer_id AND n.line = o.order_id % 3 JOIN teams t ON t.id = o.item_id WHERE o.status = 'paid' ORDER BY 1, 2, 3;
SELECT i.name, c.name, t.name FROM orders o JOIN items i USING (item_id) JOIN customers c USING (customer_id) LEFT JOIN teams t ON t.lead = o.order_id ORDER BY 1, 2, 3;
SELECT i.name, j.name, t.name FROM items i JOIN items j ON j.item_id = i.item_id + 1 JOIN teams t ON t.id = i.item_id WHERE i.price > 2 ORDER BY 1;
SELECT count(*) FROM customers a JOIN customers b USING (customer_id) JOIN customers c ON c.customer_id = b.region JOIN orders o ON o.customer_id = c.customer_id;
SELECT * FROM orders a JOIN orders b ON a.customer_id = b.customer_id AND a.order_id < b.order_id JOIN teams t ON t.lead = a.order_id ORDER BY a.order_id, b.order_id;
SELECT c.name, s.mark FROM customers c, orders o, scores s WHERE c.customer_id = 5 AND o.customer_id = 5 AND s.k = o.item_id ORDER BY 1, 2;
SELECT c.name, s.mark FROM customers c JOIN orders o USING (customer_id) JOIN scores s ON s.k = o.item_id WHERE c.customer_id = 5 ORDER BY 1, 2;
-- params: 5, 'paid'
SELECT c.name, s.mark, o.order_id FROM customers c JOIN orders o USING (customer_id) JOIN scores s ON s.k < o.item_id WHERE c.customer_id = $1 AND o.status <> $2 ORDER BY 1, 2, 3;
-- params: 2, 'paid'
SELECT s.mark, o.order_id + $1 FROM customers c JOIN orders o ON o.customer_id = c.customer_id AND o.status = $2 JOIN scores s ON s.k = o.item_id ORDER BY 1, 2;
-- Outer joins, conditions on either side and after them.
SELECT c.customer_id, n.line, t.name FROM customers c LEFT JOIN notes n ON n.customer_id = c.customer_id AND n.line < 3 JOIN teams t ON t.id = c.region ORDER BY 1, 2, 3;
SELECT c.customer_id, n.line, t.name FROM customers c LEFT JOIN (SELECT * FROM notes WHERE body IS NOT NULL) n ON n.customer_id = c.customer_id JOIN teams t ON t.lead = c.customer_id ORDER BY 1, 2, 3;
SELECT c.customer_id, n.line, t.name FROM customers c LEFT JOIN notes n ON n.customer_id = c.customer_id JOIN teams t ON t.lead = c.customer_id WHERE n.body IS NULL ORDER BY 1, 2, 3;
SELECT c.customer_id, n.line, t.name FROM customers c LEFT JOIN notes n ON n.customer_id = c.customer_id JOIN teams t ON t.lead = c.customer_id WHERE n.customer_id IS NULL ORDER BY 1, 2, 3;
SELECT c.customer_id, n.line, t.name FROM notes n RIGHT JOIN customers c ON n.customer_id = c.customer_id AND c.region > 2 JOIN teams t ON t.lead = c.customer_id ORDER BY 1, 2, 3;
SELECT c.customer_id, n.line, t.name FROM notes n FULL JOIN customers c ON n.customer_id = c.customer_id + 0 FULL JOIN teams t ON t.lead = c.customer_id ORDER BY 1, 2, 3;
SELECT c.customer_id, n.line, t.name FROM notes n FULL JOIN customers c USING (customer_id) JOIN teams t ON t.lead = n.customer_id OR t.id = c.region ORDER BY 1, 2, 3;
SELECT coalesce(n.customer_id, c.customer_id), count(*) FROM (SELECT * FROM notes WHERE line = 2) n FULL JOIN customers c USING (customer_id) LEFT JOIN teams t ON t.lead = c.region GROUP BY 1 ORDER BY 1;
SELECT t.name, c.name, n.line FROM teams t LEFT JOIN (customers c JOIN notes n USING (customer_id)) ON c.customer_id = t.lead ORDER BY 1, 2, 3;
SELECT t.name, c.name, n.line FROM teams t LEFT JOIN (customers c LEFT JOIN notes n ON n.customer_id = c.customer_id AND n.line > 1) ON c.customer_id = t.lead AND c.region > 1 ORDER BY 1, 2, 3;
SELECT t.name, c.name, i.name FROM teams t LEFT JOIN (orders o LEFT JOIN items i ON i.item_id = o.item_id AND i.price > 5 JOIN customers c ON c.customer_id = o.customer_id) ON o.order_id = t.lead ORDER BY 1, 2, 3;
SELECT i.name, o.order_id, t.name FROM items i LEFT JOIN orders o ON o.item_id = i.item_id AND o.amount > 80 JOIN teams t ON t.id = i.item_id ORDER BY 1, 2, 3;
SELECT c.customer_id, x.line, x.tag, t.id FROM customers c LEFT JOIN (SELECT *, 'tag' AS tag, line + 1 AS next FROM notes) x ON x.customer_id = c.customer_id AND x.next > 2 JOIN teams t ON t.lead = c.customer_id ORDER BY 1, 2, 3;
SELECT c.customer_id, x.tag FROM teams t LEFT JOIN (SELECT c.customer_id, coalesce(n.body, 'none') AS tag FROM customers c LEFT JOIN notes n USING (customer_id)) x ON x.customer_id = t.lead LEFT JOIN customers c ON c.customer_id = x.customer_id ORDER BY 1, 2;
-- Semi- and anti-joins.
SELECT t.name, c.name FROM customers c JOIN teams t ON t.lead = c.customer_id WHERE EXISTS (SELECT FROM notes n WHERE n.customer_id = c.customer_id AND n.line = 2) ORDER BY 1, 2;
SELECT t.name, c.name FROM customers c JOIN teams t ON t.lead = c.customer_id WHERE c.customer_id IN (SELECT customer_id FROM orders WHERE item_id = 3) ORDER BY 1, 2;
SELECT t.name, c.name FROM customers c JOIN teams t ON t.lead = c.customer_id WHERE NOT EXISTS (SELECT FROM notes n WHERE n.customer_id = c.customer_id) ORDER BY 1, 2;
SELECT t.name, c.name FROM customers c LEFT JOIN teams t ON t.lead = c.customer_id WHERE NOT EXISTS (SELECT FROM notes n JOIN orders o USING (customer_id) WHERE n.customer_id = c.customer_id AND o.item_id = n.line) ORDER BY 1, 2;
SELECT t.name, x.name FROM teams t LEFT JOIN (SELECT * FROM customers c WHERE EXISTS (SELECT FROM notes n WHERE n.customer_id = c.customer_id)) x ON x.customer_id = t.lead ORDER BY 1, 2;
SELECT t.name, x.name FROM teams t LEFT JOIN (SELECT c.* FROM customers c LEFT JOIN notes n ON n.customer_id = c.customer_id WHERE n.customer_id IS NULL) x ON x.customer_id = t.lead ORDER BY 1, 2;
SELECT t.name, o.order_id FROM teams t JOIN orders o ON o.order_id = t.id WHERE EXISTS (SELECT FROM items i WHERE i.item_id = o.item_id AND i.price < 4) AND NOT EXISTS (SELECT FROM customers c WHERE c.customer_id = o.customer_id AND c.region = 1) ORDER BY 1, 2;
SELECT s.mark, o.order_id FROM scores s JOIN orders o ON o.item_id = s.k WHERE EXISTS (SELECT FROM items i WHERE i.item_id = o.order_id) ORDER BY 1, 2;
SELECT i.name, t.name FROM items i JOIN teams t ON t.id = i.item_id WHERE EXISTS (SELECT FROM orders o WHERE o.item_id = i.item_id AND o.amount > 86) ORDER BY 1, 2;
-- The router's functions, volatile ones, whole rows, system columns.
SELECT c.name, o.order_id, s.mark FROM customers c JOIN orders o ON o.customer_id = c.customer_id AND thrice(o.order_id) > thrice(c.customer_id) * 5 JOIN scores s ON s.k = o.item_id ORDER BY 1, 2, 3;
SELECT c.name, thrice(o.order_id), s.mark FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND twice(o.order_id) > 400 JOIN scores s ON s.customer = c.customer_id ORDER BY 1, 2, 3;
SELECT c.name, thrice(n.line), s.mark FROM customers c LEFT JOIN notes n ON n.customer_id = c.customer_id AND thrice(n.line) > 4 JOIN scores s ON s.customer = c.customer_id ORDER BY 1, 2, 3;
SELECT c.name, s.mark FROM customers c JOIN notes n USING (customer_id) JOIN scores s ON s.customer = c.customer_id WHERE thrice(c.customer_id) > 3 ORDER BY 1, 2;
SELECT count(*) FROM customers c JOIN notes n ON n.customer_id = c.customer_id AND n.line > random() * 0 JOIN scores s ON s.customer = c.customer_id;
SELECT c, n, s.mark FROM customers c LEFT JOIN notes n USING (customer_id) JOIN scores s ON s.customer = c.customer_id ORDER BY c.customer_id, n.line;
SELECT c.tableoid::regclass, n.tableoid::regclass, s.mark FROM customers c JOIN notes n USING (customer_id) JOIN scores s ON s.customer = c.customer_id ORDER BY 3;
SELECT c.customer_id, n.tableoid::regclass, s.mark FROM customers c LEFT JOIN notes n USING (customer_id) JOIN scores s ON s.customer = c.customer_id ORDER BY 1, 3;
SELECT c.customer_id, n.tableoid::regclass FROM customers c LEFT JOIN notes n USING (customer_id) WHERE c.customer_id < 6 ORDER BY 1;
SELECT c.customer_id, count(n.tableoid) FROM customers c LEFT JOIN notes n USING (customer_id) GROUP BY 1 ORDER BY 1;
SELECT t.name, e.kind, f.id FROM events e JOIN events f ON f.id = e.id AND f.at = e.at JOIN teams t ON t.id = e.id ORDER BY 1, 2, 3;
SELECT t.name, e.tableoid::regclass, f.tableoid::regclass FROM events e LEFT JOIN events f ON f.id = e.id AND f.at > e.at JOIN teams t ON t.id = e.id ORDER BY 1, 2, 3;
-- Inside of correlated subqueries, LATERAL, CTEs and recursion; ordered, cut, grouped.
SELECT s.mark, (SELECT count(*) FROM customers c JOIN orders o USING (customer_id) WHERE o.item_id = s.k AND c.region = 1) FROM scores s ORDER BY 1;
SELECT s.mark, x.* FROM scores s, LATERAL (SELECT c.name, o.order_id FROM customers c JOIN orders o USING (customer_id) WHERE o.item_id = s.k ORDER BY 2 LIMIT 2) x ORDER BY 1, 3;
SELECT s.mark, x.* FROM scores s LEFT JOIN LATERAL (SELECT c.name, s.k + o.order_id AS sum FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.item_id = s.k JOIN teams t ON t.lead = c.customer_id WHERE c.region = s.k) x ON true ORDER BY 1, 2, 3;
WITH paid AS (SELECT c.name, o.item_id FROM customers c JOIN orders o USING (customer_id) WHERE o.status = 'paid') SELECT t.name, count(*) FROM paid p JOIN teams t ON t.id = p.item_id GROUP BY 1 ORDER BY 1;
WITH RECURSIVE r (k, depth) AS (SELECT k, 0 FROM scores UNION SELECT o.item_id, depth + 1 FROM r JOIN customers c ON c.region = r.k JOIN orders o ON o.customer_id = c.customer_id WHERE depth < 3) SELECT k, depth FROM r ORDER BY 1, 2;
SELECT c.name, o.amount FROM customers c JOIN orders o USING (customer_id) JOIN scores s ON s.k = o.item_id ORDER BY o.amount DESC, o.order_id, s.mark LIMIT 7 OFFSET 2;
SELECT DISTINCT ON (s.mark) s.mark, c.name FROM customers c JOIN orders o USING (customer_id) JOIN scores s ON s.k = o.item_id ORDER BY s.mark, o.order_id DESC;
-- router: SET shardwise.join_reduction = 'always'
SELECT s.mark, c.name, o.order_id FROM customers c JOIN orders o USING (customer_id) JOIN scores s ON s.k = o.item_id ORDER BY 1, 2, 3;
SELECT s.mark, c.customer_id, n.line FROM scores s LEFT JOIN (customers c LEFT JOIN notes n ON n.customer_id = c.customer_id AND n.line > 1) ON c.customer_id = s.customer AND c.region > 1 ORDER BY 1, 2, 3;
SELECT s.mark FROM scores s WHERE EXISTS (SELECT FROM customers c JOIN orders o USING (customer_id) WHERE o.item_id = s.k AND c.region = 2) ORDER BY 1;
SELECT s.mark FROM scores s WHERE NOT EXISTS (SELECT FROM customers c JOIN orders o USING (customer_id) WHERE o.item_id = s.k) ORDER BY 1;
-- router: RESET shardwise.join_reduction
-- Rows that are locked, changed or of this transaction.
BEGIN;
UPDATE customers SET region = 40 WHERE customer_id = 4;
SELECT s.mark, c.name, n.line FROM customers c JOIN notes n USING (customer_id) JOIN scores s ON s.k = c.region ORDER BY 1, 2, 3;
SELECT s.mark, c.name FROM customers c JOIN notes n USING (customer_id) JOIN scores s ON s.k = c.region ORDER BY 1, 2 FOR UPDATE OF c;
UPDATE teams t SET name = c.name FROM customers c JOIN notes n USING (customer_id) WHERE c.region = t.id AND n.line = 1 AND c.customer_id < 10 RETURNING t.id, t.name;
UPDATE scores s SET mark = c.name FROM customers c JOIN notes n USING (customer_id) WHERE c.customer_id = s.customer AND n.line = 1 RETURNING *;
DELETE FROM notes n USING customers c JOIN scores s ON s.k = c.region WHERE n.customer_id = c.customer_id AND s.mark = 'a' RETURNING n.customer_id, n.line;
ROLLBACK;
-- Row security of a part's tables: no condition sees rows that its policy hides.
SET ROLE diff_reader;
SELECT s.mark, c.name, n.line, n.body FROM customers c JOIN secrets n USING (customer_id) JOIN scores s ON s.customer = c.customer_id ORDER BY 1, 2, 3;
SELECT s.mark, c.name, n.line FROM customers c LEFT JOIN secrets n ON n.customer_id = c.customer_id AND 6 / (3 - n.line) > 3 JOIN scores s ON s.customer = c.customer_id ORDER BY 1, 2, 3;
SELECT s.mark, c.name FROM customers c JOIN secrets n ON n.customer_id = c.customer_id AND 6 / (3 - n.line) + c.region > 3 JOIN scores s ON s.customer = c.customer_id ORDER BY 1, 2;
SELECT s.mark, c.name FROM customers c JOIN scores s ON s.customer = c.customer_id WHERE NOT EXISTS (SELECT FROM secrets n WHERE n.customer_id = c.customer_id) ORDER BY 1, 2;
RESET ROLE;
-- teardown
DROP TABLE scores, notes, teams, secrets;
REVOKE ALL ON customers FROM diff_reader;
DROP FUNCTION twice(bigint), thrice(bigint);
