-- What no shard can answer alone: joins off the key, between keyspaces, with tables of the router,
-- recursion, arbitrary subqueries (CORRECTNESS 11 to 13).
SELECT a.customer_id, b.customer_id FROM customers a JOIN customers b ON b.balance = a.balance AND b.customer_id > a.customer_id ORDER BY 1, 2;
SELECT count(*) FROM customers a JOIN customers b ON b.customer_id = a.customer_id + 1;
SELECT count(*) FROM customers a, customers b;
SELECT count(*), sum(a.amount * b.price) FROM orders a CROSS JOIN items b;
SELECT count(*) FROM customers a JOIN customers b ON a.region < b.region;
SELECT a.name, b.name FROM customers a LEFT JOIN customers b ON b.customer_id = a.region ORDER BY a.customer_id;
SELECT a.name, b.name FROM customers a LEFT JOIN customers b ON b.customer_id = a.region AND a.balance > 100 WHERE b.name IS NULL ORDER BY a.customer_id LIMIT 5;
SELECT a.customer_id, b.order_id FROM customers a FULL JOIN orders b ON b.order_id = a.customer_id * 10 ORDER BY 1, 2;
SELECT a.customer_id, b.customer_id FROM (SELECT * FROM customers WHERE region = 1) a FULL JOIN (SELECT * FROM customers WHERE balance > 120) b ON a.customer_id = b.customer_id + 1 ORDER BY 1, 2;
SELECT a.n, b.id FROM by_number a FULL JOIN holes b ON b.id = a.n ORDER BY 1, 2;
SELECT o.order_id, h.label FROM orders o JOIN holes h ON h.id = o.item_id ORDER BY 1 LIMIT 10;
SELECT o.order_id, h.label FROM orders o JOIN holes h ON h.id = o.customer_id ORDER BY 1 LIMIT 10;
SELECT count(*) FROM customers c JOIN holes h ON h.id = c.customer_id;
SELECT count(*) FROM customers c JOIN by_number n ON n.n = c.customer_id;
SELECT c.name, n.word FROM customers c LEFT JOIN by_number n ON n.n = c.customer_id AND n.n > 10 ORDER BY c.customer_id;
SELECT h.label, n.word, c.name FROM holes h JOIN by_number n ON n.n = h.id JOIN customers c ON c.customer_id = h.amount ORDER BY h.id;
SELECT count(*) FROM customers NATURAL JOIN by_text;
SELECT c.name, t.value FROM customers c JOIN by_text t ON t.value = c.customer_id ORDER BY 1, 2 LIMIT 5;
SELECT p.tenant, c.name FROM by_pair p JOIN customers c ON c.customer_id = p.tenant AND p.code = 'code 3' ORDER BY 1;
SELECT d.day, c.name FROM by_date d JOIN customers c ON c.created::date = d.day WHERE d.device = 1 ORDER BY 1, 2 LIMIT 10;
SELECT t.tenant, count(h.id) FROM by_tenant t LEFT JOIN holes h ON h.id = t.id AND h.amount > 10 GROUP BY 1 ORDER BY 1;
SELECT u.payload ->> 'n', h.label FROM by_uuid u JOIN holes h ON h.id = (u.payload ->> 'n')::int ORDER BY h.id;
SELECT o.order_id, c.name FROM orders o JOIN customers c ON c.customer_id = o.item_id WHERE o.amount > 80 ORDER BY 1;
SELECT c.name, count(*), sum(o.amount) FROM orders o JOIN customers c ON c.customer_id = o.item_id GROUP BY c.name ORDER BY 1;
SELECT c.name, sum(o.amount) FROM orders o RIGHT JOIN customers c ON c.customer_id = o.item_id AND o.status = 'new' GROUP BY c.customer_id ORDER BY 1;
SELECT a.name, i.name FROM items i JOIN customers a ON a.customer_id = i.item_id JOIN orders o ON o.order_id = a.customer_id ORDER BY 1;
SELECT count(*) FROM orders a JOIN orders b ON a.order_id = b.order_id;
SELECT count(*) FROM orders a JOIN orders b USING (order_id) JOIN orders c USING (order_id);
SELECT a.order_id FROM orders a JOIN orders b ON b.order_id = a.order_id + 1 AND b.amount > a.amount AND b.item_id = 3 ORDER BY 1;
SELECT count(*) FROM (customers c JOIN orders o USING (customer_id)) JOIN (customers d JOIN orders p USING (customer_id)) ON o.order_id = p.order_id + 1;
SELECT count(*) FROM customers c LEFT JOIN (orders o JOIN items i ON i.item_id = o.item_id AND i.price > 10) ON o.order_id = c.customer_id;

