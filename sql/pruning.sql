-- Which shards a statement goes to: comparisons with the key, of strategies range and list.
SET client_min_messages = warning;
SELECT shardwise.add_local_shard('p1'), shardwise.add_local_shard('p2'), shardwise.add_local_shard('p3');
CREATE TABLE reading (a int, b date, v text, PRIMARY KEY (a, b));
CREATE TABLE note (a int, b date, n int, PRIMARY KEY (a, b, n));
CREATE TABLE word (w text COLLATE "C" PRIMARY KEY, v int);
CREATE TABLE code (c varchar(5) PRIMARY KEY, v int);
SELECT shardwise.distribute_table('reading', ARRAY['a', 'b'], 'range', shards => ARRAY['p1','p2','p3'],
    splits => ARRAY['(10,2020-01-01)', '(20,2020-01-01)']);
SELECT shardwise.distribute_table('note', ARRAY['a', 'b'], colocate_with => 'reading');
SELECT shardwise.distribute_table('word', 'w', 'range', shards => ARRAY['p1','p2','p3'], splits => ARRAY['h', 'p']);
SELECT shardwise.distribute_table('code', 'c', 'list', shards => ARRAY['p1','p2'], splits => ARRAY['a', 'b', 'c'],
    default_shard => 'p3');

-- The shards that EXPLAIN names, one scan after the other.
CREATE FUNCTION shards_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; found text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        CONTINUE WHEN line !~ '^ *Shards?: ';
        found := concat_ws('; ', found, substring(line FROM ': (.*)'));
    END LOOP;
    RETURN found;
END $$;
SELECT query, shards_of('SELECT * FROM reading ' || query) FROM unnest(ARRAY[
    'WHERE a < 10', 'WHERE a <= 10', 'WHERE 10 > a', 'WHERE a BETWEEN 12 AND 15', 'WHERE a > 20', 'WHERE a >= 20',
    'WHERE (a, b) < (20, ''2020-01-01'')', 'WHERE (a, b) <= (20, ''2020-01-01'')',
    'WHERE (a, b) >= (20, ''2020-01-01'')', 'WHERE (a, v) > (20, ''x'')',
    'WHERE a = 10', 'WHERE a = 10 AND b > ''2020-01-05''', 'WHERE a = 10 AND b < ''2020-01-01''',
    'WHERE a IN (1, 25)', 'WHERE a = ANY (ARRAY[12, NULL])', 'WHERE a < 3 OR a > 25', 'WHERE a < 3 OR v = ''x''',
    'WHERE a < 3 OR (a, b) = (12, ''2020-01-01'')', 'WHERE a NOT BETWEEN 15 AND 30',
    'WHERE a > 20::bigint AND a < 1000000000000', 'WHERE a < -1000000000000', 'WHERE a < NULL', 'WHERE a IS NULL',
    'WHERE a < (SELECT 5)', 'WHERE a < 12 AND a > 20',
    'JOIN note USING (a, b) WHERE note.a < 5', 'LEFT JOIN note USING (a, b) WHERE reading.a < 5',
    'LEFT JOIN note ON note.a = reading.a AND note.b = reading.b AND note.a < 5',
    'FULL JOIN note USING (a, b) WHERE reading.a < 5', 'r WHERE a > 25 AND EXISTS (SELECT FROM note n WHERE n.a = r.v::int)'
    ]) query;
SELECT query, shards_of('SELECT * FROM word ' || query) FROM unnest(ARRAY[
    'WHERE w < ''c''', 'WHERE w < ''c'' COLLATE "POSIX"', 'WHERE w BETWEEN ''j'' AND ''k''']) query;
SELECT query, shards_of('SELECT * FROM code ' || query) FROM unnest(ARRAY[
    'WHERE c = ''a''', 'WHERE c < ''b''', 'WHERE c IN (''a'', ''b'')', 'WHERE c IS NULL', 'WHERE c > ''b'' OR c = ''a''']) query;
PREPARE p (int, int) AS SELECT count(*) FROM reading WHERE a BETWEEN $1 AND $2;
SELECT shards_of('EXECUTE p (1, 5)'), shards_of('EXECUTE p (5, 15)'), shards_of('EXECUTE p (NULL, 15)');

DROP TABLE reading, note, word, code;
DROP FUNCTION shards_of(text);
SELECT shardwise.remove_shard('p1'), shardwise.remove_shard('p2'), shardwise.remove_shard('p3');
