-- COPY ... FROM: formats, options, defaults, conditions, errors. Line ends and binary data come from
-- programs, as this file's own lines end in one way.
-- file-modes: simple, extended
-- setup
CREATE TABLE copied (k bigint PRIMARY KEY, a int CHECK (a < 1000), b text, c varchar(10) UNIQUE DEFERRABLE);
ALTER TABLE copied DROP CONSTRAINT copied_c_key;
CREATE TABLE copied_pair (x text, y int2, note text DEFAULT 'none', at date DEFAULT current_date,
    total int GENERATED ALWAYS AS (y * 2) STORED, PRIMARY KEY (x, y));
CREATE TABLE copied_auto (k bigserial PRIMARY KEY, n int DEFAULT 7, t text DEFAULT 'it''s "quoted", \and\ more',
    r int DEFAULT nextval('ticket'), e text, z text DEFAULT '\N');
CREATE TABLE copied_parts (k int NOT NULL, at date NOT NULL, v text, PRIMARY KEY (k, at)) PARTITION BY RANGE (at);
CREATE TABLE copied_parts_1 PARTITION OF copied_parts FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
CREATE TABLE copied_parts_2 (v text, gone int, at date NOT NULL, k int NOT NULL, PRIMARY KEY (k, at));
ALTER TABLE copied_parts_2 DROP COLUMN gone;
ALTER TABLE copied_parts ATTACH PARTITION copied_parts_2 FOR VALUES FROM ('2025-07-01') TO ('2026-01-01');
CREATE TABLE copied_ref (id int PRIMARY KEY, name text DEFAULT 'unnamed', made int DEFAULT nextval('ticket'));
CREATE TABLE copied_list (name text PRIMARY KEY, n int);
CREATE TABLE copied_mood (mood mood, id int, moods mood[], a address, PRIMARY KEY (id, mood));
CREATE TABLE copied_when (at timestamptz, id positive, f float8, i interval, PRIMARY KEY (at, id));
CREATE VIEW copied_view AS SELECT k, a FROM copied;
-- shardwise: SELECT shardwise.distribute_table('copied', 'k')
-- shardwise: SELECT shardwise.distribute_table('copied_pair', ARRAY['x', 'y'])
-- shardwise: SELECT shardwise.distribute_table('copied_auto', 'k')
-- shardwise: SELECT shardwise.distribute_table('copied_parts', 'k')
-- shardwise: SELECT shardwise.create_reference_table('copied_ref')
-- shardwise: SELECT shardwise.distribute_table('copied_list', 'name', strategy => 'list', splits => ARRAY['a', 'b'], default_shard => 's3')
-- shardwise: SELECT shardwise.distribute_table('copied_mood', ARRAY['id'])
-- shardwise: SELECT shardwise.distribute_table('copied_when', ARRAY['at', 'id'])
GRANT INSERT (k, a), SELECT (k) ON copied TO diff_reader;

-- test
-- Text.
COPY copied FROM STDIN;
1	10	one	c1
2	\N	\N	\N
3	30	tab\tnew\nline \\ back \x41\101	end
-4	40	Ünïcödé 日本語	c
+5	50	plus	end
 6 	60	spaces	end
9223372036854775807	70	max	end
-9223372036854775808	80	min	end
\.
SELECT * FROM copied ORDER BY k;
TRUNCATE copied;
COPY copied (b, k) FROM STDIN WITH (DELIMITER '|', NULL 'nothing');
one|1
nothing|2
with \| delimiter|3
with \\| 4
\nothing|5
	tab|6
\.
COPY copied (k, b) FROM STDIN (DELIMITER ',', NULL '');
10,
11,,
12,x
\.
COPY copied (k, b) FROM STDIN (DELIMITER ',', NULL '');
10,
12,x
\.
COPY copied (k) FROM STDIN (HEADER);
anything
20
21
\.
COPY copied (k, a) FROM STDIN (HEADER MATCH);
k	a
22	1
\.
COPY copied (k, a) FROM STDIN (HEADER MATCH);
k	b
23	1
\.
COPY copied (k, a) FROM STDIN (HEADER MATCH);
k
24	1
\.
COPY copied (k) FROM STDIN;
\.
COPY copied FROM STDIN;
\.
SELECT * FROM copied ORDER BY k;
TRUNCATE copied;

