-- MERGE under row-level security, with whole rows, system columns and several columns of a SELECT.
-- setup
CREATE ROLE diff_merger;
GRANT USAGE ON SCHEMA public TO diff_merger;
-- shardwise: CREATE USER MAPPING FOR diff_merger SERVER s1 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_merger SERVER s2 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_merger SERVER s3 OPTIONS (user 'postgres', password_required 'false');
CREATE TABLE mp_allowed (what text PRIMARY KEY);
INSERT INTO mp_allowed VALUES ('open');
GRANT SELECT ON mp_allowed TO diff_merger;
-- shardwise: SELECT shardwise.create_reference_table('mp_allowed')
-- Each command may touch other rows, and leave others behind.
CREATE TABLE mp_stock (id int PRIMARY KEY, owner name, amount int, state text, gone int, note text DEFAULT 'none');
ALTER TABLE mp_stock DROP COLUMN gone;
INSERT INTO mp_stock SELECT i, (ARRAY['diff_merger', 'postgres'])[1 + i % 2], i, (ARRAY['open', 'closed', 'hidden'])[1 + i / 10] FROM generate_series(1, 29) i;
ALTER TABLE mp_stock ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON mp_stock FOR SELECT TO diff_merger USING (state <> 'hidden');
CREATE POLICY added ON mp_stock FOR INSERT TO diff_merger WITH CHECK (amount < 1000);
CREATE POLICY strict ON mp_stock AS RESTRICTIVE FOR INSERT TO diff_merger WITH CHECK (state <> 'closed');
CREATE POLICY changed ON mp_stock FOR UPDATE TO diff_merger USING (owner = current_user) WITH CHECK (amount >= 0);
CREATE POLICY whole ON mp_stock AS RESTRICTIVE FOR UPDATE TO diff_merger USING (mp_stock IS NOT NULL AND tableoid = 'mp_stock'::regclass);
CREATE POLICY removed ON mp_stock FOR DELETE TO diff_merger USING (owner = current_user AND EXISTS (SELECT FROM mp_allowed a WHERE a.what = mp_stock.state));
GRANT SELECT, INSERT, UPDATE, DELETE ON mp_stock TO diff_merger;
CREATE TABLE mp_delta (id int, change int NOT NULL, what text);
INSERT INTO mp_delta SELECT i, 10 - i, 'delta ' || i FROM generate_series(1, 35) i;
GRANT SELECT ON mp_delta TO diff_merger;
-- shardwise: SELECT shardwise.distribute_table('mp_stock', 'id')
-- shardwise: SELECT shardwise.distribute_table('mp_delta', 'change')
-- A partitioned table, and one with a trigger.
CREATE TABLE mp_parts (tenant int, at date, owner name, body text, PRIMARY KEY (tenant, at)) PARTITION BY RANGE (at);
CREATE TABLE mp_parts_1 PARTITION OF mp_parts FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE mp_parts_2 (body text, owner name, at date NOT NULL, tenant int NOT NULL);
ALTER TABLE mp_parts ATTACH PARTITION mp_parts_2 FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
INSERT INTO mp_parts SELECT i % 4, date '2025-01-20' + i, (ARRAY['diff_merger', 'postgres'])[1 + i / 4 % 2], 'part ' || i FROM generate_series(1, 24) i;
ALTER TABLE mp_parts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON mp_parts TO diff_merger USING (owner = current_user AND body <> 'secret');
CREATE POLICY fresh ON mp_parts AS RESTRICTIVE FOR INSERT TO diff_merger WITH CHECK (body <> 'stale');
GRANT SELECT, INSERT, UPDATE, DELETE ON mp_parts TO diff_merger;
-- shardwise: SELECT shardwise.distribute_table('mp_parts', 'tenant')
CREATE TABLE mp_stamped (id int PRIMARY KEY, body text);
INSERT INTO mp_stamped SELECT i, 'row ' || i FROM generate_series(1, 9) i;
CREATE FUNCTION mp_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.body := replace(NEW.body, 'allowed', 'forbidden');
    RETURN NEW;
END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON mp_stamped FOR EACH ROW EXECUTE FUNCTION mp_stamp();
ALTER TABLE mp_stamped ENABLE ROW LEVEL SECURITY;
CREATE POLICY fine ON mp_stamped TO diff_merger USING (true) WITH CHECK (body NOT LIKE '%forbidden%');
GRANT SELECT, INSERT, UPDATE, DELETE ON mp_stamped TO diff_merger;
-- shardwise: SELECT shardwise.distribute_table('mp_stamped', 'id')

