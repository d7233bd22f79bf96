# PostgreSQL's own client programs against a router: psql, pgbench, pg_dump.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $cluster = Shardwise::Cluster->new;
my $router = $cluster->router;

is($cluster->sql('SELECT name FROM shardwise.shards ORDER BY 1'), "s1\ns2\ns3", 'shards are listed');

# psql
$cluster->fill_customers;
is($cluster->sum_on_shards('SELECT count(*) FROM customers'), 100, 'all rows moved out');
is($cluster->sql("SELECT pg_relation_size('customers')"), 0, 'the router keeps no rows');
for my $name ($cluster->shard_names)
{
	cmp_ok($cluster->on_shard($name, 'SELECT count(*) FROM customers'), '>', 0, "$name holds rows");
}
is($cluster->sql('SELECT name FROM customers WHERE customer_id = 7'), 'customer 7', 'select by key');
is($cluster->sql('UPDATE customers SET balance = 5 WHERE customer_id = 7 RETURNING balance'),
	'5.00', 'update by key');
is($cluster->balance(7), '5.00', 'the update is on the shard');
my $owner = $cluster->owner('customers', '7::bigint');
is($router->safe_psql('postgres', '\d customers'),
	$cluster->shard($owner)->safe_psql('postgres', '\d customers'), '\d shows the same as on a shard');
like($router->safe_psql('postgres', 'EXPLAIN (VERBOSE) SELECT * FROM customers WHERE customer_id = 7'),
	qr/\b$owner\b/, 'EXPLAIN names the shard');
is($cluster->sql('SELECT count(*) FROM customers'), 100, 'select from all shards');
$cluster->sql('UPDATE customers SET balance = 3');
is($cluster->sum_on_shards('SELECT sum(balance) FROM customers'), 300, 'update on all shards');

# pgbench
$router->command_ok([ 'pgbench', '-i', '-s', '1', '-q', 'postgres' ], 'pgbench -i');
$cluster->sql("SELECT shardwise.distribute_table('pgbench_accounts', 'aid')");
is($cluster->sum_on_shards('SELECT count(*) FROM pgbench_accounts'), 100000, 'accounts moved out');
for my $mode (qw(simple extended prepared))
{
	$router->command_checks_all(
		[ 'pgbench', '-n', '-S', '-M', $mode, '-c', '4', '-t', '200', 'postgres' ],
		0, [ qr{number of transactions actually processed: 800/800} ], [ qr{^(?!.*ERROR)}s ],
		"pgbench -S -M $mode");
}
PostgreSQL::Test::Utils::append_to_file($router->basedir . '/update.sql', <<'SQL');
\set aid random(1, 100000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
END;
SQL
$router->command_checks_all(
	[ 'pgbench', '-n', '-M', 'prepared', '-c', '4', '-t', '100', '-f', $router->basedir . '/update.sql', 'postgres' ],
	0, [ qr{number of transactions actually processed: 400/400} ], [ qr{^(?!.*ERROR)}s ],
	'transactions on one key');
is($cluster->sum_on_shards('SELECT sum(abalance) FROM pgbench_accounts'), 400,
	'every transaction counted once');

# pg_dump: the metadata comes back in another database.
my $dump = $router->basedir . '/schema.sql';
$router->command_ok([ 'pg_dump', '--file', $dump, '--table', 'customers', '--schema-only', 'postgres' ],
	'pg_dump of a distributed table');
like(slurp_file($dump), qr/CREATE TABLE public\.customers/, 'its definition is dumped');
$router->command_ok([ 'pg_dump', '--file', $dump, 'postgres' ], 'pg_dump of the router');
$router->safe_psql('postgres', 'CREATE DATABASE restored');
$router->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'restored', '-f', $dump ],
	'restore into another database');
for my $view (qw(shards ranges tables keyspaces))
{
	is($router->safe_psql('restored', "SELECT v::text FROM shardwise.$view v ORDER BY 1"),
		$router->safe_psql('postgres', "SELECT v::text FROM shardwise.$view v ORDER BY 1"),
		"view $view is the same after a restore");
}
is($router->safe_psql('restored', 'SELECT name FROM customers WHERE customer_id = 7'),
	'customer 7', 'the restored router routes');

# DROP EXTENSION leaves the shards as they are.
my ($status, $stdout, $stderr) = $router->psql('postgres', 'DROP EXTENSION shardwise CASCADE');
is($status, 0, 'drop extension');
is($cluster->sum_on_shards('SELECT count(*) FROM customers'), 100, 'the shards keep their rows');
is($router->safe_psql('postgres', 'SELECT count(*) FROM customers'), 0,
	'without the extension the table is an ordinary, empty one');

done_testing();