-- Line ends.
COPY copied (k, b) FROM PROGRAM 'printf ''1\tone\r\n2\ttwo\\r\r\n3\tthree\r\n''';
COPY copied (k, b) FROM PROGRAM 'printf ''4\tone\r5\ttwo\r6\tthree\r''';
COPY copied (k, b) FROM PROGRAM 'printf ''7\tone\n8\ttwo\n9\tno end''';
COPY copied (k, b) FROM PROGRAM 'printf ''10\tone\r\n11\ttwo\n''';
COPY copied (k, b) FROM PROGRAM 'printf ''10\tone\n11\ttwo\r\n''';
COPY copied (k, b) FROM PROGRAM 'printf ''10\tone\r11\ttwo\n''';
COPY copied (k, b) FROM PROGRAM 'printf ''12\tback\\\\\nslash\n13\tx\n''';
COPY copied (k, b) FROM PROGRAM 'printf ''14\tends in a backslash\\\\''';
COPY copied (k, b) FROM PROGRAM 'printf ''15\tbefore\n\\.\n16\tafter\n''';
COPY copied (k, b) FROM PROGRAM 'printf ''17\tx\n\\.corrupt\n''';
COPY copied (k, b) FROM PROGRAM 'printf ''17\tx\n18\ty\\.\n''';
COPY copied (k, b) FROM PROGRAM 'printf ''19,"multi\nline"\r\n20,"with\r\nthese"\r\n21,x\r\n''' CSV;
COPY copied (k, b) FROM PROGRAM 'printf ''22,"multi\nline"\n23,"with\r\nthese"\n24,x\n25,"y\n\\.\nz"\n''' CSV;
COPY copied (k, b) FROM PROGRAM 'printf ''26,x\r\n27,bad\rend\r\n''' CSV;
COPY copied (k, b) FROM PROGRAM 'printf ''26,x\n27,bad\rend\n''' CSV;
COPY copied (k, b) FROM PROGRAM 'printf ''26,"not closed\n27,y\n''' CSV;
COPY copied (k, b) FROM PROGRAM 'printf ''28,x\n\\.\n29,y\n''' CSV;
COPY copied (k, b) FROM PROGRAM 'printf ''30,\\.\n31,\\.x\n''' CSV;
COPY copied (b, k) FROM PROGRAM 'printf ''\\.x,32\n''' CSV;
SELECT * FROM copied ORDER BY k;
TRUNCATE copied;

-- CSV.
COPY copied FROM STDIN (FORMAT csv, HEADER);
a,"b
still the header",c,d
1,10,"quoted, with ""quotes""",c1
"2",,"",
3,30,un"quot"ed,
 4 ,40, spaces ,x
5,50,"multi

