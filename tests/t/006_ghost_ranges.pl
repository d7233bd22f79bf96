# Rows that a shard holds without owning them, as during a move: no statement sees them.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $cluster = Shardwise::Cluster->new;
$cluster->sql(<<'SQL');
CREATE TABLE h (k bigint PRIMARY KEY, v text, x int);
CREATE TABLE h2 (k bigint, n int, PRIMARY KEY (k, n));
ALTER TABLE h2 ADD dropped int; ALTER TABLE h2 DROP dropped; ALTER TABLE h2 ADD w numeric DEFAULT 1.50;
CREATE TABLE r (a int, b date, v text, PRIMARY KEY (a, b));
CREATE TABLE l (c text PRIMARY KEY, v int);
INSERT INTO h SELECT i, 'v' || i, i % 7 FROM generate_series(1, 60) i;
INSERT INTO h2 SELECT i, j FROM generate_series(1, 60, 2) i, generate_series(1, 2) j;
INSERT INTO r SELECT i % 30, date '2020-01-01' + i, 'r' || i FROM generate_series(1, 60) i;
INSERT INTO l SELECT chr(96 + i), i FROM generate_series(1, 9) i;
SELECT shardwise.distribute_table('h', 'k');
SELECT shardwise.distribute_table('h2', 'k', colocate_with => 'h');
SELECT shardwise.distribute_table('r', ARRAY['a', 'b'], 'range',
	splits => ARRAY['(10,2020-01-20)', '(20,2020-01-01)']);
SELECT shardwise.distribute_table('l', 'c', 'list', splits => ARRAY['a','b','c','d','e','f','g','h','i']);
SQL

# Two pinned keys live where the map would not put them.
my @pins = split /\n/, $cluster->sql(<<'SQL');
SELECT k || ' ' || min(s.shard_name) FROM h, shardwise.shard s
 WHERE k IN (5, 6) AND s.shard_name <> shardwise.locate('h', k) GROUP BY k
