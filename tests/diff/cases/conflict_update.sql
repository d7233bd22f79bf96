-- ON CONFLICT DO UPDATE that sets the shard key, or looks at the row and at rows of other shards.
-- setup
CREATE ROLE diff_upserter;
GRANT USAGE ON SCHEMA public TO diff_upserter;
-- shardwise: CREATE USER MAPPING FOR diff_upserter SERVER s1 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_upserter SERVER s2 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_upserter SERVER s3 OPTIONS (user 'postgres', password_required 'false');
CREATE FUNCTION c_look() RETURNS trigger STABLE LANGUAGE plpgsql AS $$
BEGIN
    NEW.body := format('%s, was %s', NEW.body, OLD.id);
    RETURN NEW;
END $$;
CREATE FUNCTION c_fill() RETURNS trigger STABLE LANGUAGE plpgsql AS 'BEGIN NEW.n := 5; RETURN NEW; END';
CREATE TABLE c_rows (
    gone int, id int PRIMARY KEY, n int, body text DEFAULT 'new',
    twice int GENERATED ALWAYS AS (n * 2) STORED
);
ALTER TABLE c_rows DROP COLUMN gone;
INSERT INTO c_rows SELECT i, i, 'row ' || i FROM generate_series(1, 30) i;
CREATE TABLE c_keys (tenant int NOT NULL, a text, b int, n int, body text);
CREATE UNIQUE INDEX c_keys_nulls ON c_keys (tenant, a, b) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX c_keys_lower ON c_keys (tenant, lower(body)) WHERE n > 0;
INSERT INTO c_keys SELECT i % 4, nullif('a' || i, 'a3'), nullif(i, 5), i, 'Body ' || i FROM generate_series(1, 12) i;
CREATE TABLE c_parts (tenant int, at date, n int, PRIMARY KEY (tenant, at)) PARTITION BY RANGE (at);
CREATE TABLE c_parts_1 (n int, at date NOT NULL, tenant int NOT NULL);
ALTER TABLE c_parts ATTACH PARTITION c_parts_1 FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE c_parts_2 PARTITION OF c_parts FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
INSERT INTO c_parts SELECT i, date '2025-01-01' + i * 3, i FROM generate_series(1, 15) i;
CREATE TABLE c_reference (id int PRIMARY KEY, n numeric);
INSERT INTO c_reference SELECT i, i FROM generate_series(1, 10) i;
CREATE TABLE c_secured (tenant int, id int, owner text, body text, PRIMARY KEY (tenant, id));
INSERT INTO c_secured SELECT i, i, CASE WHEN i % 3 = 0 THEN 'other' ELSE 'diff_upserter' END, 'row ' || i FROM generate_series(1, 20) i;
ALTER TABLE c_secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON c_secured FOR SELECT USING (true);
CREATE POLICY added ON c_secured FOR INSERT WITH CHECK (body <> 'not this');
CREATE POLICY updated ON c_secured FOR UPDATE USING (owner = current_user) WITH CHECK (body <> 'nor that');
CREATE TABLE c_watched (id int PRIMARY KEY, body text);
INSERT INTO c_watched SELECT i, 'row ' || i FROM generate_series(1, 10) i;
CREATE TRIGGER look BEFORE UPDATE ON c_watched FOR EACH ROW EXECUTE FUNCTION c_look();
CREATE TABLE c_filled (id int PRIMARY KEY, n int);
CREATE TRIGGER fill BEFORE INSERT ON c_filled FOR EACH ROW EXECUTE FUNCTION c_fill();
CREATE TABLE c_stamped_changes (id int NOT NULL, n int, body text);
CREATE FUNCTION c_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO c_stamped_changes VALUES (NEW.id, NEW.n, NEW.body);
    NEW.n := NEW.n + 1;
    NEW.body := NEW.body || E'\n\\"stamped"';
    RETURN CASE WHEN NEW.body LIKE 'leave%' THEN NULL ELSE NEW END;
