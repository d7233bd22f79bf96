-- Writes whose rows the router looks for, or computes, before it brings them to the shards.
-- unordered
-- Rows of several shards in one INSERT.
INSERT INTO customers VALUES (101, 'a', 1, 1, '2025-01-01 00:00+00'), (102, 'b', 2, 2, '2025-01-02 00:00+00'), (103, 'c', 3, 3, '2025-01-03 00:00+00') RETURNING *, balance + 1, upper(name), current_user;
INSERT INTO customers (created, balance, region, name, customer_id) VALUES ('2025-01-01 00:00+00', 1.005, 2, 'x', 104), ('2025-01-01 00:00+00', 7, 3, 'y', 105);
-- params: 106, 107, 'two'
INSERT INTO customers VALUES ($1, $3, 1, 1, '2025-01-01 00:00+00'), ($2, $3 || $3, 1, 1, '2025-01-01 00:00+00') RETURNING customer_id, name;
INSERT INTO customers VALUES (101, 'again', 1, 1, '2025-01-01 00:00+00'), (108, 'new', 1, 1, '2025-01-01 00:00+00') ON CONFLICT DO NOTHING RETURNING customer_id, name;
INSERT INTO customers AS c VALUES (101, 'again', 1, 10, '2025-01-01 00:00+00'), (109, 'new', 1, 10, '2025-01-01 00:00+00'), (102, 'again', 1, 10, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO UPDATE SET name = c.name || EXCLUDED.name, balance = c.balance + EXCLUDED.balance WHERE c.region < 2 RETURNING *;
INSERT INTO customers VALUES (110, 'once', 1, 1, '2025-01-01 00:00+00'), (110, 'twice', 1, 1, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO UPDATE SET name = EXCLUDED.name;
INSERT INTO customers VALUES (110, 'once', 1, 1, '2025-01-01 00:00+00'), (111, 'x', 1, 1, '2025-01-01 00:00+00'), (7, 'there', 1, 1, '2025-01-01 00:00+00');
INSERT INTO customers VALUES (110, 'once', 1, 1, '2025-01-01 00:00+00'), (111, NULL, 1, 1, '2025-01-01 00:00+00');
INSERT INTO customers VALUES (110, 'once', 1, 1, '2025-01-01 00:00+00'), (NULL, 'x', 1, 1, '2025-01-01 00:00+00');
INSERT INTO customers VALUES (110, 'once', 1, 1, '2025-01-01 00:00+00'), (111, 'x', 1, 1 / 0, '2025-01-01 00:00+00');
INSERT INTO customers SELECT 1000 + i, 'series ' || i, i % 5, i, timestamptz '2025-01-01 00:00+00' FROM generate_series(1, 50) i;
INSERT INTO customers SELECT customer_id + 1000, name, region, balance, created FROM customers WHERE customer_id > 1000 AND region = 2 RETURNING customer_id, name;
INSERT INTO customers SELECT customer_id + 1, name, region, balance, created FROM customers WHERE customer_id > 1000 AND region = 3 ON CONFLICT (customer_id) DO UPDATE SET name = 'conflict' RETURNING customer_id, name;
INSERT INTO orders SELECT i.item_id, 5000 + i.item_id, i.item_id, i.price, i.name, '2025-01-01 00:00+00' FROM items i;
INSERT INTO orders (customer_id, order_id, item_id, amount, status, ordered_at) SELECT o.order_id, 6000, o.item_id, sum(o.amount), 'sum', max(o.ordered_at) FROM orders o JOIN items i USING (item_id) WHERE o.order_id < 20 GROUP BY o.order_id, o.item_id RETURNING *;
INSERT INTO orders WITH big AS (SELECT * FROM orders WHERE amount > 80) SELECT order_id, customer_id + 7000, item_id, amount, status, ordered_at FROM big;
INSERT INTO local_notes SELECT order_id, status FROM orders WHERE order_id BETWEEN 100 AND 105 RETURNING *;
INSERT INTO customers SELECT 3000 + id, note, 1, 1, '2025-01-01 00:00+00' FROM local_notes WHERE id < 6 RETURNING customer_id, name;
INSERT INTO by_text VALUES ('k1', 1, 'n1'), ('k2', 2, NULL), ('k3', NULL, 'Ünï "q" \ {},NULL') RETURNING *;
INSERT INTO by_text VALUES ('k4', 1, 'a note that is much too long'), ('k5', 2, NULL);
INSERT INTO by_uuid VALUES ('00000000-0000-0000-0000-00000000000a', '{"a": [1, 2]}'), ('00000000-0000-0000-0000-00000000000b', NULL) RETURNING *;
INSERT INTO by_pair VALUES (100, 'p', 1), (101, 'q', DEFAULT), (102, 'r', NULL) RETURNING *;
INSERT INTO by_date VALUES ('2025-04-01', 1, 1.5), ('2024-12-31', 2, 'NaN') RETURNING *;
INSERT INTO by_tenant VALUES ('acme', 50, 'a'), ('unknown', 50, 'b'), ('globex', 50, NULL) RETURNING *;
INSERT INTO autos (owner, title, made) VALUES (1, 'one', NULL), (2, 'two', NULL), (3, 'three', NULL), (4, 'four', NULL) RETURNING *;
INSERT INTO autos (owner, title, made) SELECT i, 'series ' || i, NULL FROM generate_series(1, 20) i ORDER BY i RETURNING *;
INSERT INTO accounts (owner) VALUES ('first'), ('second'), ('third') RETURNING *;
INSERT INTO accounts (id, owner) OVERRIDING SYSTEM VALUE VALUES (501, 'first'), (502, 'second') RETURNING *;
INSERT INTO holes VALUES (200, 'a', 1), (201, 'b', 2, 'c'), (202, NULL, NULL) RETURNING *;
INSERT INTO invoices VALUES (5, 20, 1, 1, 'AB'), (6, 20, 2, 2, NULL), (7, 20, 3, 3, 'CD') RETURNING *;
INSERT INTO invoices VALUES (5, 21, 1, 1, 'AB'), (6, 21, 99, 2, NULL);
INSERT INTO invoices VALUES (5, 22, 1, 1, 'AC'), (6, 22, 1, 0, NULL);
INSERT INTO watched VALUES (50, 1), (51, 2), (52, 3) RETURNING *;
INSERT INTO watched VALUES (53, 1), (54, -2), (55, 3);
INSERT INTO events VALUES (1, '2025-01-05', 500, 'a'), (2, '2025-02-05', 501, 'b'), (3, '2025-01-06', 502, 'c') RETURNING *;
-- compare: sqlstate
INSERT INTO events VALUES (1, '2025-01-05', 503, 'a'), (2, '2026-02-05', 504, 'b');
INSERT INTO new_orders VALUES (1, 8001, 1, 1, 'new', '2025-01-01 00:00+00'), (2, 8002, 1, 1, 'new', '2025-01-01 00:00+00') RETURNING *;
INSERT INTO new_orders VALUES (1, 8003, 1, 1, 'new', '2025-01-01 00:00+00'), (2, 8004, 1, 1, 'old', '2025-01-01 00:00+00');
INSERT INTO "Odd Schema"."Odd ""Table" VALUES (50, 'a''b', 1), (51, 'c"d', 2), (52, E'e\\f\n', 3) RETURNING *;
INSERT INTO everything SELECT (jsonb_populate_record(NULL::everything, jsonb_build_object('id', e.id + 100))).id, e.i2, e.i8, e.f4, e.f8, e.num, e.num2, e.cash, e.b, e.c, e.n, e.t, e.vc, e.bp, e.bin, e.d, e.tm, e.tmtz, e.ts, e.tstz, e.iv, e.u, e.j, e.jb, e.x, e.inet, e.cidr, e.mac, e.bits, e.vbits, e.e, e.dom, e.doms, e.comp, e.comps, e.ints, e.texts, e.grid, e.e_array, e.r4, e.rts, e.rf, e.mr, e.p, e.bx, e.tv, e.tq, e.o, e.rc FROM everything e ON CONFLICT DO NOTHING RETURNING *;
-- Functions of the router for each row.
UPDATE autos SET ticket = nextval('ticket') WHERE owner = 2 AND id = 6 RETURNING ticket;
UPDATE customers SET region = nextval('ticket') WHERE customer_id = 5 RETURNING region > 0;
-- compare: shape
UPDATE customers SET region = nextval('ticket') WHERE region = 3 RETURNING customer_id, region;
UPDATE customers SET region = customer_id % 5;
-- Joins and subqueries off the key.
UPDATE customers c SET name = o.status, balance = c.balance + o.amount FROM orders o WHERE o.order_id = c.customer_id AND o.order_id < 40 RETURNING c.*, o.order_id, o.amount * 2, upper(o.status);
UPDATE customers SET balance = 0 WHERE customer_id IN (SELECT order_id FROM orders WHERE amount > 50);
-- compare: sqlstate
UPDATE customers c SET balance = (SELECT max(amount) FROM orders WHERE item_id = c.region) RETURNING customer_id, balance;
UPDATE customers SET region = (SELECT count(*) FROM customers) WHERE customer_id < 10 RETURNING customer_id, region;
UPDATE orders SET amount = c.balance FROM customers c LEFT JOIN items i ON i.item_id = c.region WHERE c.customer_id = orders.order_id AND i.price > 2 RETURNING order_id, amount, i, c.customer_id;
UPDATE orders o SET (status, amount) = (SELECT c.name, c.balance FROM customers c WHERE c.customer_id = o.order_id) WHERE order_id < 50 RETURNING order_id, status, amount;
UPDATE customers SET name = n.note FROM local_notes n WHERE n.id = customer_id RETURNING customer_id, name, n.*;
WITH rich AS (SELECT customer_id FROM customers WHERE balance > 50) UPDATE orders SET status = 'rich' FROM rich WHERE rich.customer_id = order_id RETURNING order_id, rich.customer_id;
UPDATE customers SET balance = 1 / (region - 1) WHERE customer_id IN (SELECT order_id FROM orders);
-- compare: sqlstate
UPDATE customers SET name = NULL WHERE customer_id IN (SELECT order_id FROM orders);
UPDATE events SET kind = c.name FROM customers c WHERE c.customer_id = events.id RETURNING events.*;
UPDATE events SET at = at + 1, kind = c.name FROM customers c WHERE c.customer_id = events.id AND at < '2025-02-10' RETURNING events.*;
UPDATE watched SET value = c.region FROM customers c WHERE c.customer_id = watched.value RETURNING watched.*;
UPDATE watched SET value = -1 FROM customers c WHERE c.customer_id = watched.value AND watched.id = 3;
UPDATE everything SET ints[2] = o.item_id, comp.street = o.status, dom = o.item_id FROM orders o WHERE o.order_id = everything.id RETURNING id, ints, comp, dom;
UPDATE new_orders SET amount = c.balance FROM customers c WHERE c.customer_id = new_orders.order_id RETURNING order_id, amount;
DELETE FROM orders USING customers c WHERE c.customer_id = orders.order_id AND c.region = 4 RETURNING orders.*, c.name, orders.amount + c.balance;
DELETE FROM orders WHERE order_id IN (SELECT customer_id FROM customers WHERE region = 2) RETURNING order_id;
DELETE FROM customers WHERE customer_id > 1000 AND NOT EXISTS (SELECT FROM orders WHERE order_id = customers.customer_id % 100);
DELETE FROM by_text USING by_number n WHERE n.n = by_text.value RETURNING by_text.*, n.word;
DELETE FROM events USING by_number n WHERE n.n = events.id RETURNING *;
DELETE FROM customers c USING customers d WHERE d.customer_id = c.customer_id + 1 AND d.region = 0 RETURNING c.customer_id, d.customer_id;
-- Subqueries in RETURNING: computed before, if they do not ask for the new row.
UPDATE by_number SET word = c.name FROM customers c WHERE c.customer_id = n RETURNING n, (SELECT count(*) FROM orders), (SELECT max(status) FROM orders WHERE order_id = c.customer_id), EXISTS (SELECT FROM local_notes WHERE id = c.customer_id);
UPDATE by_number SET word = c.name FROM customers c WHERE c.customer_id = n RETURNING (SELECT max(status) FROM orders WHERE order_id = n);
-- Reference tables.
INSERT INTO items SELECT customer_id, name, balance FROM customers WHERE customer_id BETWEEN 20 AND 25 ORDER BY 1 RETURNING *;
INSERT INTO items SELECT customer_id, name, balance FROM customers WHERE customer_id BETWEEN 20 AND 30 ON CONFLICT (item_id) DO UPDATE SET name = items.name || '+' RETURNING *;
UPDATE items SET name = c.name FROM customers c WHERE c.customer_id = items.item_id RETURNING items.*, c.region;
-- compare: shape
UPDATE items SET name = random()::text WHERE item_id > 20 RETURNING *;
UPDATE items SET name = 'item ' || item_id WHERE item_id > 20;
DELETE FROM items USING customers c WHERE c.customer_id = items.item_id AND items.item_id > 20 RETURNING items.*, c.name;
UPDATE items SET price = (SELECT avg(price) FROM items) WHERE item_id = 3 RETURNING *;
-- Locks on rows of several shards.
SELECT customer_id FROM customers WHERE region = 1 FOR UPDATE;
SELECT customer_id, name FROM customers WHERE region < 3 ORDER BY customer_id LIMIT 5 OFFSET 2 FOR NO KEY UPDATE;
SELECT customer_id, name FROM customers ORDER BY customer_id LIMIT 3 FOR SHARE SKIP LOCKED;
SELECT c.customer_id, o.order_id FROM customers c JOIN orders o USING (customer_id) WHERE o.amount > 80 FOR UPDATE OF o NOWAIT;
SELECT c.customer_id, o.order_id FROM customers c JOIN orders o ON o.order_id = c.customer_id FOR KEY SHARE;
SELECT * FROM items i JOIN customers c ON c.customer_id = i.item_id FOR UPDATE OF i;
SELECT * FROM (SELECT customer_id FROM customers WHERE region = 2 FOR UPDATE) s JOIN by_number n ON n.n = s.customer_id;
SELECT count(*) FROM customers FOR UPDATE;
