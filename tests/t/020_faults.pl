# Crashes at every step of two-phase commit. An oracle keeps what the client was told about each
# transfer between accounts on two shards; afterwards each must be whole or gone on all servers.
#
# SHARDWISE_FAULT_SECONDS=600 goes on for so long with four clients and random crashes.
use strict;
use warnings;
use lib 'lib';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);

my $cluster = Shardwise::Cluster->new(shards => 2, conf => "restart_after_crash = on\nlog_min_messages = log");
my $router = $cluster->router;
$cluster->sql(<<'SQL');
CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO accounts SELECT i, 100 FROM generate_series(1, 40) i;
CREATE TABLE ledger (id bigint, transfer bigint, amount bigint NOT NULL, PRIMARY KEY (id, transfer));
CREATE TABLE journal (transfer bigint PRIMARY KEY);
SELECT shardwise.distribute_table('accounts', 'id');
SELECT shardwise.distribute_table('ledger', 'id', colocate_with => 'accounts');
CREATE TABLE tokens (id bigint, token int, transfer bigint NOT NULL, PRIMARY KEY (id, token));
SELECT shardwise.distribute_table('tokens', 'id', colocate_with => 'accounts');
SQL
my %keys = map { $_ => [ split /\n/, $cluster->on_shard($_, 'SELECT id FROM accounts') ] }
  $cluster->shard_names;

# Tokens go from one shard to the other and back, between two keys.
my ($here, $there) = map { $keys{$_}[0] } $cluster->shard_names;
my $tokens = 8;
$cluster->sql("INSERT INTO tokens SELECT $here, i, 0 FROM generate_series(0, $tokens - 1) i");

my %outcome; # by transfer: committed, failed, unknown
my $transfers = 0;

# A transfer between two shards that is written down on both and, in a local table, on the router.
sub transfer_sql
{
	my ($number, $stop) = @_;
	my ($from, $to) = map { $keys{$_}[ rand @{ $keys{$_} } ] } $cluster->shard_names;
	($from, $to) = ($to, $from) if rand() < 0.5;
	my $set = $stop ? "SET shardwise.stop_point = '$stop';" : '';
	my $async = $number % 3 ? '' : 'SET synchronous_commit = off;';
	my $token = $number % $tokens;
	return <<"SQL";
$set $async
BEGIN;
UPDATE accounts SET balance = balance - 1 WHERE id = $from;
UPDATE accounts SET balance = balance + 1 WHERE id = $to;
INSERT INTO ledger VALUES ($from, $number, -1);
INSERT INTO ledger VALUES ($to, $number, 1);
INSERT INTO journal VALUES ($number);
UPDATE tokens SET id = $here + $there - id, transfer = $number WHERE token = $token;
COMMIT;
\\echo committed
SQL
}

