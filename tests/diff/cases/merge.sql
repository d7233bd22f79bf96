-- MERGE, and UPDATE that changes keys: rows that are found first and written then.
-- unordered
MERGE INTO customers c USING (VALUES (1, 'one'), (2, 'two'), (500, 'new')) v (id, name) ON c.customer_id = v.id WHEN MATCHED AND c.customer_id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET name = v.name, balance = c.balance + 1 WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.name, 0, 1.5, '2025-01-01 00:00+00');
-- params: 2, 'parameter', 501
MERGE INTO customers c USING (SELECT $1::int8 AS id, $2 AS name UNION ALL SELECT $3, 'x') v ON c.customer_id = v.id WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT (customer_id, name, region, balance, created) VALUES (v.id, v.name, 1, 1, '2025-01-01 00:00+00');
-- params: 502, 'parameter'
MERGE INTO customers c USING (VALUES ($1::int8, $2)) v (id, name) ON c.customer_id = v.id WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT (customer_id, name, region, balance, created) VALUES (v.id, v.name, 1, 1, '2025-01-01 00:00+00');
MERGE INTO customers USING (SELECT customer_id, sum(amount) AS amount, max(item_id) AS item FROM orders GROUP BY customer_id) o ON customers.customer_id = o.customer_id WHEN MATCHED AND o.item > 9 THEN DO NOTHING WHEN MATCHED AND amount > 300 THEN DELETE WHEN MATCHED THEN UPDATE SET balance = o.amount WHEN NOT MATCHED THEN INSERT VALUES (o.customer_id, 'inserted', 1, o.amount, '2025-01-01 00:00+00');
MERGE INTO customers c USING orders o ON c.customer_id = o.customer_id WHEN MATCHED THEN UPDATE SET balance = o.amount;
MERGE INTO customers c USING orders o ON c.customer_id = o.order_id WHEN MATCHED AND o.amount > 20 THEN UPDATE SET balance = o.amount, name = upper(c.name) WHEN NOT MATCHED AND o.order_id BETWEEN 100 AND 110 THEN INSERT VALUES (o.order_id, o.status, 0, o.amount, o.ordered_at);
MERGE INTO customers c USING items i ON c.region = i.item_id AND c.customer_id < 20 AND i.item_id < 3 WHEN MATCHED THEN UPDATE SET name = i.name WHEN NOT MATCHED THEN INSERT VALUES (600 + i.item_id, i.name, 1, i.price, '2025-01-01 00:00+00');
MERGE INTO customers c USING (VALUES (5), (5)) v (id) ON c.customer_id = v.id WHEN MATCHED THEN UPDATE SET name = 'twice';
MERGE INTO customers c USING (VALUES (5), (5)) v (id) ON c.customer_id = v.id WHEN MATCHED THEN DO NOTHING;
MERGE INTO customers c USING (VALUES (5), (900), (901)) v (id) ON c.customer_id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, NULL, 1, 1, '2025-01-01 00:00+00');
MERGE INTO customers c USING (VALUES (5), (6)) v (id) ON c.customer_id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'x', 1, 1, '2025-01-01 00:00+00') WHEN MATCHED AND c.region = 99 THEN DELETE;
WITH big AS (SELECT * FROM orders WHERE amount > 60) MERGE INTO customers c USING big ON big.order_id = c.customer_id WHEN MATCHED THEN UPDATE SET name = (SELECT max(status) FROM big b WHERE b.order_id = c.customer_id) WHEN NOT MATCHED AND big.order_id < 150 THEN INSERT VALUES (big.order_id, (SELECT min(name) FROM items), 0, 1, big.ordered_at);
MERGE INTO orders o USING customers c ON o.customer_id = c.customer_id AND o.order_id < 30 WHEN MATCHED AND c.region = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET status = c.name WHEN NOT MATCHED THEN INSERT VALUES (c.customer_id, 9000, 1, 0, 'none', '2025-01-01 00:00+00');
MERGE INTO items i USING customers c ON i.item_id = c.customer_id AND c.customer_id < 20 WHEN MATCHED AND i.item_id > 8 THEN UPDATE SET name = c.name WHEN MATCHED THEN UPDATE SET price = price + 1 WHEN NOT MATCHED AND c.customer_id < 15 THEN INSERT VALUES (c.customer_id, c.name, c.balance);
MERGE INTO items i USING (VALUES (11), (11)) v (id) ON i.item_id = v.id WHEN MATCHED THEN DELETE;
MERGE INTO items i USING (VALUES (11), (12)) v (id) ON i.item_id = v.id WHEN MATCHED THEN DELETE;
MERGE INTO autos a USING (VALUES (1), (77)) v (id) ON a.owner = v.id WHEN MATCHED AND a.id < 3 THEN UPDATE SET title = 'merged', ticket = DEFAULT WHEN NOT MATCHED THEN INSERT (owner, made) VALUES (v.id, NULL);
MERGE INTO events e USING (VALUES (1, date '2025-01-12'), (2, '2025-02-03')) v (id, at) ON e.id = v.id WHEN MATCHED THEN UPDATE SET kind = 'merged', at = v.at WHEN NOT MATCHED THEN INSERT VALUES (1, v.at, v.id, 'new');
MERGE INTO watched w USING (VALUES (1, 10), (2, -5), (90, 1)) v (id, value) ON w.id = v.id WHEN MATCHED AND v.value > 0 THEN UPDATE SET value = v.value WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.value);
MERGE INTO local_notes n USING customers c ON c.customer_id = n.id WHEN MATCHED THEN UPDATE SET note = c.name WHEN NOT MATCHED AND c.customer_id < 10 THEN INSERT VALUES (c.customer_id, c.name);
MERGE INTO customers c USING local_notes n ON c.customer_id = n.id WHEN MATCHED THEN UPDATE SET name = n.note WHEN NOT MATCHED THEN INSERT VALUES (n.id, n.note, 0, 0, '2025-01-01 00:00+00');
MERGE INTO customers c USING (SELECT 7 AS id) v ON c.customer_id = v.id WHEN MATCHED THEN UPDATE SET customer_id = 8;
MERGE INTO customers c USING (SELECT 7 AS id) v ON c.customer_id = v.id WHEN MATCHED THEN UPDATE SET balance = 1 / (c.customer_id - 7);

