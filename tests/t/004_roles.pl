# Roles: who connects to a shard as whom, who may what, and what stays secret.
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
my $user = $cluster->sql('SELECT current_user');
$cluster->sql(<<'SQL');
CREATE ROLE reader LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE guest LOGIN;
GRANT SELECT ON customers TO reader, stranger;
SQL
for my $name ($cluster->shard_names)
{
	my $node = $cluster->shard($name);
	$node->safe_psql('postgres', "CREATE ROLE remote_reader LOGIN PASSWORD 'correct-secret';
		GRANT SELECT ON customers TO remote_reader");
	# This role alone must give a password.
	my $hba = slurp_file($node->data_dir . '/pg_hba.conf');
	unlink $node->data_dir . '/pg_hba.conf';
	append_to_file($node->data_dir . '/pg_hba.conf', "local all remote_reader scram-sha-256\n$hba");
	$node->reload;
	$cluster->sql("CREATE USER MAPPING FOR reader SERVER $name
		OPTIONS (user 'remote_reader', password 'correct-secret')");
	$cluster->sql("CREATE USER MAPPING FOR guest SERVER $name
		OPTIONS (user 'remote_reader', password 'wrong-secret')");
}
my $select = 'SELECT name FROM customers WHERE customer_id = 1';

is($cluster->sql("SET ROLE reader; $select"), 'customer 1', 'a role with a mapping reads');
my $owner = $cluster->owner('customers', '1::bigint');
my $session = $router->background_psql('postgres');
$session->query_safe("SET ROLE reader");
$session->query_safe($select);
is($cluster->on_shard($owner, "SELECT usename FROM pg_stat_activity WHERE application_name = 'shardwise'"),
	'remote_reader', 'it is connected as its mapping says');
$session->query_safe('RESET ROLE');
$session->query_safe($select);
is($cluster->on_shard($owner, "SELECT string_agg(usename, ',' ORDER BY usename = '$user')
	FROM pg_stat_activity WHERE application_name = 'shardwise'"),
	"remote_reader,$user", 'and as another user for another role');
$session->quit;

my ($out, $states) = $cluster->errors("SET ROLE reader; UPDATE customers SET balance = 0 WHERE customer_id = 1");
is_deeply($states, ['42501'], 'the router checks privileges on its table');
is($cluster->sql("SET ROLE stranger; $select"), 'customer 1',
	'a role without a mapping of its own uses that of PUBLIC, which add_shard made');
$cluster->sql("DROP USER MAPPING FOR PUBLIC SERVER $_; CREATE USER MAPPING FOR \"$user\" SERVER $_ OPTIONS (user '$user')")
  for $cluster->shard_names;
($out, $states) = $cluster->errors("SET ROLE stranger; $select");
is(scalar(@$states), 1, 'a role without any user mapping gets an error');
like($cluster->last_error, qr/user mapping/, 'which says so');
($out, $states) = $cluster->errors("SET ROLE guest; $select");
is_deeply($states, ['42501'], 'without privileges no connection is tried');
$cluster->sql('GRANT SELECT ON customers TO guest');
($out, $states) = $cluster->errors("SET ROLE guest; $select");
like($states->[0], qr/^08/, 'a wrong password: class 08');
unlike($cluster->last_error, qr/secret/, 'the error does not show the password');

# A mapping without a password for a role that is not superuser.
$cluster->sql("CREATE USER MAPPING FOR stranger SERVER $_ OPTIONS (user '$user')") for $cluster->shard_names;
($out, $states) = $cluster->errors("SET ROLE stranger; $select");
is(scalar(@$states), 1, 'no password, no superuser: refused');
like($cluster->last_error, qr/password is required/, 'the reason is named');

# A changed mapping is used from the next statement on.
$session = $router->background_psql('postgres', on_error_stop => 0);
$session->query_safe("SET ROLE reader");
$session->query_safe($select);
$cluster->sql("ALTER USER MAPPING FOR reader SERVER $_ OPTIONS (SET password 'wrong-secret')") for $cluster->shard_names;
my $result = $session->query($select);
unlike($result // '', qr/customer 1/, 'the new, wrong password is used');
$cluster->sql("ALTER USER MAPPING FOR reader SERVER $_ OPTIONS (SET password 'correct-secret')") for $cluster->shard_names;
$session->{stderr} = '';
is($session->query($select), 'customer 1', 'and the right one again');
$session->quit;

# Rights of the owner: functions and views.
$cluster->sql(<<'SQL');
CREATE FUNCTION balance_of(k bigint) RETURNS numeric LANGUAGE sql SECURITY DEFINER
	AS 'SELECT balance FROM public.customers WHERE customer_id = k';
CREATE FUNCTION balance_as_caller(k bigint) RETURNS numeric LANGUAGE plpgsql
	AS 'BEGIN RETURN (SELECT balance FROM public.customers WHERE customer_id = k); END';
CREATE VIEW names AS SELECT customer_id, name FROM customers;
CREATE ROLE nobody_special;
GRANT SELECT ON names TO nobody_special;
SQL
is($cluster->sql('SET ROLE nobody_special; SELECT balance_of(1)'), '100.00',
	'SECURITY DEFINER connects as the owner of the function');
($out, $states) = $cluster->errors('SET ROLE nobody_special; SELECT balance_as_caller(1)');
is_deeply($states, ['42501'], 'an ordinary function runs with the rights of its caller');
($out, $states) = $cluster->errors('SET ROLE nobody_special; SELECT name FROM (SELECT * FROM customers) x WHERE customer_id = 1');
is_deeply($states, ['42501'], 'a table in a subquery is checked');
($out, $states) = $cluster->errors("SET ROLE nobody_special; WITH x AS ($select) SELECT * FROM x");
is_deeply($states, ['42501'], 'a table in a CTE is checked');

# What a shard would do as somebody else, the router allows first.
$cluster->sql(<<'SQL');
CREATE FUNCTION confidential(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';
REVOKE EXECUTE ON FUNCTION confidential(text) FROM PUBLIC;
SQL
($out, $states) = $cluster->errors('SET ROLE reader; SELECT confidential(name) FROM customers WHERE customer_id = 1');
is_deeply($states, ['42501'], 'a function that the caller may not execute');
($out, $states) = $cluster->errors("SET ROLE reader; SELECT name, pg_read_file('PG_VERSION') FROM customers WHERE customer_id = 1");
is_deeply($states, ['42501'], 'a built-in function that the caller may not execute');

# Nothing secret in views, options or logs.
unlike($cluster->sql('SELECT s::text FROM shardwise.shards s'), qr/secret|password/, 'views show no password');
unlike($router->safe_psql('postgres', 'SET ROLE nobody_special; SELECT umoptions::text FROM pg_user_mappings'),
	qr/secret/, 'nor do the system views to others');
unlike(join('', grep { !/USER MAPPING/ && !/OPTIONS/ } split(/^/m, slurp_file($router->logfile))), qr/secret/,
	'nor does the router\'s log, but for the statements that set them');

# Functions of the extension are not for everyone.
$cluster->sql('CREATE TABLE undistributed (id int PRIMARY KEY)');
for my $call ("add_shard('s9', 'host=x dbname=x')", "remove_shard('s1')", "distribute_table('undistributed', 'id')",
	"create_reference_table('undistributed')", "undistribute_table('customers')", "run_on_shards('SELECT 1')",
	"update_shard('s1', weight => 2)")
{
	($out, $states) = $cluster->errors("SET ROLE reader; SELECT shardwise.$call");
	is_deeply($states, ['42501'], "$call needs privileges");
}

done_testing();
