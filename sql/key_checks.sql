-- Triggers that change the shard key of a row: where the row stays with its shard they may, else the
-- statement fails. The shards judge, with each strategy, as the router does.
SET client_min_messages = warning;
SELECT shardwise.add_local_shard('c1'), shardwise.add_local_shard('c2'), shardwise.add_local_shard('c3');
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'wild');
CREATE FUNCTION change_key() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RETURN jsonb_populate_record(NEW, coalesce(NEW.becomes, '{}'));
END $$;

-- Inserts each key into table `checked`, with a trigger that makes each other one of it. Counts what
-- failed, and what did not fail though the new key is another shard's, or did though it is not.
CREATE FUNCTION try_keys(columns text, keys text[], OUT tried int, OUT failed int, OUT wrong int)
LANGUAGE plpgsql AS $$
DECLARE was text; is_to_be text; stays bool; fails bool;
BEGIN
    CREATE TRIGGER change BEFORE INSERT ON checked FOR EACH ROW EXECUTE FUNCTION change_key();
    tried := 0; failed := 0; wrong := 0;
    FOREACH was IN ARRAY keys LOOP
        FOREACH is_to_be IN ARRAY keys LOOP
            EXECUTE format('SELECT shardwise.locate(''checked'', %s) = shardwise.locate(''checked'', %s)', was, is_to_be)
                INTO stays;
            BEGIN
                EXECUTE format('INSERT INTO checked SELECT %s, (SELECT to_jsonb(new) FROM (VALUES (%s)) new(%s))',
                    was, is_to_be, columns);
                fails := false;
            EXCEPTION WHEN feature_not_supported THEN
                fails := true;
            END;
            tried := tried + 1;
            failed := failed + fails::int;
            wrong := wrong + (fails = stays)::int;
        END LOOP;
    END LOOP;
    DROP TABLE checked;
END $$;

CREATE TABLE checked (k int NOT NULL, becomes jsonb);
SELECT shardwise.distribute_table('checked', 'k');
SELECT * FROM try_keys('k', ARRAY(SELECT i::text FROM generate_series(-3, 3) i));
CREATE TABLE checked (k text COLLATE "C" NOT NULL, becomes jsonb);
SELECT shardwise.distribute_table('checked', 'k', 'consistent_hash', virtual_nodes => 20);
SELECT * FROM try_keys('k', ARRAY(SELECT format('text %L', chr(i)) FROM generate_series(97, 103) i));
CREATE TABLE checked (k timestamptz NOT NULL, becomes jsonb);
SET DateStyle = 'SQL, DMY';
SET TimeZone = 'Asia/Kolkata';
SELECT shardwise.distribute_table('checked', 'k', 'range', shards => '{c1,c2,c1}',
    splits => ARRAY['2026-02-01 00:00+00', '2026-03-01 00:00+00']);
SELECT * FROM try_keys('k', ARRAY(SELECT format('timestamptz %L', t) FROM unnest(ARRAY['-infinity',
    '2026-01-31 23:59:59.999999+00', '2026-02-01 00:00+00', '2026-02-28 23:59+00', '2026-03-01 00:00+00']) t));
RESET DateStyle;
RESET TimeZone;
CREATE TABLE checked (k varchar(9) NOT NULL, becomes jsonb);
SELECT shardwise.distribute_table('checked', 'k', 'range', splits => ARRAY['b,x', 'q"'], default_shard => 'c3');
SELECT * FROM try_keys('k', ARRAY(SELECT format('varchar %L', k) FROM unnest(ARRAY['', 'b,w', 'b,x', 'q', 'q"', 'z']) k));
-- Bounds that differ in some columns alone; the order of columns is another one in the partition.
CREATE TABLE checked (a int NOT NULL, b text NOT NULL, c date NOT NULL, becomes jsonb) PARTITION BY LIST (a);
CREATE TABLE checked_1 (becomes jsonb, c date NOT NULL, b text NOT NULL, a int NOT NULL);
ALTER TABLE checked ATTACH PARTITION checked_1 DEFAULT;
SELECT shardwise.distribute_table('checked', ARRAY['a', 'b', 'c'], 'range', shards => '{c1,c2,c3,c1,c2}',
    splits => ARRAY['(5,b,2026-01-01)', '(5,b,2026-01-03)', '(5,c,2026-01-01)', '(6,a,2026-01-01)']);
SELECT * FROM try_keys('a, b, c', ARRAY['4,text ''z'',date ''2027-01-01''', '5,text ''b'',date ''2025-12-31''',
    '5,text ''b'',date ''2026-01-01''', '5,text ''b'',date ''2026-01-02''', '5,text ''b'',date ''2026-01-03''',
    '5,text ''bb'',date ''2020-01-01''', '5,text ''c'',date ''2026-01-01''', '6,text ''a'',date ''2025-12-31''',
    '6,text ''a'',date ''2026-01-02''', '7,text '''',date ''2026-01-01''']);