SQL
for my $pin (@pins)
{
	my ($key, $shard) = split / /, $pin;
	my $from = $cluster->owner('h', "$key\::bigint");
	for my $table ('h', 'h2')
	{
		$cluster->on_shard($shard, "INSERT INTO $table SELECT * FROM "
			  . "json_populate_recordset(NULL::$table, \$x\$" . $cluster->on_shard($from,
				"SELECT coalesce(json_agg(t), '[]') FROM $table t WHERE k = $key") . '$x$)');
		$cluster->on_shard($from, "DELETE FROM $table WHERE k = $key");
	}
	$cluster->sql("INSERT INTO shardwise.pin SELECT 1, ARRAY['$key'], shard_id FROM shardwise.shard
		WHERE shard_name = '$shard'");
}

my @queries = (
	'SELECT count(*), sum(k) FROM h',
	'SELECT * FROM h ORDER BY v LIMIT 20 OFFSET 3',
	'SELECT x, count(*), max(v) FROM h WHERE k > 3 GROUP BY x ORDER BY x',
	'SELECT k, v FROM h WHERE k IN (1, 2, 3, 4, 5, 6, 7) ORDER BY k',
	'SELECT h.k, n, w FROM h JOIN h2 USING (k) ORDER BY 1, 2',
	'SELECT h.k, n, w FROM h LEFT JOIN h2 USING (k) ORDER BY 1, 2',
	'SELECT h.k, n FROM h LEFT JOIN h2 ON h.k = h2.k AND n = 1 ORDER BY 1, 2',
	'SELECT h.k, h2.k, n, h2, h FROM h FULL JOIN h2 ON h.k = h2.k ORDER BY 1, 2, 3',
	'SELECT k, n, v, h2 FROM h FULL JOIN h2 USING (k) ORDER BY 1, 2, 3',
	'SELECT a.k, b.n, c.n FROM h a LEFT JOIN (h2 b JOIN h2 c USING (k)) ON a.k = b.k ORDER BY 1, 2, 3',
	'SELECT a.k, b.n, c.v FROM h2 b RIGHT JOIN h a ON a.k = b.k LEFT JOIN h c ON c.k = a.k ORDER BY 1, 2',
	'SELECT k FROM h WHERE NOT EXISTS (SELECT FROM h2 WHERE h2.k = h.k) ORDER BY 1',
	'WITH c AS (SELECT k, count(*) AS n FROM h2 GROUP BY k) SELECT * FROM h JOIN c USING (k) ORDER BY k',
	'SELECT k, row_number() OVER (PARTITION BY k ORDER BY n) FROM h2 ORDER BY 1, 2',
	'SELECT count(DISTINCT x) FROM h',
	'SELECT a.k, b.k FROM h a JOIN h b ON a.x = b.k ORDER BY 1, 2',
	'SELECT count(*) FROM h, l', 'SELECT k FROM h UNION SELECT v FROM l ORDER BY 1',
	'SELECT l.c, h.k, n FROM l JOIN (h JOIN h2 USING (k)) ON l.v = h.x ORDER BY 1, 2, 3',
	'SELECT l.c, h.k, n, h2 FROM l JOIN (h LEFT JOIN h2 ON h2.k = h.k AND n > 1) ON l.v = h.x ORDER BY 1, 2, 3',
	'SELECT l.c, h.k, n, h, h2 FROM l LEFT JOIN (h FULL JOIN h2 ON h2.k = h.k) ON l.v = h.x OR l.v = n ORDER BY 1, 2, 3',
	'SELECT l.c, h.k FROM l JOIN h ON l.v = h.x WHERE EXISTS (SELECT FROM h2 WHERE h2.k = h.k AND n = 2) ORDER BY 1, 2',
	'SELECT l.c, h.k FROM l JOIN h ON l.v = h.x WHERE NOT EXISTS (SELECT FROM h2 WHERE h2.k = h.k) ORDER BY 1, 2',
	'SET shardwise.early_aggregation = always; SELECT l.c, count(*), sum(n), sum(h.k)
		FROM l JOIN (h JOIN h2 USING (k)) ON l.v = h.x GROUP BY 1 ORDER BY 1',
	'SELECT count(*), min(b), max(v) FROM r', 'SELECT * FROM r WHERE a BETWEEN 5 AND 25 ORDER BY a, b',
	'SELECT l.*, r.a FROM l LEFT JOIN r ON l.v = r.a ORDER BY 1, 3', 'SELECT sum(v), max(c) FROM l',
	"SELECT * FROM l WHERE c IN ('a', 'b', 'c') ORDER BY 1",
	'COPY (SELECT * FROM h ORDER BY k) TO STDOUT',
	'PREPARE p (bigint) AS SELECT count(*) FROM h WHERE k < $1; '
	  . join('', map { "EXECUTE p (${_}0);" } 1 .. 8),
	"SELECT shardwise.count_of('h'), shardwise.count_of('r')");
$cluster->sql('CREATE FUNCTION shardwise.count_of(t regclass) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE n bigint; BEGIN EXECUTE format(\'SELECT count(*) FROM %s\', t) INTO n; RETURN n; END $$');

sub sorted_copy { return join "\n", sort split /\n/, $cluster->sql("COPY $_[0] TO STDOUT"); }
my $session = $cluster->router->background_psql('postgres', on_error_stop => 1);
my %before = map { $_ => $cluster->sql($_) } @queries;
$session->query_safe("PREPARE s$_ AS $queries[$_]") for 0 .. 4;
my @prepared = map { $session->query_safe("EXECUTE s$_") } 0 .. 4;
my %copied = map { $_ => sorted_copy($_) } 'h', 'h2', 'r', 'l';

# Ghost entries for everything that a shard does not own; then the rows.
$cluster->sql(<<'SQL');
INSERT INTO shardwise.ghost_range
	SELECT m.keyspace_id, s.shard_id, m.lower_hash,
		lead(m.lower_hash - 1, 1, 9223372036854775807) OVER (PARTITION BY s.shard_id ORDER BY m.entry)
	  FROM shardwise.map_entry m, shardwise.shard s WHERE m.keyspace_id = 1;
DELETE FROM shardwise.ghost_range g USING shardwise.map_entry m
	WHERE m.keyspace_id = 1 AND m.lower_hash = g.lower_hash AND m.shard_id = g.shard_id;
INSERT INTO shardwise.ghost_range (keyspace_id, shard_id, pin_key)
	SELECT 1, s.shard_id, p.key FROM shardwise.pin p, shardwise.shard s WHERE s.shard_id <> p.shard_id;
INSERT INTO shardwise.ghost_range (keyspace_id, shard_id, lower_key, upper_key)
	SELECT 2, s.shard_id, m.lower_key, m.upper_key FROM shardwise.shard s,
		(SELECT *, lead(lower_key) OVER (ORDER BY entry) AS upper_key FROM shardwise.map_entry
		  WHERE keyspace_id = 2) m WHERE m.shard_id <> s.shard_id;
INSERT INTO shardwise.ghost_range (keyspace_id, shard_id, lower_key)
	SELECT 3, s.shard_id, m.lower_key FROM shardwise.map_entry m, shardwise.shard s
	 WHERE m.keyspace_id = 3 AND m.shard_id <> s.shard_id;
SQL
for my $table ('h', 'h2', 'r', 'l')
{
	my %rows = map {
		$_ => $cluster->on_shard($_, "SELECT coalesce(json_agg(t), '[]') FROM $table t")
	} $cluster->shard_names;
	for my $target ($cluster->shard_names)
	{
		$cluster->on_shard($target, "INSERT INTO $table SELECT * FROM
			json_populate_recordset(NULL::$table, \$x\$$rows{$_}\$x\$)")
		  for grep { $_ ne $target } $cluster->shard_names;
	}
}

is($cluster->sql($_), $before{$_}, $_) for @queries;
is($session->query_safe("EXECUTE s$_"), $prepared[$_], "prepared before: $queries[$_]") for 0 .. 4;
is(sorted_copy($_), $copied{$_}, "COPY $_ TO") for sort keys %copied;

# Without the entries the same statements would see the rows.
$cluster->sql('DELETE FROM shardwise.ghost_range');
is($cluster->sql('SELECT count(*) FROM h'), 180, 'the rows are there');
isnt($session->query_safe('EXECUTE s0'), $prepared[0], 'plans follow the entries');
$session->quit;
done_testing();
