-- Inserting: values computed once, defaults, conflicts, errors.
INSERT INTO customers VALUES (101, 'new', 1, 10, '2025-01-01 00:00+00');
INSERT INTO customers (created, balance, region, name, customer_id) VALUES ('2025-01-01 00:00+00', 1, 2, 'shuffled', 102) RETURNING *;
-- params: 103, 'parameters', 3, 1.5, '2025-06-01 12:00+02'
INSERT INTO customers VALUES ($1, $2, $3, $4, $5) RETURNING customer_id + 1 AS next, upper(name), $2 || '!';
-- params: 104::int8, 'typed'::text, 3::int4, 1.5::numeric, '2025-06-01 12:00+02'::timestamptz
INSERT INTO customers VALUES ($1, $2, $3, $4, $5);
-- params: 105::int4
INSERT INTO customers VALUES ($1, 'int4 key', 1, 1, '2025-01-01 00:00+00') RETURNING *;
INSERT INTO customers VALUES (100 + 6, 'ex' || 'pression', length('abc'), 1.0 / 3, timestamptz '2025-01-01 00:00+00' + interval '1 day') RETURNING *;
INSERT INTO customers VALUES ('107', 'string key', '3', '4.5', '2025-01-01 00:00+00') RETURNING *;
INSERT INTO customers SELECT 108, 'from select', 1, 2, '2025-01-01 00:00+00' RETURNING *;
-- params: 109
INSERT INTO customers SELECT $1::bigint, 'from select', 1, 2, '2025-01-01 00:00+00' RETURNING *;
INSERT INTO customers AS c VALUES (110, 'alias', 1, 2, '2025-01-01 00:00+00') RETURNING c.name, c.*;
INSERT INTO customers VALUES (111, 'reference', (SELECT count(*) FROM items), 2, '2025-01-01 00:00+00') RETURNING region;

-- Several rows of one key's shard.
INSERT INTO orders VALUES
    (7, 1001, 1, 1.5, 'new', '2025-01-01 00:00+00'),
    (7, 1002, 2, 2.5, 'new', '2025-01-02 00:00+00'),
    (7, 1003, 3, 3.5, 'new', '2025-01-03 00:00+00') RETURNING *;
-- params: 7, 1010, 1011
INSERT INTO orders VALUES ($1, $2, 1, 1, 'new', '2025-01-01 00:00+00'), ($1, $3, 2, 2, 'paid', '2025-01-01 00:00+00') RETURNING order_id;
INSERT INTO orders SELECT 7, 2000 + g, 1, g, 'new', '2025-01-01 00:00+00' FROM generate_series(1, 3) g RETURNING order_id, amount;
INSERT INTO orders SELECT customer_id, order_id + 5000, item_id, amount, status, ordered_at FROM orders WHERE customer_id = 8 RETURNING *;
INSERT INTO orders SELECT 9, 6000 + item_id, item_id, price, 'new', '2025-01-01 00:00+00' FROM items WHERE item_id < 4;
INSERT INTO orders SELECT customer_id, 7777, 1, balance, 'new', created FROM customers WHERE customer_id = 9 RETURNING *;
INSERT INTO by_number VALUES (1, 'one'), (3, 'three'), (5, 'five') RETURNING *;

-- Defaults.
-- compare: shape
INSERT INTO autos (owner) VALUES (3) RETURNING *;
INSERT INTO autos (owner, made) VALUES (3, '2025-01-01 00:00+00') RETURNING id, other, ser, ticket, title, doubled, by_whom;
INSERT INTO autos (owner, made, title) VALUES (3, DEFAULT, 'x'), (3, '2025-01-01 00:00+00', DEFAULT) RETURNING id, other, ser, ticket, title, doubled;
INSERT INTO autos (owner, id) VALUES (3, 1000);
INSERT INTO autos (owner, id) OVERRIDING SYSTEM VALUE VALUES (3, 1000) RETURNING id, other, ser;
INSERT INTO autos (owner, id) OVERRIDING USER VALUE VALUES (3, 1000) RETURNING id <> 1000;
INSERT INTO autos (owner, other) VALUES (3, 7) RETURNING other;
INSERT INTO autos (owner, doubled) VALUES (3, 7);
INSERT INTO autos (owner, doubled) VALUES (3, DEFAULT) RETURNING doubled;
-- compare: sqlstate
INSERT INTO autos DEFAULT VALUES;
INSERT INTO autos (owner, ticket, ser) VALUES (3, nextval('ticket'), currval('ticket')) RETURNING ticket, ser;
UPDATE autos SET made = '2025-01-01 00:00+00' WHERE owner = 3;
INSERT INTO accounts (owner) VALUES ('sequence key') RETURNING *;
INSERT INTO accounts VALUES (DEFAULT, 'default key') RETURNING id;
INSERT INTO accounts VALUES (nextval('accounts_id_seq'), 'called') RETURNING id, currval('accounts_id_seq'), lastval();
-- params: 'from a parameter'
INSERT INTO accounts (owner) VALUES ($1) RETURNING id, owner;
SELECT currval('accounts_id_seq'), lastval();
-- compare: shape
INSERT INTO customers VALUES (120, 'clock ' || now()::text, floor(random() * 10), random(), now()) RETURNING *, created = now();
-- compare: shape
INSERT INTO customers VALUES (121, current_user || session_user, pg_backend_pid() % 10, 1, clock_timestamp()) RETURNING name, created;
SELECT name FROM customers WHERE customer_id = 121;
DELETE FROM customers WHERE customer_id = 120;
DELETE FROM customers WHERE customer_id = 121;
BEGIN;
INSERT INTO customers VALUES (122, 'same transaction', 1, 1, now());
SELECT created = now() AS same FROM customers WHERE customer_id = 122;
UPDATE autos SET title = 'second shard' WHERE owner = 4;
ROLLBACK;
INSERT INTO holes VALUES (100, 'a', 1) RETURNING *;
INSERT INTO holes (id, amount) VALUES (101, 2) RETURNING *;
INSERT INTO holes (id, added, label) SELECT 102, 'b', 'c' RETURNING holes;

