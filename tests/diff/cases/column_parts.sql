-- Parts of columns: elements of arrays and fields of composites, one or several in a statement.
-- setup
CREATE TYPE diff_pair AS (one int, two text[]);
CREATE DOMAIN diff_big_pair AS diff_pair CHECK ((VALUE).one > 0 AND (VALUE).two IS NOT NULL);
CREATE TABLE parts (id int NOT NULL, n int[], p diff_pair, ps diff_pair[], d diff_big_pair);
-- shardwise: SELECT shardwise.distribute_table('parts', 'id')
CREATE TABLE part_lists (id int PRIMARY KEY, n int[]);
-- shardwise: SELECT shardwise.create_reference_table('part_lists')
INSERT INTO parts SELECT g, ARRAY[g, 2 * g], ROW(g, '{x}')::diff_pair, NULL, ROW(1, '{y}')::diff_pair FROM generate_series(1, 9) g;
INSERT INTO part_lists VALUES (1, '{1,2}'), (2, NULL);
-- test
INSERT INTO parts (id, n[1], n[2]) VALUES (10, 1, 2) RETURNING *;
INSERT INTO parts (id, n[1], n[2]) VALUES (11, 1, 2), (12, 3, 4) RETURNING *;
INSERT INTO parts (id, n[2]) VALUES (13, 1), (14, 3) RETURNING *;
INSERT INTO parts (id, p.one, p.two) VALUES (15, 1, '{a}') RETURNING *;
INSERT INTO parts (id, p.one, p.two[1], p.two[2]) VALUES (16, 1, 'a', 'b'), (17, 2, 'c', 'd') RETURNING *;
INSERT INTO parts (id, ps[1].one, ps[1].two[1], ps[1].two[2]) VALUES (18, 1, 'a', 'b') RETURNING *;
INSERT INTO parts (id, d.one, d.two) VALUES (19, 1, '{a}') RETURNING *;
INSERT INTO parts (id, d.one, d.two) VALUES (19, 0, '{a}');
INSERT INTO parts (id, n[1], n[2]) SELECT id + 100, n[2], n[1] FROM parts WHERE id < 4 RETURNING *;
-- params: 31, 7
INSERT INTO parts (id, n[1], n[3]) VALUES ($1, $2, 8) RETURNING *;
INSERT INTO part_lists (id, n[1], n[2]) VALUES (3, 5, 6), (4, 7, 8) RETURNING *;
UPDATE parts SET n[1] = 5, n[2] = 6 WHERE id = 1 RETURNING *;
UPDATE parts SET n[1] = n[2], n[2] = n[1] RETURNING id, n;
UPDATE parts SET n[1] = (SELECT max(id) FROM parts), n[4] = id WHERE id < 20 RETURNING id, n;
UPDATE parts SET p.one = 3, p.two = '{z}' WHERE id = 2 RETURNING *;
UPDATE parts SET p.one = id, p.two[2] = 'w' RETURNING id, p;
UPDATE parts SET d.one = 7 WHERE id = 3 RETURNING *;
UPDATE parts SET d.one = 7, d.two[3] = 'q' WHERE d IS NOT NULL RETURNING id, d;
UPDATE part_lists SET n[1] = id, n[2] = 9 RETURNING *;
SELECT * FROM parts ORDER BY id;
SELECT * FROM part_lists ORDER BY id;
-- teardown
DROP TABLE parts, part_lists;
DROP DOMAIN diff_big_pair;
DROP TYPE diff_pair;
