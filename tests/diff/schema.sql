-- Tables and rows that all case files use. Rows are in place before a table is distributed, so that
-- moving them out is tested on the way. Nothing here depends on the clock or on chance.
-- setup

CREATE ROLE diff_reader;
GRANT CREATE, USAGE ON SCHEMA public TO diff_reader;
-- shardwise: CREATE USER MAPPING FOR diff_reader SERVER s1 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_reader SERVER s2 OPTIONS (user 'postgres', password_required 'false');
-- shardwise: CREATE USER MAPPING FOR diff_reader SERVER s3 OPTIONS (user 'postgres', password_required 'false');

-- The tables of the bench: a key, a table that lives with it, a reference table.
CREATE TABLE customers (
    customer_id bigint PRIMARY KEY,
    name text NOT NULL,
    region int NOT NULL,
    balance numeric(12,2) NOT NULL,
    created timestamptz NOT NULL
);
CREATE TABLE orders (
    customer_id bigint,
    order_id bigint,
    item_id int NOT NULL,
    amount numeric(12,2) NOT NULL,
    status text NOT NULL,
    ordered_at timestamptz NOT NULL,
    PRIMARY KEY (customer_id, order_id)
);
CREATE INDEX orders_item ON orders (item_id);
CREATE TABLE items (item_id int PRIMARY KEY, name text NOT NULL, price numeric(12,2) NOT NULL);
INSERT INTO customers
    SELECT i, 'customer ' || i, i % 5, (i * 37 % 1000) / 4.0,
           timestamptz '2025-01-01 00:00+00' + i * interval '7 hours'
    FROM generate_series(1, 60) i;
INSERT INTO orders
    SELECT 1 + i % 60, i, 1 + i % 10, (i * 13 % 700) / 8.0,
           (ARRAY['new', 'paid', 'shipped', 'returned'])[1 + i * 7 % 4],
           timestamptz '2025-02-01 00:00+00' + i * interval '1 hour 1.000001 seconds'
    FROM generate_series(1, 360) i;
INSERT INTO items SELECT i, 'item ' || i, i * 1.25 FROM generate_series(1, 10) i;
-- shardwise: SELECT shardwise.distribute_table('customers', 'customer_id')
-- shardwise: SELECT shardwise.distribute_table('orders', 'customer_id', colocate_with => 'customers')
-- shardwise: SELECT shardwise.create_reference_table('items')

-- Keys of other types.
CREATE TABLE by_text (key text PRIMARY KEY, value int, note varchar(20));
INSERT INTO by_text SELECT chr(96 + i) || '-key', i, 'note ' || i FROM generate_series(1, 26) i;
INSERT INTO by_text VALUES ('', 0, NULL), ('Ünïcode ''quoted''', 100, 'ü'), ('A', 101, ''), ('a', 102, 'a');
-- shardwise: SELECT shardwise.distribute_table('by_text', 'key')

CREATE TABLE by_uuid (id uuid PRIMARY KEY, payload jsonb);
INSERT INTO by_uuid
    SELECT md5(i::text)::uuid, jsonb_build_object('n', i, 'tags', jsonb_build_array('a', i))
    FROM generate_series(1, 20) i;
-- shardwise: SELECT shardwise.distribute_table('by_uuid', 'id', strategy => 'consistent_hash')

CREATE TABLE by_pair (tenant int, code text, seen int DEFAULT 0, PRIMARY KEY (tenant, code));
INSERT INTO by_pair SELECT i % 7, 'code ' || i / 7, i FROM generate_series(1, 70) i;
-- shardwise: SELECT shardwise.distribute_table('by_pair', ARRAY['tenant', 'code'])

CREATE TABLE by_date (
    day date, device int, reading numeric, PRIMARY KEY (day, device)
);
INSERT INTO by_date
    SELECT date '2025-01-01' + i, d, (i * d) % 17 / 3.0
    FROM generate_series(0, 89) i, generate_series(1, 2) d;
-- shardwise: SELECT shardwise.distribute_table('by_date', 'day', strategy => 'range', splits => ARRAY['2025-02-01', '2025-03-01'])

