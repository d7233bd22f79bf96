-- The hash of a key is the same in the router's C++ and as SQL on any server. Everything is rolled
-- back: the catalog rows below are written by hand, and there are no such shards.
BEGIN;

-- Makes a table with key columns of the given types, hashes keys in both ways and compares.
CREATE FUNCTION compare_hashes(types regtype[], VARIADIC keys text[],
                               OUT expression text, OUT keys_hashed int, OUT equal boolean)
LANGUAGE plpgsql AS $$
DECLARE
    columns name[] := ARRAY(SELECT 'Key ' || i FROM generate_subscripts(types, 1) i);
    values_sql text;
    from_router bigint;
    from_sql bigint;
    item text;
BEGIN
    EXECUTE (SELECT 'CREATE TABLE hashed (pad int, ' ||
                    string_agg(format('%I %s NOT NULL', columns[i], types[i]), ', ' ORDER BY i) || ')'
               FROM generate_subscripts(types, 1) i);
    INSERT INTO shardwise.keyspace (keyspace_id, strategy, key_types, key_collations)
        SELECT 990, 'hash', types, array_agg(t.typcollation::regcollation ORDER BY i)
          FROM unnest(types) WITH ORDINALITY u (type, i) JOIN pg_type t ON t.oid = u.type;
    INSERT INTO shardwise.distribution VALUES ('hashed', 990, columns);

    expression := shardwise.key_hash_expression('hashed');
    keys_hashed := 0;
    equal := true;
    FOREACH item IN ARRAY keys LOOP
        -- each item is an array of one text a column
        SELECT string_agg(format('%L::%s', value, types[i]), ', ' ORDER BY i) INTO values_sql
          FROM unnest(item::text[]) WITH ORDINALITY v (value, i);
        EXECUTE format('SELECT shardwise.key_hash(''hashed'', %s)', values_sql) INTO from_router;
        EXECUTE format('SELECT %s FROM (VALUES (%s)) v (%s)', expression, values_sql,
                       (SELECT string_agg(quote_ident(c), ', ' ORDER BY i)
                          FROM unnest(columns) WITH ORDINALITY u (c, i))) INTO from_sql;
        keys_hashed := keys_hashed + 1;
        equal := equal AND from_router IS NOT NULL AND from_router = from_sql;
    END LOOP;

    DELETE FROM shardwise.distribution WHERE relation = 'hashed'::regclass;
    DELETE FROM shardwise.keyspace WHERE keyspace_id = 990;
    DROP TABLE hashed;
END $$;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN tenant AS text CHECK (VALUE <> '');
CREATE DOMAIN day AS date;
CREATE TYPE pair AS (a int, b text);

SELECT * FROM compare_hashes('{int2}', '{0}', '{-32768}', '{32767}');
SELECT * FROM compare_hashes('{int4}', '{0}', '{-1}', '{2147483647}', '{-2147483648}');
SELECT * FROM compare_hashes('{int8}', '{0}', '{-1}', '{9223372036854775807}', '{-9223372036854775808}');
SELECT * FROM compare_hashes('{text}', '{""}', '{a}', '{"it''s a \"tenant\""}', '{äöü}');
SELECT * FROM compare_hashes('{varchar}', '{a}', '{abc}');
SELECT * FROM compare_hashes('{bpchar}', '{a}', '{"a  "}');
SELECT * FROM compare_hashes('{name}', '{a}');
SELECT * FROM compare_hashes('{uuid}', '{0d9f3a52-0b8e-4f6e-9a55-111111111111}');
SELECT * FROM compare_hashes('{bytea}', '{"\\\\x00ff"}', '{""}');
SELECT * FROM compare_hashes('{boolean}', '{t}', '{f}');
SELECT * FROM compare_hashes('{numeric}', '{1.50}', '{NaN}', '{-0}', '{12345678901234567890.1}');
SELECT * FROM compare_hashes('{float8}', '{0}', '{-0}', '{NaN}', '{1e300}');
SELECT * FROM compare_hashes('{float4}', '{0.1}');
SELECT * FROM compare_hashes('{date}', '{2024-02-29}', '{infinity}', '{-infinity}', '{0001-01-01 BC}');
SELECT * FROM compare_hashes('{timestamp}', '{2024-02-29 12:34:56.789}', '{infinity}');
SELECT * FROM compare_hashes('{timestamptz}', '{2024-02-29 12:34:56.789+05}', '{-infinity}');
SELECT * FROM compare_hashes('{time}', '{12:34:56.789}');
SELECT * FROM compare_hashes('{interval}', '{1 day}', '{24:00:00}');
SELECT * FROM compare_hashes('{inet}', '{10.0.0.1}', '{2001:db8::1/64}');
SELECT * FROM compare_hashes('{cidr}', '{10.0.0.0/8}');
SELECT * FROM compare_hashes('{jsonb}', '{"{\"a\": 1}"}');
SELECT * FROM compare_hashes('{int4[]}', '{"{1,2}"}', '{"{}"}');
SELECT * FROM compare_hashes('{int8range}', '{"[1,5)"}', '{empty}');
SELECT * FROM compare_hashes('{oid}', '{4000000000}');
SELECT * FROM compare_hashes('{mood}', '{sad}', '{happy}');
SELECT * FROM compare_hashes('{tenant}', '{a}');
SELECT * FROM compare_hashes('{day}', '{2024-02-29}');
SELECT * FROM compare_hashes('{pair}', '{"(1,x)"}');

-- several columns: the hash of one is the seed of the next
SELECT * FROM compare_hashes('{int8,text}', '{1,a}', '{2,a}', '{1,b}');
SELECT * FROM compare_hashes('{text,date,uuid}', '{a,2024-02-29,0d9f3a52-0b8e-4f6e-9a55-111111111111}');

-- golden values: rows are placed by them
CREATE TABLE golden (a int8 NOT NULL, b text NOT NULL);
INSERT INTO shardwise.keyspace VALUES (990, 'hash', '{int8,text}', '{-,"\"default\""}');
INSERT INTO shardwise.distribution VALUES ('golden', 990, '{a,b}');
SELECT shardwise.key_hash('golden', 1, 'a') AS one_a, shardwise.key_hash('golden', 2, 'b') AS two_b;
-- values of other types are converted; NULL has no hash
SELECT shardwise.key_hash('golden', 1::numeric, 'a'::varchar) = shardwise.key_hash('golden', 1, 'a') AS same;
SELECT shardwise.key_hash('golden', VARIADIC ARRAY['1', 'a']) = shardwise.key_hash('golden', 1, 'a') AS same;
SELECT shardwise.key_hash('golden', 1, NULL) IS NULL AS is_null;

\set ON_ERROR_ROLLBACK on
SELECT shardwise.key_hash('golden', 1);
SELECT shardwise.key_hash('golden', 'x', 'a');
SELECT shardwise.key_hash('pg_class', 1);
SELECT shardwise.key_hash_expression('pg_class');
DELETE FROM shardwise.distribution WHERE relation = 'golden'::regclass;
DELETE FROM shardwise.keyspace WHERE keyspace_id = 990;
SELECT * FROM compare_hashes('{money}', '{1}');
ROLLBACK;
