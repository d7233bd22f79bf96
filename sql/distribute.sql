-- distribute_table, create_reference_table, undistribute_table, locate.
SELECT shardwise.add_local_shard('dist_a');
SELECT shardwise.add_local_shard('dist_b');
SELECT shardwise.add_local_shard('dist_c', 3);

CREATE FUNCTION on_shards(command text) RETURNS SETOF text LANGUAGE sql
    AS $$ SELECT shard || ': ' || CASE WHEN ok THEN coalesce(result, 'NULL') ELSE 'ERROR ' || result END
            FROM shardwise.run_on_shards(command) ORDER BY shard $$;

-- hash: rows move out, the router's table is empty afterwards, sequences stay
CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, note varchar(20));
INSERT INTO customers SELECT i, 'customer ' || i, NULLIF(i % 3, 0) FROM generate_series(1, 1000) i;
CREATE TABLE customers_before AS TABLE customers;
CREATE TABLE orders (customer_id bigint REFERENCES customers ON DELETE CASCADE, id serial, item int,
                     PRIMARY KEY (customer_id, id));
INSERT INTO orders SELECT 1 + i % 1000, i, 1 + i % 7 FROM generate_series(1, 5000) i;
SELECT setval('orders_id_seq', 5000);
CREATE TABLE items (id int PRIMARY KEY, name text);
INSERT INTO items SELECT i, 'item ' || i FROM generate_series(1, 7) i;

SELECT shardwise.distribute_table('customers', 'id');
SELECT shardwise.distribute_table('orders', 'customer_id', colocate_with => 'customers');
SELECT shardwise.create_reference_table('items');
SELECT relation, kind, key_columns, strategy FROM shardwise.tables ORDER BY relation::text;
SELECT lower, upper, shard FROM shardwise.ranges;
SELECT sum(result::int) FROM shardwise.run_on_shards('SELECT count(*) FROM customers');
SELECT count(*) FROM shardwise.run_on_shards('SELECT count(*) FROM customers') WHERE result::int > 250;
SELECT sum(result::int) FROM shardwise.run_on_shards('SELECT count(*) FROM orders JOIN customers c ON c.id = customer_id');
SELECT on_shards('SELECT count(*) FROM items');
-- every row is where locate() says
SELECT count(*) FROM shardwise.run_on_shards('SELECT array_agg(id) FROM customers') r, unnest(result::bigint[]) id
 WHERE shardwise.locate('customers', id) <> r.shard;
SELECT count(*) FROM shardwise.run_on_shards('SELECT array_agg(customer_id) FROM orders') r, unnest(result::bigint[]) id
 WHERE shardwise.locate('customers', id) <> r.shard;
SELECT pg_relation_size('customers'), pg_relation_size('orders'), pg_relation_size('items');
SELECT nextval('orders_id_seq');
SELECT name FROM customers WHERE id = 77;

-- the key of locate() is converted to the column's type
SELECT shardwise.locate('customers', 77) = shardwise.locate('customers', '77'),
       shardwise.locate('customers', 77::smallint) = shardwise.locate('customers', VARIADIC ARRAY[77]);
SELECT shardwise.locate('customers', NULL);
SELECT shardwise.locate('customers', 1, 2);
SELECT shardwise.locate('customers', 'x');
SELECT shardwise.locate('items', 1);
SELECT shardwise.locate('customers_before', 1);

-- bringing rows home
SELECT shardwise.undistribute_table('customers');
SELECT shardwise.undistribute_table('orders');
BEGIN;
SELECT shardwise.undistribute_table('customers');
(TABLE customers EXCEPT TABLE customers_before) UNION ALL (TABLE customers_before EXCEPT TABLE customers);
ROLLBACK;
SELECT sum(result::int) FROM shardwise.run_on_shards('SELECT count(*) FROM customers');
SELECT shardwise.undistribute_table('customers');
(TABLE customers EXCEPT TABLE customers_before) UNION ALL (TABLE customers_before EXCEPT TABLE customers);
SELECT on_shards($$SELECT to_regclass('customers')$$);
SELECT count(*), count(DISTINCT id), max(id) FROM orders;
SET enable_seqscan = off;
SELECT name FROM customers WHERE id = 500;
RESET enable_seqscan;
DELETE FROM customers WHERE id = 500;
SELECT count(*) FROM orders WHERE customer_id = 500;
SELECT shardwise.undistribute_table('items');
SELECT count(*) FROM items;
SELECT count(*) FROM shardwise.keyspaces;
SELECT count(*) FROM shardwise.map_entry;
SELECT shardwise.undistribute_table('items');

