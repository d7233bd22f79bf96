# A read that ends early inside of a transaction is stopped on the shards, and the transaction goes on.
# What is read here has a million million rows: whoever read them to the end would never come back.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $cluster = Shardwise::Cluster->new;
my $router = $cluster->router;
$cluster->sql(<<'SQL');
CREATE TABLE t (k bigint PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'as it was' FROM generate_series(1, 3000) i;
SELECT shardwise.distribute_table('t', 'k');
CREATE TABLE here AS SELECT i AS k FROM generate_series(1, 5) i;
SQL
my $rows = 'SELECT k, generate_series(1, 1000000000000) AS n FROM t';
my $one = "$rows WHERE k = 1";
my $text = 'SELECT t, generate_series(1, 1000000000000) AS n FROM t'; # of a type that comes as text

# What the transaction wrote is there before and after it ends, and the shards work for nobody.
sub goes_on_ok
{
	my ($session, $number, $what) = @_;
	my $written = "SELECT count(*) FROM t WHERE v = '$number'";
	is($session->query_safe($written), 2, $what);
	my $active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
	is(join(' ', map { $cluster->on_shard($_, $active) } $cluster->shard_names), '0 0 0', 'the shards have stopped');
	$session->query_safe('COMMIT');
	is($session->query_safe($written), 2, 'and what it wrote is committed');
}

my $session = $router->background_psql('postgres', on_error_stop => 0);
my $number = 0;
for my $case (
	['a cursor on one shard', "DECLARE c CURSOR FOR $one", 'FETCH 3 FROM c', 'CLOSE c'],
	['a cursor on all shards', "DECLARE c CURSOR FOR $text", 'FETCH 3 FROM c', 'CLOSE c'],
	['a holdable cursor', "DECLARE c CURSOR WITH HOLD FOR $one", 'FETCH 3 FROM c', 'CLOSE c'],
	['a prepared statement', 'PREPARE p AS ' . $one =~ s/= 1/= \$1/r, 'DO $$ DECLARE c refcursor; r record; BEGIN
		FOR i IN 1..7 LOOP OPEN c FOR EXECUTE \'' . $one =~ s/= 1/= \$1/r . '\' USING i; FETCH c INTO r; CLOSE c; END LOOP; END $$'],
	['a loop that is left', "DO \$\$ DECLARE r record; BEGIN FOR r IN $one LOOP EXIT WHEN r.n > 99; END LOOP; END \$\$"],
	['the first row alone', "DO \$\$ DECLARE r record; BEGIN $one INTO r; END \$\$"],
	['LIMIT above a join', "SELECT * FROM ($one) x JOIN here USING (k) LIMIT 1"],
	['EXISTS', "SELECT EXISTS (SELECT FROM ($rows) x WHERE x.n > here.k AND random() > -1) FROM here"],
	['an error on the router that is caught', "DO \$\$ DECLARE r record; BEGIN
		FOR r IN $one LOOP PERFORM 1 / (5 - r.n); END LOOP; EXCEPTION WHEN division_by_zero THEN END \$\$"],
	['a savepoint that is rolled back', 'SAVEPOINT s', "DECLARE c CURSOR FOR $one", 'FETCH 3 FROM c', 'ROLLBACK TO s'],
	['a savepoint behind the cursor', "DECLARE c CURSOR FOR $one", 'FETCH 3 FROM c', 'SAVEPOINT s', 'FETCH 3 FROM c',
		'ROLLBACK TO s', 'FETCH 3 FROM c', 'CLOSE c'],
	['a cursor within a savepoint', 'SAVEPOINT s', "DECLARE c CURSOR FOR $one", 'FETCH 3 FROM c', 'CLOSE c', 'RELEASE s'])
{
	my ($what, @statements) = @$case;
	$number++;
	$session->query_safe('BEGIN');
	$session->query_safe("UPDATE t SET v = $number WHERE k = $_") for 1, 2;
	$session->query_safe($_) for @statements;
	goes_on_ok($session, $number, $what);
}

# A portal of the protocol of which some rows are fetched.
sub message { return $_[0] . pack('N', length($_[1]) + 4) . $_[1]; }
my $socket = $router->raw_connect;
my $received = '';

# Reads until the server is ready; returns how many rows came, and the types of the other messages.
sub ready
{
	my ($data, $types) = (0, '');
	for (;;)
	{
		while (length($received) < 5 || length($received) < 1 + unpack('N', substr($received, 1, 4)))
		{
			sysread($socket, $received, 8192, length($received)) or die 'the connection is closed';
		}
		my $type = substr($received, 0, 1);
		substr($received, 0, 1 + unpack('N', substr($received, 1, 4))) = '';
		$type eq 'D' ? $data++ : ($types .= $type);
		return ($data, $types) if $type eq 'Z';
	}
}
my $startup = pack('N', 196608) . join("\0", user => scalar getpwuid($>), database => 'postgres', '', '');
syswrite($socket, pack('N', length($startup) + 4) . $startup);
ready();
syswrite($socket, message('Q', "BEGIN; UPDATE t SET v = 'portal' WHERE k < 3\0"));
ready();
syswrite($socket, message('P', "\0$one\0" . pack('n', 0)) . message('B', "p\0\0" . pack('nnn', 0, 0, 0)) .
	message('E', "p\0" . pack('N', 5)) . message('S', ''));
is(join(' ', ready()), '5 12sZ', 'a portal is suspended');
syswrite($socket, message('E', "p\0" . pack('N', 2)) . message('C', "Pp\0") . message('S', ''));
is(join(' ', ready()), '2 s3Z', 'and closed');
syswrite($socket, message('Q', "COMMIT\0"));
is(join(' ', ready()), '0 CZ', 'the transaction goes on');
is($session->query_safe("SELECT count(*) FROM t WHERE v = 'portal'"), 2, 'to its end');

# A read that locks keeps its locks.
$session->query_safe($_)
  for 'BEGIN', 'DECLARE c CURSOR FOR SELECT k FROM t WHERE k IN (1, 2, 3) ORDER BY k FOR UPDATE', 'FETCH 1 FROM c', 'CLOSE c';
is($cluster->sql('SELECT k FROM t WHERE k = 1 FOR UPDATE SKIP LOCKED'), '', 'a cursor that locks');
$session->query_safe('COMMIT');
is($cluster->sql('SELECT k FROM t WHERE k = 1 FOR UPDATE SKIP LOCKED'), 1, 'until the transaction ends');
$session->quit;
close $socket;
ok($cluster->wait_until_idle, 'no session is left inside of a transaction');
done_testing();