-- Keys that change.
UPDATE by_number SET n = n + 1 WHERE n > 30 RETURNING *;
UPDATE by_number SET n = n + 20 WHERE word LIKE '%2' RETURNING n, word;
UPDATE by_number SET n = 100 WHERE n = 0 RETURNING *;
UPDATE by_number SET n = n + 1 WHERE n < 0;
UPDATE by_pair SET tenant = tenant + 10, seen = -seen WHERE tenant < 3 RETURNING *;
UPDATE by_pair SET code = code || '!' WHERE tenant = 4 RETURNING tenant, code;
UPDATE by_tenant SET tenant = 'acme', id = id + 100 WHERE tenant = 'umbrella' RETURNING *;
UPDATE by_date SET day = '2025-12-24' WHERE day = '2025-01-05' RETURNING *;
UPDATE by_uuid SET id = md5(id::text)::uuid;
UPDATE holes SET id = id + 1000 WHERE amount < 60 RETURNING *;
UPDATE holes SET id = id + 2000, label = c.name FROM customers c WHERE c.customer_id = holes.id AND holes.id < 15 RETURNING holes.*, c.name, c.region;
UPDATE autos SET owner = owner + 10 WHERE owner = 3 RETURNING owner, id, doubled, title;
UPDATE events SET tenant = tenant + 1, kind = 'moved' WHERE id % 5 = 0 RETURNING *;
UPDATE events SET tenant = tenant + 1, at = '2025-02-20' WHERE id = 3 RETURNING *;
UPDATE accounts SET id = 5 WHERE id = 6;
UPDATE accounts SET id = id + 1000;
-- What refers to a customer stays behind.
UPDATE customers SET customer_id = 1001 WHERE customer_id = 3;
UPDATE orders SET customer_id = customer_id + 1 WHERE order_id = 200 RETURNING *;
UPDATE invoices SET customer_id = 777 WHERE customer_id = 3;
UPDATE everything SET id = id + 7 RETURNING *;
-- Rows of nothing but defaults.
MERGE INTO invoices i USING (VALUES (1)) v (id) ON false WHEN NOT MATCHED THEN INSERT DEFAULT VALUES;
MERGE INTO items i USING (VALUES (1)) v (id) ON false WHEN NOT MATCHED THEN INSERT DEFAULT VALUES;
-- Copies of one row, matched on several shards, are one row that is matched twice.
MERGE INTO items i USING customers c ON i.item_id = c.region WHEN MATCHED THEN UPDATE SET price = price + 1;
MERGE INTO items i USING customers c ON i.item_id = c.region AND c.customer_id IN (1, 2, 3, 6) WHEN MATCHED THEN DELETE;
UPDATE items SET price = price + 1 FROM customers c WHERE item_id = c.region;
-- compare: sqlstate
DELETE FROM items USING customers c WHERE item_id = c.region AND c.customer_id < 20 RETURNING item_id;
