# Reads of several shards see all or nothing of every transaction: while clients move money between
# accounts on different shards, every sum over all accounts is the same.
#
# SHARDWISE_READ_SECONDS sets how long (10; 30 or more by hand).
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $seconds = $ENV{SHARDWISE_READ_SECONDS} // 10;
my $cluster = Shardwise::Cluster->new;
my $router = $cluster->router;
$cluster->sql(<<'SQL');
CREATE TABLE accounts (id bigint PRIMARY KEY, peer bigint NOT NULL, balance bigint NOT NULL);
INSERT INTO accounts SELECT i, 201 - i, 100 FROM generate_series(1, 200) i;
SELECT shardwise.distribute_table('accounts', 'id');
CREATE FUNCTION check_sum(total numeric, how text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF total IS DISTINCT FROM 20000 THEN
		RAISE EXCEPTION 'the sum by % is %', how, total;
	END IF;
END $$;
CREATE FUNCTION sum_by_cursor() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	c CURSOR FOR SELECT balance FROM accounts ORDER BY peer;
	total bigint := 0;
BEGIN
	FOR r IN c LOOP total := total + r.balance; END LOOP;
	RETURN total;
END $$;
CREATE FUNCTION check_in_routine() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	r record;
	total bigint := 0;
BEGIN
	PERFORM check_sum(sum(balance), 'routine, scatter') FROM accounts;
	PERFORM check_sum(sum(a.balance), 'routine, pull') FROM accounts a JOIN accounts b ON a.id = b.peer;
	FOR r IN SELECT id, balance FROM accounts LOOP
		total := total + r.balance;
		PERFORM balance FROM accounts WHERE id = r.id;
	END LOOP;
	PERFORM check_sum(total, 'routine, loop');
END $$;
CREATE FUNCTION sum_by_key() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	total bigint := 0;
BEGIN
	FOR i IN 1..200 LOOP
		total := total + (SELECT balance FROM accounts WHERE id = i);
	END LOOP;
	RETURN total;
END $$;
SQL

my %script = (
	# Updates in the order of keys, so that transfers do not wait for each other in a circle.
	transfer => [ 4, <<'SQL' ],
\set a random(1, 199)
\set b random(:a + 1, 200)
\set d random(-50, 50)
BEGIN;
UPDATE accounts SET balance = balance - :d WHERE id = :a;
UPDATE accounts SET balance = balance + :d WHERE id = :b;
COMMIT;
SQL
	scatter => [ 2, <<'SQL' ],
SELECT check_sum(sum(balance), 'scatter') FROM accounts;
SELECT check_sum(sum(balance), 'groups') FROM (SELECT peer % 7, sum(balance) AS balance FROM accounts GROUP BY 1) g;
SQL
	pull => [ 1, <<'SQL' ],
SELECT check_sum(sum(a.balance), 'pull') FROM accounts a JOIN accounts b ON a.id = b.peer;
SELECT check_sum((SELECT sum(balance) FROM accounts WHERE id % 2 = 0)
	+ (SELECT sum(balance) FROM accounts WHERE id % 2 = 1), 'two scans');
SQL
	committed => [ 2, <<'SQL' ],
BEGIN;
SELECT check_sum(sum(balance), 'block') FROM accounts;
SELECT balance FROM accounts WHERE id = 1;
SELECT check_sum(sum(a.balance), 'block, pull') FROM accounts a JOIN accounts b ON a.id = b.peer;
SAVEPOINT s;
ROLLBACK TO s;
SELECT check_sum((SELECT sum(balance) FROM accounts WHERE id % 2 = 0)
	+ (SELECT sum(balance) FROM accounts WHERE id % 2 = 1), 'block, two scans');
COMMIT;
SELECT check_in_routine();
SQL
	repeatable => [ 2, <<'SQL' ],
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT balance FROM accounts WHERE id = 1;
SELECT check_sum(sum(balance), 'repeatable read') FROM accounts;
SELECT check_sum(sum_by_cursor(), 'cursor');
SELECT check_sum(sum_by_key(), 'keys');
SELECT check_sum(sum(a.balance), 'repeatable pull') FROM accounts a JOIN accounts b ON a.id = b.peer;
COMMIT;
SQL
);

my %run;
for my $name (sort keys %script)
{
	my ($clients, $sql) = @{ $script{$name} };
	my $file = $router->basedir . "/$name.sql";
	append_to_file($file, $sql);
	my $mode = $name eq 'repeatable' ? 'simple' : 'prepared';
	$run{$name} = { out => '', err => '' };
	$run{$name}{handle} = IPC::Run::start(
		[ 'pgbench', '-n', '-M', $mode, '-c', $clients, '-T', $seconds, '-f', $file,
			$router->connstr('postgres') ],
		'<', \undef, '>', \$run{$name}{out}, '2>', \$run{$name}{err},
		IPC::Run::timeout($seconds + $PostgreSQL::Test::Utils::timeout_default));
}
for my $name (sort keys %run)
{
	$run{$name}{handle}->finish;
	my ($count) = $run{$name}{out} =~ /transactions actually processed: (\d+)/;
	cmp_ok($count // 0, '>', 0, "$name: ran");
	note "$name: $count transactions";
	is(join('', grep { /ERROR|FATAL/ } split /^/, $run{$name}{err}), '', "$name: no error");
}

# The same while no commit is near: nothing but the statement is sent.
is($cluster->sql('SELECT sum(balance) FROM accounts'), 20000, 'at the end');
is($cluster->sum_on_shards('SELECT sum(balance) FROM accounts'), 20000, 'and on the shards');

# A block's snapshot is that of its first statement, on all shards.
my $session = $router->background_psql('postgres');
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$session->query_safe('SELECT balance FROM accounts WHERE id = 1');
$cluster->sql('UPDATE accounts SET balance = balance + 1');
is($session->query_safe('SELECT sum(balance) FROM accounts'), 20000, 'later commits are not seen');
$session->query_safe('COMMIT');
is($session->query_safe('SELECT sum(balance) FROM accounts'), 20200, 'and are afterwards');

# Reads alone leave no transaction open on a shard, until there is a write.
sub count_open
{
	return $cluster->sum_on_shards("SELECT count(*) FROM pg_stat_activity
		WHERE state LIKE 'idle in transaction%' AND application_name = 'shardwise'");
}
$session->query_safe('BEGIN');
$session->query_safe('SELECT sum(balance) FROM accounts');
$session->query_safe('SELECT balance FROM accounts WHERE id = 1');
is(count_open(), 0, 'a block that has read');
$session->query_safe('SELECT sum(a.balance) FROM accounts a JOIN accounts b ON a.id = b.peer');
$session->query_safe('DECLARE c CURSOR FOR SELECT count(*) FROM accounts a JOIN accounts b ON a.id = b.peer');
is(count_open(), 3, 'a cursor with several scans has a snapshot');
$session->query_safe('FETCH c');
$session->query_safe('CLOSE c');
is(count_open(), 0, 'which ends with it');
$session->query_safe('UPDATE accounts SET balance = balance + 1 WHERE id = 1');
is(count_open(), 1, 'a block that has written');
$cluster->sql('UPDATE accounts SET balance = balance + 1 WHERE id > 1');
is($session->query_safe('SELECT sum(balance) FROM accounts'), 20400, 'reads what it has written, and what others have');
$session->query_safe('COMMIT');

# A shard that is down is no obstacle to blocks that do not need it.
my $key = $cluster->key_elsewhere('accounts', '1::bigint');
$cluster->shard($cluster->owner('accounts', "$key\::bigint"))->stop('immediate');
is($cluster->sql('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM accounts WHERE id = 1; COMMIT'),
	1, 'a block that needs one shard, while another is down');
my (undef, $states) = $cluster->errors("BEGIN ISOLATION LEVEL REPEATABLE READ;
	SELECT count(*) FROM accounts WHERE id = 1; SELECT count(*) FROM accounts WHERE id = $key; COMMIT");
like($states->[0], qr/^08/, 'a block that needs the lost one');

done_testing();