-- test
SET ROLE diff_merger;
-- One key.
MERGE INTO mp_stock s USING (VALUES (2, 5)) v(id, n) ON s.id = v.id WHEN MATCHED THEN UPDATE SET amount = v.n WHEN NOT MATCHED THEN INSERT VALUES (v.id, current_user, v.n, 'new');
-- params: 4, 44
MERGE INTO mp_stock s USING (SELECT $1::int AS id, $2::int AS n) v ON s.id = v.id WHEN MATCHED THEN UPDATE SET amount = v.n, note = owner WHEN NOT MATCHED THEN INSERT VALUES (v.id, current_user, v.n, 'new');
-- params: 40, 44
MERGE INTO mp_stock s USING (SELECT $1::int AS id, $2::int AS n) v ON s.id = v.id WHEN MATCHED THEN UPDATE SET amount = v.n, note = owner WHEN NOT MATCHED THEN INSERT VALUES (v.id, current_user, v.n, 'new');
-- Somebody else's; a value that is not allowed; a hidden row, which looks as if it was not there.
MERGE INTO mp_stock s USING (VALUES (3, 5)) v(id, n) ON s.id = v.id WHEN MATCHED THEN UPDATE SET amount = v.n;
MERGE INTO mp_stock s USING (VALUES (3, 5)) v(id, n) ON s.id = v.id WHEN MATCHED THEN DELETE;
MERGE INTO mp_stock s USING (VALUES (3, 5)) v(id, n) ON s.id = v.id WHEN MATCHED THEN DO NOTHING;
MERGE INTO mp_stock s USING (VALUES (3, 5)) v(id, n) ON s.id = v.id WHEN MATCHED AND owner = current_user THEN DELETE;
MERGE INTO mp_stock s USING (VALUES (2, -5)) v(id, n) ON s.id = v.id WHEN MATCHED THEN UPDATE SET amount = v.n;
MERGE INTO mp_stock s USING (VALUES (24, 5)) v(id, n) ON s.id = v.id WHEN MATCHED THEN UPDATE SET amount = v.n;
MERGE INTO mp_stock s USING (VALUES (24, 5)) v(id, n) ON s.id = v.id WHEN MATCHED THEN UPDATE SET amount = v.n WHEN NOT MATCHED THEN INSERT VALUES (v.id, current_user, v.n, 'new');
MERGE INTO mp_stock s USING (VALUES (50, 5000)) v(id, n) ON s.id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, current_user, v.n, 'new');
MERGE INTO mp_stock s USING (VALUES (50, 5)) v(id, n) ON s.id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, current_user, v.n, 'closed');
-- A policy of DELETE with a subquery.
MERGE INTO mp_stock s USING (VALUES (6, 5)) v(id, n) ON s.id = v.id WHEN MATCHED THEN DELETE;
MERGE INTO mp_stock s USING (VALUES (16, 5)) v(id, n) ON s.id = v.id WHEN MATCHED THEN DELETE;
-- Many keys.
MERGE INTO mp_stock s USING mp_delta d ON s.id = d.id WHEN MATCHED AND owner = current_user AND change >= 0 THEN UPDATE SET amount = amount + change, note = d.what WHEN NOT MATCHED AND d.id > 30 THEN INSERT VALUES (d.id, current_user, d.id, 'new', d.what);
MERGE INTO mp_stock s USING mp_delta d ON s.id = d.id WHEN MATCHED THEN UPDATE SET amount = change WHEN NOT MATCHED AND d.id > 30 THEN INSERT VALUES (d.id, current_user, d.id, 'new', d.what);
MERGE INTO mp_stock s USING mp_delta d ON s.id = d.id WHEN MATCHED AND owner = current_user THEN UPDATE SET amount = amount + change * 10;
MERGE INTO mp_stock s USING mp_delta d ON s.id = d.id WHEN MATCHED AND owner = current_user AND state = 'open' THEN DELETE WHEN MATCHED AND owner = current_user THEN UPDATE SET note = 'stays';
MERGE INTO mp_stock s USING mp_delta d ON s.id = d.id WHEN MATCHED AND owner = current_user THEN DELETE;
MERGE INTO mp_stock s USING mp_delta d ON s.id = d.id WHEN MATCHED AND owner = current_user AND change >= 0 THEN UPDATE SET id = s.id + 200;
SELECT * FROM mp_stock ORDER BY id;
-- Partitions.
MERGE INTO mp_parts p USING (VALUES (1, date '2025-01-05', 'new'), (2, '2025-02-10', 'newer')) v(tenant, at, body) ON p.tenant = v.tenant AND p.at = v.at WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT VALUES (v.tenant, v.at, current_user, v.body);
MERGE INTO mp_parts p USING (VALUES (1, date '2025-01-05', 'secret')) v(tenant, at, body) ON p.tenant = v.tenant AND p.at = v.at WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT VALUES (v.tenant, v.at, current_user, v.body);
MERGE INTO mp_parts p USING (VALUES (1, date '2025-01-06', 'stale')) v(tenant, at, body) ON p.tenant = v.tenant AND p.at = v.at WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT VALUES (v.tenant, v.at, current_user, v.body);
MERGE INTO mp_parts p USING (VALUES (1, date '2025-01-05', 'stale')) v(tenant, at, body) ON p.tenant = v.tenant AND p.at = v.at WHEN MATCHED THEN UPDATE SET body = v.body;
MERGE INTO mp_parts p USING mp_delta d ON p.at = date '2025-01-20' + d.id AND p.owner = current_user WHEN MATCHED AND d.id < 12 THEN UPDATE SET body = d.what || p.tableoid::regclass WHEN MATCHED THEN DELETE;
SELECT * FROM mp_parts ORDER BY tenant, at;
-- Triggers before the checks.
MERGE INTO mp_stamped s USING (VALUES (1, 'fine'), (20, 'fine')) v(id, body) ON s.id = v.id WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.body);
MERGE INTO mp_stamped s USING (VALUES (1, 'allowed')) v(id, body) ON s.id = v.id WHEN MATCHED THEN UPDATE SET body = v.body;
MERGE INTO mp_stamped s USING (VALUES (21, 'allowed')) v(id, body) ON s.id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.body);
SELECT * FROM mp_stamped ORDER BY id;
RESET ROLE;
SET row_security = off;
SET ROLE diff_merger;
MERGE INTO mp_stock s USING (VALUES (2, 5)) v(id, n) ON s.id = v.id WHEN MATCHED THEN UPDATE SET amount = v.n;
RESET ROLE;
RESET row_security;

