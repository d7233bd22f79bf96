-- Lookups of one table by a column that is not the key, whose values few rows share as ANALYZE found:
-- prepared on the shards, not read in bulk.
-- setup
CREATE TABLE people (id bigint NOT NULL, email text NOT NULL, age smallint, born date, balance numeric(12,2), tag varchar(8), code uuid, PRIMARY KEY (id));
INSERT INTO people SELECT i, 'p' || i || '@example.org', i % 90, date '1950-01-01' + i, i * 1.25, CASE WHEN i % 10 < 9 THEN 't' || i / 2 END, md5(i::text)::uuid FROM generate_series(1, 4000) i;
-- shardwise: SELECT shardwise.distribute_table('people', 'id')
ANALYZE people;
-- test
SELECT * FROM people WHERE email = 'p77@example.org';
SELECT id, email FROM people WHERE email = 'nobody' OR email = 'p5@example.org';
-- params: 'p123@example.org'
SELECT * FROM people WHERE email = $1;
-- params: NULL
SELECT * FROM people WHERE email = $1::text;
-- params: date '1950-01-11', 5
SELECT id, age, born FROM people WHERE born = $1 AND id > $2;
SELECT id, balance FROM people WHERE balance = 250 ORDER BY id;
SELECT id FROM people WHERE balance = 250.001;
SELECT id, tag FROM people WHERE tag = 't33' ORDER BY id DESC;
SELECT id, tag || 'x' AS y FROM people WHERE 't34'::varchar = tag ORDER BY id;
SELECT count(*), max(id) FROM people WHERE tag = 't40' GROUP BY tag;
SELECT tag, row_number() OVER (ORDER BY id) FROM people WHERE tag = 't41' ORDER BY 2;
SELECT id FROM people WHERE code = md5('99')::uuid;
SELECT DISTINCT age FROM people WHERE tag = 't50' ORDER BY age;
SELECT id FROM people WHERE age = 7 AND tag IS NULL ORDER BY id LIMIT 3;
SELECT id FROM people WHERE born = '1950-02-01' UNION ALL SELECT id FROM people WHERE born = '1950-02-02';
SELECT p.id, o.n FROM people p, LATERAL (SELECT count(*) AS n FROM orders WHERE orders.order_id = p.id) o WHERE p.email = 'p9@example.org';
SELECT id FROM people WHERE email = 'p10@example.org' FOR UPDATE;
SELECT id FROM people WHERE email = 1 / 0 || '';
SELECT id FROM people WHERE balance = 1 / (SELECT 0);
BEGIN;
UPDATE people SET email = 'changed' WHERE email = 'p11@example.org';
SELECT id, email FROM people WHERE email = 'changed';
ROLLBACK;
SELECT id, email FROM people WHERE email = 'changed';
-- teardown
DROP TABLE people;