-- No key.
INSERT INTO customers VALUES (NULL, 'no key', 1, 1, '2025-01-01 00:00+00');
INSERT INTO customers (name, region, balance, created) VALUES ('no key', 1, 1, '2025-01-01 00:00+00');
-- params: NULL::int8
INSERT INTO customers VALUES ($1, 'no key', 1, 1, '2025-01-01 00:00+00');
INSERT INTO by_pair VALUES (1, NULL);
INSERT INTO by_pair (code) VALUES ('x');
INSERT INTO by_text (value) VALUES (1);

-- ON CONFLICT.
INSERT INTO customers VALUES (7, 'again', 1, 1, '2025-01-01 00:00+00');
INSERT INTO customers VALUES (7, 'again', 1, 1, '2025-01-01 00:00+00') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO customers VALUES (7, 'again', 1, 1, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO NOTHING;
INSERT INTO customers VALUES (7, 'again', 1, 1, '2025-01-01 00:00+00')
    ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name || ' was ' || customers.name, balance = customers.balance + excluded.balance RETURNING *;
INSERT INTO customers AS c VALUES (7, 'again', 1, 1, '2025-01-01 00:00+00')
    ON CONFLICT ON CONSTRAINT customers_pkey DO UPDATE SET region = c.region + 1 WHERE c.region < 100 RETURNING c.region;
INSERT INTO customers VALUES (7, 'again', 1, 1, '2025-01-01 00:00+00')
    ON CONFLICT (customer_id) DO UPDATE SET region = 1 WHERE false RETURNING *;
-- params: 8, 'upserted'
INSERT INTO customers VALUES ($1, $2, 1, 1, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO UPDATE SET (name, region) = (excluded.name, 42) RETURNING name, region;
INSERT INTO customers VALUES (7, 'again', 1, 1, '2025-01-01 00:00+00') ON CONFLICT (name) DO NOTHING;
INSERT INTO orders VALUES (7, 1001, 1, 1, 'x', '2025-01-01 00:00+00'), (7, 1001, 2, 2, 'y', '2025-01-01 00:00+00') ON CONFLICT (customer_id, order_id) DO UPDATE SET amount = 0;
INSERT INTO orders VALUES (7, 3001, 1, 1, 'x', '2025-01-01 00:00+00'), (7, 3001, 2, 2, 'y', '2025-01-01 00:00+00') ON CONFLICT DO NOTHING;
-- The key is the same in both rows.
INSERT INTO customers VALUES (7, 'same key', 1, 1, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO UPDATE SET customer_id = excluded.customer_id, name = excluded.name RETURNING *;
-- params: 7::bigint
-- modes: extended, prepared
INSERT INTO customers VALUES ($1, 'its key', 1, 1, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO UPDATE SET customer_id = $1, name = excluded.name RETURNING *;
INSERT INTO customers VALUES (7, 'both', 1, 1, '2025-01-01 00:00+00'), (8, 'of them', 1, 1, '2025-01-01 00:00+00'), (131, 'new', 1, 1, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO UPDATE SET customer_id = excluded.customer_id, name = excluded.name WHERE customers.customer_id <> 8 RETURNING customer_id, name;
INSERT INTO by_pair SELECT tenant, code, seen + 1 FROM by_pair WHERE tenant < 4 ON CONFLICT (tenant, code) DO UPDATE SET code = excluded.code, tenant = by_pair.tenant, seen = excluded.seen RETURNING *;
INSERT INTO by_text VALUES ('A', 1, 'x') ON CONFLICT (key) DO UPDATE SET (key, value) = ROW(excluded.key, 7) RETURNING *;
INSERT INTO customers VALUES (7, 'another key', 1, 1, '2025-01-01 00:00+00') ON CONFLICT (customer_id) DO UPDATE SET customer_id = excluded.customer_id + 1000;

-- Wrong statements.
INSERT INTO customers VALUES (130);
INSERT INTO customers VALUES (130, 'many', 1, 1, '2025-01-01 00:00+00', 'too many');
INSERT INTO customers VALUES ('x', 'bad key', 1, 1, '2025-01-01 00:00+00');
INSERT INTO customers (nothing) VALUES (1);
INSERT INTO nowhere VALUES (1);
INSERT INTO customers VALUES (130, 'x', 1 / 0, 1, '2025-01-01 00:00+00');
INSERT INTO customers VALUES (130, 'x', 1, 99999999999.99, '2025-01-01 00:00+00');
INSERT INTO customers VALUES (99999999999999999999, 'x', 1, 1, '2025-01-01 00:00+00');
INSERT INTO local_notes VALUES (10, 'local') RETURNING *;
INSERT INTO local_notes SELECT customer_id, name FROM customers WHERE customer_id = 20 RETURNING *;