CREATE TABLE by_number (n int PRIMARY KEY, word text);
INSERT INTO by_number SELECT i, 'number ' || i FROM generate_series(-20, 40, 2) i;
-- shardwise: SELECT shardwise.distribute_table('by_number', 'n', strategy => 'range', splits => ARRAY['0', '20'])

CREATE TABLE by_tenant (tenant text, id int, body text, PRIMARY KEY (tenant, id));
INSERT INTO by_tenant
    SELECT t, i, t || ' ' || i FROM unnest(ARRAY['acme', 'globex', 'initech', 'umbrella']) t,
                                    generate_series(1, 4) i;
-- shardwise: SELECT shardwise.distribute_table('by_tenant', 'tenant', strategy => 'list', splits => ARRAY['acme', 'globex', 'initech'], default_shard => 's3')

-- Values of every common type.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'glad');
CREATE TYPE address AS (street text, number int, mood mood);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN moods AS mood[];
CREATE TYPE float_range AS RANGE (subtype = float8);
CREATE TABLE everything (
    id int PRIMARY KEY,
    i2 int2, i8 int8, f4 float4, f8 float8, num numeric, num2 numeric(8,3), cash money,
    b bool, c "char", n name, t text, vc varchar(10), bp char(5), bin bytea,
    d date, tm time(3), tmtz timetz, ts timestamp(3), tstz timestamptz, iv interval,
    u uuid, j json, jb jsonb, x xml, inet inet, cidr cidr, mac macaddr, bits bit(4), vbits varbit,
    e mood, dom positive, doms moods, comp address, comps address[],
    ints int[], texts text[], grid int[][], e_array mood[],
    r4 int4range, rts tstzrange, rf float_range, mr int4multirange,
    p point, bx box, tv tsvector, tq tsquery, o oid, rc regclass
);
INSERT INTO everything VALUES (
    1, -32768, 9223372036854775807, 1.5, 0.1, 123456789012345678901234567890.12345, 12345.678, 12.34,
    true, 'x', 'a name', 'text', 'varchar', 'bp', '\x00ff10',
    '2025-02-28', '12:34:56.789', '12:34:56+02', '2025-02-28 12:34:56.789', '2025-02-28 12:34:56.789012+02',
    '1 year 2 months 3 days 04:05:06.789',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, 2]}', '{"b": {"c": null}}', '<a>b</a>',
    '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', B'1010', B'10101',
    'happy', 7, '{sad,glad}', ROW('High "St"', 3, 'ok'), ARRAY[ROW('a', 1, 'sad'), ROW(NULL, 2, NULL)]::address[],
    '{1,NULL,3}', '{"a b","c\"d",NULL}', '{{1,2},{3,4}}', '{glad,sad}',
    '[1,5)', '[2025-01-01 00:00+00,)', '[1.5,2.5]', '{[1,3),[7,9)}',
    '(1,2)', '(3,4),(1,2)', 'a:1 fat:2 cat:3', 'fat & cat', 42, 'pg_class'
), (
    2, 32767, -9223372036854775808, 'NaN', '-Infinity', 'NaN', -0.001, -1,
    false, '', '', '', '', '', '',
    'infinity', '24:00', '00:00-12', '-infinity', 'infinity', '-1 day +00:00:01',
    '00000000-0000-0000-0000-000000000000', '[]', '"x"', '', '::1', '::/0', '00:00:00:00:00:00', B'0000', B'',
    'sad', 1, '{}', ROW(NULL, NULL, NULL), '{}',
    '{}', '{}', '{}', '{}',
    'empty', 'empty', '(,)', '{}',
    '(0,0)', '(0,0),(0,0)', '', '', 0, NULL
), (
    3, 0, 0, 'Infinity', 1e-300, 'Infinity', 0, 0,
    NULL, NULL, NULL, E'tab\tnew\nline \\ back', NULL, '  x', '\xdeadbeef',
    '4713-01-01 BC', '00:00', '23:59:59.999999+14', '2000-01-01', '1999-12-31 23:59:59.999999+00', '178000000 years',
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL,
    '[5:7]={1,2,3}', NULL, NULL, NULL,
    '(,)', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
);
INSERT INTO everything (id) VALUES (4);
-- shardwise: SELECT shardwise.distribute_table('everything', 'id')