sub start_transfer
{
	my ($number, $stop) = @_;
	my $run = { out => '', err => '', number => $number };
	my $file = $router->basedir . "/transfer$number.sql";
	append_to_file($file, transfer_sql($number, $stop));
	$run->{handle} = IPC::Run::start(
		[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose', '-d',
			$router->connstr('postgres'), '-f', $file ],
		'<', \undef, '>', \$run->{out}, '2>', \$run->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return $run;
}

# An error that the server raised means that nothing is committed; 08007, or no answer, may be both.
sub end_transfer
{
	my ($run) = @_;
	$run->{handle}->finish;
	$outcome{ $run->{number} } =
	    $run->{out} =~ /^committed$/m              ? 'committed'
	  : $run->{err} =~ /ERROR: +(?!08007)[0-9A-Z]{5}:/ ? 'failed'
	  :                                              'unknown';
	return $outcome{ $run->{number} };
}

sub wait_for_router
{
	$router->poll_query_until('postgres', 'SELECT true') or die 'the router does not come back';
	return;
}

# Compares the servers with the oracle; returns what is wrong.
sub differences
{
	my @wrong;
	# Through the router first: it must finish what is in doubt before it answers.
	my $sum = $cluster->sql('SELECT sum(balance) FROM accounts');
	push @wrong, "the balances add up to $sum" if $sum != 4000;
	my %parts = map { split /\|/ } split /\n/,
	  $cluster->sql('SELECT transfer, count(*) FROM ledger GROUP BY transfer');
	my %journal = map { $_ => 1 } split /\n/, $cluster->sql('SELECT transfer FROM journal');
	for my $number (sort { $a <=> $b } keys %outcome)
	{
		my $parts = ($parts{$number} // 0) + ($journal{$number} // 0);
		push @wrong, "transfer $number has $parts parts, was $outcome{$number}"
		  if $parts != 0 && $parts != 3
		  || $parts == 0 && $outcome{$number} eq 'committed'
		  || $parts == 3 && $outcome{$number} eq 'failed';
	}
	my %holder;
	for (split /\n/, $cluster->sql('SELECT token, transfer FROM tokens'))
	{
		my ($token, $number) = split /\|/;
		push @wrong, "token $token is there twice" if exists $holder{$token};
		$holder{$token} = $number;
		push @wrong, "token $token moved by transfer $number, which failed" if $number && !$journal{$number};
	}
	push @wrong, 'tokens are missing' if keys %holder != $tokens;
	my $prepared = $cluster->sum_on_shards('SELECT count(*) FROM pg_prepared_xacts');
	push @wrong, "$prepared transactions are still prepared" if $prepared != 0;
	return join('; ', @wrong);
}

my %expected = (
	before_prepare => 0, between_prepares => 0, before_waiters => 0, after_prepare => 0, before_decision => 0,
	after_decision => 1, between_commits => 1, after_commits => 1);

# The router dies.
for my $point (sort keys %expected)
{
	my $number = ++$transfers;
	is(end_transfer(start_transfer($number, "$point:kill")), 'unknown', "router, $point: no answer");
	wait_for_router();
	is(differences(), '', "router, $point: whole or gone");
	is($cluster->sql("SELECT count(*) FROM journal WHERE transfer = $number"), $expected{$point},
		"router, $point: as decided");
}

# A shard dies while the router waits at the step, and comes back before or after the answer.
my $waiting = "SELECT count(*) = 1 FROM pg_stat_activity
	WHERE backend_type = 'client backend' AND wait_event = 'PgSleep'";
for my $point (sort keys %expected)
{
	for my $name ($cluster->shard_names)
	{
		my $back_first = rand() < 0.5;
		my $run = start_transfer(++$transfers, "$point:wait");
		$router->poll_query_until('postgres', $waiting) or die "does not wait: $run->{err}";
		$cluster->shard($name)->stop('immediate');
		$cluster->shard($name)->start if $back_first;
		$router->reload;
		my $outcome = end_transfer($run);
		$cluster->shard($name)->start unless $back_first;
		is(differences(), '', "$name, $point: whole or gone");
		is($outcome, 'committed', "$name, $point: committed") if $expected{$point};
		isnt($outcome, 'unknown', "$name, $point: the client is told");
	}
}

# A cancelled client, and one that is terminated.
for my $call (qw(pg_cancel_backend pg_terminate_backend))
{
	for my $point (sort keys %expected)
	{
		my $run = start_transfer(++$transfers, "$point:wait");
		$router->poll_query_until('postgres', $waiting) or die "does not wait: $run->{err}";
		$cluster->sql("SELECT $call(pid) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND wait_event = 'PgSleep'");
		$router->reload;
		my $outcome = end_transfer($run);
		$cluster->sql('SELECT * FROM shardwise.recover_transactions()');
		is(differences(), '', "$call, $point: whole or gone");
		is($outcome, $expected{$point} ? 'committed' : 'failed', "$call, $point: and the client knows")
		  if $call eq 'pg_cancel_backend';
	}
}

# Somebody waits for the row that goes while the session that moves it ends, or moves it. Who comes
# later begins when the row is where it goes to.
for my $call (qw(pg_cancel_backend pg_terminate_backend reload later))
{
	my $run = start_transfer(++$transfers, $call eq 'later' ? 'after_prepare:wait' : 'before_waiters:wait');
	$router->poll_query_until('postgres', $waiting) or die "does not wait: $run->{err}";
	my $token = $transfers % $tokens;
	my %waiter = (out => '', err => '');
	$waiter{handle} = IPC::Run::start([ 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-d', $router->connstr('postgres'),
		'-c', "UPDATE tokens SET token = token WHERE token = $token RETURNING token" ],
		'<', \undef, '>', \$waiter{out}, '2>', \$waiter{err}, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$router->poll_query_until('postgres', $call eq 'later'
		? "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'UPDATE tokens SET token%' AND wait_event = 'Extension'"
		: "SELECT sum(result::int) = 1 FROM shardwise.run_on_shards(
		\$\$SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'\$\$)") or die 'nobody waits';
	$cluster->sql("SELECT $call(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND wait_event = 'PgSleep'") if $call =~ /^pg_/;
	$router->reload;
	end_transfer($run);
	$waiter{handle}->finish;
	like($waiter{err}, $call eq 'reload' ? qr/^ERROR: +40001: row to be locked was already moved/ : qr/^$/, "$call: who waits for a row that goes");
	is($waiter{out}, $call eq 'reload' ? '' : "$token\n", "$call: and gets it if it stays");
	is(differences(), '', "$call: whole or gone");
}

# A transaction that recovery must leave alone, since its session is alive.
my $run = start_transfer(++$transfers, 'after_prepare:wait');
$router->poll_query_until('postgres', $waiting) or die 'does not wait';
is($cluster->sql('SELECT decision, count(*) FROM shardwise.prepared_transactions() GROUP BY 1'),
	'in progress|2', 'prepared_transactions() lists a transaction that is committing');
is($cluster->sql('SELECT count(*) FROM shardwise.recover_transactions()'), 0,
	'recovery leaves it alone');
is($cluster->sql('SELECT count(*) FROM shardwise.in_doubt_transactions'), 0, 'it is not in doubt');
$router->reload;
is(end_transfer($run), 'committed', 'it commits');

# The worker finishes what no statement asks for, and the decisions are trimmed.
end_transfer(start_transfer(++$transfers, 'after_decision:kill'));
wait_for_router();
for my $name ($cluster->shard_names)
{
	ok($cluster->shard($name)->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_prepared_xacts'),
		"the worker has finished on $name");
}
ok($router->poll_query_until('postgres', 'SELECT count(*) = 0 FROM shardwise.commit_decision'),
	'decisions of sessions that have ended are removed');
is(differences(), '', 'whole or gone');

# A shard that stays away: its transactions are in doubt, the other shard is not held up.
$run = start_transfer(++$transfers, 'after_decision:wait');
$router->poll_query_until('postgres', $waiting) or die 'does not wait';
$cluster->shard('s2')->stop('immediate');
$router->reload;
is(end_transfer($run), 'committed', 'the client is told that the transaction is committed');
like($run->{err}, qr/WARNING: +08007: .*s2".*prepared as "shardwise(_\d+){5}": (?!unknown)/s, 'and that a shard is not');
is($cluster->sql("SELECT count(*) FROM accounts WHERE id = $keys{s1}[0]"), 1, 's1 answers');
my (undef, $states) = $cluster->errors("SELECT count(*) FROM accounts WHERE id = $keys{s2}[0]");
like("@$states", qr/^08/, 's2 does not');
$cluster->shard('s2')->start;
is(differences(), '', 'whole or gone');

# A shard that answers nothing at all.
my $postmaster = slurp_file($cluster->shard('s1')->data_dir . '/postmaster.pid') =~ /^(\d+)/ ? $1 : die;
$cluster->sql("ALTER SERVER s1 OPTIONS (ADD connect_timeout '2')");
my $asker = $router->background_psql('postgres', on_error_stop => 0);
my $asker_pid = $asker->query_safe('SELECT pg_backend_pid()');
$asker->query_until(qr/^started$/m, "\\echo started\nSELECT ok FROM shardwise.run_on_shards('SELECT pg_sleep(300)', '{s1}');\n");
$cluster->shard('s1')->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(300)'")
  or die 'does not run';
kill 'STOP', $postmaster;
$cluster->sql("SELECT pg_cancel_backend($asker_pid)");
is($asker->query("SELECT 'here'"), 'here', 'a canceled function does not wait until the shard hears of it');
kill 'CONT', $postmaster;
$asker->{stderr} = '';
$asker->quit;
$run = start_transfer(++$transfers, 'after_decision:wait');
$router->poll_query_until('postgres', $waiting) or die 'does not wait';
kill 'STOP', $postmaster;
kill 'KILL', $cluster->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND wait_event = 'PgSleep'");
end_transfer($run);
ok($cluster->shard('s2')->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_prepared_xacts'),
	'a shard that hangs does not keep the worker from the others');
kill 'CONT', $postmaster;
is(differences(), '', 'whole or gone');

# A shard that cannot prepare says so before anything is done.
$cluster->shard('s1')->append_conf('postgresql.conf', 'max_prepared_transactions = 0');
$cluster->shard('s1')->restart;
(undef, $states) = $cluster->errors("BEGIN; UPDATE accounts SET balance = 0 WHERE id = $keys{s1}[0];
	UPDATE accounts SET balance = 0 WHERE id = $keys{s2}[0]; COMMIT");
is($states->[0], '55000', 'no prepared transactions on a shard: refused at the second write');
like($cluster->last_error, qr/HINT: .*max_prepared_transactions/, 'with a hint');
is($cluster->sql("BEGIN; UPDATE accounts SET balance = balance WHERE id = $keys{s1}[0];
	SELECT count(*) FROM accounts; COMMIT"), 40, 'one written shard needs none');
$cluster->shard('s1')->append_conf('postgresql.conf', 'max_prepared_transactions = 60');
$cluster->shard('s1')->restart;

# Random crashes under load.
my $end = time() + ($ENV{SHARDWISE_FAULT_SECONDS} // 5);
my $crashes = 0;
while (time() < $end)
{
	my $pause = time() + 0.2 + rand(0.8);
	my @running = map { start_transfer(++$transfers) } 1 .. 4;
	while (time() < $pause)
	{
		for my $run (@running)
		{
			# pump_nb() dies where the process has ended just now.
			next if eval { $run->{handle}->pump_nb; $run->{handle}->pumpable };
			end_transfer($run);
			$run = start_transfer(++$transfers);
		}
		sleep 0.005;
	}
	my ($victim) = (sort { rand() <=> 0.5 } ($router, map { $cluster->shard($_) } $cluster->shard_names));
	kill 'KILL', (split /\n/, $victim->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1"));
	$crashes++;
	end_transfer($_) for @running;
	$_->poll_query_until('postgres', 'SELECT true') for $router, map { $cluster->shard($_) } $cluster->shard_names;
	$cluster->sql('SELECT * FROM shardwise.recover_transactions()') if $crashes % 3 == 0;
	my $wrong = differences();
	if ($wrong ne '' && $wrong !~ /^\d+ transactions are still prepared$/)
	{
		is($wrong, '', "crash $crashes");
		last;
	}
}
$cluster->sql('SELECT * FROM shardwise.recover_transactions()');
is(differences(), '', 'random crashes: whole or gone');
my %count;
$count{$_}++ for values %outcome;
note "$crashes random crashes, $transfers transfers: " . join(', ', map { "$count{$_} $_" } sort keys %count);

done_testing();
