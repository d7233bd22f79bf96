# COPY: the context of errors, lost clients and shards, cancel, bounded memory, COPY beside other
# statements, pgbench's own loading.
use strict;
use warnings;
use lib 'lib';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shardwise::Cluster;
use Test::More;

my $cluster = Shardwise::Cluster->new;
my $router = $cluster->router;
my $dir = $router->basedir;

$cluster->sql(<<'SQL');
CREATE TABLE t (k bigint PRIMARY KEY, a int CHECK (a < 1000), b text);
CREATE TABLE plain (LIKE t INCLUDING ALL);
CREATE TABLE ref (LIKE t INCLUDING ALL);
SELECT shardwise.distribute_table('t', 'k');
SELECT shardwise.create_reference_table('ref');
SQL

# A COPY from a file, with the options of $3, into a distributed table, or another one. Returns the
# error's message and the first line of its context.
sub copy_error
{
	my ($table, $file, $options) = @_;
	my (undef, $states) = $cluster->errors("COPY $table FROM '$file' $options");
	return ($cluster->last_error =~ /ERROR:  \w+: (.*)/g, $cluster->last_error =~ /CONTEXT:  (.*)/g);
}

# The same error, at the same line, as of a table of the router's own.
sub same_error
{
	my ($name, $data, $options) = @_;
	my $file = "$dir/data";
	PostgreSQL::Test::Utils::append_to_file($file, '');
	open my $handle, '>:raw', $file or die $!;
	print $handle $data;
	close $handle;
	my @expected = copy_error('plain', $file, $options);
	s/\bplain/t/g for @expected;
	is(scalar @expected, 2, "$name: PostgreSQL fails with a context");
	is_deeply([ copy_error('t', $file, $options) ], \@expected, "$name: $expected[1]");
	is($cluster->sum_on_shards('SELECT count(*) FROM t'), 0, "$name: nothing stays");
}

my @lines = map { "$_\t1\tline $_" } 1 .. 300000;
sub text_with
{
	my ($line, $text, @rest) = @_;
	my @copy = @lines;
	while (defined $line) { $copy[ $line - 1 ] = $text; ($line, $text, @rest) = @rest; }
	return join("\n", @copy) . "\n";
}
same_error('type', text_with(17, "17\tx\ty"), '');
same_error('check', text_with(1234, "1234\t1000\ty"), '');
same_error('far away, after a header', text_with(250001, "250001\tfar\ty"), '(HEADER)');
same_error('the first of several', text_with(200, "200\t1", 201, "201\tx\ty", 202, "202\t1\t2\t3",
	203, "x\t1\ty", 204, "\\N\t1\t2"), '');
same_error('a bad key', text_with(9999, "key\t1\ty"), '');
same_error('no key', text_with(9999, "\\N\t1\ty"), '');
same_error('too few fields', text_with(20000, '20000'), '');
same_error('twice', join("\n", @lines[ 0 .. 40 ], "7\t1\tagain") . "\n", '');
same_error('CSV over several lines', join('', map { qq($_,1,"one\ntwo\n\nthree"\n) } 1 .. 500) . "501,x,y\n", 'CSV');
same_error('CSV, ends of DOS', join('', map { qq($_,1,"one\ntwo\r\nthree"\r\n) } 1 .. 500) . "501,x,y\r\n", 'CSV HEADER');
same_error('encoding', join("\n", @lines[ 0 .. 40 ], "50\t1\t\xff") . "\n", '');
same_error('condition', text_with(777, "777\tx\ty"), 'WHERE a > 0');

# Rows that were parsed on the way go to the shards in binary, which CONTEXT does not show.
PostgreSQL::Test::Utils::append_to_file("$dir/parsed", text_with(290001, "290001\t1000\ty"));
is((copy_error('t', "$dir/parsed", 'WHERE a > 0'))[1], 'COPY t, line 290001', 'condition, far away: the line');

$cluster->sql("COPY (SELECT i::bigint AS k, CASE WHEN i = 99 THEN 1000 ELSE 1 END AS a, 'x'::text AS b
	FROM generate_series(1, 200) i) TO '$dir/binary' (FORMAT binary)");
my ($message, $context) = copy_error('t', "$dir/binary", '(FORMAT binary)');
like($message, qr/violates check constraint/, 'binary: check');
is($context, 'COPY t, line 99', 'binary: the line');
($message, $context) = copy_error('ref', "$dir/binary", '(FORMAT binary)');
is($context, 'COPY ref, line 99', 'a reference table: the line');

