-- Shards: add, check, update, remove.
SELECT shardwise.add_local_shard('reg_a');
SELECT shardwise.add_local_shard('reg_b', weight => 2);
SELECT name, dbname, weight, is_local, ranges FROM shardwise.shards;
SELECT srvname, um.usename FROM pg_foreign_server s JOIN pg_user_mappings um USING (srvname) ORDER BY 1;

-- a database with the wrong encoding and locale, and this one
CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';
SELECT current_setting('unix_socket_directories') AS host, current_setting('port') AS port,
       current_database() AS db, current_user AS me \gset
\set conn 'host=' :host ' port=' :port ' user=' :me ' dbname='
\set here :conn :db
\set latin :conn latin
SELECT check_name, ok FROM shardwise.check_shard(:'here');
SELECT name, check_name FROM shardwise.shards, shardwise.check_shard(name) WHERE NOT ok;
SELECT check_name, ok, detail FROM shardwise.check_shard(:'latin') WHERE check_name = 'encoding';
SELECT check_name, ok FROM shardwise.check_shard('host=127.0.0.1 port=1 dbname=x');
\set VERBOSITY terse
SELECT shardwise.add_shard('reg_x', :'here');
SELECT shardwise.add_shard('reg_x', :'latin');
SELECT shardwise.add_shard('reg_x', 'host=127.0.0.1 port=1 dbname=x');
\set VERBOSITY default
DROP DATABASE latin;

-- arguments; the password must not come back
SELECT shardwise.add_shard('reg_a', 'dbname=x');
SELECT shardwise.add_shard('reg_x', 'dbname=x passwort=secret');
SELECT shardwise.add_shard('reg_x', 'dbname=x password secret');
SELECT shardwise.add_shard('reg_x', 'dbname=x replication=true');
SELECT shardwise.add_shard('', 'dbname=x');
SELECT shardwise.add_shard('reg_x', 'dbname=x', 0);
SELECT shardwise.add_local_shard('reg_x', 'Infinity');
\set a :conn shard_reg_a
SELECT shardwise.add_shard('reg_x', :'a');
CREATE SERVER taken FOREIGN DATA WRAPPER shardwise;
SELECT shardwise.add_shard('taken', 'dbname=x');
DROP SERVER taken;

-- rolled back: the server goes, the database stays
BEGIN;
SELECT shardwise.add_local_shard('reg_c');
ROLLBACK;
SELECT count(*) FROM pg_foreign_server WHERE srvname = 'reg_c';
SELECT shardwise.add_local_shard('reg_c');

-- update
SELECT shardwise.update_shard('reg_c', weight => 0.5);
SELECT weight FROM shardwise.shards WHERE name = 'reg_c';
SELECT shardwise.update_shard('nowhere', weight => 1);
SELECT shardwise.update_shard('reg_c', weight => -1);
\set c :conn shard_reg_c ' application_name=renamed'
SELECT shardwise.update_shard('reg_c', :'c');
SELECT option_value FROM pg_foreign_server, pg_options_to_table(srvoptions)
 WHERE srvname = 'reg_c' AND option_name IN ('dbname', 'application_name') ORDER BY option_name;
SELECT shardwise.update_shard('reg_c', :'a');

-- a shard added later gets the tables: reference tables with rows, distributed tables without
SELECT shardwise.remove_shard('reg_c');
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item VALUES (1, 'one'), (2, NULL), (3, E'tab\t\\N');
CREATE TABLE owner (id int PRIMARY KEY, item int REFERENCES item);
INSERT INTO owner SELECT i, 1 + i % 3 FROM generate_series(1, 20) i;
SELECT shardwise.create_reference_table('item');
SELECT shardwise.distribute_table('owner', 'id');
SELECT shardwise.add_local_shard('reg_c');
SELECT * FROM shardwise.run_on_shards('SELECT count(*) FROM item');
SELECT * FROM shardwise.run_on_shards($$SELECT string_agg(name, ',' ORDER BY id) FROM item$$, '{reg_c}');
SELECT sum(result::int) FROM shardwise.run_on_shards('SELECT count(*) FROM owner');
SELECT * FROM shardwise.run_on_shards('SELECT count(*) FROM owner', '{reg_c}');
SELECT * FROM shardwise.run_on_shards('INSERT INTO owner VALUES (1000, 99)', '{reg_c}');
-- a shard that another database became
\set fresh :conn postgres
SELECT shardwise.update_shard('reg_c', :'fresh');