-- Tables of the router.
SELECT l.note, i.name FROM local_notes l JOIN items i ON i.item_id = l.id ORDER BY l.id;
SELECT l.note, c.name FROM local_notes l JOIN customers c ON c.customer_id = l.id ORDER BY l.id;
SELECT l.note, c.name FROM local_notes l LEFT JOIN customers c ON c.customer_id = l.id AND c.region = 2 ORDER BY l.id;
SELECT l.note, count(o.order_id) FROM local_notes l LEFT JOIN orders o ON o.item_id = l.id GROUP BY l.note ORDER BY 1;
SELECT count(*) FROM orders o LEFT JOIN local_notes l ON l.id = o.customer_id;
SELECT l.id, o.order_id FROM local_notes l FULL JOIN orders o ON o.order_id = l.id ORDER BY 1, 2 LIMIT 8;
SELECT name FROM customers WHERE customer_id IN (SELECT id FROM local_notes) ORDER BY 1;
SELECT name FROM customers WHERE customer_id NOT IN (SELECT id FROM local_notes) ORDER BY customer_id LIMIT 3;
SELECT note FROM local_notes l WHERE EXISTS (SELECT FROM orders o WHERE o.item_id = l.id AND o.amount > 80) ORDER BY 1;
SELECT note FROM local_notes l WHERE NOT EXISTS (SELECT FROM orders o WHERE o.item_id = l.id AND o.amount > 80) ORDER BY 1;
SELECT note, (SELECT count(*) FROM orders o WHERE o.customer_id = l.id) FROM local_notes l ORDER BY id;
SELECT l.note, x.order_id FROM local_notes l, LATERAL (SELECT order_id FROM orders o WHERE o.customer_id = l.id ORDER BY amount DESC, order_id LIMIT 2) x ORDER BY 1, 2;
SELECT note FROM local_notes UNION ALL SELECT name FROM customers WHERE region = 0 ORDER BY 1;
SELECT note FROM local_notes EXCEPT SELECT 'note ' || customer_id FROM customers WHERE region = 3 ORDER BY 1;
SELECT c.relname, count(o.order_id) FROM pg_class c LEFT JOIN orders o ON o.tableoid = c.oid WHERE c.relname IN ('orders', 'items') GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM pg_class WHERE relname IN (SELECT key FROM by_text);
SELECT count(*) FROM information_schema.tables t, customers c WHERE t.table_name = 'customers' AND c.region = 1;
SELECT l.note FROM local_notes l WHERE id = (SELECT min(region) + 1 FROM customers);
-- params: 3, 40
SELECT l.note, o.order_id FROM local_notes l JOIN orders o ON o.item_id = l.id WHERE l.id = $1 AND o.amount > $2 ORDER BY 2;

