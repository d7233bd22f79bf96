-- A pair that differs in everything that the runner compares: each difference must be found.
-- expect-rows-difference: public.twice: row only on router
-- setup
CREATE TABLE t (id int PRIMARY KEY, a text, b int);
INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3);
-- router: UPDATE t SET a = 'ONE' WHERE id = 1
-- router: DELETE FROM t WHERE id = 3
CREATE TABLE typed (v int, w varchar(10));
-- router: ALTER TABLE typed ALTER v TYPE bigint, ALTER w TYPE varchar(20)
CREATE TABLE nulls (v text);
INSERT INTO nulls VALUES ('');
-- router: UPDATE nulls SET v = NULL
CREATE TABLE twice (v int);
INSERT INTO twice VALUES (1), (1), (2);
-- router: UPDATE twice SET v = 2 WHERE ctid = '(0,1)'
CREATE VIEW upward AS SELECT id FROM t WHERE id < 3 ORDER BY id;
-- router: CREATE OR REPLACE VIEW upward AS SELECT id FROM t WHERE id < 3 ORDER BY id DESC
CREATE TABLE strict (v int, CONSTRAINT strict_one CHECK (v > 0));
-- router: ALTER TABLE strict RENAME CONSTRAINT strict_one TO strict_other
CREATE FUNCTION fails() RETURNS int LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'same' USING ERRCODE = 'SW001', DETAIL = 'one', HINT = 'one'; END $$;
-- router: CREATE OR REPLACE FUNCTION fails() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'same' USING ERRCODE = 'SW002', DETAIL = 'two', HINT = 'two'; END $$
CREATE FUNCTION fails_here() RETURNS int LANGUAGE sql AS 'SELECT 1';
-- router: CREATE OR REPLACE FUNCTION fails_here() RETURNS int LANGUAGE sql AS 'SELECT 1 / 0'

-- test
-- expect-difference: row only on router: (
SELECT id, a FROM t WHERE id < 3;
-- expect-difference: number of rows: router 2 | plain 3
SELECT * FROM t;
-- params: 3
-- expect-difference: number of rows: router 0 | plain 1
SELECT id FROM t WHERE id = $1;
-- expect-difference: order, from row 1
-- ordered
SELECT * FROM upward;
-- unordered
SELECT * FROM upward;
-- expect-difference: columns: router v bigint | plain v integer
SELECT v FROM typed;
-- expect-difference: modifier 24
SELECT w FROM typed;
-- expect-difference: row only on router: (NULL)
SELECT v FROM nulls;
-- expect-difference: row only on router: (
SELECT v FROM twice;
-- expect-difference: SQLSTATE: router SW002 | plain SW001
SELECT fails();
-- expect-difference: DETAIL: router two | plain one
SELECT fails();
-- expect-difference: HINT: router two | plain one
SELECT fails();
-- expect-difference: constraint name: router strict_other | plain strict_one
INSERT INTO strict VALUES (0);
-- expect-difference: outcome: router 22012
SELECT fails_here();
-- expect-difference: command tag: router DELETE 0 | plain DELETE 1
DELETE FROM t WHERE id = 3;
BEGIN;
-- expect-difference: transaction status: router failed transaction | plain in transaction
SELECT fails_here();
ROLLBACK;

-- teardown
DROP VIEW upward;
DROP TABLE t, typed, nulls, twice, strict;
DROP FUNCTION fails();
DROP FUNCTION fails_here();