-- Columns that the server fills.
CREATE SEQUENCE ticket;
CREATE TABLE autos (
    owner int,
    id bigint GENERATED ALWAYS AS IDENTITY,
    other int GENERATED BY DEFAULT AS IDENTITY (START 100 INCREMENT 5),
    ser serial,
    ticket int DEFAULT nextval('ticket'),
    title text DEFAULT 'untitled',
    doubled int GENERATED ALWAYS AS (owner * 2) STORED,
    made timestamptz DEFAULT now(),
    by_whom text DEFAULT current_user,
    PRIMARY KEY (owner, id)
);
INSERT INTO autos (owner, made) SELECT 1 + i % 5, '2025-01-01 00:00+00' FROM generate_series(1, 10) i;
-- shardwise: SELECT shardwise.distribute_table('autos', 'owner')

-- A key whose values come from a sequence.
CREATE TABLE accounts (id bigserial PRIMARY KEY, owner text NOT NULL);
INSERT INTO accounts (owner) SELECT 'owner ' || i FROM generate_series(1, 12) i;
-- shardwise: SELECT shardwise.distribute_table('accounts', 'id')

-- Column numbers with holes.
CREATE TABLE holes (gone1 text, id int, gone2 int, label text, gone3 int, amount int);
ALTER TABLE holes DROP COLUMN gone1, DROP COLUMN gone2, DROP COLUMN gone3;
ALTER TABLE holes ADD PRIMARY KEY (id), ADD COLUMN added text DEFAULT 'added';
INSERT INTO holes SELECT i, 'label ' || i, i * 10 FROM generate_series(1, 15) i;
-- shardwise: SELECT shardwise.distribute_table('holes', 'id')

-- Constraints, foreign keys to a table that lives with the key and to a reference table.
CREATE TABLE invoices (
    customer_id bigint NOT NULL REFERENCES customers,
    invoice_id int NOT NULL,
    item_id int REFERENCES items,
    quantity int NOT NULL CHECK (quantity > 0),
    code char(4) CONSTRAINT invoices_code CHECK (code ~ '^[A-Z]+$'),
    PRIMARY KEY (customer_id, invoice_id),
    UNIQUE (customer_id, code)
);
-- shardwise: SELECT shardwise.distribute_table('invoices', 'customer_id', colocate_with => 'customers')
INSERT INTO invoices VALUES (1, 1, 1, 1, 'AAAA');
INSERT INTO invoices VALUES (1, 2, 2, 5, 'BBBB');
INSERT INTO invoices VALUES (2, 1, 3, 2, 'AAAA');
INSERT INTO invoices VALUES (3, 1, 4, 3, NULL);

-- Triggers.
CREATE TABLE watched (id int PRIMARY KEY, value int, touched int DEFAULT 0);
CREATE TABLE watched_log (id int, entry text);
CREATE FUNCTION watched_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.value < 0 THEN
        RAISE EXCEPTION 'negative value %', NEW.value
            USING ERRCODE = 'SW001', DETAIL = 'A detail.', HINT = 'A hint.';
    END IF;
    NEW.touched := coalesce(NEW.touched, 0) + 1;
    RETURN NEW;
END $$;
CREATE FUNCTION watched_after() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.watched_log VALUES (coalesce(NEW.id, OLD.id), TG_OP);
    RETURN NULL;
END $$;
INSERT INTO watched SELECT i, i FROM generate_series(1, 9) i;
CREATE TRIGGER watched_before BEFORE INSERT OR UPDATE ON watched
    FOR EACH ROW EXECUTE FUNCTION watched_before();
CREATE TRIGGER watched_after AFTER INSERT OR UPDATE OR DELETE ON watched
    FOR EACH ROW EXECUTE FUNCTION watched_after();