-- remove
SELECT shardwise.remove_shard('reg_a');
SELECT shardwise.remove_shard('nowhere');
SELECT * FROM shardwise.run_on_shards('INSERT INTO owner VALUES (1000, 1)', '{reg_c}');
SELECT shardwise.remove_shard('reg_c');
SELECT * FROM shardwise.run_on_shards('DELETE FROM owner', '{reg_c}');
SELECT shardwise.remove_shard('reg_c');
SELECT name FROM shardwise.shards;

-- servers of shards are kept
DROP SERVER reg_a CASCADE;
ALTER SERVER reg_a RENAME TO reg_z;
ALTER SCHEMA shardwise RENAME TO reg_schema;
ALTER SERVER reg_a OPTIONS (ADD application_name 'renamed');

-- run_on_shards: each in a transaction of its own
SELECT * FROM shardwise.run_on_shards('VACUUM item');
SELECT * FROM shardwise.run_on_shards('SELECT 1 AS a; SELECT 2 AS b');
ALTER DATABASE shard_reg_a SET statement_timeout = '1min';
SELECT result FROM shardwise.run_on_shards('SHOW statement_timeout', '{reg_a}');
SELECT * FROM shardwise.run_on_shards('SELECT NULL');
SELECT * FROM shardwise.run_on_shards('SELECT 1 / 0', '{reg_b, reg_b}');
SELECT * FROM shardwise.run_on_shards('SELECT FROM item WHERE false');
SELECT * FROM shardwise.run_on_shards('BEGIN; UPDATE owner SET item = 1');
SELECT * FROM shardwise.run_on_shards('COPY item TO STDOUT');
SELECT * FROM shardwise.run_on_shards('SELECT 1', '{nowhere}');
SELECT * FROM shardwise.run_on_shards(NULL);

-- privileges
CREATE ROLE reg_nobody;
SET ROLE reg_nobody;
SELECT shardwise.add_shard('reg_x', 'dbname=x');
SELECT * FROM shardwise.run_on_shards('SELECT 1');
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA shardwise TO reg_nobody;
SET ROLE reg_nobody;
SELECT shardwise.add_shard('reg_x', 'dbname=x');
SELECT * FROM shardwise.check_shard('dbname=x');
SELECT * FROM shardwise.check_shard('reg_a');
SELECT shardwise.add_local_shard('reg_x');
SELECT * FROM shardwise.run_on_shards('SELECT 1');
SELECT shardwise.distribute_table('item', 'id');
SELECT shardwise.undistribute_table('owner');
SELECT shardwise.locate('owner', 1);
RESET ROLE;
GRANT USAGE ON FOREIGN DATA WRAPPER shardwise TO reg_nobody;
SET ROLE reg_nobody;
SELECT shardwise.add_shard('reg_x', 'dbname=x');
SELECT shardwise.add_shard('reg_x', 'dbname=x password=p sslkey=k');
SELECT shardwise.remove_shard('reg_b');
SELECT shardwise.update_shard('reg_b', weight => 7);
RESET ROLE;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA shardwise FROM reg_nobody;
REVOKE ALL ON FOREIGN DATA WRAPPER shardwise FROM reg_nobody;
DROP ROLE reg_nobody;
BEGIN READ ONLY;
SELECT shardwise.remove_shard('reg_b');
ROLLBACK;

-- a shard that is gone can be removed once it owns nothing
SELECT shardwise.add_local_shard('reg_c');
ALTER SERVER reg_c OPTIONS (SET port '1');
\set VERBOSITY terse
SELECT shardwise.remove_shard('reg_c');
\set VERBOSITY default

DROP TABLE owner, item;
SELECT shardwise.remove_shard('reg_a');
SELECT shardwise.remove_shard('reg_b');
SELECT count(*) FROM shardwise.shards;
SELECT shardwise.distribute_table('pg_class', 'oid');
DROP DATABASE shard_reg_a WITH (FORCE);
DROP DATABASE shard_reg_b WITH (FORCE);
DROP DATABASE shard_reg_c WITH (FORCE);