-- Whole rows and system columns of the target.
MERGE INTO mp_stock s USING mp_delta d ON s.id = d.id WHEN MATCHED AND s IS NOT NULL AND s.id < 5 THEN UPDATE SET note = left(s::text, 12) WHEN MATCHED AND s.id < 7 THEN UPDATE SET note = s.tableoid::regclass::text || (s.ctid IS NOT NULL AND s.xmin IS NOT NULL);
MERGE INTO mp_stock s USING mp_delta d ON s.id = d.id AND (s).amount > 2 AND s.tableoid = 'mp_stock'::regclass WHEN MATCHED THEN UPDATE SET note = (SELECT max(a.what) || (s).id FROM mp_allowed a WHERE s IS NOT NULL);
MERGE INTO mp_stock s USING (SELECT 3 AS id) v ON s.id = v.id WHEN MATCHED THEN UPDATE SET note = s::text;
MERGE INTO mp_parts p USING mp_delta d ON p.tenant = d.id AND p.tableoid = 'mp_parts_2'::regclass WHEN MATCHED THEN UPDATE SET body = p::text;
MERGE INTO items i USING mp_delta d ON i.item_id = d.id WHEN MATCHED AND i.tableoid = 'items'::regclass AND i IS NOT NULL THEN UPDATE SET name = i::text;
SELECT * FROM items ORDER BY item_id;
SELECT * FROM mp_stock ORDER BY id;
SELECT * FROM mp_parts ORDER BY tenant, at;
-- Several columns from one SELECT.
MERGE INTO mp_stock s USING mp_delta d ON s.id = d.id WHEN MATCHED AND s.id < 20 THEN UPDATE SET (amount, note) = (SELECT max(o.order_id), 'of ' || s.id || d.what FROM orders o WHERE o.item_id = s.id), state = 'set' WHEN NOT MATCHED AND d.id > 33 THEN INSERT (id, amount) VALUES (d.id, 1);
MERGE INTO mp_stock s USING mp_delta d ON s.id = d.id WHEN MATCHED THEN UPDATE SET (amount, note) = (SELECT o.order_id, 'two rows' FROM orders o WHERE o.item_id = s.id);
MERGE INTO mp_stock s USING (VALUES (5)) v(id) ON s.id = v.id WHEN MATCHED THEN UPDATE SET (amount, note) = (v.id * 2, s.state), (state, owner) = (SELECT what, 'x' FROM mp_allowed);
MERGE INTO mp_stock s USING (VALUES (400)) v(id) ON s.id = v.id WHEN MATCHED THEN UPDATE SET (amount, note) = (SELECT 1, 'x' FROM orders);
SELECT * FROM mp_stock ORDER BY id;

-- teardown
RESET ROLE;
DROP TABLE mp_stock, mp_allowed, mp_delta, mp_parts, mp_stamped CASCADE;
DROP FUNCTION mp_stamp();
-- shardwise: DROP USER MAPPING FOR diff_merger SERVER s1;
-- shardwise: DROP USER MAPPING FOR diff_merger SERVER s2;
-- shardwise: DROP USER MAPPING FOR diff_merger SERVER s3;
REVOKE ALL ON SCHEMA public FROM diff_merger;
DROP ROLE diff_merger;