ALTER TABLE watched_log ALTER id SET NOT NULL;
-- shardwise: SELECT shardwise.distribute_table('watched', 'id')
-- shardwise: SELECT shardwise.distribute_table('watched_log', 'id', colocate_with => 'watched')

-- Row-level security: the second role sees its own rows.
CREATE TABLE documents (
    tenant int, id int, owner name DEFAULT current_user, body text, PRIMARY KEY (tenant, id)
);
INSERT INTO documents
    SELECT i % 4, i, CASE WHEN i % 3 = 0 THEN 'diff_reader' ELSE 'postgres' END, 'body ' || i
    FROM generate_series(1, 24) i;
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON documents TO diff_reader
    USING (owner = current_user) WITH CHECK (owner = current_user AND body <> 'forbidden');
GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO diff_reader;
-- shardwise: SELECT shardwise.distribute_table('documents', 'tenant')

-- A partitioned table, distributed by a column that is not its partition key.
CREATE TABLE events (
    tenant int NOT NULL, at date NOT NULL, id int NOT NULL, kind text, PRIMARY KEY (tenant, at, id)
) PARTITION BY RANGE (at);
CREATE TABLE events_january PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE events_february PARTITION OF events FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
INSERT INTO events
    SELECT i % 6, date '2025-01-10' + i, i, 'kind ' || i % 3 FROM generate_series(1, 40) i;
-- shardwise: SELECT shardwise.distribute_table('events', 'tenant')

-- Names that need quotes, in a schema of its own.
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."Odd ""Table" ("Key Column" int PRIMARY KEY, "select" text, "a;b" int);
INSERT INTO "Odd Schema"."Odd ""Table" SELECT i, 'odd ' || i, -i FROM generate_series(1, 8) i;
-- shardwise: SELECT shardwise.distribute_table('"Odd Schema"."Odd ""Table"', 'Key Column')

-- A table that stays on the router.
CREATE TABLE local_notes (id int PRIMARY KEY, note text);
INSERT INTO local_notes SELECT i, 'note ' || i FROM generate_series(1, 5) i;

CREATE VIEW customer_orders AS
    SELECT c.customer_id, c.name, o.order_id, o.amount, o.status
    FROM customers c JOIN orders o USING (customer_id);
CREATE VIEW new_orders AS
    SELECT * FROM orders WHERE status = 'new' WITH CHECK OPTION;
CREATE VIEW rich_customers WITH (security_barrier) AS
    SELECT customer_id, name, balance FROM customers WHERE balance > 100;
CREATE VIEW totals AS
    SELECT customer_id, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY customer_id;
GRANT SELECT ON totals TO diff_reader;

CREATE FUNCTION customer_balance(bigint) RETURNS numeric LANGUAGE sql STABLE
    AS 'SELECT balance FROM customers WHERE customer_id = $1';
CREATE FUNCTION order_count(who bigint, what text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    result bigint;
BEGIN
    SELECT count(*) INTO result FROM orders o WHERE o.customer_id = who AND o.status = what;
    RETURN result;
END $$;
CREATE FUNCTION pay(who bigint, how_much numeric) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    result numeric;
    changed bigint;
BEGIN
    UPDATE customers SET balance = balance - how_much WHERE customer_id = who
        RETURNING balance INTO result;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed = 0 THEN
        RAISE EXCEPTION 'no customer %', who USING ERRCODE = 'no_data_found';
    END IF;
    IF result < 0 THEN
        RAISE EXCEPTION 'balance of customer % is too low', who USING ERRCODE = 'check_violation';
    END IF;
    RETURN result;
END $$;
CREATE FUNCTION orders_of(bigint) RETURNS SETOF orders LANGUAGE sql STABLE
    AS 'SELECT * FROM orders WHERE customer_id = $1 ORDER BY order_id';
CREATE FUNCTION secret_count(bigint) RETURNS bigint LANGUAGE sql SECURITY DEFINER
    SET search_path = public
    AS 'SELECT count(*) FROM orders WHERE customer_id = $1';
