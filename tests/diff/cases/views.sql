-- Views, updatable views, security barriers.
SELECT * FROM customer_orders WHERE customer_id = 7 ORDER BY order_id;
-- params: 7
SELECT name, sum(amount) FROM customer_orders WHERE customer_id = $1 GROUP BY name;
SELECT * FROM totals WHERE customer_id = 7;
-- params: 7
SELECT * FROM totals WHERE customer_id = $1;
SELECT c.name, t.orders FROM customers c JOIN totals t USING (customer_id) WHERE customer_id = 7;
SELECT * FROM rich_customers WHERE customer_id = 7;
SELECT * FROM rich_customers WHERE customer_id = 8 AND length(name) > 1;
SELECT * FROM new_orders WHERE customer_id = 8 ORDER BY order_id;
INSERT INTO new_orders VALUES (8, 9100, 1, 1, 'new', '2025-01-01 00:00+00') RETURNING *;
INSERT INTO new_orders VALUES (8, 9101, 1, 1, 'paid', '2025-01-01 00:00+00');
INSERT INTO new_orders VALUES (8, 9100, 2, 2, 'new', '2025-01-01 00:00+00') ON CONFLICT (customer_id, order_id) DO UPDATE SET amount = EXCLUDED.amount WHERE EXCLUDED.item_id > 1 RETURNING *;
-- unordered
INSERT INTO new_orders SELECT customer_id, order_id, item_id, 5, status, ordered_at FROM new_orders WHERE order_id < 40 ON CONFLICT (customer_id, order_id) DO UPDATE SET amount = new_orders.amount + EXCLUDED.amount WHERE EXCLUDED.item_id > 2 RETURNING *;
INSERT INTO new_orders VALUES (1, 9102, 1, 1, 'new', '2025-01-01 00:00+00'), (8, 9100, 1, 1, 'new', '2025-01-01 00:00+00') ON CONFLICT (customer_id, order_id) DO UPDATE SET status = EXCLUDED.status || '!';
UPDATE new_orders SET amount = amount + 1 WHERE customer_id = 8 RETURNING order_id, amount;
UPDATE new_orders SET status = 'paid' WHERE customer_id = 8;
DELETE FROM new_orders WHERE customer_id = 8 AND order_id = 9100 RETURNING *;
UPDATE rich_customers SET balance = balance + 1 WHERE customer_id = 27 RETURNING *;
UPDATE customer_orders SET amount = 1 WHERE customer_id = 7;
SELECT count(*) FROM customer_orders v JOIN items i ON i.item_id = v.order_id WHERE v.customer_id = 7;

-- A view made and dropped in the file, over a router table with shards behind it.
CREATE TEMP VIEW one_customer AS SELECT * FROM customers WHERE customer_id = 7;
SELECT name FROM one_customer;
UPDATE one_customer SET region = 9 RETURNING region;
DROP VIEW one_customer;
CREATE TEMP TABLE kept AS SELECT * FROM orders WHERE customer_id = 7;
SELECT count(*), sum(amount) FROM kept;
INSERT INTO kept SELECT * FROM orders WHERE customer_id = 8;
SELECT count(*) FROM kept;
SELECT k.order_id, i.name FROM kept k JOIN items i USING (item_id) ORDER BY 1;
DROP TABLE kept;
-- once
SELECT customer_id, name INTO TEMP kept FROM customers WHERE customer_id = 7;
SELECT * FROM kept;

-- A security barrier over a reference table without a key, and functions that the router calls.
CREATE TABLE seen_people (person text, visibility text);
INSERT INTO seen_people VALUES ('Tom', 'public'), ('Dick', 'private'), ('Harry', 'public');
-- shardwise: SELECT shardwise.create_reference_table('seen_people')
CREATE VIEW public_people WITH (security_barrier) AS SELECT person FROM seen_people WHERE visibility = 'public';
CREATE FUNCTION may_see(text) RETURNS boolean LANGUAGE plpgsql COST 0.000001 AS $$ BEGIN IF $1 = 'Dick' THEN RAISE '% is not to be seen', $1; END IF; RETURN $1 <> 'Harry'; END $$;
UPDATE public_people SET person = person || '!' WHERE may_see(person) RETURNING person;
DELETE FROM public_people WHERE NOT may_see(person);
SELECT * FROM seen_people ORDER BY 1;
DROP TABLE seen_people CASCADE;
DROP FUNCTION may_see(text);
