-- What RETURNING shows of written rows: tableoid of partitions, and subqueries about other rows.
-- unordered
-- setup
CREATE TYPE w_mood AS ENUM ('sad', 'happy');
CREATE TABLE w_moods (id int PRIMARY KEY, mood w_mood, moods w_mood[], tables regclass[]);
INSERT INTO w_moods VALUES (1, 'happy', '{sad,happy}', '{orders}'), (2, 'sad', NULL, NULL), (3, NULL, '{}', '{w_moods,items}');
CREATE TABLE w_parts (tenant int, at date, n int, label text, PRIMARY KEY (tenant, at)) PARTITION BY RANGE (at);
CREATE SCHEMA "W odd";
CREATE TABLE w_parts_1 PARTITION OF w_parts FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE "W odd"."w Parts" PARTITION OF w_parts FOR VALUES FROM ('2025-02-01') TO ('2025-03-01') PARTITION BY HASH (tenant);
CREATE TABLE w_parts_2 (label text, n int, at date NOT NULL, tenant int NOT NULL);
ALTER TABLE "W odd"."w Parts" ATTACH PARTITION w_parts_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "W odd".w_parts_3 PARTITION OF "W odd"."w Parts" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO w_parts SELECT i % 5, date '2025-01-15' + i, i, 'part ' || i FROM generate_series(1, 40) i;
-- shardwise: SELECT shardwise.distribute_table('w_parts', 'tenant')
CREATE TABLE w_local (id int PRIMARY KEY, label text);
INSERT INTO w_local SELECT i, 'local ' || i FROM generate_series(1, 20) i;

