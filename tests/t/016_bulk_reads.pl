# Many rows are read by COPY: memory stays bounded, and what else happens meanwhile does no harm.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $cluster = Shardwise::Cluster->new(conf => "work_mem = '4MB'");
$cluster->sql(<<'SQL');
CREATE TYPE mood AS ENUM ('low', 'high');
CREATE TABLE wide (k bigint PRIMARY KEY, pad text, n numeric, m mood, j jsonb, a int[], u uuid, t timestamptz);
INSERT INTO wide SELECT i, repeat(md5(i::text), 10),
	CASE i % 9 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' WHEN 2 THEN 0 WHEN 3 THEN -0.0001 WHEN 4 THEN 1e-140
		WHEN 5 THEN 1e300 WHEN 6 THEN 12345678901234567890.500 WHEN 7 THEN -10000 ELSE i / 7.0 END,
	CASE WHEN i % 3 > 0 THEN 'high'::mood END, jsonb_build_object('i', i, 'x', NULL), ARRAY[i, NULL],
	md5(i::text)::uuid, '2020-01-01'::timestamptz + i * interval '1 s' FROM generate_series(1, 300000) i;
CREATE TABLE kept AS SELECT k, n, m, j, a, u, t, left(pad, (k % 300)::int) AS pad FROM wide WHERE k <= 5000;
SELECT shardwise.distribute_table('wide', 'k');
SQL

# The backend's greatest size so far, in kB.
sub peak
{
	my ($session) = @_;
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	return slurp_file("/proc/$pid/status") =~ /VmHWM:\s+(\d+)/ ? $1 : die;
}

my $session = $cluster->router->background_psql('postgres', on_error_stop => 0);
$session->query_safe('SELECT k, pad FROM wide ORDER BY k LIMIT 10');
my $before = peak($session);
for my $order ('', 'ORDER BY t DESC')
{
	$session->query_safe("COPY (SELECT * FROM wide $order) TO '/dev/null'");
	cmp_ok(peak($session) - $before, '<', 64 * 1024, "300000 rows of 400 bytes take little memory $order");
}

# Every form of a value, read in place and by the types' functions.
is($cluster->sql('SELECT count(*) FROM (SELECT k, n, m, j, a, u, t, left(pad, (k % 300)::int) FROM wide
	WHERE k <= 5000 EXCEPT SELECT * FROM (SELECT k, n, m, j, a, u, t, pad FROM kept) x) y'), 0, 'values are whole');
is($cluster->sql('SELECT count(*) FROM (SELECT k, n, m, j, a, u, t, pad FROM kept EXCEPT
	SELECT k, n, m, j, a, u, t, left(pad, (k % 300)::int) FROM wide) y'), 0, 'and all there');
is($cluster->sql('SELECT sum(n) FROM (SELECT n FROM wide WHERE k % 9 > 1 AND k < 1000 OFFSET 0) x'),
	$cluster->sql('SELECT sum(n) FROM kept WHERE k % 9 > 1 AND k < 1000'), 'numerics add up');

# Statements that need the connections while rows are on their way.
$session->query_safe($_)
  for 'BEGIN', 'DECLARE c CURSOR FOR SELECT k FROM wide ORDER BY k', 'DECLARE d CURSOR FOR SELECT k, a FROM wide';
is($session->query_safe('FETCH 3 FROM c'), "1\n2\n3", 'a cursor');
is($session->query_safe('SELECT count(*), max(k) FROM wide'), '300000|300000', 'another statement');
is($session->query_safe('FETCH 2 FROM c'), "4\n5", 'the cursor goes on over stored rows');
like($session->query_safe('FETCH 1 FROM d'), qr/^\d+\|\{\d+,NULL\}$/, 'so does another');
$session->query_safe('SAVEPOINT s');
$session->query('SELECT 1 / (k - 7) FROM wide');
like($session->{stderr}, qr/division by zero/, 'an error in the middle of many rows');
$session->{stderr} = '';
$session->query_safe('ROLLBACK TO s');
is($session->query_safe('MOVE 299990 FROM c; FETCH ALL FROM c'), join("\n", 299996 .. 300000), 'to the end');
$session->query_safe('CLOSE d');
is($session->query_safe('SELECT count(*) FROM wide WHERE k < 10'), 9, 'a cursor closed early leaves nothing behind');
$session->query_safe('COMMIT');

# What is not read to its end is stopped on the shards, and the transaction goes on.
sub cancels
{
	return scalar(map { slurp_file($cluster->shard($_)->logfile) =~ /canceling statement due to user request/g } $cluster->shard_names);
}
my $cancels = cancels();
$session->query_safe($_)
  for 'BEGIN', 'UPDATE wide SET a = NULL WHERE k = 1', 'DECLARE c CURSOR FOR SELECT k, pad FROM wide', 'FETCH 5 FROM c',
  'SAVEPOINT s', 'UPDATE wide SET a = NULL WHERE k = 2', 'DECLARE d CURSOR FOR SELECT k, pad FROM wide', 'FETCH 5 FROM d',
  'CLOSE d', 'RELEASE s';
cmp_ok(cancels(), '>', $cancels, 'a cursor that is closed early stops the shards');
is($session->query_safe('SELECT count(*) FROM wide WHERE a IS NULL'), 2, 'what the transaction wrote is there');
is($session->query_safe('SELECT a.k FROM wide a JOIN kept b ON b.k = a.k + (a.pad IS NULL)::int LIMIT 1') =~ /^\d+$/, 1, 'LIMIT');
$session->query_safe('COMMIT');
is($cluster->sql('SELECT count(*) FROM wide WHERE a IS NULL'), 2, 'and after COMMIT');
$session->query_safe('UPDATE wide SET a = ARRAY[k::int, NULL] WHERE k < 3');

# Values in the text: COPY takes no parameters.
$session->query_safe("SET datestyle = 'German'; SET timezone = 'Asia/Tokyo';
	PREPARE p (mood, timestamptz, text) AS SELECT count(*) FROM wide a JOIN wide b ON b.k = a.k + 1
		WHERE a.m = \$1 AND b.t < \$2 AND a.pad > \$3");
is($session->query_safe("EXECUTE p ('high', '2020-01-01 02:00:00+00', '''\\')"), 4799, 'parameters');
is($session->query_safe('EXECUTE p (NULL, now(), NULL)'), 0, 'NULL');
$session->quit;
ok($cluster->wait_until_idle, 'no session is left inside a transaction');
done_testing();
