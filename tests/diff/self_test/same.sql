-- Two databases with the same rows: nothing may be reported.
-- setup
CREATE TYPE colour AS ENUM ('red', 'green');
-- router: CREATE TYPE only_here AS ENUM ('shifts the OIDs of what follows')
CREATE TYPE pair AS (name text, colour colour);
CREATE TABLE t (id int PRIMARY KEY, colours colour[], pairs pair[], r numrange, s serial);
INSERT INTO t VALUES (1, '{red,green}', ARRAY[ROW('a', 'red')]::pair[], '[1,2)'), (2, NULL, '{}', 'empty');

-- test
SELECT * FROM t;
SELECT ROW(t.*), t, colours[1], pairs[1] FROM t ORDER BY id DESC;
-- params: 1, 'green'
SELECT id FROM t WHERE id = $1 AND $2 = ANY (colours);
-- params: '{red}'::colour[], -5::int8
SELECT $1, $2;
-- params: 'not a number'
SELECT id FROM t WHERE id = $1;
UPDATE t SET id = id + 10 RETURNING *;
INSERT INTO t (id) VALUES (11);
INSERT INTO t (id) VALUES (50) RETURNING s;
SELECT count(*) FROM t;
BEGIN;
DELETE FROM t WHERE id = 50;
SELECT 1 / 0;
SELECT 1;
ROLLBACK;
COPY t (id) FROM STDIN;
70
71
\.
COPY (SELECT id FROM t ORDER BY id) TO STDOUT;
COPY t (id) FROM STDIN;
70
\.
SELECT;
-- compare: shape
SELECT clock_timestamp(), random();

-- teardown
DROP TABLE t;
DROP TYPE pair;
DROP TYPE colour;
-- router: DROP TYPE only_here
