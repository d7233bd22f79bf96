# Deadlocks over several servers end with an error for one; timeouts, cancel and termination leave
# no lock on any shard.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $cluster = Shardwise::Cluster->new(conf => "deadlock_timeout = '200ms'");
my $router = $cluster->router;
$cluster->fill_customers;
$cluster->sql('CREATE TABLE local_only (id int PRIMARY KEY); INSERT INTO local_only VALUES (1)');

# One key a shard.
my %key = map { $_ => $cluster->on_shard($_, 'SELECT min(customer_id) FROM customers') }
  $cluster->shard_names;
my @keys = map { $key{$_} } sort keys %key;

sub lock_sql { return $_[0] eq 'local' ? 'SELECT FROM local_only FOR UPDATE' : "UPDATE customers SET balance = balance WHERE customer_id = $_[0]"; }

# Each session locks its own, then what the next one has. Returns the SQLSTATEs of all.
sub circle
{
	my (@places) = @_;
	my @sessions = map { $router->background_psql('postgres', on_error_stop => 0) } @places;
	for my $i (0 .. $#places)
	{
		$sessions[$i]->query("\\set VERBOSITY verbose\nBEGIN; SAVEPOINT a;");
		$sessions[$i]->query(lock_sql($places[$i]));
	}
	for my $i (0 .. $#places)
	{
		my $next = lock_sql($places[ ($i + 1) % @places ]);
		$sessions[$i]->query_until(qr/^started$/m, "\\echo started\n$next;\nCOMMIT;\n");
	}
	my @states;
	my $errors = '';
	for my $session (@sessions)
	{
		$session->query('SELECT 1');
		push @states, $session->{stderr} =~ /ERROR: +([0-9A-Z]{5}):/ ? $1 : 'ok';
		$errors .= $session->{stderr};
		$session->quit;
	}
	return (join(' ', sort @states), $errors);
}

my ($states, $errors) = circle($keys[0], $keys[1]);
is($states, '40P01 ok', 'two shards: one of two sessions fails');
like($errors, qr/ERROR: +40P01: deadlock detected\nDETAIL: +Process \d+ waits on shard "s\d" for process \d+\.\nProcess \d+ waits on shard "s\d" for process \d+\./,
	'its detail names shards and processes');
($states) = circle(@keys);
is($states, '40P01 ok ok', 'three shards: one of three');
($states, $errors) = circle($keys[0], 'local');
is($states, '40P01 ok', 'a shard and a local table');
like($errors, qr/waits on the router for process/, 'the detail says so');

# A shard that hangs while somebody waits for it keeps nobody from finding deadlocks on the others.
my $hangs = $cluster->shard('s3');
$cluster->sql("ALTER SERVER s3 OPTIONS (ADD connect_timeout '2')");
my ($owner, $waiter) = map { $router->background_psql('postgres', on_error_stop => 0) } 1, 2;
$owner->query('BEGIN; ' . lock_sql($key{s3}));
$waiter->query_until(qr/^started$/m, "\\echo started\n" . lock_sql($key{s3}) . ";\n");
$hangs->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'") or die 'does not wait';
my @processes = split /\n/, $cluster->on_shard('s3', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
push @processes, slurp_file($hangs->data_dir . '/postmaster.pid') =~ /^(\d+)/;
kill 'STOP', @processes;
($states) = circle($keys[0], $keys[1]);
kill 'CONT', @processes;
is($states, '40P01 ok', 'another shard hangs');
$owner->query('COMMIT');
is($waiter->query('SELECT 1'), 1, 'who waits for it goes on when it does');
$_->quit for $owner, $waiter;

# A long wait that is none is left alone.
my $holder = $router->background_psql('postgres');
$holder->query_safe('BEGIN');
$holder->query_safe(lock_sql($keys[0]));
my $waiting = "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'shardwise' AND wait_event_type = 'Lock'";
my $shard = $cluster->shard((sort keys %key)[0]);

# A session's first statement on all shards does not keep one waiting for the other.
my $first = $router->background_psql('postgres', on_error_stop => 0);
$first->query_until(qr/^started$/m, "\\echo started\nUPDATE customers SET balance = balance;\n");
$shard->poll_query_until('postgres', $waiting) or die 'does not wait';
ok($cluster->shard($_)->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'shardwise' AND state = 'idle in transaction' AND query ~ 'SET balance = balance'"),
	"$_ has written while another shard waits") for (sort keys %key)[1, 2];
$cluster->sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query = 'UPDATE customers SET balance = balance;'");
$first->query('SELECT 1');
$first->{stderr} = '';
$first->quit;

# Runs a transaction that writes on the second shard, then waits for the first; returns the SQLSTATE.
my $context; # of its error
sub blocked
{
	my ($setting, $act) = @_;
	my $session = $router->background_psql('postgres', on_error_stop => 0);
	$session->query("\\set VERBOSITY verbose\n$setting");
	my $pid = $session->query('SELECT pg_backend_pid()');
	$session->query('BEGIN; ' . lock_sql($keys[1]));
	$session->query_until(qr/^started$/m, "\\echo started\n" . lock_sql($keys[0]) . ";\n");
	if ($act)
	{
		$shard->poll_query_until('postgres', $waiting) or die 'does not wait';
		$act->($pid);
	}
	eval { $session->query('SELECT 1'); };
	my ($state) = $session->{stderr} =~ /(?:ERROR|FATAL): +([0-9A-Z]{5}):/;
	($context) = $session->{stderr} =~ /^CONTEXT: +(.*)/m;
	# Only the holder's transaction is left on the shards, whatever the session does next.
	my $left = 'SELECT count(*) = %d FROM pg_stat_activity WHERE application_name = \'shardwise\' AND backend_xid IS NOT NULL';
	ok($cluster->shard('s2')->poll_query_until('postgres', sprintf($left, 0)), 'no lock is left')
	  if $setting !~ /idle/;
	eval { $session->quit; };
	return $state // '';
}

is(blocked("SET lock_timeout = '300ms'"), '55P03', 'lock_timeout ends a wait on a shard');
is(blocked("SET statement_timeout = '300ms'"), '57014', 'statement_timeout');
like($context, qr/^waiting for shard "s\d"$/, 'which says what was waited for');
is(blocked('SELECT 1', sub { $cluster->sql("SELECT pg_cancel_backend($_[0])") }), '57014', 'cancel');
blocked('SELECT 1', sub { $cluster->sql("SELECT pg_terminate_backend($_[0], 60000)") }); # termination
is($shard->safe_psql('postgres', $waiting =~ s/= 1/= 0/r), 't', 'nobody waits any more');
$holder->query_safe('COMMIT');
is($holder->query_safe('SELECT 2'), 2, 'the holder was not disturbed');

# Statements on the same rows of several shards wait for each other, and do not meet in a deadlock.
$cluster->sql(<<'SQL');
CREATE TABLE counters (id int PRIMARY KEY, g int, n int);
INSERT INTO counters SELECT i, i % 4, 0 FROM generate_series(1, 40) i;
SELECT shardwise.distribute_table('counters', 'id');
SQL
my %contended = (
	keys => "\\set a random(1, 9)\nUPDATE counters SET n = n + 1 WHERE id IN (:a, :a + 1, :a + 2)",
	rows => 'UPDATE counters SET n = n + 1 WHERE g = 1',
	found => 'UPDATE counters SET n = n + 1 WHERE id IN (SELECT id + 1 FROM counters WHERE id < 6)',
	upsert => 'INSERT INTO counters SELECT i, 0, 0 FROM generate_series(1, 6) i ON CONFLICT (id) DO UPDATE SET n = counters.n + 1',
	locks => 'SELECT count(*) FROM (SELECT FROM counters WHERE g < 3 FOR UPDATE) c');
for my $name (sort keys %contended)
{
	append_to_file($router->basedir . "/$name.sql", "$contended{$name};\n");
}
$ENV{PGOPTIONS} = '-c deadlock_timeout=60s'; # a slow machine's turns may take long
$router->command_checks_all(
	[ 'pgbench', '-n', '-c', 6, '-T', 3, (map { ('-f', $router->basedir . "/$_.sql") } sort keys %contended), 'postgres' ],
	0, [qr/processed: [1-9]/], [qr/^(?!.*ERROR)/s], 'writes of the same rows');
delete $ENV{PGOPTIONS};

my $idle = $router->background_psql('postgres', on_error_stop => 0);
$idle->query("SET idle_in_transaction_session_timeout = '300ms'");
$idle->query("BEGIN; @{[lock_sql($keys[0])]}; @{[lock_sql($keys[1])]};");
ok($cluster->wait_until_idle, 'idle_in_transaction_session_timeout ends the shards\' transactions');
is($cluster->sum_on_shards("SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'customers'"),
	0, 'no lock is left');
eval { $idle->quit; };

done_testing();