# A statement that needs the same connections in the middle of a COPY: the default's function reads
# the table of another one.
$cluster->sql(<<'SQL');
CREATE TABLE asked (k int PRIMARY KEY);
INSERT INTO asked VALUES (1);
SELECT shardwise.distribute_table('asked', 'k');
CREATE FUNCTION how_many() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM asked); END';
CREATE TABLE asking (k int PRIMARY KEY, n bigint DEFAULT how_many());
SELECT shardwise.distribute_table('asking', 'k');
SQL
$cluster->sql("COPY asking (k) FROM PROGRAM 'seq 1 50'");
is($cluster->sql('SELECT count(*), sum(n), sum(k) FROM asking'), '50|50|1275', 'a COPY that is interrupted again and again');
is_deeply([ copy_error("asking (k)", "/dev/null", "") ], [], "no data: no error");
PostgreSQL::Test::Utils::append_to_file("$dir/again", join('', map { "$_\n" } 51 .. 80, 7));
is((copy_error('asking (k)', "$dir/again", ''))[1], 'COPY asking, line 31', 'its lines still count');
is($cluster->sql('SELECT count(*) FROM asking'), 50, 'nothing of it stays');

$cluster->sql(<<'SQL');
CREATE SEQUENCE drawn;
CREATE FUNCTION at_times() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint := nextval('drawn');
BEGIN IF n % 40000 = 0 THEN PERFORM count(*) FROM asked; END IF; RETURN n; END $$;
CREATE TABLE much (k int PRIMARY KEY, a int CHECK (a > 0), n bigint DEFAULT at_times());
SELECT shardwise.distribute_table('much', 'k');
SQL
$cluster->sql("COPY much (k, a) FROM PROGRAM 'seq 1 300000 | sed \"s/\$/,1/\"' CSV");
is($cluster->sql('SELECT count(*), sum(k) FROM much'), '300000|45000150000', 'much data, interrupted now and then');
PostgreSQL::Test::Utils::append_to_file("$dir/much", join('', map { $_ == 590001 ? "$_,0\n" : "$_,1\n" } 300001 .. 620000));
(my $refusal, $context) = copy_error('much (k, a)', "$dir/much", 'CSV');
like($refusal, qr/check constraint/, 'a row that a shard refuses when it is interrupted');
like($context, qr/^COPY much, line 290001: "590001,0/, 'is found by its line');
is($cluster->sql('SELECT count(*) FROM much'), '300000', 'nothing of it stays');

# In a transaction block, with savepoints, and in a function.
is($cluster->sql(<<"SQL"), '150', 'savepoints');
BEGIN;
COPY t (k) FROM PROGRAM 'seq 1 100';
SAVEPOINT s;
COPY t (k) FROM PROGRAM 'seq 200 250; sleep 0.1';
ROLLBACK TO s;
DO \$\$ BEGIN
	EXECUTE 'COPY t (k) FROM PROGRAM ''seq 300 349''';
	BEGIN
		EXECUTE 'COPY t (k) FROM PROGRAM ''seq 400 449; echo x''';
	EXCEPTION WHEN data_exception THEN NULL;
	END;
END \$\$;
COMMIT;
SELECT count(*) FROM t;
SQL
$cluster->sql('TRUNCATE t');

# Cancel, and a client that goes away: the shards end their parts, and nothing stays.
sub wait_for_copy
{
	my ($shard) = @_;
	$cluster->shard($shard)->poll_query_until('postgres',
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'COPY public.t %' AND state = 'active'") or die "no COPY on $shard";
}
my $endless = "i=0; while true; do i=\$((i+1)); seq \${i}00000 \${i}99999 || exit; done";
my $session = $router->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');
$session->query_until(qr/started/, "\\echo started\nCOPY t (k) FROM PROGRAM '$endless';\n");
wait_for_copy('s2');
ok($router->poll_query_until('postgres',
	"SELECT tuples_processed > 0 AND bytes_processed > 0 FROM pg_stat_progress_copy WHERE pid = $pid"),
	'pg_stat_progress_copy shows it');
$cluster->sql("SELECT pg_cancel_backend($pid)");
ok($cluster->wait_until_idle, 'cancelled: the shards are idle');
is($session->query('SELECT count(*) FROM t'), 0, 'cancelled: nothing stays, the session goes on');

$session->query_until(qr/again/, "\\echo again\nCOPY t (k) FROM PROGRAM '$endless';\n");
wait_for_copy('s3');
$cluster->sql("SELECT pg_terminate_backend($pid)");
ok($cluster->wait_until_idle, 'terminated: the shards are idle');
is($cluster->sum_on_shards('SELECT count(*) FROM t'), 0, 'terminated: nothing stays');

my ($in, $out, $err) = ("COPY t (k) FROM STDIN;\n" . join('', map { "$_\n" } 1 .. 1000), '', '');
my $client = IPC::Run::start([ 'psql', '-X', '-q', '-d', $router->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err);
$client->pump until $in eq '';
$router->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'COPY t%' AND state = 'active'");
$client->kill_kill;
$router->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'COPY t%' AND state = 'active'");
ok($cluster->wait_until_idle, 'the client is gone: the shards are idle');
is($cluster->sum_on_shards('SELECT count(*) FROM t'), 0, 'the client is gone: nothing stays');

# A shard that goes down in the middle.
$session = $router->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/started/, "\\echo started\n\\set VERBOSITY verbose\nCOPY t (k) FROM PROGRAM '$endless';\n");
wait_for_copy('s1');
$cluster->shard('s1')->stop('immediate');
$session->query('SELECT 1');
like($session->{stderr}, qr/ERROR:  (08|57P0)/, 'a lost shard: an error');
$cluster->shard('s1')->start;
is($cluster->sum_on_shards('SELECT count(*) FROM t'), 0, 'a lost shard: nothing stays');

# Memory. One slow shard holds the input back instead of filling the router.
my ($slow) = $cluster->shard_names;
$cluster->on_shard($slow, <<'SQL');
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN IF NEW.k % 50 = 0 THEN PERFORM pg_sleep(0.001); END IF; RETURN NEW; END';
CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow();
SQL
my $peak = "(regexp_match(pg_read_file('/proc/' || pg_backend_pid() || '/status'), 'VmHWM:\\s+(\\d+)'))[1]::int";
my $grown = $cluster->sql(<<"SQL");
SELECT count(*) FROM t;
CREATE TEMP TABLE before AS SELECT $peak AS peak;
COPY t (k, b) FROM PROGRAM 'seq 1 60000 | while read i; do printf "%d\\t%02000d\\n" \$i \$i; done';
SELECT $peak - peak FROM before;
SQL
cmp_ok((split /\n/, $grown)[-1], '<', 16 * 1024, '120 MB through a slow shard: less than 16 MB more of memory');
is($cluster->sql('SELECT count(*), sum(k) FROM t'), '60000|1800030000', 'all rows arrived');
is($cluster->sum_on_shards("SELECT count(*) FROM pg_prepared_xacts"), 0, 'and are committed');

# What pgbench -i does, on tables that are distributed.
$router->command_ok([ 'pgbench', '-i', '-I', 'dt', '-q', 'postgres' ], 'pgbench makes its tables');
$cluster->sql(<<'SQL');
SELECT shardwise.create_reference_table('pgbench_branches');
ALTER TABLE pgbench_accounts ALTER aid SET NOT NULL;
ALTER TABLE pgbench_tellers ALTER tid SET NOT NULL;
ALTER TABLE pgbench_history ALTER aid SET NOT NULL;
SELECT shardwise.distribute_table('pgbench_accounts', 'aid');
SELECT shardwise.distribute_table('pgbench_tellers', 'tid');
SELECT shardwise.distribute_table('pgbench_history', 'aid', colocate_with => 'pgbench_accounts');
SQL
$router->command_ok([ 'pgbench', '-i', '-I', 'gvp', '-q', 'postgres' ], 'pgbench loads distributed tables');
is($cluster->sum_on_shards('SELECT count(*) FROM pgbench_accounts'), 100000, 'its accounts are on the shards');
$router->command_ok([ 'pgbench', '-n', '-t', '50', '-c', '2', 'postgres' ], 'and runs its TPC-B');
is($cluster->sql('SELECT count(*), (SELECT sum(delta) FROM pgbench_history) = (SELECT sum(abalance) FROM pgbench_accounts) FROM pgbench_history'),
	'100|t', 'consistently');
$router->command_ok([ 'pgbench', '-i', '-I', 'dtgvp', '-q', 'postgres' ], 'pgbench drops them');

done_testing();
