-- Row-level security and privileges of a second role.
SELECT id, owner FROM documents WHERE tenant = 1 ORDER BY id;
SET ROLE diff_reader;
SELECT current_user, session_user;
SELECT id, owner, body FROM documents WHERE tenant = 1 ORDER BY id;
-- params: 1
SELECT id, owner FROM documents WHERE tenant = $1 ORDER BY id;
SELECT count(*) FROM documents WHERE tenant = 2 AND owner = 'postgres';
SELECT d.id FROM (SELECT * FROM documents) d WHERE d.tenant = 3 ORDER BY 1;
WITH d AS (SELECT * FROM documents WHERE tenant = 3) SELECT id FROM d ORDER BY 1;
INSERT INTO documents VALUES (1, 100, 'diff_reader', 'mine') RETURNING *;
INSERT INTO documents (tenant, id, body) VALUES (1, 101, 'default owner') RETURNING owner;
INSERT INTO documents VALUES (1, 102, 'postgres', 'not mine');
INSERT INTO documents VALUES (1, 103, 'diff_reader', 'forbidden');
UPDATE documents SET body = body || '!' WHERE tenant = 1 RETURNING id, body;
UPDATE documents SET owner = 'postgres' WHERE tenant = 1 AND id = 9;
UPDATE documents SET body = 'stolen' WHERE tenant = 1 AND id = 1;
DELETE FROM documents WHERE tenant = 2 RETURNING id;
INSERT INTO documents VALUES (1, 1, 'diff_reader', 'clash') ON CONFLICT DO NOTHING;
INSERT INTO documents VALUES (1, 9, 'diff_reader', 'clash') ON CONFLICT (tenant, id) DO UPDATE SET body = 'changed' RETURNING body;
-- No privilege: said of the same relation, wherever it stands.
SELECT * FROM customers WHERE customer_id = 7;
SELECT name FROM (SELECT * FROM customers) c WHERE customer_id = 7;
WITH c AS (SELECT * FROM customers WHERE customer_id = 7) SELECT * FROM c;
SELECT (SELECT name FROM customers WHERE customer_id = 7);
SELECT d.id FROM documents d WHERE d.tenant = 1 AND EXISTS (SELECT FROM holes h WHERE h.id = 1);
SELECT * FROM customer_orders WHERE customer_id = 7;
UPDATE customers SET balance = 0 WHERE customer_id = 7;
DELETE FROM orders WHERE customer_id = 7;
INSERT INTO customers VALUES (200, 'x', 1, 1, '2025-01-01 00:00+00');
SELECT customer_balance(7);
-- Rights of the view's and the function's owner.
SELECT * FROM totals WHERE customer_id = 7;
SELECT secret_count(7);
SET row_security = off;
SELECT id FROM documents WHERE tenant = 1;
RESET row_security;
RESET ROLE;
SELECT id, owner, body FROM documents WHERE tenant = 1 ORDER BY id;
SELECT count(*) FROM documents WHERE tenant = 2;

-- A prepared plan is not used for another role.
PREPARE by_tenant_id (int) AS SELECT id FROM documents WHERE tenant = $1 ORDER BY id;
EXECUTE by_tenant_id (0);
SET ROLE diff_reader;
EXECUTE by_tenant_id (0);
RESET ROLE;
EXECUTE by_tenant_id (0);
DEALLOCATE by_tenant_id;

BEGIN;
SET LOCAL ROLE diff_reader;
SELECT count(*) FROM documents WHERE tenant = 0;
ROLLBACK;
SELECT count(*) FROM documents WHERE tenant = 0;

-- Column privileges.
GRANT SELECT (customer_id, name) ON customers TO diff_reader;
GRANT UPDATE (name) ON customers TO diff_reader;
SET ROLE diff_reader;
SELECT name FROM customers WHERE customer_id = 7;
SELECT balance FROM customers WHERE customer_id = 7;
SELECT * FROM customers WHERE customer_id = 7;
UPDATE customers SET name = 'renamed' WHERE customer_id = 7 RETURNING name;
UPDATE customers SET balance = 1 WHERE customer_id = 7;
RESET ROLE;
REVOKE SELECT (customer_id, name), UPDATE (name) ON customers FROM diff_reader;
