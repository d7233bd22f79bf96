-- Joins in which equality carries the one key to every distributed table; reference tables join freely.
SELECT c.name, o.order_id, o.amount FROM customers c JOIN orders o ON o.customer_id = c.customer_id WHERE c.customer_id = 7 ORDER BY o.order_id;
SELECT c.name, count(*), sum(o.amount) FROM customers c JOIN orders o USING (customer_id) WHERE c.customer_id = 7 GROUP BY c.name;
SELECT c.name, count(*), sum(o.amount) FROM customers c JOIN orders o USING (customer_id) WHERE customer_id = 7 GROUP BY c.name;
SELECT name, order_id FROM customers NATURAL JOIN orders WHERE customer_id = 7 ORDER BY 2;
-- params: 7
SELECT c.name, count(*), sum(o.amount) FROM customers c JOIN orders o USING (customer_id) WHERE o.customer_id = $1 GROUP BY c.name;
SELECT * FROM customers c, orders o WHERE c.customer_id = o.customer_id AND o.customer_id = 7 AND o.order_id = 66;
SELECT * FROM customers c, orders o WHERE c.customer_id = 7 AND o.customer_id = 7 AND o.order_id = 66;
SELECT c.name, o.order_id FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.amount > 80 WHERE c.customer_id = 7 ORDER BY o.order_id;
SELECT c.name, o.order_id FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.amount > 1000 WHERE c.customer_id = 7;
SELECT c.name, o.order_id FROM orders o RIGHT JOIN customers c ON o.customer_id = c.customer_id WHERE c.customer_id = 7 ORDER BY o.order_id;
SELECT c.name, o.order_id FROM (SELECT * FROM customers WHERE customer_id = 7) c FULL JOIN (SELECT * FROM orders WHERE customer_id = 7) o USING (customer_id) ORDER BY o.order_id;
SELECT count(*) FROM (SELECT * FROM customers WHERE customer_id = 7) c CROSS JOIN (SELECT * FROM orders WHERE customer_id = 7) o;
SELECT a.order_id, b.order_id FROM orders a JOIN orders b USING (customer_id) WHERE a.customer_id = 7 AND a.order_id < b.order_id ORDER BY 1, 2;
SELECT a.order_id FROM orders a JOIN orders b ON a.customer_id = b.customer_id AND a.order_id = b.order_id JOIN customers c ON c.customer_id = b.customer_id WHERE c.customer_id = 7 ORDER BY 1;
SELECT o.order_id, i.name, i.price FROM orders o JOIN items i USING (item_id) WHERE o.customer_id = 7 ORDER BY o.order_id;
SELECT i.item_id, o.order_id FROM items i LEFT JOIN orders o ON o.item_id = i.item_id AND o.customer_id = 7 ORDER BY 1, 2;
SELECT i.name, count(o.*) FROM items i LEFT JOIN (SELECT * FROM orders WHERE customer_id = 7) o USING (item_id) GROUP BY i.name, i.item_id ORDER BY i.item_id;
SELECT i.name, x.item_id FROM items i JOIN items x ON x.item_id = i.item_id + 1 ORDER BY i.item_id;
SELECT c.name, i.name, o.amount FROM customers c JOIN orders o USING (customer_id) JOIN items i USING (item_id) WHERE c.customer_id = 8 ORDER BY o.order_id;
-- int8 key against int4 key: the same values, other keyspaces.
SELECT h.label FROM holes h WHERE h.id = 7;
SELECT c.name, o.amount FROM customers c JOIN orders o ON c.customer_id = o.customer_id AND o.customer_id = 7::int4 ORDER BY o.order_id;
SELECT o.order_id FROM orders o WHERE o.customer_id = 7 AND o.item_id IN (SELECT item_id FROM items WHERE price > 8) ORDER BY 1;
SELECT o.order_id FROM orders o WHERE o.customer_id = 7 AND NOT EXISTS (SELECT FROM items i WHERE i.item_id = o.item_id AND i.price > 8) ORDER BY 1;
SELECT name FROM items WHERE EXISTS (SELECT FROM orders o WHERE o.customer_id = 7 AND o.item_id = items.item_id) ORDER BY item_id;
SELECT a.n, b.n FROM by_number a JOIN by_number b ON b.n = a.n WHERE a.n = 4;
SELECT p.tenant, q.code FROM by_pair p JOIN by_pair q ON p.tenant = q.tenant AND p.code = q.code WHERE q.tenant = 2 AND p.code = 'code 3';
SELECT i.invoice_id, c.name, t.name FROM invoices i JOIN customers c USING (customer_id) LEFT JOIN items t USING (item_id) WHERE c.customer_id = 1 ORDER BY 1;
SELECT w.id, l.entry FROM watched w LEFT JOIN watched_log l ON l.id = w.id WHERE w.id = 3;
-- expect-refused: local_notes
SELECT l.note, i.name FROM local_notes l JOIN items i ON i.item_id = l.id ORDER BY l.id;
SELECT (SELECT count(*) FROM orders o WHERE o.customer_id = c.customer_id) AS n, c.name FROM customers c WHERE c.customer_id = 7;
SELECT l.order_id, c.name FROM customers c, LATERAL (SELECT * FROM orders o WHERE o.customer_id = c.customer_id ORDER BY amount DESC, order_id LIMIT 2) l WHERE c.customer_id = 7 ORDER BY 1;
SELECT c.name, l.total FROM customers c LEFT JOIN LATERAL (SELECT sum(amount) AS total FROM orders o WHERE o.customer_id = c.customer_id) l ON true WHERE c.customer_id = 7;
SELECT o.order_id, g FROM orders o, generate_series(1, 2) g WHERE o.customer_id = 7 ORDER BY 1, 2;
SELECT o.order_id, v.label FROM orders o JOIN (VALUES ('new', 'N'), ('paid', 'P')) v (status, label) USING (status) WHERE o.customer_id = 7 ORDER BY 1;
SELECT o.order_id, u.ord FROM orders o, unnest(ARRAY[o.order_id, 5]) WITH ORDINALITY u (x, ord) WHERE o.customer_id = 7 ORDER BY 1, 2;
SELECT name, tag FROM by_uuid, jsonb_array_elements_text(payload -> 'tags') tag, (VALUES ('x')) v (name) WHERE id = md5('4')::uuid ORDER BY tag;
SELECT * FROM orders o JOIN LATERAL (SELECT o.amount * 2 AS twice) x ON true WHERE o.customer_id = 7 ORDER BY o.order_id;
SELECT o.ctid IS NOT NULL, c.tableoid::regclass FROM customers c JOIN orders o USING (customer_id) WHERE c.customer_id = 7;
