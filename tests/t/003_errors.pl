# Lost shards, cancelled statements, and whether many errors leave anything behind.
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
my $owner = $cluster->owner('customers', '1::bigint');
my $shard = $cluster->shard($owner);
my $other = $cluster->key_elsewhere('customers', '1::bigint');

# Runs a query that may fail in a session; returns the SQLSTATE, or '' and the output.
sub try
{
	my ($session, $sql) = @_;
	my $out = $session->query("\\set VERBOSITY verbose\n$sql");
	my ($state) = $session->{stderr} =~ /(?:ERROR|FATAL): +([0-9A-Z]{5}):/;
	$session->{stderr} = '';
	return ($state // '', $out);
}

sub session { return $router->background_psql('postgres', on_error_stop => 0); }

# A shard that is down.
my $session = session();
is(join(' ', try($session, 'SELECT name FROM customers WHERE customer_id = 1')), ' customer 1',
	'before the loss');
$shard->stop('immediate');
my ($state) = try($session, 'SELECT name FROM customers WHERE customer_id = 1');
like($state, qr/^08/, 'a lost shard: class 08');
($state) = try($session, 'SELECT name FROM customers WHERE customer_id = 1');
like($state, qr/^08/, 'still lost: class 08');
is(join(' ', try($session, "SELECT name FROM customers WHERE customer_id = $other")),
	" customer $other", 'the other shards answer');
$shard->start;
is(join(' ', try($session, 'SELECT name FROM customers WHERE customer_id = 1')), ' customer 1',
	'the same session reconnects');

# Lost within a transaction.
try($session, 'BEGIN');
try($session, 'UPDATE customers SET balance = 7 WHERE customer_id = 1');
$shard->restart;
($state) = try($session, 'SELECT name FROM customers WHERE customer_id = 1');
like($state, qr/^08|^57P0/, 'a shard lost within a transaction');
is((try($session, 'SELECT 1'))[0], '25P02', 'the transaction is failed');
try($session, 'ROLLBACK');
is(join(' ', try($session, 'SELECT balance FROM customers WHERE customer_id = 1')), ' 100.00',
	'after ROLLBACK the session works, and the update is gone');

# Lost before COMMIT.
try($session, 'BEGIN');
try($session, 'UPDATE customers SET balance = 8 WHERE customer_id = 1');
$shard->restart;
($state) = try($session, 'COMMIT');
like($state, qr/^08|^57P0|^40/, 'a shard lost before COMMIT: an error, not a success');
is(join(' ', try($session, 'SELECT balance FROM customers WHERE customer_id = 1')), ' 100.00',
	'nothing is committed');

# The shard's session is killed while it works.
my $blocker = $shard->background_psql('postgres');
$blocker->query_safe('BEGIN');
$blocker->query_safe('SELECT FROM customers WHERE customer_id = 1 FOR UPDATE');
my $waiting = "SELECT count(*) = 1 FROM pg_stat_activity
	WHERE application_name = 'shardwise' AND wait_event_type = 'Lock'";

sub start_waiting
{
	my ($victim, $prefix) = @_;
	$victim->{stderr} = '';
	$victim->query_until(qr/^started$/m,
		"\\set VERBOSITY verbose\n\\echo started\n$prefix UPDATE customers SET balance = 9 WHERE customer_id = 1;\n\\echo finished\n");
	$shard->poll_query_until('postgres', $waiting) or die 'the update does not wait';
	return;
}

sub finish_waiting
{
	my ($victim) = @_;
	pump_until($victim->{run}, $victim->{timeout}, \$victim->{stdout}, qr/finished\n/);
	pump_until($victim->{run}, $victim->{timeout}, \$victim->{stderr}, qr/ERROR: .*\n/);
	my ($found) = $victim->{stderr} =~ /(?:ERROR|FATAL): +([0-9A-Z]{5}):/;
	$victim->{stdout} = $victim->{stderr} = '';
	return $found;
}

my $nobody_waits = "SELECT count(*) = 0 FROM pg_stat_activity
	WHERE application_name = 'shardwise' AND state = 'active'";

my $victim = session();
start_waiting($victim, '');
$shard->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE application_name = 'shardwise' AND wait_event_type = 'Lock'");
like(finish_waiting($victim), qr/^08|^57P01/, 'the shard\'s session is killed');
is(join(' ', try($victim, 'SELECT name FROM customers WHERE customer_id = 1')), ' customer 1',
	'the next statement reconnects');

# Cancel and timeouts stop the statement on the shard.
my $pid = $victim->query_safe('SELECT pg_backend_pid()');
start_waiting($victim, '');
$cluster->sql("SELECT pg_cancel_backend($pid)");
is(finish_waiting($victim), '57014', 'cancel');
ok($shard->poll_query_until('postgres', $nobody_waits), 'the shard\'s statement is cancelled');
is(join(' ', try($victim, 'SELECT name FROM customers WHERE customer_id = 1')), ' customer 1',
	'the session works on after a cancel');

start_waiting($victim, "SET statement_timeout = '1s';");
is(finish_waiting($victim), '57014', 'statement_timeout');
ok($shard->poll_query_until('postgres', $nobody_waits), 'the shard\'s statement is stopped');
try($victim, 'RESET statement_timeout');
is(join(' ', try($victim, 'SELECT name FROM customers WHERE customer_id = 1')), ' customer 1',
	'the session works on after a timeout');

start_waiting($victim, "SET lock_timeout = '1s';");
is(finish_waiting($victim), '55P03', 'lock_timeout is the shard\'s too');
try($victim, 'RESET lock_timeout');

try($victim, 'BEGIN');
try($victim, 'UPDATE customers SET balance = 5 WHERE customer_id = 1 + 0 * length(current_user) AND false');
try($victim, 'SAVEPOINT a');
start_waiting($victim, '');
$cluster->sql("SELECT pg_cancel_backend($pid)");
is(finish_waiting($victim), '57014', 'cancel within a savepoint');
try($victim, 'ROLLBACK TO a');
is(join(' ', try($victim, 'SELECT balance FROM customers WHERE customer_id = 1')), ' 100.00',
	'the savepoint saves the transaction');
is((try($victim, 'COMMIT'))[0], '', 'which commits');
$blocker->query_safe('ROLLBACK');
$blocker->quit;

# The router's session itself goes while it waits: the shard must not work on.
$blocker = $shard->background_psql('postgres');
$blocker->query_safe('BEGIN');
$blocker->query_safe('SELECT FROM customers WHERE customer_id = 1 FOR UPDATE');
start_waiting($victim, '');
$cluster->sql("SELECT pg_terminate_backend($pid, 60000)");
$blocker->query_safe('ROLLBACK');
$blocker->quit;
ok($cluster->wait_until_idle, 'nothing goes on on the shard');
eval { $victim->quit; };
is($cluster->balance(1), '100.00', 'and nothing was changed');

# A write that returns rows is canceled before it has committed, or not at all: each one a little
# longer than the one before, so that some meet their end with the timeout.
my $takes_longer = sub { "UPDATE customers SET balance = balance + 1 WHERE customer_id = 1"
	. " AND (SELECT count(*) FROM generate_series(0, $_[0] * 200)) > 0 RETURNING 'written';" };
my ($written, $canceled) = $cluster->errors(join("\n", 'SELECT count(*) FROM customers;', 'SET statement_timeout = 5;', map { $takes_longer->($_) } 1 .. 300));
my $count = () = $written =~ /written/g;
cmp_ok($cluster->balance(1), '==', 100 + $count, 'what was said to be canceled was not written');
is(join(' ', grep { $_ ne '57014' } @$canceled), '', 'and nothing else went wrong');
$cluster->sql('UPDATE customers SET balance = 100 WHERE customer_id = 1');

# Ten thousand errors: what they would leave behind.
my $probe = <<'SQL';
SELECT pg_backend_pid() AS pid, sum(total_bytes) AS bytes FROM pg_backend_memory_contexts \gset
\echo probe :pid :bytes
SELECT 'ports ' || count(*) FROM pg_ls_dir('/proc/' || :pid || '/fd');
SQL
my $kinds = join("\n",
	"INSERT INTO customers VALUES (1, 'clash', 1);",
	"SELECT 1 / (customer_id - 1) FROM customers WHERE customer_id = 1;",
	"UPDATE customers SET name = NULL WHERE customer_id = 2;",
	"BEGIN; SELECT name FROM customers WHERE customer_id = 3; SELECT name::int FROM customers WHERE customer_id = 3; ROLLBACK;",
	"SELECT sum(1 / (customer_id - customer_id)) FROM customers;",
	"DO \$\$ BEGIN INSERT INTO customers VALUES (4, 'clash', 1); END \$\$;",
	"DO \$\$ BEGIN INSERT INTO customers VALUES (5, 'clash', 1); EXCEPTION WHEN unique_violation THEN RAISE 'again'; END \$\$;",
	"EXECUTE p (6);",
	"SELECT nowhere FROM customers WHERE customer_id = 7;",
	"EXECUTE p (8);") . "\n";
my $script = "
PREPARE p (bigint) AS INSERT INTO customers VALUES (\$1, 'clash', 1);\n"
  . ($kinds x 1100) . $probe . ($kinds x 1000) . $probe;
my $many = $router->basedir . '/errors.sql';
append_to_file($many, $script);
my ($stdout, $stderr) = run_command([ 'psql', '-X', '-A', '-t', '-d', $router->connstr('postgres'), '-f', $many ]);
my @errors = $stderr =~ /(ERROR:)/g;
cmp_ok(scalar(@errors), '==', 21000, 'every error is reported');
my @bytes = $stdout =~ /^probe \d+ (\d+)$/mg;
my @ports = $stdout =~ /^ports (\d+)$/mg;
is(scalar(@bytes), 2, 'the session lived through all errors');
cmp_ok($bytes[1], '<', $bytes[0] + 200_000, 'no memory is lost by 10,000 errors');
cmp_ok($ports[1], '<=', $ports[0] + 1, 'no descriptor is lost by 10,000 errors');
ok($cluster->wait_until_idle, 'no transaction is open on a shard');
is($cluster->sum_on_shards('SELECT count(*) FROM pg_prepared_xacts'), 0, 'nothing is left prepared');
$session->quit;
for my $name ($cluster->shard_names)
{
	ok($cluster->shard($name)->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'shardwise'"),
		"no connection is left on $name");
}

done_testing();
