-- Keys of every type and strategy; comparisons across types.
SELECT * FROM by_text WHERE key = 'c-key';
SELECT * FROM by_text WHERE key = '';
SELECT * FROM by_text WHERE key = 'A';
SELECT * FROM by_text WHERE key = 'a';
SELECT * FROM by_text WHERE key = 'Ünïcode ''quoted''';
SELECT * FROM by_text WHERE key = E'Ünïcode \'quoted\'';
SELECT * FROM by_text WHERE key = $$d-key$$;
SELECT * FROM by_text WHERE key = 'd-key'::varchar;
SELECT * FROM by_text WHERE key = 'd-key'::varchar(3);
SELECT * FROM by_text WHERE key = 'd-key'::char(10);
SELECT * FROM by_text WHERE key = 'd-key'::name;
SELECT * FROM by_text WHERE key = 'd' || '-' || 'key';
-- params: 'e-key'
SELECT * FROM by_text WHERE key = $1;
-- params: 'e-key'::varchar
SELECT * FROM by_text WHERE key = $1;
-- params: 'e-key'::name
SELECT * FROM by_text WHERE key = $1;
-- params: 'e-key'::text
SELECT * FROM by_text WHERE $1 = key;
SELECT * FROM by_text WHERE key = 5;
SELECT * FROM by_text WHERE key IN ('f-key') AND note LIKE 'note%';
SELECT key COLLATE "C" FROM by_text WHERE key = 'g-key' COLLATE "C";
SELECT key || note AS joined, length(note) FROM by_text WHERE key = 'h-key';

SELECT * FROM by_uuid WHERE id = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';
SELECT * FROM by_uuid WHERE id = 'C4CA4238A0B923820DCC509A6F75849B';
SELECT * FROM by_uuid WHERE id = md5('2')::uuid;
SELECT payload -> 'tags' ->> 1 AS tag FROM by_uuid WHERE id = md5('3')::uuid;
-- params: 'c4ca4238-a0b9-2382-0dcc-509a6f75849b'
SELECT * FROM by_uuid WHERE id = $1;
-- params: 'c4ca4238-a0b9-2382-0dcc-509a6f75849b'::uuid
SELECT payload FROM by_uuid WHERE id = $1;
SELECT * FROM by_uuid WHERE id = 'no uuid';

SELECT * FROM by_pair WHERE tenant = 2 AND code = 'code 3';
SELECT * FROM by_pair WHERE code = 'code 3' AND tenant = 2;
-- params: 2, 'code 3'
SELECT * FROM by_pair WHERE tenant = $1 AND code = $2;
-- params: 'code 3', 2
SELECT * FROM by_pair WHERE code = $1 AND tenant = $2;
-- params: 2::int8, 'code 3'::varchar
SELECT * FROM by_pair WHERE tenant = $1 AND code = $2;
SELECT count(*) FROM by_pair a JOIN by_pair b USING (tenant, code) WHERE a.tenant = 2 AND b.code = 'code 3';

SELECT * FROM by_date WHERE day = '2025-01-31' ORDER BY device;
SELECT * FROM by_date WHERE day = '2025-02-01' ORDER BY device;
SELECT * FROM by_date WHERE day = date '2025-03-01' AND device = 2;
SELECT * FROM by_date WHERE day = '2030-01-01';
SELECT * FROM by_date WHERE day = 'infinity';
SELECT * FROM by_date WHERE day = '-infinity';
SELECT * FROM by_date WHERE day = timestamp '2025-02-02' ORDER BY device;
SELECT * FROM by_date WHERE day = timestamp '2025-02-02 01:00';
SELECT * FROM by_date WHERE day = '2025-02-30';
-- params: '2025-02-14'
SELECT * FROM by_date WHERE day = $1 ORDER BY device;
-- params: '2025-02-14'::date, 1
SELECT * FROM by_date WHERE day = $1 + $2 ORDER BY device;
SET DateStyle = 'German';
SELECT * FROM by_date WHERE day = '14.02.2025' ORDER BY device;
-- params: '14.02.2025'
SELECT day, day::text FROM by_date WHERE day = $1 AND device = 1;
RESET DateStyle;

SELECT * FROM by_number WHERE n = -2;
SELECT * FROM by_number WHERE n = 0;
SELECT * FROM by_number WHERE n = 20;
SELECT * FROM by_number WHERE n = 2147483647;
SELECT * FROM by_number WHERE n = 2147483648;
SELECT * FROM by_number WHERE n = 4::bigint;
SELECT * FROM by_number WHERE n = 4::smallint;
-- params: 20::int8
SELECT * FROM by_number WHERE n = $1;
-- params: 9000000000::int8
SELECT * FROM by_number WHERE n = $1;

SELECT * FROM by_tenant WHERE tenant = 'acme' ORDER BY id;
SELECT * FROM by_tenant WHERE tenant = 'umbrella' ORDER BY id DESC;
SELECT * FROM by_tenant WHERE tenant = 'nobody';
-- params: 'globex', 2
SELECT body FROM by_tenant WHERE tenant = $1 AND id = $2;

SELECT "select", "a;b" FROM "Odd Schema"."Odd ""Table" WHERE "Key Column" = 3;
-- params: 4
SELECT t."Key Column" AS "Odd ""Name" FROM "Odd Schema"."Odd ""Table" t WHERE t."Key Column" = $1;
SET search_path = "Odd Schema", public;
SELECT * FROM "Odd ""Table" WHERE "Key Column" = 5;
SELECT name FROM customers WHERE customer_id = 5;
RESET search_path;
SELECT * FROM "Odd ""Table" WHERE "Key Column" = 5;
SET search_path = 'nowhere';
SELECT name FROM customers WHERE customer_id = 5;
SELECT name FROM public.customers WHERE customer_id = 5;
RESET search_path;
