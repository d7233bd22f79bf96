# PgBouncer with transaction pooling between the router and its shards.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my ($bouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin';
my $cluster = Shardwise::Cluster->new(shards => 2);
my $router = $cluster->router;
$cluster->fill_customers;

my $directory = $router->basedir;
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $user = getpwuid($<);
my $databases = join('', map { sprintf("%s = host=%s port=%d dbname=postgres pool_size=8\n", $_, $cluster->shard($_)->host, $cluster->shard($_)->port) }
	$cluster->shard_names);
append_to_file("$directory/users.txt", qq("$user" ""\n));
append_to_file("$directory/pgbouncer.ini", <<"INI");
[databases]
$databases
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = trust
auth_file = $directory/users.txt
logfile = $directory/pgbouncer.log
pidfile = $directory/pgbouncer.pid
pool_mode = transaction
INI
system_or_bail($bouncer, '-d', '-q', "$directory/pgbouncer.ini");
END { kill 'TERM', slurp_file("$directory/pgbouncer.pid") if $directory && -f "$directory/pgbouncer.pid"; }

for my $name ($cluster->shard_names)
{
	$cluster->sql("ALTER SERVER $name OPTIONS (SET host '127.0.0.1', SET port '$port', SET dbname '$name', ADD pooled 'true')");
}
like($cluster->sql("SELECT string_agg(port, ',') FROM shardwise.shards"), qr/^$port,$port$/, 'shards are behind the pooler');
is($cluster->sql('SELECT count(*), sum(balance) FROM customers'), '100|10000.00', 'a scatter');

# Clients share the sessions: prepared statements, settings, two-phase commit.
my $file = "$directory/mixed.sql";
append_to_file($file, <<'SQL');
\set a random(1, 99)
\set b random(:a + 1, 100)
\set d random(-5, 5)
SELECT name FROM customers WHERE customer_id = :a;
UPDATE customers SET balance = balance WHERE customer_id = :b;
BEGIN;
UPDATE customers SET balance = balance - :d WHERE customer_id = :a;
UPDATE customers SET balance = balance + :d WHERE customer_id = :b;
COMMIT;
SELECT 1 / (sum(balance) = 10000)::int FROM customers;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT 1 / (sum(balance) = 10000)::int FROM customers;
COMMIT;
SQL
for my $mode (qw(prepared simple))
{
	$router->command_checks_all([ 'pgbench', '-n', '-M', $mode, '-c', '8', '-t', '25', '-f', $file, 'postgres' ],
		0, [ qr{actually processed: 200/200} ], [ qr{^(?!.*ERROR)}s ], "eight clients, $mode");
}

# Settings belong to a transaction, and leak into no other.

my @zones = map { $cluster->sql("SET TimeZone = '$_'; SELECT date_part('hour', timestamptz '2026-07-01 12:00+00' + balance * interval '0 s') FROM customers WHERE customer_id = 1") } ('UTC', 'Asia/Tokyo', 'UTC');
is("@zones", '12 21 12', 'each session has its own settings');
my $session = $router->background_psql('postgres');
$session->query_safe("SET search_path = nowhere, public");
$session->query_safe('BEGIN; SAVEPOINT a; SELECT count(*) FROM customers; ROLLBACK TO a');
is($session->query_safe('SELECT count(*) FROM customers'), 100, 'a savepoint rolled back');
$session->query_safe('COMMIT');
is($cluster->sum_on_shards('SELECT count(*) FROM pg_prepared_xacts'), 0, 'nothing is left prepared');
my (undef, $states) = $cluster->errors('ALTER SERVER s1 OPTIONS (SET pooled \'perhaps\')');
is($states->[0], '42601', 'pooled is a boolean');

done_testing();