line",y
\.
COPY copied FROM STDIN (FORMAT csv, QUOTE '''', ESCAPE '\', NULL 'NULL', DELIMITER ';');
10;NULL;'it\'s \\ \n';'NULL'
'11';1;NULL;NULL
12;1;"NULL";
\.
COPY copied (k, b, c) FROM STDIN (FORMAT csv, FORCE_NOT_NULL (b), FORCE_NULL (c));
20,,
21,"",""
\.
COPY copied (b, k) FROM STDIN (FORMAT csv, FORCE_NULL (k));
x,""
\.
COPY copied (b, k) FROM STDIN (FORMAT csv, FORCE_NOT_NULL (k));
x,
\.
COPY copied (b, k) FROM STDIN (FORMAT csv, NULL '0', FORCE_NOT_NULL (k));
zero,0
\.
SELECT * FROM copied ORDER BY k;
TRUNCATE copied;

-- Encodings.
COPY copied (k, b) FROM PROGRAM 'printf ''1\t\344\366\374\n2\tplain\n''' (ENCODING 'LATIN1');
COPY copied (k, b) FROM PROGRAM 'printf ''3,"\344,\366",\n4,plain,\n''' (ENCODING 'LATIN1', FORMAT csv);
COPY copied (k, b) FROM PROGRAM 'printf ''3,"\344,\366"\n4,plain\n''' (ENCODING 'LATIN1', FORMAT csv);
COPY copied (k, b) FROM PROGRAM 'printf ''5\t\344\366\374\n''';
COPY copied (k, b) FROM PROGRAM 'printf ''5\tx\n6\t\303\244\n7\t\\303\\244 \\xc3\\xa4\n8\t\\303\n''';
COPY copied (k, b) FROM PROGRAM 'printf ''9\t\203A\n''' (ENCODING 'SJIS');
SET client_encoding = 'LATIN1';
COPY copied (k, b) FROM PROGRAM 'printf ''10\t\344\366\374\n''';
RESET client_encoding;
SELECT * FROM copied ORDER BY k;
TRUNCATE copied;

-- Keys of other types, NULL and unusual keys.
COPY copied_pair (x, y) FROM STDIN;
a	1
a\\b	2
tab\there	-3
	4
ü	32767
\.
COPY copied_pair (y, note, x) FROM STDIN CSV;
5,"a note","a, b"
6,,a b
\.
COPY copied_pair (x, y) FROM STDIN;
a	7
\N	8
\.
COPY copied_pair (x, y) FROM STDIN;
a	\N
\.
COPY copied_pair (x) FROM STDIN;
a
\.
COPY copied_pair (x, y) FROM STDIN;
a	32768
\.
COPY copied_pair (x, y, total) FROM STDIN;
a	8	1
\.
SELECT x, y, note, total, at = current_date AS today FROM copied_pair ORDER BY x, y;
COPY copied_list FROM STDIN;
a	1
b	2
c	3
\N	4
\.
COPY copied_list FROM STDIN;
a	1
b	2
c	3
\.
COPY copied_mood FROM STDIN;
happy	1	{sad,ok}	("High ""St""",3,ok)
glad	2	{}	\N
\.
COPY copied_mood FROM STDIN;
bored	3	{}	\N
\.
COPY copied_when FROM STDIN;
2025-03-01 12:00+02	1	0.1	1 day
infinity	2	NaN	-1 mon +2 days
\.
COPY copied_when FROM STDIN;
2025-03-01 12:00+02	0	0.1	1 day
\.
SET TimeZone = 'America/New_York';
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SET extra_float_digits = -10;
COPY copied_when FROM STDIN;
01/02/2025 12:00	3	0.12345678901234567	1-2
\.
COPY copied_when FROM STDIN WHERE f > 0;
01/02/2025 12:00	4	0.12345678901234567	-1-2
01/02/2025 12:00	5	-0.12345678901234567	-1-2
\.
RESET ALL;
SELECT * FROM copied_when ORDER BY id;
SELECT * FROM copied_mood ORDER BY id;

-- Defaults.
COPY copied_auto (n) FROM STDIN;
1
\N
\.
COPY copied_auto (e, n) FROM STDIN (FORMAT csv);
"quoted
lines",3
,4
\.
COPY copied_auto (k, e) FROM STDIN (DELIMITER '|', NULL 'it''s "quoted", \and\ more');
100|x
101|it's "quoted", \and\ more
\.
COPY copied_auto (e) FROM PROGRAM 'printf ''ends in a backslash\\\\''';
COPY copied_auto (k, e) FROM STDIN (FORMAT csv, QUOTE 'i', ESCAPE '"', NULL 'none');
110,x
111,none
\.
COPY copied_auto (t) FROM STDIN WHERE t > 'b';
a
c
d
\.
COPY copied_ref (id) FROM STDIN;
1
2
\.
COPY copied_ref (id, name) FROM STDIN;
3	three
4	\N
\.
SELECT * FROM copied_auto ORDER BY k;
SELECT * FROM copied_ref ORDER BY id;

-- WHERE.
COPY copied FROM STDIN WHERE a > 15 AND b LIKE 't%';
1	10	two	x
2	20	two	x
3	30	one	x
\N	5	null key that is not wanted	x
\.
COPY copied FROM STDIN WHERE a > 15;
\N	50	null key	x
\.
COPY copied FROM STDIN WHERE a = (SELECT 1);
4	1	x	x
\.
COPY copied FROM STDIN WHERE sum(a) > 1;
\.
COPY copied FROM STDIN WHERE a;
\.
COPY copied FROM STDIN (FORMAT csv) WHERE k % 2 = 0;
5,1,"x",
6,2,"y",
\.
SELECT * FROM copied ORDER BY k;

-- Partitions.
COPY copied_parts FROM STDIN;
1	2025-01-01	a
2	2025-08-01	b
3	2025-12-31	c
\.
COPY copied_parts FROM STDIN;
4	2025-02-01	d
5	2024-02-01	no partition
\.
COPY copied_parts_2 FROM STDIN;
x	2025-09-01	6
\.
COPY copied_parts_2 (k, at) FROM STDIN;
7	2025-09-01
\.
COPY copied_parts_2 (k, at) FROM STDIN;
8	2025-01-01
\.
-- In the extended protocol libpq loses step when PostgreSQL fails before it reads any data.
-- modes: simple
COPY copied_parts FROM STDIN (FREEZE);
9	2025-01-01	x
\.
SELECT tableoid::regclass, * FROM copied_parts ORDER BY k;

-- Binary, and back.
COPY (SELECT i::bigint, i, 'text ' || i, NULL::varchar FROM generate_series(1000, 1009) i) TO PROGRAM 'cat >copied.bin' (FORMAT binary);
TRUNCATE copied;
COPY copied FROM 'copied.bin' (FORMAT binary);
COPY (SELECT i::bigint, i % 10, 'text ' || i, NULL::varchar FROM generate_series(1, 300) i) TO PROGRAM 'cat >copied.bin' (FORMAT binary);
COPY copied FROM PROGRAM 'cat copied.bin' (FORMAT binary);
COPY copied (k, a) FROM 'copied.bin' (FORMAT binary);
COPY copied FROM 'copied.bin' (FORMAT binary);
TRUNCATE copied;
COPY copied FROM PROGRAM 'head -c 1000 copied.bin' (FORMAT binary);
COPY copied FROM PROGRAM 'cat copied.bin; echo x' (FORMAT binary);
COPY copied FROM PROGRAM 'echo no signature' (FORMAT binary);
COPY copied FROM 'copied.bin' (FORMAT binary) WHERE a = 1;
SELECT count(*), sum(k), sum(a), min(b), max(b) FROM copied;
COPY (SELECT i::bigint, NULL::int FROM generate_series(1001, 1003) i UNION ALL SELECT NULL, 3) TO PROGRAM 'cat >copied.bin' (FORMAT binary);
COPY copied (k, a) FROM 'copied.bin' (FORMAT binary);
COPY (SELECT i, 'e' || i FROM generate_series(1, 5) i) TO PROGRAM 'cat >copied.bin' (FORMAT binary);
COPY copied_auto (n, e) FROM 'copied.bin' (FORMAT binary);
COPY (SELECT 'sad'::mood, 9, '{ok,happy}'::mood[], ROW('s', 1, 'ok')::address) TO PROGRAM 'cat >copied.bin' (FORMAT binary);
COPY copied_mood FROM 'copied.bin' (FORMAT binary);
COPY (SELECT 10, 'ten'::text, 11) TO PROGRAM 'cat >copied.bin' (FORMAT binary);
COPY copied_ref FROM 'copied.bin' (FORMAT binary);
SELECT k, n, t, r, e, z FROM copied_auto ORDER BY k;
SELECT * FROM copied_mood ORDER BY id;

-- Errors of rows: nothing stays.
TRUNCATE copied;
COPY copied FROM STDIN;
1	1	x	x
2	2	x
\.
COPY copied FROM STDIN;
1	1	x	x
2	2	x	y	z
\.
COPY copied FROM STDIN;
1	1	x	x
two	2	x	y
\.
COPY copied FROM STDIN;
1	1	x	x

\.
COPY copied FROM STDIN;
1	1	x	x
2	1000	x	y
3	bad	x	y
4	4	x	longer than ten
\.
COPY copied FROM STDIN;
1	1	x	x
2	1	x	longer than ten
3	bad	x	y
\.
COPY copied FROM STDIN;
1	1	x	x
1	1	x	x
\.
COPY copied FROM STDIN;
1	1	x	x
99999999999999999999	1	x	x
\.
COPY invoices FROM STDIN;
1	100	1	1	CCCC
12345	100	1	1	CCCC
\.
COPY watched FROM STDIN;
100	1	0
101	-1	0
\.
COPY watched FROM STDIN;
102	1	0
103	2	\N
\.
SELECT * FROM watched WHERE id > 99 ORDER BY id;
SELECT * FROM copied;

-- Errors of the command.
COPY nowhere FROM STDIN;
\.
COPY copied (k, nothing) FROM STDIN;
\.
COPY copied (k, k) FROM STDIN;
\.
-- modes: simple
COPY copied_view FROM STDIN;
\.
COPY copied FROM STDIN (FORMAT xml);
\.
COPY copied FROM STDIN (FORMAT csv, FORCE_QUOTE (a));
\.
COPY copied FROM STDIN (QUOTE 'x');
\.
COPY copied FROM STDIN (DELIMITER 'ab');
\.
COPY copied FROM STDIN (FORMAT binary, HEADER);
\.
COPY copied FROM STDIN (ENCODING 'nowhere');
\.
COPY copied FROM '/nowhere/at/all';
COPY copied FROM PROGRAM 'exit 3';
-- modes: simple
COPY copied FROM STDIN (FREEZE);
1	1	x	x
\.
SET ROLE diff_reader;
COPY copied FROM STDIN;
\.
COPY copied (k, a) FROM STDIN;
200	1
\.
COPY copied (k, a) FROM STDIN WHERE a > 1;
\.
COPY copied (k, a) FROM STDIN WHERE k > 1;
201	1
\.
COPY copied (k) FROM '/etc/hostname';
COPY copied (k) FROM PROGRAM 'true';
COPY documents FROM STDIN;
\.
RESET ROLE;
COPY documents FROM STDIN;
1	100	postgres	from copy
2	101	diff_reader	from copy
\.

-- Transactions.
BEGIN;
TRUNCATE copied;
COPY copied FROM STDIN (FREEZE);
1	1	x	x
2	2	x	x
3	3	x	x
4	4	x	x
\.
SAVEPOINT s;
COPY copied FROM STDIN;
5	5	x	x
6	6	x	x
7	7	x	x
1	1	x	x
\.
ROLLBACK TO s;
COPY copied FROM STDIN;
8	8	x	x
9	9	x	x
\.
SELECT count(*), sum(a) FROM copied;
COMMIT;
BEGIN READ ONLY;
COPY copied FROM STDIN;
\.
ROLLBACK;
BEGIN;
COPY copied (k) FROM STDIN;
10
11
12
\.
ROLLBACK;
SELECT * FROM copied ORDER BY k;

-- teardown
DROP VIEW copied_view;
DROP TABLE copied, copied_pair, copied_auto, copied_parts, copied_ref, copied_list, copied_mood, copied_when;
DELETE FROM watched WHERE id = 102;
DELETE FROM watched WHERE id = 103;