END $$;
CREATE FUNCTION c_add() RETURNS trigger STABLE LANGUAGE plpgsql AS 'BEGIN NEW.n := NEW.n + 1; RETURN NEW; END';
CREATE TABLE c_stamped (
    gone int, id int PRIMARY KEY, n int CHECK (n > 0), body text DEFAULT 'new', twice int GENERATED ALWAYS AS (n * 2) STORED,
    at timestamptz DEFAULT '2025-01-01 12:34:56.789012+02', f float8 DEFAULT 0.1, c char(5) DEFAULT 'ab', tags numeric(10,2)[] DEFAULT '{1.5,NULL}'
);
ALTER TABLE c_stamped DROP COLUMN gone;
INSERT INTO c_stamped SELECT i, i, 'row ' || i FROM generate_series(1, 30) i;
CREATE TRIGGER stamp BEFORE INSERT ON c_stamped FOR EACH ROW EXECUTE FUNCTION c_stamp();
CREATE TABLE c_parts_stamped (LIKE c_parts INCLUDING ALL) PARTITION BY RANGE (at);
CREATE TABLE c_parts_stamped_1 (n int, at date NOT NULL, tenant int NOT NULL);
ALTER TABLE c_parts_stamped ATTACH PARTITION c_parts_stamped_1 FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE c_parts_stamped_2 PARTITION OF c_parts_stamped FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
INSERT INTO c_parts_stamped SELECT * FROM c_parts;
CREATE TRIGGER add BEFORE INSERT ON c_parts_stamped FOR EACH ROW EXECUTE FUNCTION c_add();
CREATE FUNCTION c_later() RETURNS trigger STABLE LANGUAGE plpgsql AS $$ BEGIN NEW.at := NEW.at + coalesce(NEW.n, 0) / 10; RETURN NEW; END $$;
CREATE TABLE c_parts_watched (LIKE c_parts INCLUDING ALL) PARTITION BY RANGE (at);
CREATE TABLE c_parts_watched_1 (n int, at date NOT NULL, tenant int NOT NULL);
ALTER TABLE c_parts_watched ATTACH PARTITION c_parts_watched_1 FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE c_parts_watched_2 PARTITION OF c_parts_watched FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
INSERT INTO c_parts_watched SELECT * FROM c_parts WHERE tenant < 5;
CREATE TRIGGER later BEFORE UPDATE ON c_parts_watched FOR EACH ROW EXECUTE FUNCTION c_later();
CREATE FUNCTION c_log_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO c_log VALUES (1000 + NEW.tenant, OLD.n, NEW.n); RETURN NULL; END';
CREATE TRIGGER log AFTER UPDATE ON c_parts_watched FOR EACH ROW EXECUTE FUNCTION c_log_row();
CREATE TABLE c_hashed (id int PRIMARY KEY, n int) PARTITION BY HASH (id);
CREATE TABLE c_hashed_1 PARTITION OF c_hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE c_hashed_2 PARTITION OF c_hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO c_hashed SELECT i, i + i % 3 * 10 FROM generate_series(1, 10) i;
CREATE TABLE c_copies (id int PRIMARY KEY, n int);
INSERT INTO c_copies SELECT i, i FROM generate_series(1, 10) i;
CREATE TRIGGER add BEFORE INSERT ON c_copies FOR EACH ROW EXECUTE FUNCTION c_add();
CREATE TABLE c_keys_stamped (tenant int NOT NULL, body text, n int);
CREATE UNIQUE INDEX ON c_keys_stamped (tenant, lower(body)) WHERE n > 0;
CREATE TRIGGER add BEFORE INSERT ON c_keys_stamped FOR EACH ROW EXECUTE FUNCTION c_add();
CREATE TABLE c_guarded (tenant int, id int, owner text, body text, PRIMARY KEY (tenant, id));
INSERT INTO c_guarded SELECT i, i, CASE WHEN i % 3 = 0 THEN 'other' ELSE 'diff_upserter' END, 'row ' || i FROM generate_series(1, 20) i;
ALTER TABLE c_guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON c_guarded FOR SELECT USING (true);
CREATE POLICY added ON c_guarded FOR INSERT WITH CHECK (body <> 'not this!');
CREATE POLICY updated ON c_guarded FOR UPDATE USING (owner = current_user) WITH CHECK (body <> 'nor that');
CREATE FUNCTION c_exclaim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := NEW.body || '!'; RETURN NEW; END $$;
CREATE TRIGGER exclaim BEFORE INSERT ON c_guarded FOR EACH ROW EXECUTE FUNCTION c_exclaim();
CREATE TABLE c_parents (id int PRIMARY KEY, body text);
CREATE TABLE c_children (parent int REFERENCES c_parents ON UPDATE CASCADE ON DELETE CASCADE, id int, PRIMARY KEY (parent, id));
INSERT INTO c_parents SELECT i, 'row ' || i FROM generate_series(1, 9) i;
INSERT INTO c_children SELECT i % 9 + 1, i FROM generate_series(1, 20) i;
CREATE TABLE c_chain (id int PRIMARY KEY, n int, FOREIGN KEY (id) REFERENCES c_chain);
INSERT INTO c_chain SELECT i, i FROM generate_series(1, 9) i;
CREATE TABLE c_log (id int NOT NULL, old_n int, n int);
CREATE FUNCTION c_log_rows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO c_log SELECT id, o.n, n.n FROM old_rows o JOIN new_rows n USING (id); RETURN NULL; END';
CREATE TABLE c_logged (id int PRIMARY KEY, n int);
INSERT INTO c_logged SELECT i, i FROM generate_series(1, 10) i;
CREATE TRIGGER log AFTER UPDATE ON c_logged REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION c_log_rows();
CREATE TABLE c_many (id int PRIMARY KEY, n int, body text);
INSERT INTO c_many SELECT i, 0, 'old' FROM generate_series(1, 20000) i;
CREATE VIEW c_view AS SELECT body AS words, id AS number, n FROM c_rows WHERE n < 1000 WITH CHECK OPTION;
GRANT ALL ON c_secured, c_guarded, orders TO diff_upserter;
GRANT SELECT, INSERT, UPDATE (n) ON c_rows TO diff_upserter;
-- shardwise: SELECT shardwise.distribute_table('c_rows', 'id');
-- shardwise: SELECT shardwise.distribute_table('c_keys', 'tenant');
-- shardwise: SELECT shardwise.distribute_table('c_parts', 'tenant');
-- shardwise: SELECT shardwise.create_reference_table('c_reference');
-- shardwise: SELECT shardwise.distribute_table('c_many', 'id');
-- shardwise: SELECT shardwise.distribute_table('c_secured', 'tenant');
-- shardwise: SELECT shardwise.distribute_table('c_watched', 'id');
-- shardwise: SELECT shardwise.distribute_table('c_filled', 'id');
-- shardwise: SELECT shardwise.distribute_table('c_stamped_changes', 'id');
-- shardwise: SELECT shardwise.distribute_table('c_stamped', 'id');
-- shardwise: SELECT shardwise.distribute_table('c_parts_stamped', 'tenant');
-- shardwise: SELECT shardwise.distribute_table('c_parts_watched', 'tenant');
-- shardwise: SELECT shardwise.distribute_table('c_hashed', 'id');
-- shardwise: SELECT shardwise.distribute_table('c_parents', 'id');
-- shardwise: SELECT shardwise.distribute_table('c_children', 'parent', colocate_with => 'c_parents');
-- shardwise: SELECT shardwise.distribute_table('c_chain', 'id');
-- shardwise: SELECT shardwise.distribute_table('c_keys_stamped', 'tenant');
-- shardwise: SELECT shardwise.distribute_table('c_guarded', 'tenant');
-- shardwise: SELECT shardwise.create_reference_table('c_copies');
-- shardwise: SELECT shardwise.distribute_table('c_log', 'id');
-- shardwise: SELECT shardwise.distribute_table('c_logged', 'id');