-- Subqueries off the key.
SELECT i.name, (SELECT count(*) FROM orders o WHERE o.item_id = i.item_id) FROM items i ORDER BY i.item_id;
SELECT c.name, (SELECT count(*) FROM orders o WHERE o.item_id = c.region) FROM customers c ORDER BY c.customer_id;
SELECT c.name, (SELECT max(o.order_id) FROM orders o WHERE o.amount < c.balance) FROM customers c ORDER BY c.customer_id;
SELECT c.name FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.order_id = c.customer_id AND o.item_id > 5) ORDER BY 1;
SELECT c.name FROM customers c WHERE NOT EXISTS (SELECT FROM orders o WHERE o.item_id = c.customer_id) ORDER BY c.customer_id LIMIT 3;
SELECT c.name FROM customers c WHERE c.region IN (SELECT item_id FROM orders WHERE amount > 86) ORDER BY 1;
SELECT c.name FROM customers c WHERE c.customer_id IN (SELECT item_id FROM orders WHERE customer_id <> c.customer_id) ORDER BY 1;
SELECT count(*) FROM customers WHERE region NOT IN (SELECT NULLIF(item_id, 3) FROM orders);
SELECT count(*) FROM customers WHERE region NOT IN (SELECT item_id FROM orders);
SELECT count(*) FROM customers WHERE region + 100 NOT IN (SELECT value FROM by_text);
SELECT count(*) FROM customers WHERE NULLIF(region, 3) NOT IN (SELECT item_id + 1 FROM orders);
SELECT count(*) FROM customers WHERE balance > ALL (SELECT amount FROM orders);
SELECT count(*) FROM customers WHERE balance < ANY (SELECT amount FROM orders WHERE item_id = 2);
SELECT count(*) FROM customers WHERE (region, customer_id) IN (SELECT item_id, order_id FROM orders);
SELECT name FROM customers WHERE balance = (SELECT max(balance) FROM customers) ORDER BY 1;
SELECT name FROM customers WHERE customer_id = (SELECT customer_id FROM orders WHERE order_id = 77);
SELECT name FROM customers WHERE customer_id = (SELECT customer_id FROM orders WHERE item_id = 77);
SELECT name FROM customers WHERE customer_id = (SELECT customer_id FROM orders);
SELECT (SELECT name FROM customers ORDER BY balance DESC, 1 LIMIT 1), (SELECT sum(amount) FROM orders);
SELECT ARRAY(SELECT order_id FROM orders WHERE item_id = 3 ORDER BY 1);
SELECT c.name, ARRAY(SELECT o.order_id FROM orders o WHERE o.item_id = c.customer_id ORDER BY 1 LIMIT 3) FROM customers c ORDER BY c.customer_id LIMIT 12;
SELECT EXISTS (SELECT FROM orders WHERE amount > 87), EXISTS (SELECT FROM orders WHERE amount > 1000);
SELECT 1 WHERE EXISTS (SELECT FROM customers WHERE balance > 10);
SELECT 5 IN (SELECT item_id FROM orders), 50 IN (SELECT item_id FROM orders), NULL IN (SELECT item_id FROM orders);
SELECT CASE WHEN count(*) > 100 THEN (SELECT max(name) FROM items) END FROM orders;
SELECT sum((SELECT price FROM items i WHERE i.item_id = o.item_id)) FROM orders o;
SELECT sum((SELECT count(*) FROM customers c WHERE c.region = o.item_id)) FROM orders o;
SELECT status, sum(amount) / (SELECT sum(amount) FROM orders) FROM orders GROUP BY status ORDER BY 1;
SELECT status, (SELECT count(*) FROM customers c WHERE c.region < count(*) / 40) FROM orders GROUP BY status ORDER BY 1;
SELECT o.item_id, (SELECT max(c.balance) FROM customers c WHERE c.region = o.item_id) FROM orders o GROUP BY o.item_id HAVING (SELECT count(*) FROM customers c WHERE c.region = o.item_id) > 0 ORDER BY 1;
SELECT i.name, l.* FROM items i, LATERAL (SELECT order_id, amount FROM orders o WHERE o.item_id = i.item_id ORDER BY amount DESC, order_id LIMIT 2) l ORDER BY 1, 2;
SELECT c.customer_id, l.* FROM customers c LEFT JOIN LATERAL (SELECT order_id FROM orders o WHERE o.amount > c.balance AND o.item_id = c.region ORDER BY amount, order_id LIMIT 1) l ON true ORDER BY 1;
SELECT c.customer_id, l.n FROM customers c, LATERAL (SELECT count(*) AS n FROM orders o WHERE o.customer_id < c.customer_id) l ORDER BY 1 LIMIT 10;
SELECT g, l.name FROM generate_series(1, 4) g, LATERAL (SELECT name FROM customers WHERE region = g ORDER BY balance, name OFFSET g LIMIT 1) l ORDER BY 1;
SELECT c.customer_id, x.y FROM customers c, LATERAL (VALUES (c.region), (c.customer_id)) x (y) ORDER BY 1, 2 LIMIT 5;
SELECT i.item_id, x.n FROM items i, LATERAL (SELECT count(*) AS n FROM (SELECT DISTINCT customer_id FROM orders o WHERE o.item_id = i.item_id) y) x ORDER BY 1;
SELECT a.name FROM customers a WHERE (SELECT count(*) FROM customers b WHERE b.balance > a.balance) < 3 ORDER BY a.balance DESC, 1;
SELECT a.name FROM customers a WHERE a.balance > (SELECT avg(b.balance) FROM customers b WHERE b.region = a.region) ORDER BY 1 LIMIT 6;
SELECT name FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.customer_id = c.customer_id AND EXISTS (SELECT FROM orders p WHERE p.order_id = o.order_id + 1 AND p.amount > o.amount + 60)) ORDER BY 1;
-- params: 50
SELECT count(*) FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.item_id = c.region AND o.amount > $1);
-- params: 2, 'new'
SELECT (SELECT count(*) FROM orders WHERE status = $2), name FROM customers WHERE region = $1 ORDER BY 2;