CREATE TABLE checked (k mood NOT NULL, becomes jsonb);
SELECT shardwise.distribute_table('checked', 'k', 'list', splits => '{sad,happy}', shards => '{c1,c2}', default_shard => 'c3');
SELECT * FROM try_keys('k', ARRAY(SELECT format('mood %L', m) FROM unnest(enum_range(NULL::mood)) m));
CREATE TABLE checked (a int NOT NULL, b numeric NOT NULL, becomes jsonb);
SELECT shardwise.distribute_table('checked', ARRAY['a', 'b'], 'list', splits => ARRAY['(1,1.0)', '(2,2.5)', '(1,3)'],
    default_shard => 'c3');
SELECT * FROM try_keys('a, b', ARRAY['1,1.000', '1,1', '2,2.50', '1,3.0', '9,9']);

-- Whatever writes. Shards have no other row afterwards.
CREATE TABLE item (k int, id int, becomes jsonb, PRIMARY KEY (k, id));
SELECT shardwise.distribute_table('item', 'k', 'range', splits => '{10,20}');
CREATE TRIGGER change BEFORE INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION change_key();
INSERT INTO item VALUES (1, 1, NULL), (11, 2, '{"k": 12}'), (21, 3, NULL);
\set VERBOSITY default
\set SHOW_CONTEXT never
INSERT INTO item VALUES (1, 9, '{"k": 10}');
\set VERBOSITY terse
INSERT INTO item VALUES (1, 8, NULL), (12, 9, '{"k": 2}');
INSERT INTO item SELECT i, i + 10, '{"k": 2}' FROM generate_series(1, 30) i;
INSERT INTO item VALUES (1, 9, '{"k": 10}') ON CONFLICT DO NOTHING;
INSERT INTO item VALUES (1, 1, NULL) ON CONFLICT (k, id) DO UPDATE SET becomes = '{"k": 10}';
COPY item FROM stdin;
1	8	{"k": 2}
22	9	{"k": 2}
\.
UPDATE item SET becomes = '{"k": 10}' WHERE k = 1;
UPDATE item SET becomes = '{"k": 20}';
MERGE INTO item USING (VALUES (1), (5)) s(k) ON item.k = s.k
    WHEN MATCHED THEN UPDATE SET becomes = '{"k": 3}' WHEN NOT MATCHED THEN INSERT VALUES (s.k, 9, '{"k": 30}');
PREPARE put AS INSERT INTO item VALUES ($1, $2, $3) RETURNING k;
EXECUTE put(2, 4, '{"k": 3}');
EXECUTE put(2, 9, '{"k": 13}');
BEGIN;
SAVEPOINT one;
EXECUTE put(2, 5, '{"k": 4}');
ROLLBACK TO one;
EXECUTE put(2, 5, '{"k": 14}');
ROLLBACK;
-- A row that moves by the key that the statement gives is no matter.
UPDATE item SET k = 25, becomes = NULL WHERE k = 1;
SELECT * FROM item ORDER BY k;

-- The shards' triggers come and go with those of the router.
CREATE VIEW checks AS SELECT DISTINCT result FROM shardwise.run_on_shards($$SELECT string_agg(
    substring(tgname, 'shardwise_(.*)_key') || substring(pg_get_triggerdef(oid), ' AFTER \S+'), ', ' ORDER BY tgname)
    FROM pg_trigger WHERE tgname LIKE 'shardwise%'$$);
SELECT * FROM checks;
ALTER TRIGGER change ON item RENAME TO change_item;
CREATE OR REPLACE TRIGGER change_item BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION change_key();
SELECT * FROM checks;
SELECT * FROM shardwise.check_schema();
DROP FUNCTION change_key CASCADE;
SELECT * FROM checks;
CREATE TABLE label (k varchar(3) PRIMARY KEY);
CREATE FUNCTION lower_key() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.k := lower(NEW.k); RETURN NEW; END $$;
CREATE TRIGGER lowers BEFORE INSERT ON label FOR EACH ROW EXECUTE FUNCTION lower_key();
SELECT shardwise.distribute_table('label', 'k', 'list', splits => '{ABC,abc,abcd,ABCD}', shards => '{c1,c1,c1,c2}');
INSERT INTO label VALUES ('ABC');
ALTER TABLE label ALTER k TYPE varchar(4);
INSERT INTO label VALUES ('ABCD');
SELECT * FROM checks;

DROP VIEW checks;
DROP TABLE item, label;
DROP FUNCTION lower_key, try_keys;
DROP TYPE mood;
SELECT shardwise.remove_shard(name) FROM shardwise.shards;
DROP DATABASE shard_c1 WITH (FORCE);
DROP DATABASE shard_c2 WITH (FORCE);
DROP DATABASE shard_c3 WITH (FORCE);
