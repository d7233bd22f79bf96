-- What distribute_table and create_reference_table refuse. Nothing may have changed afterwards.
CREATE TABLE no_shards (id int PRIMARY KEY);
SELECT shardwise.distribute_table('no_shards', 'id');
SELECT shardwise.create_reference_table('no_shards');
DROP TABLE no_shards;
SELECT shardwise.add_local_shard('ref_a');
SELECT shardwise.add_local_shard('ref_b');

-- kinds of relations
CREATE TABLE plain (id int PRIMARY KEY, a int NOT NULL, b int, c text NOT NULL, d int GENERATED ALWAYS AS (a * 2) STORED NOT NULL);
INSERT INTO plain VALUES (1, 1, NULL, 'one'), (2, 2, 2, 'two');
CREATE VIEW view AS TABLE plain;
CREATE MATERIALIZED VIEW matview AS TABLE plain;
CREATE SEQUENCE sequence;
CREATE TEMP TABLE temporary (id int PRIMARY KEY);
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
CREATE FOREIGN TABLE foreign_table (id int NOT NULL) SERVER ref_a;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE FOREIGN TABLE foreign_part (id int NOT NULL) SERVER ref_a;
CREATE TABLE foreign_parts (id int NOT NULL) PARTITION BY RANGE (id);
ALTER TABLE foreign_parts ATTACH PARTITION foreign_part FOR VALUES FROM (0) TO (10);
SELECT shardwise.distribute_table('view', 'id');
SELECT shardwise.distribute_table('matview', 'id');
SELECT shardwise.distribute_table('sequence', 'id');
SELECT shardwise.distribute_table('plain_pkey', 'id');
SELECT shardwise.distribute_table('temporary', 'id');
SELECT shardwise.distribute_table('unlogged', 'id');
SELECT shardwise.distribute_table('foreign_table', 'id');
SELECT shardwise.distribute_table('pg_class', 'oid');
SELECT shardwise.distribute_table('information_schema.sql_features', 'feature_id');
SELECT shardwise.distribute_table('shardwise.shard', 'shard_id');
SELECT shardwise.distribute_table('parent', 'id');
SELECT shardwise.distribute_table('child', 'id');
SELECT shardwise.distribute_table('part', 'id');
SELECT shardwise.distribute_table('foreign_parts', 'id');
SELECT shardwise.create_reference_table('view');
SELECT shardwise.create_reference_table('temporary');
SELECT shardwise.distribute_table('nowhere', 'id');
SELECT shardwise.distribute_table(NULL, 'id');

-- the key
SELECT shardwise.distribute_table('plain', 'nope');
SELECT shardwise.distribute_table('plain', '{id,a}');
SELECT shardwise.distribute_table('plain', NULL::text);
SELECT shardwise.distribute_table('plain', '{}'::text[]);
SELECT shardwise.distribute_table('plain', ARRAY['id', NULL]);
SELECT shardwise.distribute_table('plain', ARRAY['id', 'id']);
SELECT shardwise.distribute_table('plain', 'ctid');
SELECT shardwise.distribute_table('plain', 'b');
SELECT shardwise.distribute_table('plain', 'd');
SELECT shardwise.distribute_table('plain', 'a');
CREATE TABLE wide (a int NOT NULL, b int NOT NULL, c int NOT NULL, d int NOT NULL, e int NOT NULL,
                   f int NOT NULL, g int NOT NULL, h int NOT NULL, i int NOT NULL);
SELECT shardwise.distribute_table('wide', ARRAY['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']);
CREATE TABLE odd_types (p point NOT NULL, x xml NOT NULL, j json NOT NULL, s xid NOT NULL);
SELECT shardwise.distribute_table('odd_types', 'p');
SELECT shardwise.distribute_table('odd_types', 'j');
SELECT shardwise.distribute_table('odd_types', 's', 'range', splits => '{1}');
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE loosely (t text COLLATE loose NOT NULL);
SELECT shardwise.distribute_table('loosely', 't');

