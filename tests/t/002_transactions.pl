# Transactions: nothing is committed on a shard that the router does not commit, and nothing lost.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $cluster = Shardwise::Cluster->new;
my $router = $cluster->router;
$cluster->fill_customers;
my $update = 'UPDATE customers SET balance = balance + 1 WHERE customer_id = 1';

# Runs a pgbench script once and expects it to fail.
sub fails_in_pgbench
{
	my ($name, $mode, $script) = @_;
	my $file = $router->basedir . '/script.sql';
	unlink $file;
	append_to_file($file, $script);
	$router->command_checks_all(
		[ 'pgbench', '-n', '-M', $mode, '-t', '1', '-f', $file, 'postgres' ],
		2, [ qr{number of transactions actually processed: 0/1} ], [ qr{division by zero} ],
		"$name: the client sees the error");
	return;
}

# A statement that looks alone and is not: its update must not stay.
my ($out, $states) = $cluster->errors("DO \$\$ BEGIN $update; RAISE EXCEPTION 'stop'; END \$\$");
is_deeply($states, ['P0001'], 'DO block raises');
is($cluster->balance(1), '100.00', 'DO block: the update is undone');

for my $mode (qw(extended prepared))
{
	fails_in_pgbench("pipeline, $mode", $mode,
		"\\startpipeline\n$update;\nSELECT 1 / 0;\n\\endpipeline\n");
	is($cluster->balance(1), '100.00', "pipeline, $mode: the update is undone");
	fails_in_pgbench("pipeline of two updates, $mode", $mode,
		"\\startpipeline\nSELECT 1;\n$update;\n$update;\nSELECT 1 / 0;\n\\endpipeline\n");
	is($cluster->balance(1), '100.00', "pipeline of two updates, $mode: both are undone");
}