-- test
-- ---- the key
INSERT INTO c_rows VALUES (3, 100) ON CONFLICT (id) DO UPDATE SET id = 1003 RETURNING *;
INSERT INTO c_rows VALUES (4, 100) ON CONFLICT (id) DO UPDATE SET id = c_rows.id + 2000, body = excluded.body || c_rows.body WHERE c_rows.n < 100 RETURNING *, (SELECT count(*) FROM orders WHERE customer_id = c_rows.n);
INSERT INTO c_rows VALUES (5, 100), (105, 1), (6, 7) ON CONFLICT (id) DO UPDATE SET id = c_rows.id + 2000, body = excluded.body || c_rows.body WHERE excluded.n < 100 RETURNING *;
INSERT INTO c_rows VALUES (8, 1) ON CONFLICT (id) DO UPDATE SET id = 9;
INSERT INTO c_rows VALUES (8, 1) ON CONFLICT ON CONSTRAINT c_rows_pkey DO UPDATE SET id = 8, n = -excluded.twice RETURNING *;
INSERT INTO c_rows VALUES (8, 1) ON CONFLICT (id) DO UPDATE SET id = NULL;
INSERT INTO c_rows VALUES (8, 1) ON CONFLICT (n) DO UPDATE SET id = 9;
-- params: 9, 3009, 9
INSERT INTO c_rows VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET id = $2, n = $3 + c_rows.n RETURNING id, n, twice;
INSERT INTO c_rows SELECT order_id, item_id FROM orders WHERE order_id < 60 ON CONFLICT (id) DO UPDATE SET id = excluded.id + 5000, n = 0;
SELECT * FROM c_rows ORDER BY id;
INSERT INTO c_view VALUES ('by view', 12, 3) ON CONFLICT (number) DO UPDATE SET number = 6012, words = excluded.words || c_view.words RETURNING *;
INSERT INTO c_view VALUES ('by view', 13, 3) ON CONFLICT (number) DO UPDATE SET number = 6013, n = 2000;
INSERT INTO c_view VALUES ('by view', 7001, 3000) ON CONFLICT (number) DO UPDATE SET number = 6013;
-- A row that the view does not show.
UPDATE c_rows SET n = 5000 WHERE id = 25;
INSERT INTO c_view VALUES ('by view', 25, 3) ON CONFLICT (number) DO UPDATE SET words = 'u';
INSERT INTO c_view VALUES ('by view', 25, 3) ON CONFLICT (number) DO UPDATE SET words = 'u' WHERE false;
INSERT INTO c_view VALUES ('by view', 25, 3) ON CONFLICT (number) DO UPDATE SET number = 6025;
INSERT INTO c_view VALUES ('by view', 25, 3) ON CONFLICT (number) DO NOTHING;
INSERT INTO c_view SELECT 'by view', i, 3 FROM generate_series(24, 26) i ON CONFLICT (number) DO UPDATE SET words = 'u';
INSERT INTO c_view VALUES ('by view', 26, 3) ON CONFLICT (number) DO UPDATE SET words = 'u' RETURNING *;
INSERT INTO c_watched VALUES (1, 'x'), (2, 'y'), (50, 'z') ON CONFLICT (id) DO UPDATE SET id = excluded.id + 100, body = excluded.body RETURNING *;
WITH moved AS (INSERT INTO c_watched VALUES (3, 'x'), (60, 'w') ON CONFLICT (id) DO UPDATE SET id = 300 RETURNING id) SELECT * FROM moved, c_reference r WHERE moved.id = r.id * 60 ORDER BY 1;
-- ---- subqueries
INSERT INTO c_rows VALUES (17, 5), (17, 5), (17, 6) ON CONFLICT (id) DO UPDATE SET n = (SELECT max(item_id) FROM orders o WHERE o.order_id = excluded.n) WHERE excluded.n = 6 RETURNING *;
INSERT INTO c_rows VALUES (17, 6), (17, 5), (17, 5) ON CONFLICT (id) DO UPDATE SET n = (SELECT max(item_id) FROM orders o WHERE o.order_id = excluded.n) WHERE excluded.n = 6;
INSERT INTO c_rows VALUES (17, 6), (400, 5), (400, 6) ON CONFLICT (id) DO UPDATE SET n = (SELECT max(item_id) FROM orders o WHERE o.order_id = excluded.n);
INSERT INTO c_rows VALUES (17, 6), (401, 5), (402, 6) ON CONFLICT (id) DO UPDATE SET n = (SELECT max(item_id) FROM orders o WHERE o.order_id = excluded.n);
INSERT INTO c_rows VALUES (17, 6) ON CONFLICT (id) DO UPDATE SET n = 1 / (SELECT 0 FROM orders o WHERE o.order_id = excluded.n) WHERE c_rows.n < 0;
INSERT INTO c_rows VALUES (17, 6) ON CONFLICT (id) DO UPDATE SET n = 1 / (SELECT 0 FROM orders o WHERE o.order_id = excluded.n);
INSERT INTO c_rows VALUES (18, 6) ON CONFLICT (id) DO UPDATE SET (n, body) = (SELECT item_id, excluded.body || status FROM orders o WHERE o.order_id = c_rows.n) RETURNING *;
-- params: 19, 7
INSERT INTO c_rows (id, n) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = c_rows.n + $2 WHERE EXISTS (SELECT FROM orders o WHERE o.item_id = $2 AND o.order_id = excluded.n) RETURNING *;
-- The rows as they were before.
INSERT INTO c_rows SELECT customer_id, 1 FROM customers WHERE customer_id < 60 ON CONFLICT (id) DO UPDATE SET n = (SELECT count(*) FROM c_rows c WHERE c.id <> excluded.id), body = (SELECT max(body) FROM c_rows c WHERE c.n > excluded.id);
WITH v AS (SELECT max(order_id) AS m FROM orders) INSERT INTO c_rows SELECT m, 1 FROM v UNION ALL SELECT 20, 1 ON CONFLICT (id) DO UPDATE SET n = (SELECT m FROM v WHERE m > excluded.n) RETURNING n;
SELECT * FROM c_rows ORDER BY id;
-- ---- other indexes
INSERT INTO c_keys VALUES (3, NULL, 3, 1, 'x'), (1, 'a5', NULL, 1, 'y'), (0, NULL, NULL, 1, 'z') ON CONFLICT (tenant, a, b) DO UPDATE SET tenant = c_keys.tenant + 40, body = excluded.body RETURNING *;
INSERT INTO c_keys VALUES (2, 'other', 1, 1, 'BODY 2'), (2, 'none', 1, -1, 'BODY 2') ON CONFLICT (tenant, lower(body)) WHERE n > 0 DO UPDATE SET tenant = 50, n = excluded.n RETURNING *;
INSERT INTO c_parts VALUES (1, '2025-01-04', 7), (2, '2025-01-04', 8), (12, '2025-02-06', 9) ON CONFLICT (tenant, at) DO UPDATE SET tenant = excluded.tenant + 20, n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n + c_parts.n) RETURNING *, tableoid::regclass::text;
INSERT INTO c_parts VALUES (5, '2025-01-16', 7), (15, '2025-02-15', 8) ON CONFLICT (tenant, at) DO UPDATE SET tenant = excluded.tenant, at = excluded.at, n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n + c_parts.n) RETURNING *, tableoid::regclass::text;
INSERT INTO c_parts VALUES (6, '2025-01-19', 7) ON CONFLICT (tenant, at) DO UPDATE SET tenant = 106, at = c_parts.at RETURNING *;
-- A row must stay in its partition.
INSERT INTO c_parts VALUES (3, '2025-01-10', 7), (63, '2025-02-10', 7) ON CONFLICT (tenant, at) DO UPDATE SET tenant = 7, at = '2025-01-12' RETURNING *, tableoid::regclass::text;
INSERT INTO c_parts VALUES (7, '2025-01-12', 7) ON CONFLICT (tenant, at) DO UPDATE SET tenant = 3, at = '2025-02-12';
INSERT INTO c_parts VALUES (7, '2025-01-12', 7) ON CONFLICT (tenant, at) DO UPDATE SET at = excluded.at + (SELECT max(item_id) FROM orders o WHERE o.order_id = excluded.n)::int RETURNING *;
INSERT INTO c_parts VALUES (8, '2025-01-25', 7), (9, '2025-01-28', 9) ON CONFLICT (tenant, at) DO UPDATE SET at = c_parts.at + excluded.tenant + 200 * (SELECT 1 FROM orders o WHERE o.order_id = excluded.n)::int;
INSERT INTO c_parts VALUES (8, '2025-01-25', 7), (8, '2025-01-25', 9) ON CONFLICT (tenant, at) DO UPDATE SET at = c_parts.at + 1, n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) RETURNING *;
INSERT INTO c_parts VALUES (9, '2025-01-28', 7), (10, '2025-01-31', 9) ON CONFLICT (tenant, at) DO UPDATE SET at = '2025-04-01', n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) WHERE c_parts.n = 1;
INSERT INTO c_parts VALUES (9, '2025-01-28', 7) ON CONFLICT (tenant, at) DO UPDATE SET tenant = 900, at = NULL;
INSERT INTO c_parts_stamped VALUES (4, '2025-01-13', 7) ON CONFLICT (tenant, at) DO UPDATE SET tenant = 5, at = '2025-01-14', n = excluded.n RETURNING *;
INSERT INTO c_parts_stamped VALUES (6, '2025-01-19', 7) ON CONFLICT (tenant, at) DO UPDATE SET tenant = 5, at = '2025-02-14', n = excluded.n RETURNING *;
INSERT INTO c_parts_watched VALUES (1, '2025-01-04', 7), (40, '2025-01-04', 7) ON CONFLICT (tenant, at) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) RETURNING *;
INSERT INTO c_parts_watched VALUES (2, '2025-01-07', 7) ON CONFLICT (tenant, at) DO UPDATE SET n = 500 + (SELECT item_id FROM orders o WHERE o.order_id = excluded.n);
INSERT INTO c_parts_watched VALUES (2, '2025-01-07', 7) ON CONFLICT (tenant, at) DO UPDATE SET tenant = 20, n = 500;
INSERT INTO c_parts_watched VALUES (2, '2025-01-07', 7) ON CONFLICT (tenant, at) DO UPDATE SET tenant = 20, at = excluded.at - 1 RETURNING *;
SELECT * FROM c_parts_watched ORDER BY 1, 2;
SELECT * FROM c_log WHERE id >= 1000 ORDER BY 1, 2, 3;
INSERT INTO c_hashed VALUES (1, 5), (2, 5) ON CONFLICT (id) DO UPDATE SET id = c_hashed.n;
INSERT INTO c_hashed SELECT i, 0 FROM generate_series(1, 10) i ON CONFLICT (id) DO UPDATE SET id = c_hashed.n WHERE c_hashed.n = c_hashed.id RETURNING *;
INSERT INTO c_reference VALUES (1, 5), (11, 6), (3, 7) ON CONFLICT (id) DO UPDATE SET n = (SELECT sum(amount) FROM orders o WHERE o.item_id = excluded.n) RETURNING *;
INSERT INTO c_reference VALUES (1, 5), (1, 6) ON CONFLICT (id) DO UPDATE SET n = (SELECT sum(amount) FROM orders o WHERE o.item_id = excluded.n);
SELECT * FROM c_reference ORDER BY id;
-- ---- triggers that change what is proposed
INSERT INTO c_filled VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET id = 2;
INSERT INTO c_filled VALUES (1, 1), (3, 7) ON CONFLICT (id) DO UPDATE SET id = excluded.id + 40 RETURNING *;
INSERT INTO c_stamped VALUES (3, 1), (40, 2), (4, 9) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n), body = c_stamped.body || excluded.body, at = excluded.at, f = excluded.f, tags = excluded.tags RETURNING *;
INSERT INTO c_stamped VALUES (3, 1), (41, 2), (3, 9) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n);
INSERT INTO c_stamped VALUES (42, 1), (42, 2) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n);
INSERT INTO c_stamped VALUES (5, 1), (5, 2), (43, 3) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) WHERE excluded.n = 3 RETURNING *, (SELECT count(*) FROM orders o WHERE o.customer_id = c_stamped.id);
INSERT INTO c_stamped (id, n, body) VALUES (6, 1, 'leave it'), (44, 2, 'leave it'), (7, 3, E'two\nlines "and" \\ more') ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n), body = excluded.body RETURNING *;
INSERT INTO c_stamped (id, n) SELECT i, i FROM generate_series(1, 60) i ON CONFLICT (id) DO UPDATE SET n = (SELECT max(order_id) FROM orders o WHERE o.order_id < excluded.n + c_stamped.n), body = excluded.twice::text;
INSERT INTO c_stamped VALUES (8, -1) ON CONFLICT (id) DO UPDATE SET n = (SELECT 1 FROM orders o WHERE o.order_id = excluded.n);
-- params: 9, 20
INSERT INTO c_stamped (id, n) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n + $2) RETURNING *;
INSERT INTO c_stamped (id, n) VALUES (10, 3), (70, 3) ON CONFLICT (id) DO UPDATE SET id = excluded.id + excluded.n, n = excluded.n - 1 RETURNING *;
WITH x AS (INSERT INTO c_stamped (id, n) VALUES (11, 3), (71, 3) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) RETURNING id, n) SELECT * FROM x JOIN orders o ON o.order_id = x.n ORDER BY 1;
INSERT INTO c_parts_stamped VALUES (1, '2025-01-04', 7), (2, '2025-01-04', 8), (12, '2025-02-06', 9) ON CONFLICT (tenant, at) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n + c_parts_stamped.n) RETURNING *, tableoid::regclass::text;
INSERT INTO c_copies VALUES (1, 7), (2, 8), (30, 9) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) RETURNING *;
INSERT INTO c_copies SELECT i, i FROM generate_series(2, 40, 3) i ON CONFLICT (id) DO UPDATE SET n = (SELECT max(item_id) FROM orders o WHERE o.order_id = excluded.n);
SELECT * FROM c_copies ORDER BY id;
BEGIN;
INSERT INTO c_stamped (id, n) VALUES (80, 3) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n);
SAVEPOINT s;
INSERT INTO c_stamped (id, n) VALUES (80, 4), (81, -1) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n);
ROLLBACK TO s;
INSERT INTO c_stamped (id, n) VALUES (80, 4), (81, 5) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n);
INSERT INTO c_stamped (id, n) VALUES (82, 4), (81, 6) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) RETURNING *;
COMMIT;
SELECT * FROM c_stamped ORDER BY id;
SELECT * FROM c_stamped_changes ORDER BY 1, 2, 3;
-- A trigger for statements.
INSERT INTO c_logged VALUES (1, 5), (2, 6), (30, 7) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) RETURNING *;
INSERT INTO c_logged VALUES (3, 5), (31, 7) ON CONFLICT (id) DO UPDATE SET id = excluded.id + 40 RETURNING *;
SELECT * FROM c_log ORDER BY 1, 2, 3;
-- ---- a row makes room for another that is proposed
INSERT INTO c_rows VALUES (21, 1), (21, 2) ON CONFLICT (id) DO UPDATE SET id = 8001 RETURNING *;
INSERT INTO c_rows VALUES (21, 1), (21, 2), (21, 3) ON CONFLICT (id) DO UPDATE SET id = 8002;
INSERT INTO c_rows VALUES (21, 1), (8100, 2), (22, 2), (22, 3), (21, 4) ON CONFLICT (id) DO UPDATE SET id = 8200 + excluded.id, n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) WHERE excluded.n IN (1, 2) RETURNING *;
INSERT INTO c_rows VALUES (21, 1), (21, 2) ON CONFLICT (id) DO UPDATE SET id = c_rows.id + excluded.n - 1;
INSERT INTO c_rows VALUES (21, 1), (21, 1) ON CONFLICT (id) DO UPDATE SET id = c_rows.id + 8300 WHERE (SELECT count(*) FROM orders o WHERE o.order_id = excluded.n) > 5 RETURNING *;
-- params: 21, 8400
INSERT INTO c_rows (id) VALUES ($1), ($1) ON CONFLICT (id) DO UPDATE SET id = $2 RETURNING *;
INSERT INTO c_view VALUES ('out', 21, 1), ('in', 21, 2000) ON CONFLICT (number) DO UPDATE SET number = 8500;
INSERT INTO c_view VALUES ('out', 21, 1), ('in', 21, 20) ON CONFLICT (number) DO UPDATE SET number = 8500 RETURNING *;
INSERT INTO c_keys VALUES (1, 'a9', 9, 7, 'x'), (1, 'a9', 9, 8, 'y') ON CONFLICT (tenant, a, b) DO UPDATE SET a = (SELECT status FROM orders o WHERE o.order_id = excluded.n) RETURNING *;
INSERT INTO c_keys VALUES (2, 'q', 1, 1, 'BODY 6'), (2, 'r', 1, 2, 'Body 6'), (2, 's', 1, 3, 'body 6') ON CONFLICT (tenant, lower(body)) WHERE n > 0 DO UPDATE SET n = -(SELECT item_id FROM orders o WHERE o.order_id = excluded.n);
INSERT INTO c_keys VALUES (2, 'q', 1, 1, 'BODY 6'), (2, 'r', 1, 2, 'Body 6') ON CONFLICT (tenant, lower(body)) WHERE n > 0 DO UPDATE SET n = -(SELECT item_id FROM orders o WHERE o.order_id = excluded.n) RETURNING *;
SELECT * FROM c_keys ORDER BY tenant, a, b, n;
INSERT INTO c_reference VALUES (5, 1), (5, 2) ON CONFLICT (id) DO UPDATE SET id = 500, n = (SELECT sum(amount) FROM orders o WHERE o.item_id = excluded.n) RETURNING *;
INSERT INTO c_watched VALUES (5, 'x'), (5, 'y') ON CONFLICT (id) DO UPDATE SET id = 500 RETURNING *;
INSERT INTO c_watched SELECT 6, 'by select ' || i FROM generate_series(1, 2) i ON CONFLICT (id) DO UPDATE SET id = 600;
WITH moved AS (INSERT INTO c_watched VALUES (7, 'x'), (7, 'y') ON CONFLICT (id) DO UPDATE SET id = 700 RETURNING *) SELECT * FROM moved ORDER BY id;
SELECT * FROM c_watched ORDER BY id;
SELECT * FROM c_reference ORDER BY id;
INSERT INTO c_stamped VALUES (21, 1), (21, 2) ON CONFLICT (id) DO UPDATE SET id = 8001 RETURNING *;
INSERT INTO c_stamped VALUES (21, 1), (8100, 2), (21, 3), (21, 4) ON CONFLICT (id) DO UPDATE SET id = 8002;
INSERT INTO c_stamped (id, n) VALUES (21, 1), (8100, 2), (8100, 3) ON CONFLICT (id) DO UPDATE SET id = 8002;
INSERT INTO c_copies VALUES (3, 1), (3, 2), (300, 3) ON CONFLICT (id) DO UPDATE SET id = excluded.id * 1000, n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) RETURNING *;
INSERT INTO c_copies VALUES (4, 1), (400, 3), (400, 2) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n);
INSERT INTO c_parts_stamped VALUES (2, '2025-01-07', 1), (2, '2025-01-07', 2) ON CONFLICT (tenant, at) DO UPDATE SET at = '2025-01-31', n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) RETURNING *, tableoid::regclass::text;
INSERT INTO c_keys_stamped VALUES (1, 'A', 1), (1, 'a', 2), (2, 'b', 3) ON CONFLICT (tenant, lower(body)) WHERE n > 0 DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n);
INSERT INTO c_keys_stamped VALUES (1, 'A', 1), (1, 'a', -2), (2, 'b', 3) ON CONFLICT (tenant, lower(body)) WHERE n > 0 DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.n) RETURNING *;
INSERT INTO c_keys_stamped VALUES (1, 'A', 4), (1, 'a', 5) ON CONFLICT (tenant, lower(body)) WHERE n > 0 DO UPDATE SET n = -(SELECT item_id FROM orders o WHERE o.order_id = excluded.n) RETURNING *;
SELECT * FROM c_keys_stamped ORDER BY 1, 2, 3;
-- Rows in each other's way, in the order in which they are proposed.
INSERT INTO c_rows VALUES (26, 1), (27, 1) ON CONFLICT (id) DO UPDATE SET id = CASE c_rows.id WHEN 26 THEN 27 ELSE 26 END;
INSERT INTO c_rows VALUES (27, 1), (26, 1) ON CONFLICT (id) DO UPDATE SET id = c_rows.id + 9000 * (c_rows.id - 26) + (27 - c_rows.id) RETURNING *;
INSERT INTO c_rows VALUES (26, 1), (28, 1), (29, 1) ON CONFLICT (id) DO UPDATE SET id = c_rows.id + 1;
INSERT INTO c_keys VALUES (3, 'a11', 11, 1, 'x'), (3, 'a7', 7, 2, 'y') ON CONFLICT (tenant, a, b) DO UPDATE SET body = (SELECT CASE excluded.n WHEN 1 THEN 'body 7' ELSE status END FROM orders o WHERE o.order_id = excluded.n);
INSERT INTO c_keys VALUES (3, 'a7', 7, 2, 'y'), (3, 'a11', 11, 1, 'x') ON CONFLICT (tenant, a, b) DO UPDATE SET body = (SELECT CASE excluded.n WHEN 1 THEN 'body 7' ELSE status END FROM orders o WHERE o.order_id = excluded.n) RETURNING *;
-- With rows that follow.
INSERT INTO c_parents VALUES (1, 'x'), (1, 'y'), (20, 'z'), (2, 'w') ON CONFLICT (id) DO UPDATE SET id = 10 * c_parents.id, body = excluded.body WHERE excluded.body <> 'w' RETURNING *;
INSERT INTO c_parents VALUES (4, 'x'), (3, 'y'), (3, 'z') ON CONFLICT (id) DO UPDATE SET id = c_parents.id + 1 RETURNING *;
INSERT INTO c_parents VALUES (5, 'x'), (6, 'y') ON CONFLICT (id) DO UPDATE SET id = c_parents.id + 1;
SELECT * FROM c_parents ORDER BY id;
SELECT * FROM c_children ORDER BY parent, id;
INSERT INTO c_chain VALUES (1, 7), (2, 7) ON CONFLICT (id) DO UPDATE SET id = 100 + c_chain.id, n = excluded.n RETURNING *;
-- expect-refused: that the same command proposes again
INSERT INTO c_chain VALUES (3, 7), (3, 8) ON CONFLICT (id) DO UPDATE SET id = 100 + c_chain.id;
SELECT * FROM c_chain ORDER BY id;
-- Numbers come back as they are.
SET extra_float_digits = 0;
INSERT INTO c_stamped (id, n, f) VALUES (22, 3, 0.1::float8 + 0.2::float8) ON CONFLICT (id) DO UPDATE SET f = excluded.f * (SELECT count(*) FROM orders o WHERE o.order_id = excluded.n) RETURNING id, f = 0.1::float8 + 0.2::float8;
RESET extra_float_digits;
-- ---- several batches for a shard
BEGIN;
UPDATE c_many SET n = n + 1 WHERE id < 5000;
SAVEPOINT s;
UPDATE c_many SET n = n + 1 WHERE id < 1000;
ROLLBACK TO s;
INSERT INTO c_many SELECT i, 1, 'new' FROM generate_series(10001, 46000) i ON CONFLICT (id) DO UPDATE SET n = c_many.n + excluded.n, body = c_many.body || excluded.body;
-- modes: simple, prepared
INSERT INTO c_many SELECT i, 1, 'new' FROM generate_series(1, 40000) i ON CONFLICT (id) DO UPDATE SET n = c_many.n + excluded.n WHERE c_many.n < 2;
SELECT n, body, count(*), sum(id) FROM c_many GROUP BY 1, 2 ORDER BY 1, 2;
-- modes: extended
WITH x AS (INSERT INTO c_many SELECT i, 1, 'new' FROM generate_series(1, 40000) i ON CONFLICT (id) DO UPDATE SET n = c_many.n + excluded.n RETURNING *) SELECT n, count(*), sum(id) FROM x GROUP BY 1 ORDER BY 1;
-- modes: simple
INSERT INTO c_many SELECT i % 40000, 1, 'new' FROM generate_series(1, 40001) i ON CONFLICT (id) DO UPDATE SET n = 0 WHERE c_many.n = 77;
ROLLBACK;
TRUNCATE c_many;
-- ---- rights
SET ROLE diff_upserter;
INSERT INTO c_secured VALUES (1, 1, 'x', 'a') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 101, body = excluded.body RETURNING *;
INSERT INTO c_secured VALUES (2, 2, 'x', 'not this') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 102;
INSERT INTO c_secured VALUES (3, 3, 'x', 'a') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 102;
INSERT INTO c_secured VALUES (4, 4, 'x', 'a') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 104, body = 'nor that';
INSERT INTO c_secured VALUES (4, 4, 'x', 'a') ON CONFLICT (tenant, id) DO UPDATE SET body = (SELECT status FROM orders o WHERE o.order_id = c_secured.tenant) RETURNING *;
INSERT INTO c_secured VALUES (60, 4, 'x', 'nor that') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 7;
INSERT INTO c_guarded VALUES (1, 1, 'x', 'a'), (31, 1, 'x', 'b') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 101, body = excluded.body RETURNING *;
INSERT INTO c_guarded VALUES (2, 2, 'x', 'not this') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 102;
INSERT INTO c_guarded VALUES (3, 3, 'x', 'a') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 102;
INSERT INTO c_guarded VALUES (4, 4, 'x', 'a') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 104, body = 'nor that';
INSERT INTO c_guarded VALUES (32, 4, 'x', 'a'), (32, 4, 'x', 'b') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 104;
INSERT INTO c_guarded VALUES (4, 4, 'x', 'a'), (4, 4, 'x', 'b') ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body || (SELECT status FROM orders o WHERE o.order_id = c_guarded.tenant);
INSERT INTO c_guarded VALUES (4, 4, 'x', 'a'), (4, 4, 'y', 'b') ON CONFLICT (tenant, id) DO UPDATE SET tenant = 105 RETURNING *;
INSERT INTO c_guarded VALUES (5, 5, 'x', 'a') ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body || (SELECT status FROM orders o WHERE o.order_id = c_guarded.tenant) WHERE c_guarded.owner = 'x';
INSERT INTO c_rows VALUES (22, 1) ON CONFLICT (id) DO UPDATE SET id = 8002;
INSERT INTO c_rows VALUES (22, 1) ON CONFLICT (id) DO UPDATE SET n = (SELECT item_id FROM orders o WHERE o.order_id = excluded.id);
RESET ROLE;
BEGIN;
INSERT INTO c_rows VALUES (23, 1) ON CONFLICT (id) DO UPDATE SET id = 8023;
SAVEPOINT s;
INSERT INTO c_rows VALUES (24, 1) ON CONFLICT (id) DO UPDATE SET id = 8023;
ROLLBACK TO s;
INSERT INTO c_rows VALUES (8023, 1) ON CONFLICT (id) DO UPDATE SET id = 23 RETURNING *;
COMMIT;
-- SET (b, a) = (SELECT ...), in another order than the table's columns.
CREATE TABLE c_pairs (id int PRIMARY KEY, b int, c int, d text);
-- shardwise: SELECT shardwise.distribute_table('c_pairs', 'id')
CREATE TABLE c_pairs_copied (id int PRIMARY KEY, b int, c int, d text);
-- shardwise: SELECT shardwise.create_reference_table('c_pairs_copied')
INSERT INTO c_pairs VALUES (1, 10, 100, 'x'), (2, 20, 200, 'y');
INSERT INTO c_pairs_copied VALUES (1, 10, 100, 'x'), (2, 20, 200, 'y');
INSERT INTO c_pairs VALUES (1, 11, 111, 'z'), (3, 33, 333, 'w') ON CONFLICT (id) DO UPDATE SET (c, b) = (SELECT excluded.b, excluded.c) RETURNING *;
INSERT INTO c_pairs_copied VALUES (1, 11, 111, 'z'), (3, 33, 333, 'w') ON CONFLICT (id) DO UPDATE SET (c, b) = (SELECT excluded.b, excluded.c) RETURNING *;
INSERT INTO c_pairs VALUES (1, 11, 111, 'z') ON CONFLICT (id) DO UPDATE SET (d, c, b) = (SELECT 'n', excluded.b, i.c FROM c_pairs i WHERE i.id = c_pairs.id);
INSERT INTO c_pairs VALUES (1, 11, 111, 'z'), (2, 2, 2, '') ON CONFLICT (id) DO UPDATE SET (d, c) = (SELECT 'n', i.b FROM c_pairs_copied i WHERE i.id = c_pairs.id), b = 5;
INSERT INTO c_pairs VALUES (1, 11, 111, 'z'), (2, 2, 2, '') ON CONFLICT (id) DO UPDATE SET (c, b) = (SELECT count(*), 7 FROM c_pairs);
WITH given AS (SELECT 1 AS x, 2 AS y) INSERT INTO c_pairs_copied VALUES (2, 0, 0, '') ON CONFLICT (id) DO UPDATE SET (c, b) = (SELECT x, y FROM given);
SELECT * FROM c_pairs ORDER BY id;
SELECT * FROM c_pairs_copied ORDER BY id;
DROP TABLE c_pairs, c_pairs_copied;
-- teardown
DROP VIEW c_view;
DROP TABLE c_rows, c_many, c_keys, c_parts, c_reference, c_secured, c_watched, c_filled, c_stamped, c_stamped_changes, c_parts_stamped, c_copies, c_logged, c_log, c_parts_watched, c_hashed, c_keys_stamped, c_guarded, c_children, c_parents, c_chain;
DROP FUNCTION c_look(), c_fill(), c_stamp(), c_add(), c_log_rows(), c_later(), c_log_row(), c_exclaim();
-- shardwise: DROP USER MAPPING FOR diff_upserter SERVER s1;
-- shardwise: DROP USER MAPPING FOR diff_upserter SERVER s2;
-- shardwise: DROP USER MAPPING FOR diff_upserter SERVER s3;
REVOKE ALL ON orders FROM diff_upserter;
REVOKE USAGE ON SCHEMA public FROM diff_upserter;
DROP ROLE diff_upserter;