-- consistent_hash: weights count
CREATE TABLE ring (k uuid PRIMARY KEY);
INSERT INTO ring SELECT md5(i::text)::uuid FROM generate_series(1, 3000) i;
SELECT shardwise.distribute_table('ring', 'k', 'consistent_hash', virtual_nodes => 100);
SELECT strategy, virtual_nodes FROM shardwise.keyspaces;
SELECT shard, result::int BETWEEN 400 AND 800 AS small, result::int BETWEEN 1500 AND 2100 AS large
  FROM shardwise.run_on_shards('SELECT count(*) FROM ring') ORDER BY 1;

-- range, with and without default; the shards in turn, a shard several times
CREATE TABLE events (at timestamptz NOT NULL, n int);
INSERT INTO events SELECT timestamptz '2025-01-01' + i * interval '1 day', i FROM generate_series(0, 364) i;
SET timezone = 'America/New_York';
SELECT shardwise.distribute_table('events', 'at', strategy => 'range',
    splits => '{2025-03-31 20:00, 2025-06-30 20:00, 2025-09-30 20:00}', shards => '{dist_a, dist_b, dist_a, dist_c}');
SET timezone = 'UTC';
SELECT lower, upper, shard FROM shardwise.ranges JOIN shardwise.tables USING (keyspace_id) WHERE relation = 'events'::regclass;
SELECT on_shards('SELECT count(*) FROM events');
SELECT shardwise.locate('events', '2025-06-30 23:59'), shardwise.locate('events', date '2025-07-01'), shardwise.locate('events', '-infinity');
CREATE TABLE words (w text COLLATE "C" NOT NULL);
INSERT INTO words VALUES ('a'), ('m'), ('mm'), ('z'), ('Z');
SELECT shardwise.distribute_table('words', 'w', 'range', splits => '{f, n}', default_shard => 'dist_c');
SELECT shardwise.locate('words', 'a'), shardwise.locate('words', 'f'), shardwise.locate('words', 'n');
SELECT on_shards($$SELECT string_agg(w, ' ' ORDER BY w) FROM words$$);

-- list, one column and several; a key that no shard owns
CREATE TABLE tenants (t varchar(10) PRIMARY KEY);
INSERT INTO tenants VALUES ('one'), ('two'), ('three');
SELECT shardwise.distribute_table('tenants', 't', 'list', splits => '{one,two}');
SELECT shardwise.distribute_table('tenants', 't', 'list', splits => '{one,two}', default_shard => 'dist_c');
SELECT shardwise.locate('tenants', 'one'), shardwise.locate('tenants', 'two'), shardwise.locate('tenants', 'other');
SELECT on_shards($$SELECT string_agg(t, ' ') FROM tenants$$);
CREATE TABLE pairs (a int NOT NULL, b text NOT NULL, c int, PRIMARY KEY (b, a));
INSERT INTO pairs VALUES (1, 'x y', 1), (2, 'z', 2);
SELECT shardwise.distribute_table('pairs', ARRAY['a', 'b'], 'list', splits => ARRAY['(1,"x y")', '(2,z)']);
SELECT shardwise.locate('pairs', 1, 'x y'), shardwise.locate('pairs', 2, 'z'), shardwise.locate('pairs', 3, 'z');

-- keys of several columns and other types
CREATE DOMAIN code AS text CHECK (value <> '');
CREATE TABLE multi (a int4range NOT NULL, b code NOT NULL, c numeric(5, 2) NOT NULL, d date NOT NULL, v text,
                    UNIQUE (d, c, b, a));
INSERT INTO multi SELECT '[1,5)', i::text, i, date '2025-01-01' + i, 'v' FROM generate_series(1, 100) i;
SELECT shardwise.distribute_table('multi', ARRAY['a', 'b', 'c', 'd']);
SELECT sum(result::int) FROM shardwise.run_on_shards('SELECT count(*) FROM multi');
SELECT v FROM multi WHERE a = '[1,5)' AND b = '5' AND c = 5 AND d = date '2025-01-06';
CREATE TABLE multi_too (w int4range NOT NULL, x text NOT NULL, y numeric NOT NULL, z date NOT NULL);
SELECT shardwise.distribute_table('multi_too', '{w,x,y,z}'::text[], colocate_with => 'multi');
SELECT tables FROM shardwise.keyspaces WHERE 'multi'::regclass = ANY (tables);
DROP DOMAIN code CASCADE;
SELECT shardwise.undistribute_table('multi');
SELECT count(*), min(b), max(c) FROM multi;

