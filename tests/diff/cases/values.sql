-- Values of every type, in text and in binary, and what settings do to them.
SELECT * FROM everything WHERE id = 1;
SELECT * FROM everything WHERE id = 2;
SELECT * FROM everything WHERE id = 3;
SELECT * FROM everything WHERE id = 4;
SELECT everything FROM everything WHERE id = 1;
SELECT ROW(e, comp, comps, ints), ARRAY[e], ARRAY[comp], ARRAY[dom] FROM everything WHERE id = 1;
SELECT to_jsonb(t) - 'cash' FROM everything t WHERE id = 2;
SELECT (comp).street, (comp).mood, (comps[1]).number, ints[1], grid[2][1], doms[2] FROM everything WHERE id = 1;
SELECT num * 2, num2 / 3, f8 + 1, i8 - 1, iv * 2, ts - timestamp '2025-01-01', age(tstz, '2020-01-01') FROM everything WHERE id = 1;
SELECT numeric '1e-20' / 3, 10::numeric(20,10) / 3, 1.10::numeric, '1e400'::numeric FROM everything WHERE id = 4;
SELECT e > 'ok', e::text, enum_range(e), dom + 1, upper(r4), lower(rf), mr * '{[2,8)}' FROM everything WHERE id = 1;
SELECT pg_typeof(dom), pg_typeof(e), pg_typeof(comp), pg_typeof(num2), rc FROM everything WHERE id = 1;
SELECT t, vc, bp, c, n, length(bp), octet_length(bin), t || bp FROM everything WHERE id = 1;
SELECT NULL::mood, NULL::address, NULL::int[], 'x'::unknown FROM everything WHERE id = 1;
SELECT id, tq, ARRAY[tq] FROM everything;
-- params: 1, 'happy', '{1,NULL,3}', '(a,1,ok)'
SELECT e = $2, ints = $3, comp = $4 FROM everything WHERE id = $1;
-- params: 1, 'happy'::mood, '{1,NULL,3}'::int[], '("High ""St""",3,ok)'::address
SELECT $2, $3, $4, e = $2, ints = $3, comp = $4 FROM everything WHERE id = $1;
-- params: 1, '2025-02-28 10:34:56.789012+00'::timestamptz, '1 year 2 months 3 days 04:05:06.789'::interval
SELECT tstz = $2, iv = $3, tstz + $3 FROM everything WHERE id = $1;
-- params: 1, '{sad,glad}'::mood[], 7::positive
SELECT doms = $2, dom = $3 FROM everything WHERE id = $1;
-- params: 1, '\x00ff10'::bytea, '{"b": {"c": null}}'::jsonb, '[1,5)'::int4range
SELECT bin = $2, jb = $3, r4 = $4, r4 @> 3 FROM everything WHERE id = $1;
-- params: 1, 'melancholic'
SELECT e = $2 FROM everything WHERE id = $1;
SELECT e = 'melancholic' FROM everything WHERE id = 1;

SET TimeZone = 'Asia/Kathmandu';
SELECT tstz, tstz::text, tstz::date, tmtz, rts::text, extract(hour FROM tstz) FROM everything WHERE id = 1;
SELECT timestamptz '2025-07-01 00:00', date_trunc('day', tstz) FROM everything WHERE id = 1;
SET DateStyle = 'SQL, DMY';
SELECT tstz, tstz::text, d::text, '03/04/2025'::date FROM everything WHERE id = 1;
SET IntervalStyle = 'iso_8601';
SELECT iv, iv::text FROM everything WHERE id = 1;
SET bytea_output = 'escape';
SELECT bin, bin::text FROM everything WHERE id = 1;
SET extra_float_digits = 0;
SELECT f4, f8::text, f8 / 3 FROM everything WHERE id = 1;
SET xmloption = 'document';
SELECT x IS DOCUMENT, xmlserialize(document x AS text) FROM everything WHERE id = 1;
SET lc_monetary = 'C';
SELECT cash, cash::text FROM everything WHERE id = 1;
SET default_text_search_config = 'german';
SELECT to_tsvector('die Katzen'), tv @@ to_tsquery('cats') FROM everything WHERE id = 1;
RESET ALL;
SELECT tstz::text, d::text, iv::text, bin::text, f8::text, to_tsvector('the cats') FROM everything WHERE id = 1;
BEGIN;
SET LOCAL TimeZone = 'America/New_York';
SELECT tstz::text FROM everything WHERE id = 1;
SAVEPOINT a;
SET LOCAL TimeZone = 'Asia/Tokyo';
SELECT tstz::text FROM everything WHERE id = 1;
ROLLBACK TO a;
SELECT tstz::text FROM everything WHERE id = 1;
COMMIT;
SELECT tstz::text FROM everything WHERE id = 1;
SELECT set_config('TimeZone', 'Asia/Tokyo', false);
SELECT tstz::text FROM everything WHERE id = 1;
RESET TimeZone;

INSERT INTO everything (id, num, e, comp, comps, r4, tstz, bin) VALUES
    (10, 1.50, 'sad', ROW('x', 1, 'glad'), ARRAY[ROW('y', 2, 'ok')]::address[], '[1,2]', '2025-01-01 00:00+00', '\x01')
    RETURNING *;
-- params: 11, 12.5, 'ok', '{1,2}', '2025-01-01 00:00+00', 'NaN', 'txt'
INSERT INTO everything (id, num, e, ints, tstz, f8, t) VALUES ($1, $2, $3, $4, $5, $6, $7)
    RETURNING id, num, e, ints, tstz, f8, t;
-- params: 12, '{"a": 1}'::jsonb, '{a,b}'::text[], '(1,2)'::point, 'happy'::mood, '{happy}'::mood[], '(s,1,sad)'::address
INSERT INTO everything (id, jb, texts, p, e, e_array, comp) VALUES ($1, $2, $3, $4, $5, $6, $7)
    RETURNING id, jb, texts, p, e, e_array, comp;
UPDATE everything SET e = 'glad', dom = 3, comp.street = 'changed', ints[2] = 22, grid = NULL WHERE id = 1
    RETURNING e, dom, comp, ints, grid;
UPDATE everything SET dom = 0 WHERE id = 1;
UPDATE everything SET vc = 'far too long for ten' WHERE id = 1;
UPDATE everything SET num2 = 1e9 WHERE id = 1;
UPDATE everything SET e = 'none' WHERE id = 1;
UPDATE everything SET bits = B'10101' WHERE id = 1;
UPDATE everything SET jb = '{' WHERE id = 1;
UPDATE everything SET i2 = i2 - 1 WHERE id = 1;