-- constraints that a shard cannot check
CREATE TABLE uniques (id int PRIMARY KEY, a int NOT NULL, b int);
CREATE UNIQUE INDEX uniques_expression ON uniques (id, (a + 1));
SELECT shardwise.distribute_table('uniques', 'a');
CREATE TABLE unique_index (a int NOT NULL, b int);
CREATE UNIQUE INDEX unique_index_b ON unique_index ((a + 0), b) WHERE b > 0;
SELECT shardwise.distribute_table('unique_index', 'a');
CREATE TABLE exclusion (a int NOT NULL, r int4range, EXCLUDE USING gist (r WITH &&));
SELECT shardwise.distribute_table('exclusion', 'a');
CREATE TABLE excluded_key (r int4range NOT NULL, EXCLUDE USING gist (r WITH &&));
SELECT shardwise.distribute_table('excluded_key', 'r');
ALTER TABLE parts ADD COLUMN other int NOT NULL;
CREATE UNIQUE INDEX part_other ON part (other);
SELECT shardwise.distribute_table('parts', 'id');

-- foreign keys
CREATE TABLE customers (id int PRIMARY KEY, region int NOT NULL, UNIQUE (region, id));
CREATE TABLE orders (id int, customer int REFERENCES customers, PRIMARY KEY (customer, id));
CREATE TABLE lines (customer int, "order" int, n int, PRIMARY KEY (customer, "order", n),
                    FOREIGN KEY (customer, "order") REFERENCES orders (customer, id));
CREATE TABLE regions (region int, customer int, PRIMARY KEY (region, customer),
                      FOREIGN KEY (region, customer) REFERENCES customers (region, id) ON DELETE SET DEFAULT);
SELECT shardwise.distribute_table('orders', 'customer');
SELECT shardwise.create_reference_table('orders');
SELECT shardwise.distribute_table('orders', 'id');
\set VERBOSITY terse
SELECT shardwise.distribute_table('customers', 'id');
\set VERBOSITY default
SELECT shardwise.distribute_table('orders', 'customer');
SELECT shardwise.distribute_table('orders', 'id', colocate_with => 'customers');
SELECT shardwise.create_reference_table('orders');
SELECT shardwise.distribute_table('regions', 'customer', colocate_with => 'customers');
SELECT shardwise.distribute_table('lines', 'customer', colocate_with => 'customers');
CREATE TABLE self (id int PRIMARY KEY, boss int REFERENCES self);
SELECT shardwise.distribute_table('self', 'id');

-- arguments
SELECT shardwise.distribute_table('plain', 'id', 'random');
SELECT shardwise.distribute_table('plain', 'id', NULL);
SELECT shardwise.distribute_table('plain', 'id', shards => '{ref_a,nowhere}');
SELECT shardwise.distribute_table('plain', 'id', shards => '{ref_a,ref_a}');
SELECT shardwise.distribute_table('plain', 'id', shards => '{}');
SELECT shardwise.distribute_table('plain', 'id', shards => '{NULL}');
SELECT shardwise.distribute_table('plain', 'id', splits => '{1}');
SELECT shardwise.distribute_table('plain', 'id', default_shard => 'ref_a');
SELECT shardwise.distribute_table('plain', 'id', virtual_nodes => 7);
SELECT shardwise.distribute_table('plain', 'id', 'consistent_hash', virtual_nodes => 0);
SELECT shardwise.distribute_table('plain', 'id', 'consistent_hash', virtual_nodes => 1000000);
SELECT shardwise.distribute_table('plain', 'id', 'range');
SELECT shardwise.distribute_table('plain', 'id', 'range', splits => '{1,10,5}');
SELECT shardwise.distribute_table('plain', 'id', 'range', splits => '{1,1}');
SELECT shardwise.distribute_table('plain', 'id', 'range', splits => '{1,x}');
SELECT shardwise.distribute_table('plain', 'id', 'range', splits => '{1,NULL}');
SELECT shardwise.distribute_table('plain', 'id', 'range', splits => '{1}', shards => '{ref_a,ref_b,ref_a}');
SELECT shardwise.distribute_table('plain', 'id', 'range', splits => '{1}', default_shard => 'nowhere');
SELECT shardwise.distribute_table('plain', 'id', 'list', splits => '{5,7,5}');
SELECT shardwise.distribute_table('wide', ARRAY['a', 'b'], 'range', splits => ARRAY['(1,)']);
SELECT shardwise.distribute_table('wide', ARRAY['a', 'b'], 'range', splits => ARRAY['1']);
SELECT shardwise.distribute_table('plain', 'id', colocate_with => 'parent');
SELECT shardwise.distribute_table('plain', 'id', colocate_with => 'customers', shards => '{ref_a}');
SELECT shardwise.distribute_table('plain', 'id', 'range', colocate_with => 'customers');
CREATE TABLE big (id bigint PRIMARY KEY);
SELECT shardwise.distribute_table('big', 'id', colocate_with => 'customers');
SELECT shardwise.distribute_table('wide', ARRAY['a', 'b'], colocate_with => 'customers');
SELECT shardwise.distribute_table('customers', 'id');
SELECT shardwise.create_reference_table('customers');
CREATE TABLE refs (id int PRIMARY KEY);
SELECT shardwise.create_reference_table('refs');
SELECT shardwise.distribute_table('plain', 'id', colocate_with => 'refs');
SELECT shardwise.distribute_table('refs', 'id');
BEGIN READ ONLY;
SELECT shardwise.distribute_table('plain', 'id');
ROLLBACK;