-- a row that somebody has put on the wrong shard is not left behind
CREATE TABLE placed (id int PRIMARY KEY);
SELECT shardwise.distribute_table('placed', 'id', 'range', splits => '{10}', shards => '{dist_a, dist_b}');
SELECT ok FROM shardwise.run_on_shards('INSERT INTO placed VALUES (20)', '{dist_a}');
SELECT shardwise.undistribute_table('placed');
INSERT INTO shardwise.ghost_range (keyspace_id, shard_id, lower_key)
    SELECT keyspace_id, shard_id, '{10}' FROM shardwise.shard, shardwise.tables
     WHERE shard_name = 'dist_a' AND relation = 'placed'::regclass;
INSERT INTO placed VALUES (20), (21);
INSERT INTO placed VALUES (1);
SELECT shardwise.undistribute_table('placed');
TABLE placed ORDER BY id;
SELECT count(*) FROM shardwise.ghost_range;
DROP TABLE placed;

-- a chosen set of shards
CREATE TABLE two (id int PRIMARY KEY);
INSERT INTO two SELECT generate_series(1, 100);
SELECT shardwise.distribute_table('two', 'id', shards => '{dist_c, dist_a}');
SELECT lower, shard FROM shardwise.ranges JOIN shardwise.tables USING (keyspace_id) WHERE relation = 'two'::regclass;
SELECT on_shards('SELECT count(*) > 0 FROM two');

-- rows that the transaction itself has made, and dropped columns
BEGIN;
CREATE TABLE fresh (gone int, id int PRIMARY KEY, v text);
ALTER TABLE fresh DROP COLUMN gone;
INSERT INTO fresh SELECT i, 'v' || i FROM generate_series(1, 50) i;
DELETE FROM fresh WHERE id > 40;
SELECT shardwise.distribute_table('fresh', 'id');
SELECT v FROM fresh WHERE id = 7;
SAVEPOINT s;
SELECT shardwise.undistribute_table('fresh');
SELECT count(*) FROM fresh;
ROLLBACK TO s;
SELECT v FROM fresh WHERE id = 8;
COMMIT;
SELECT sum(result::int) FROM shardwise.run_on_shards('SELECT count(*) FROM fresh');

-- one shard fails: nothing happens on any
SELECT * FROM shardwise.run_on_shards('CREATE TABLE late (id int)', '{dist_b}');
CREATE TABLE late (id int PRIMARY KEY);
INSERT INTO late VALUES (1);
SELECT shardwise.distribute_table('late', 'id');
SELECT on_shards($$SELECT to_regclass('late') IS NOT NULL$$);
SELECT count(*) FROM late;
SELECT count(*) FROM shardwise.tables WHERE relation = 'late'::regclass;
SELECT * FROM shardwise.run_on_shards('DROP TABLE public.late', ARRAY['dist_b']);
SELECT shardwise.distribute_table('late', 'id');

-- a statement cannot use the table that it distributes
CREATE TABLE busy (id int PRIMARY KEY);
BEGIN;
DECLARE c CURSOR FOR TABLE busy;
SELECT shardwise.distribute_table('busy', 'id');
ROLLBACK;

-- DROP follows to the shards, in the same transaction
BEGIN;
DROP TABLE late;
ROLLBACK;
SELECT on_shards($$SELECT to_regclass('late') IS NOT NULL$$);
DROP TABLE late;
SELECT on_shards($$SELECT to_regclass('late') IS NOT NULL$$);
CREATE SCHEMA dropped;
CREATE TABLE dropped.parent (id int PRIMARY KEY);
CREATE TABLE dropped.child (id int PRIMARY KEY REFERENCES dropped.parent);
SELECT shardwise.distribute_table('dropped.parent', 'id');
SELECT shardwise.distribute_table('dropped.child', 'id', colocate_with => 'dropped.parent');
DROP TABLE dropped.parent CASCADE;
SELECT on_shards($$SELECT count(*) FROM pg_constraint WHERE conrelid = 'dropped.child'::regclass AND contype = 'f'$$);
DROP SCHEMA dropped CASCADE;
SELECT on_shards($$SELECT to_regclass('dropped.child') IS NOT NULL$$);
ALTER TABLE two DROP COLUMN id;

DROP TABLE customers, orders, items, customers_before, ring, events, words, tenants, pairs, multi,
    multi_too, two, fresh, busy;
DROP DOMAIN code;
SELECT count(*) FROM shardwise.keyspaces;
SELECT on_shards($$SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'public'::regnamespace$$);
DROP FUNCTION on_shards;
SELECT shardwise.remove_shard(name) FROM shardwise.shards;
DROP DATABASE shard_dist_a WITH (FORCE);
DROP DATABASE shard_dist_b WITH (FORCE);
DROP DATABASE shard_dist_c WITH (FORCE);