-- Recursion.
WITH RECURSIVE t (n) AS (VALUES (1::bigint) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT t.n, c.name FROM t JOIN customers c ON c.customer_id = t.n ORDER BY 1;
WITH RECURSIVE t (n) AS (SELECT max(order_id) FROM orders UNION ALL SELECT n - 100 FROM t WHERE n > 100) SELECT n FROM t ORDER BY n;
WITH RECURSIVE chain AS (SELECT customer_id, name, 0 AS depth FROM customers WHERE customer_id = 60 UNION ALL SELECT c.customer_id, c.name, depth + 1 FROM chain JOIN customers c ON c.customer_id = chain.customer_id / 2) SELECT * FROM chain ORDER BY depth;
WITH RECURSIVE r AS (SELECT region AS x FROM customers UNION SELECT x + 1 FROM r WHERE x < 8) SELECT * FROM r ORDER BY 1;
WITH RECURSIVE r AS (SELECT 1::bigint AS id UNION ALL SELECT (SELECT min(order_id) FROM orders o WHERE o.order_id > r.id * 3) FROM r WHERE r.id IS NOT NULL) SELECT id FROM r ORDER BY 1;
WITH RECURSIVE walk AS (SELECT order_id, item_id FROM orders WHERE order_id = 1 UNION ALL SELECT o.order_id, o.item_id FROM walk w JOIN orders o ON o.order_id = w.order_id + 37) SEARCH DEPTH FIRST BY order_id SET path SELECT order_id, item_id FROM walk ORDER BY path;
WITH RECURSIVE walk (a, b) AS (SELECT customer_id, region::bigint FROM customers WHERE customer_id < 6 UNION ALL SELECT c.customer_id, c.region FROM walk JOIN customers c ON c.customer_id = walk.b) CYCLE a SET looped USING path SELECT a, b, looped FROM walk ORDER BY 1, 2, 3;

-- CTEs.
WITH a AS (SELECT item_id, sum(amount) AS s FROM orders GROUP BY item_id), b AS (SELECT region, sum(balance) AS s FROM customers GROUP BY region) SELECT a.item_id, a.s, b.s FROM a LEFT JOIN b ON b.region = a.item_id ORDER BY 1;
WITH a AS MATERIALIZED (SELECT * FROM customers WHERE region = 1) SELECT count(*) FROM a JOIN orders o ON o.item_id = a.customer_id;
WITH a AS NOT MATERIALIZED (SELECT * FROM customers) SELECT count(*) FROM a x JOIN a y ON x.customer_id = y.region;
WITH x AS (UPDATE customers SET region = 50 WHERE customer_id = 9 RETURNING region) SELECT region FROM x;
WITH w AS (SELECT DISTINCT region FROM customers) SELECT w.region, (SELECT count(*) FROM w v WHERE v.region < w.region) FROM w ORDER BY 1;
SELECT * FROM (WITH x AS (SELECT count(*) AS n FROM orders) SELECT n FROM x) y, (SELECT max(name) FROM customers) z;

-- Functions in FROM and the rest.
SELECT c.name, f.order_id FROM customers c, orders_of(c.customer_id) f WHERE c.customer_id < 3 ORDER BY 2;
SELECT count(*) FROM orders_of(7) f JOIN customers c ON c.customer_id = f.order_id;
SELECT customer_balance(customer_id), name FROM customers WHERE region = 4 ORDER BY 2;
SELECT name, order_count(customer_id, 'new') FROM customers ORDER BY customer_id LIMIT 3;
SELECT * FROM ROWS FROM (generate_series(1, 2), orders_of(3)) x (a, b) ORDER BY a NULLS LAST, b LIMIT 4;
SELECT o.order_id, r.n FROM orders o, (SELECT customer_id, row_number() OVER (ORDER BY balance DESC, customer_id) AS n FROM customers) r WHERE r.customer_id = o.customer_id AND r.n <= 2 ORDER BY 1;
SELECT a.status, b.n FROM (SELECT DISTINCT status FROM orders) a LEFT JOIN (SELECT status, count(*) AS n FROM orders WHERE item_id = 3 GROUP BY status) b USING (status) ORDER BY 1;
SELECT count(*) FROM orders o JOIN (VALUES (1), (2), (NULL)) v (k) ON v.k = o.customer_id;
SELECT count(*) FROM customers a JOIN customers b ON a.customer_id = b.customer_id OR a.region = b.customer_id;
SELECT count(*) FROM customers a JOIN customers b ON a.customer_id IS NOT DISTINCT FROM b.customer_id;
SELECT count(*) FROM customers a JOIN customers b ON a.customer_id::text = b.customer_id::text;
SELECT count(*) FROM holes a JOIN customers b ON a.id::int8 = b.customer_id;
SELECT count(*) FROM customers a WHERE a.customer_id IN (SELECT b.customer_id FROM customers b WHERE b.region = a.region);
SELECT count(*) FROM customers a WHERE a.customer_id IN (SELECT b.customer_id + 1 FROM customers b WHERE b.region = a.region);
SELECT a.id, b.id FROM everything a JOIN everything b ON a.num = b.num ORDER BY 1, 2;
SELECT a.id, b.id FROM everything a JOIN everything b ON a.f8 = b.f8 ORDER BY 1, 2;
SELECT a.id, b.id FROM everything a LEFT JOIN everything b ON a.e < b.e ORDER BY 1, 2;
SELECT a.id, b.id FROM everything a JOIN everything b ON a.ints && b.ints ORDER BY 1, 2;
SELECT a.id, b.id, a, b.comp FROM everything a JOIN everything b ON b.id = a.id + 1 ORDER BY 1, 2;
SELECT a, count(*) FROM (SELECT a FROM holes a JOIN holes b ON b.id > a.id) x GROUP BY a ORDER BY a LIMIT 3;
SELECT a.tableoid::regclass, b.tableoid::regclass, count(*) FROM customers a JOIN holes b ON b.id = a.customer_id GROUP BY 1, 2;
SELECT count(a), count(b), count(a.*) FROM customers a LEFT JOIN holes b ON b.id = a.customer_id;
SELECT b FROM customers a LEFT JOIN holes b ON b.id = a.customer_id WHERE a.customer_id BETWEEN 14 AND 17 ORDER BY a.customer_id;
SELECT FROM customers a JOIN holes b ON b.id = a.customer_id;
SELECT a.name, b.label FROM customers a, holes b WHERE false;
SELECT a.name, b.label FROM customers a LEFT JOIN holes b ON false ORDER BY a.customer_id LIMIT 2;
SELECT a.name FROM customers a JOIN holes b ON true ORDER BY a.customer_id, b.id LIMIT 4;
SELECT c.name, e.kind FROM customers c JOIN events e ON e.id = c.customer_id ORDER BY 1 LIMIT 5;
SELECT count(*) FROM orders o, items i, customers c, holes h, local_notes l WHERE o.item_id = i.item_id AND c.customer_id = o.order_id AND h.id = i.item_id AND l.id = h.id;
SELECT 1 / (o.item_id - h.id) FROM orders o JOIN holes h ON h.id <> o.item_id OR o.order_id = 4 ORDER BY 1;
SELECT count(*), count(k) FROM (SELECT o.customer_id AS k FROM items i LEFT JOIN orders o ON o.item_id = i.item_id + 1000) s;
SELECT count(*), count(k) FROM (SELECT o.customer_id AS k FROM items i FULL JOIN orders o ON o.item_id = i.item_id WHERE i.item_id < 3) s;
SELECT count(*) FROM customers c RIGHT JOIN items i ON c.customer_id = i.item_id + 1000 WHERE i.item_id IS NOT DISTINCT FROM c.customer_id;
-- Columns read through a join's own name.
SELECT j.k, j.v FROM (customers CROSS JOIN items) AS j (k, n, r, b, c, i, v) WHERE j.k < 3 ORDER BY 1, 2;
SELECT j.k, j.p, l.note FROM (customers c JOIN items i ON i.item_id = c.region) AS j (k, n, r, b, c, i, p) JOIN local_notes l ON l.id = j.i ORDER BY 1, 2, 3;
SELECT x.h, y.h FROM ((SELECT customer_id / 2 AS h FROM customers) s JOIN customers c ON s.h = c.customer_id) x, LATERAL (SELECT x.h) y (h) ORDER BY 1;
SELECT x.c FROM (SELECT j.c FROM (customers a JOIN orders b ON a.customer_id = b.customer_id) AS j (k, n, r, c)) x WHERE x.c > 245 ORDER BY 1;
SELECT count(j), max(j.n) FROM (customers a JOIN orders b ON a.customer_id = b.customer_id) AS j (k, n, r, c) WHERE j IS NOT NULL;
SELECT j.k, j.v FROM (customers a FULL JOIN orders b USING (customer_id)) AS j (k, n, r, c, d, v) WHERE j.c > 245 ORDER BY 1, 2;
-- A hash join holds a row of its outer side when it asks for the keys.
SELECT count(DISTINCT p.id) FROM by_uuid p, (SELECT DISTINCT md5((i % 9)::text)::uuid AS id FROM generate_series(1, 50) i) x JOIN by_uuid q ON x.id = q.id WHERE p.id = x.id AND p.payload IS NOT NULL;
