-- What RETURNING shows of written rows: tableoid of partitions, and subqueries about other rows.
-- unordered
-- setup
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

-- teardown
DROP TABLE w_parts, "W odd"."w Parts", w_local, w_parts_1;
DROP SCHEMA "W odd";