-- test
-- ---- tableoid
INSERT INTO w_parts VALUES (1, '2025-01-02', 1, 'x') RETURNING tableoid::regclass, *;
INSERT INTO w_parts VALUES (2, '2025-02-27', 1, 'x') RETURNING tableoid = 'w_parts_2'::regclass, tableoid::regclass::text, label;
INSERT INTO w_parts VALUES (1, '2025-01-03', 1, 'x'), (2, '2025-02-26', 1, 'x'), (3, '2025-02-26', 1, 'x') RETURNING tableoid::regclass, tenant;
INSERT INTO w_parts VALUES (1, '2025-01-03', 1, 'x') ON CONFLICT (tenant, at) DO UPDATE SET label = 'again ' || (w_parts.tableoid = 'w_parts_1'::regclass) RETURNING tableoid::regclass, label;
UPDATE w_parts SET n = n + 1 WHERE tenant = 1 AND tableoid = 'w_parts_1'::regclass RETURNING tableoid::regclass, n, at;
UPDATE w_parts SET n = n + 1 WHERE tableoid = 'w_parts_1'::regclass RETURNING tableoid::regclass, n, at;
UPDATE w_parts SET label = tableoid::regclass::text WHERE tenant = 2 RETURNING label, tableoid::regclass;
UPDATE w_parts SET label = tableoid::regclass::text WHERE n > 10 RETURNING label, tableoid::regclass;
UPDATE w_parts SET at = at - 31 WHERE tenant = 2 AND at > '2025-02-05' AND at < '2025-02-20' RETURNING tableoid::regclass, at;
UPDATE w_parts w SET n = c.region FROM customers c WHERE c.customer_id = w.n RETURNING w.tableoid::regclass, c.tableoid::regclass, w.n;
DELETE FROM w_parts WHERE tenant = 3 RETURNING tableoid::regclass, n;
DELETE FROM w_parts WHERE n = 5 RETURNING tableoid::regclass, n;
-- params: 'w_parts_2'::regclass, 4
DELETE FROM w_parts WHERE tableoid = $1 AND tenant = $2 RETURNING tableoid::regclass, n;
SELECT tableoid::regclass, n FROM w_parts WHERE tenant = 4 AND tableoid <> 'w_parts_1'::regclass;
SELECT tableoid = 'w_parts_1'::regclass, count(*) FROM w_parts GROUP BY 1;
SELECT tenant, w.tableoid::regclass FROM w_parts w JOIN customers c ON c.customer_id = w.tenant WHERE w.tenant = 4 AND w.tableoid = 'w_parts_1'::regclass;
WITH d AS (DELETE FROM w_parts WHERE tenant = 0 AND at < '2025-02-01' RETURNING tableoid AS t, n) SELECT t::regclass, n FROM d;
-- ---- subqueries about other rows
INSERT INTO customers VALUES (201, 'x', 3, 1, '2025-01-01 00:00+00') RETURNING customer_id, (SELECT max(order_id) FROM orders WHERE item_id = region), (SELECT label FROM w_local WHERE id = region);
INSERT INTO customers VALUES (202, 'x', 3, 1, '2025-01-01 00:00+00'), (203, 'y', 4, 1, '2025-01-01 00:00+00'), (204, 'z', 1, 1, '2025-01-01 00:00+00') RETURNING customer_id, (SELECT count(*) FROM orders o WHERE o.item_id = customers.region), (SELECT count(*) FROM customers);
-- params: 205, 'param'
INSERT INTO customers VALUES ($1, $2, 3, 1, '2025-01-01 00:00+00') RETURNING (SELECT label || $2 FROM w_local WHERE id = region), $2;
INSERT INTO customers SELECT 300 + i, 'many', i, i, '2025-01-01 00:00+00' FROM generate_series(1, 9) i ORDER BY i RETURNING customer_id, (SELECT word FROM by_number WHERE n = region), upper(name), customers, ctid IS NOT NULL;
UPDATE customers SET balance = balance + 1 WHERE customer_id = 7 RETURNING customer_id, (SELECT string_agg(label, ',' ORDER BY id) FROM w_local l WHERE l.id < customers.region + 2), (SELECT sum(balance) FROM customers), EXISTS (SELECT FROM by_number WHERE n = customer_id);
UPDATE customers c SET balance = balance + 1 WHERE region = 2 RETURNING customer_id, ARRAY(SELECT order_id FROM orders o WHERE o.order_id IN (c.customer_id, c.region) ORDER BY 1), balance > (SELECT max(c2.balance) FROM customers c2 WHERE c2.region = c.region);
UPDATE by_number SET word = c.name FROM customers c WHERE c.customer_id = n RETURNING n, c.name, (SELECT max(status) FROM orders WHERE order_id = n), (SELECT count(*) FROM orders WHERE item_id = c.region), (SELECT count(*) FROM by_number b WHERE b.word = by_number.word);
DELETE FROM orders WHERE customer_id = 9 RETURNING order_id, (SELECT count(*) FROM orders), (SELECT count(*) FROM orders o WHERE o.item_id = orders.item_id), (SELECT name FROM customers c WHERE c.customer_id = orders.order_id);
DELETE FROM orders o USING items i WHERE i.item_id = o.item_id AND o.amount > 85 RETURNING o.order_id, i.name, (SELECT c.name FROM customers c WHERE c.customer_id = o.order_id), o.tableoid::regclass;
DELETE FROM by_text WHERE value > 20 RETURNING 1 AS one, (SELECT count(*) FROM w_local);
-- Each shard copies its own rows, and knows no others.
INSERT INTO orders SELECT customer_id, 7000 + customer_id, 1, 5, 'new', created FROM customers RETURNING customer_id, (SELECT max(customer_id) FROM customers), (SELECT count(*) FROM orders), (SELECT name FROM customers c WHERE c.customer_id = orders.customer_id), (SELECT name FROM items i WHERE i.item_id = orders.item_id);
INSERT INTO orders AS o SELECT customer_id, 7000 + customer_id, 1, 5, 'new', created FROM customers ON CONFLICT (customer_id, order_id) DO UPDATE SET item_id = (SELECT count(*) FROM customers), amount = 1 WHERE o.customer_id > (SELECT min(customer_id) + 1 FROM customers) RETURNING customer_id, item_id, amount;
DELETE FROM by_number WHERE n = 2 RETURNING (SELECT count(*) FROM by_number), (SELECT count(*) FROM by_number WHERE n < 5);
UPDATE items SET price = price + 1 WHERE item_id < 4 RETURNING name, (SELECT count(*) FROM orders o WHERE o.item_id = items.item_id), (SELECT sum(price) FROM items);
INSERT INTO items VALUES (50, 'fifty', 5) RETURNING name, (SELECT count(*) FROM customers WHERE region < price), (SELECT max(item_id) FROM items);
UPDATE watched SET value = value + 1 WHERE id < 4 RETURNING id, (SELECT count(*) FROM watched_log l WHERE l.id = watched.id), (SELECT count(*) FROM watched w WHERE w.value = watched.value);
UPDATE customers SET customer_id = customer_id + 1000 WHERE region = 4 AND customer_id > 200 RETURNING customer_id, (SELECT count(*) FROM by_number WHERE n = customer_id - 1300);
UPDATE w_parts SET n = n WHERE tenant = 4 RETURNING n, tableoid::regclass, (SELECT name FROM customers WHERE customer_id = n);
WITH r AS (SELECT region, count(*) AS n FROM customers GROUP BY 1) UPDATE customers SET balance = 5 WHERE customer_id IN (3, 4, 5) RETURNING customer_id, (SELECT r.n FROM r WHERE r.region = customers.region);
WITH r AS (SELECT 5 AS v), d AS (DELETE FROM by_text WHERE value = 3 RETURNING value) UPDATE customers SET balance = 6 FROM r WHERE customer_id IN (3, r.v) RETURNING customer_id, (SELECT count(*) FROM d), (SELECT count(*) FROM by_text), (SELECT count(*) FROM orders WHERE item_id = region);
UPDATE customers SET balance = 7 WHERE customer_id = 7 RETURNING (SELECT order_id FROM orders WHERE item_id = region);
UPDATE customers SET balance = 7 WHERE customer_id = -7 RETURNING (SELECT order_id FROM orders WHERE item_id = region);
-- compare: shape
UPDATE customers SET balance = 8 WHERE region = 1 RETURNING (SELECT random() + count(*) FROM by_number WHERE n = region), random();
CREATE FUNCTION w_change(int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found text;
    changed int;
BEGIN
    UPDATE customers SET balance = balance WHERE customer_id = $1
        RETURNING (SELECT max(o.status) FROM orders o WHERE o.item_id = customers.region + 1) INTO found;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN found || changed;
END $$;
SELECT w_change(7), w_change(8);
-- params: 7
UPDATE customers SET balance = balance + $1 WHERE customer_id = $1 RETURNING balance, (SELECT count(*) FROM orders WHERE item_id < $1 AND item_id > customers.region);
-- ---- subqueries of ON CONFLICT
INSERT INTO customers VALUES (7, 'x', 3, 1, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO UPDATE SET balance = (SELECT max(amount) FROM orders), name = (SELECT label FROM w_local WHERE id = 2) || excluded.name RETURNING *;
INSERT INTO customers VALUES (7, 'x', 3, 1, '2025-01-01 00:00+00'), (8, 'y', 3, 1, '2025-01-01 00:00+00'), (230, 'z', 3, 1, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO UPDATE SET balance = (SELECT max(amount) FROM orders WHERE item_id = 2) + customers.balance WHERE customers.balance < (SELECT sum(balance) FROM customers) AND EXISTS (SELECT FROM w_local) RETURNING *;
INSERT INTO items VALUES (2, 'x', 1) ON CONFLICT (item_id) DO UPDATE SET price = (SELECT count(*) FROM orders), name = array_to_string(ARRAY(SELECT label FROM w_local WHERE id < 4 ORDER BY 1), ',') RETURNING *;
-- params: 7, 3
INSERT INTO customers VALUES ($1, 'x', 3, 1, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO UPDATE SET balance = (SELECT count(*) FROM orders WHERE item_id = $2) RETURNING balance;
WITH v AS (SELECT max(amount) AS m FROM orders) INSERT INTO customers SELECT customer_id, name, region, balance, created FROM customers WHERE customer_id < 5 ON CONFLICT (customer_id) DO UPDATE SET balance = (SELECT m FROM v) RETURNING *;
INSERT INTO customers VALUES (7, 'x', 3, 1, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO UPDATE SET balance = (SELECT max(amount) FROM orders WHERE item_id = excluded.region);
PREPARE by_partition(int) AS UPDATE w_parts SET n = n WHERE tenant = $1 AND at < '2025-02-01' RETURNING tableoid::regclass::text, n;
EXECUTE by_partition(1);
ALTER TABLE w_parts_1 RENAME TO w_parts_renamed;
CREATE TABLE w_parts_1 (id int);
EXECUTE by_partition(1);
UPDATE w_parts SET n = n WHERE tenant = 1 AND at < '2025-02-01' RETURNING tableoid::regclass::text, n;
ALTER TABLE w_parts_renamed SET SCHEMA "W odd";
EXECUTE by_partition(1);
ALTER TABLE w_parts DETACH PARTITION "W odd"."w Parts";
EXECUTE by_partition(1);
SELECT tableoid::regclass, * FROM w_parts;

-- Types that shards do not have.
UPDATE orders o SET status = 'seen' FROM w_moods l WHERE l.id = o.order_id RETURNING o.order_id, o.status, l.*;
DELETE FROM items i USING w_moods l WHERE i.item_id = l.id - 1000 RETURNING l.*;
-- teardown
DROP FUNCTION w_change(int);
DROP TABLE w_parts, "W odd"."w Parts", w_local, w_parts_1, w_moods;
DROP TYPE w_mood;
DROP SCHEMA "W odd";