-- what a shard cannot have, or has differently
CREATE TABLE local_only (n int);
CREATE FUNCTION reads_local() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM local_only; END;
CREATE TABLE with_policy (id int PRIMARY KEY);
CREATE POLICY p ON with_policy USING (reads_local() > 0);
SELECT shardwise.distribute_table('with_policy', 'id');
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE by_mood (id int NOT NULL, m mood) PARTITION BY HASH (m);
SELECT shardwise.distribute_table('by_mood', 'id');
CREATE TABLE mood_keys (m mood NOT NULL, a mood[] NOT NULL);
SELECT shardwise.distribute_table('mood_keys', 'm');
SELECT shardwise.distribute_table('mood_keys', 'a', strategy => 'consistent_hash');
CREATE TABLE with_type (id int PRIMARY KEY, m mood);
SELECT * FROM shardwise.run_on_shards($$CREATE TYPE mood AS ENUM ('sad')$$, '{ref_b}');
SELECT shardwise.distribute_table('with_type', 'id');
SELECT * FROM shardwise.run_on_shards($$ALTER TYPE mood ADD VALUE 'happy'$$, '{ref_b}');
CREATE FUNCTION f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE TABLE with_function (id int PRIMARY KEY CHECK (f() = 1));
SELECT * FROM shardwise.run_on_shards($$CREATE FUNCTION f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2'$$, '{ref_a}');
SELECT shardwise.distribute_table('with_function', 'id');
SELECT * FROM shardwise.run_on_shards('DROP FUNCTION f()', '{ref_a}');
CREATE TABLE with_shardwise (id int PRIMARY KEY CHECK (shardwise.show_key(ARRAY['a']) = 'a'));
SELECT shardwise.distribute_table('with_shardwise', 'id');

-- a shard that does not answer
SELECT current_setting('unix_socket_directories') AS host, current_setting('port') AS port, current_user AS me \gset
\set conn 'host=' :host ' port=' :port ' user=' :me ' dbname=shard_ref_b'
ALTER SERVER ref_b OPTIONS (SET port '1');
\set VERBOSITY sqlstate
SELECT shardwise.distribute_table('plain', 'id');
\set VERBOSITY default
SELECT shard, ok FROM shardwise.run_on_shards('SELECT 1');
SELECT shardwise.update_shard('ref_b', :'conn');

-- nothing has changed
SELECT relation, kind, key_columns FROM shardwise.tables ORDER BY relation::text;
SELECT count(*) FROM shardwise.keyspaces;
TABLE plain;
SELECT shard, result FROM shardwise.run_on_shards(
    $$SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'$$);

SELECT shardwise.distribute_table('plain', 'id');
SELECT shardwise.distribute_table('with_type', 'id');
SELECT shardwise.distribute_table('with_function', 'id');
SELECT function FROM shardwise.shipped_function;

DROP VIEW view;
DROP MATERIALIZED VIEW matview;
DROP SEQUENCE sequence;
DROP FOREIGN TABLE foreign_table;
DROP TABLE by_mood, mood_keys, plain, temporary, unlogged, child, parent, parts, foreign_parts, wide, odd_types, loosely, uniques, unique_index,
    exclusion, excluded_key, lines, regions, orders, customers, self, big, refs,
    with_policy, with_type, with_function, with_shardwise;
DROP FUNCTION reads_local, f;
SELECT function FROM shardwise.shipped_function;
DROP TABLE local_only;
DROP TYPE mood;
DROP COLLATION loose;
SELECT shardwise.remove_shard(name) FROM shardwise.shards;
DROP DATABASE shard_ref_a WITH (FORCE);
DROP DATABASE shard_ref_b WITH (FORCE);