(undef, $states) = $cluster->errors("$update\\; SELECT 1 / 0");
is_deeply($states, ['22012'], 'several statements in one query: the last fails');
is($cluster->balance(1), '100.00', 'several statements in one query: the update is undone');
(undef, $states) = $cluster->errors("SELECT 1\\; $update\\; SELECT 1 / 0");
is($cluster->balance(1), '100.00', 'the update in the middle is undone');
$cluster->sql("CREATE FUNCTION add_one(k bigint) RETURNS numeric LANGUAGE sql AS
	'UPDATE customers SET balance = balance + 1 WHERE customer_id = k RETURNING balance'");
(undef, $states) = $cluster->errors('SELECT add_one(1), 1 / (add_one(1) - add_one(1) + 1)::int');
is_deeply($states, ['22012'], 'a function writes, and the expression around it fails');
is($cluster->balance(1), '100.00', 'the function\'s updates are undone');
(undef, $states) = $cluster->errors("WITH u AS ($update RETURNING balance) SELECT 1 / (balance - 101)::int FROM u");
is_deeply($states, ['22012'], 'a modifying CTE fails after its update');
is($cluster->balance(1), '100.00', 'the CTE\'s update is undone');
$cluster->sql("CREATE TABLE kept (b numeric CHECK (b < 0))");
(undef, $states) = $cluster->errors("WITH u AS ($update RETURNING balance) INSERT INTO kept SELECT balance FROM u");
is(scalar(@$states), 1, 'a shard\'s rows do not fit into a local table');
is($cluster->balance(1), '100.00', 'and the shard\'s update is undone');

# Pipelines and several statements that succeed.
my $file = $router->basedir . '/good.sql';
append_to_file($file, "\\startpipeline\n$update;\n$update;\nSELECT balance FROM customers WHERE customer_id = 1;\n\\endpipeline\n");
$router->command_ok([ 'pgbench', '-n', '-M', 'prepared', '-t', '5', '-f', $file, 'postgres' ],
	'a pipeline of updates');
is($cluster->balance(1), '110.00', 'all of them are there');
$cluster->sql("$update\\; $update");
is($cluster->balance(1), '112.00', 'two updates in one query');
$cluster->sql($update);
is($cluster->balance(1), '113.00', 'one update alone');

# Savepoints, errors in them, the state of the session afterwards.
($out, $states) = $cluster->errors(<<'SQL');
BEGIN;
UPDATE customers SET balance = 1 WHERE customer_id = 1;
SAVEPOINT a;
UPDATE customers SET balance = 2 WHERE customer_id = 1;
INSERT INTO customers VALUES (1, 'clash', 0);
SELECT 'not run';
ROLLBACK TO a;
SELECT balance FROM customers WHERE customer_id = 1;
COMMIT;
SQL
is_deeply($states, [ '23505', '25P02' ], 'errors inside a savepoint');
is($out, '1.00', 'what came before the savepoint stands');
is($cluster->balance(1), '1.00', 'and is committed');

# A cursor that fails when another statement has its rows fetched takes what is younger with it.
($out, $states) = $cluster->errors(<<'SQL');
BEGIN;
UPDATE customers SET balance = 5 WHERE customer_id = 1;
SAVEPOINT a;
DECLARE c CURSOR FOR SELECT 1 / (customer_id - 1) FROM customers;
SAVEPOINT b;
SELECT count(*) FROM customers;
ROLLBACK TO b;
SELECT count(*) FROM customers;
ROLLBACK TO a;
SELECT balance FROM customers WHERE customer_id = 1;
ROLLBACK;
SQL
is_deeply($states, [ '22012', '25P02' ], 'a cursor fails behind a savepoint');
is($out, '5.00', 'what came before the cursor stands');

# Where the cursor is no part of a transaction on the shard, nothing but itself is lost.
($out, $states) = $cluster->errors(<<'SQL');
BEGIN;
DECLARE c CURSOR FOR SELECT 1 / (customer_id - 1), count(*) FROM customers GROUP BY customer_id;
SAVEPOINT b;
SELECT count(*) FROM customers;
ROLLBACK TO b;
SELECT balance FROM customers WHERE customer_id = 1;
FETCH ALL FROM c;
ROLLBACK;
SQL
is_deeply($states, [ '22012', '24000' ], 'a cursor that has read alone fails');
is($out, '1.00', 'and what follows goes on');

# The router's session ends in mid-transaction.
my $session = $router->background_psql('postgres');
$session->query_safe('BEGIN');
$session->query_safe('UPDATE customers SET balance = 77 WHERE customer_id = 1');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$cluster->sql("SELECT pg_terminate_backend($pid, 60000)");
ok($cluster->wait_until_idle, 'a terminated session leaves no transaction on a shard');
is($cluster->balance(1), '1.00', 'its update is undone');
eval { $session->quit; };

# A transaction may read and write anywhere.
my $other = $cluster->key_elsewhere('customers', '1::bigint');
($out, $states) = $cluster->errors(<<"SQL");
BEGIN;
UPDATE customers SET balance = 3 WHERE customer_id = 1;
SELECT name FROM customers WHERE customer_id = $other;
UPDATE customers SET balance = 3 WHERE customer_id = $other;
COMMIT;
SQL
is_deeply($states, [], 'a second shard is written');
is($out, "customer $other", 'and read');
is($cluster->balance(1) + $cluster->balance($other), 6, 'both writes are there');
is($cluster->sql("BEGIN; UPDATE customers SET balance = 1 WHERE customer_id = 1;
	UPDATE customers SET balance = 1 WHERE customer_id = $other; ROLLBACK;
	SELECT sum(balance) FROM customers WHERE customer_id IN (1, $other)"), '6.00', 'and undone');
(undef, $states) = $cluster->errors(<<"SQL");
BEGIN;
UPDATE customers SET balance = 1 WHERE customer_id = 1;
SAVEPOINT a;
UPDATE customers SET balance = 4 WHERE customer_id = $other;
INSERT INTO customers VALUES ($other, 'clash', 0);
ROLLBACK TO a;
COMMIT;
SQL
is_deeply($states, ['23505'], 'the second shard fails in a savepoint');
is($cluster->balance(1) + $cluster->balance($other), 4, 'what it did is undone, the rest stands');

# An error that comes with COMMIT only.
$cluster->sql(<<'SQL');
CREATE TABLE children (customer_id bigint REFERENCES customers DEFERRABLE INITIALLY DEFERRED, id int,
	PRIMARY KEY (customer_id, id));
SELECT shardwise.distribute_table('children', 'customer_id', colocate_with => 'customers');
SQL
my $missing = $cluster->sql("SELECT min(k) FROM generate_series(1000, 2000) k
	WHERE shardwise.locate('customers', k::bigint) = shardwise.locate('customers', 1::bigint)");
($out, $states) = $cluster->errors(<<"SQL");
BEGIN;
UPDATE customers SET balance = 4 WHERE customer_id = 1;
INSERT INTO children VALUES ($missing, 1);
CREATE TABLE made_meanwhile (i int);
COMMIT;
SELECT to_regclass('made_meanwhile') IS NULL;
SQL
is_deeply($states, ['23503'], 'a constraint fails at COMMIT on the shard');
is($out, 't', 'the router rolls back what was its own');
is($cluster->balance(1), '1.00', 'and so does the shard');

($out, $states) = $cluster->errors("BEGIN; $update; PREPARE TRANSACTION 'p'; SELECT 1");
is($states->[0], '0A000', 'PREPARE TRANSACTION is refused');
is($cluster->sum_on_shards('SELECT count(*) FROM pg_prepared_xacts'), 0, 'nothing is left prepared');

ok($cluster->wait_until_idle, 'no transaction is open on any shard');
is($cluster->sum_on_shards("SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
	WHERE c.relname IN ('customers', 'children')"), 0, 'no lock is left');

done_testing();
