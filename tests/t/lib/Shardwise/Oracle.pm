# Clients that change rows through the router and know what must come of it: each owns some keys and
# keeps the expected rows itself. A statement whose answer was lost (a server died) may have happened
# or not; the client looks and takes what it finds, if it is one of the two.
package Shardwise::Oracle;

use strict;
use warnings;

use IPC::Open2;
use POSIX ();

# Starts clients. Options: router (node), clients, table (columns key, id, value; primary key (key,
# id)), keys (list of SQL literals), dir, crashes (connections may be lost).
sub start
{
	my ($class, %options) = @_;
	my $self = bless {%options, pids => []}, $class;
	for my $number (1 .. $self->{clients})
	{
		my $pid = fork() // die "fork: $!";
		if ($pid == 0)
		{
			my $ok = eval { $self->run_client($number); 1 };
			$self->report($number, $ok ? 'ok' : "died: $@") unless $ok;
			POSIX::_exit(0);
		}
		push @{ $self->{pids} }, $pid;
	}
	return $self;
}

# Stops the clients; returns (statements, [problems], {key/id => value}).
sub stop
{
	my ($self) = @_;
	$self->touch('stop');
	waitpid($_, 0) for @{ $self->{pids} };
	unlink "$self->{dir}/stop";
	my ($statements, @problems, %rows) = (0);
	for my $number (1 .. $self->{clients})
	{
		open(my $in, '<', "$self->{dir}/client$number") or do { push @problems, "client $number left no report"; next };
		my $verdict = <$in>;
		chomp $verdict;
		push @problems, "client $number: $verdict" if $verdict ne 'ok';
		my $count = <$in>;
		$statements += $count // 0;
		while (my $line = <$in>)
		{
			chomp $line;
			my ($row, $value) = split /=/, $line;
			$rows{$row} = $value;
		}
		close $in;
	}
	return ($statements, \@problems, \%rows);
}

sub touch
{
	my ($self, $name) = @_;
	open(my $file, '>', "$self->{dir}/$name") or die "$name: $!";
	close $file;
	return;
}

# How many statements the clients have finished, about.
sub progress
{
	my ($self) = @_;
	my $sum = 0;
	for my $number (1 .. $self->{clients})
	{
		$sum += -s "$self->{dir}/ticks$number" // 0;
	}
	return $sum;
}

# Waits until every client has done something more.
sub wait_for_progress
{
	my ($self, $more) = @_;
	my $start = $self->progress;
	for (1 .. 1800)
	{
		return 1 if $self->progress >= $start + ($more // 50);
		select(undef, undef, undef, 0.1);
	}
	return 0;
}

sub report
{
	my ($self, $number, $verdict) = @_;
	$verdict =~ s/\n/ /g;
	open(my $out, '>', "$self->{dir}/client$number") or die "report: $!";
	print $out "$verdict\n", $self->{statements} // 0, "\n";
	print $out "$_=$self->{rows}{$_}\n" for sort keys %{ $self->{rows} // {} };
	close $out;
	return;
}

sub connect
{
	my ($self) = @_;
	for (1 .. 600)
	{
		my $pid = open2(my $from, my $to,
			'psql', '-XqAt', '-d', $self->{router}->connstr('postgres'), '-f', '-', '-v', 'ON_ERROR_STOP=0');
		$self->{session} = { pid => $pid, from => $from, to => $to, input => '' };
		$to->autoflush(1);
		# A statement ends before this client gives it up.
		my ($ok, $lines) = $self->ask("SET statement_timeout = '6s'");
		return if $ok;
		$self->disconnect;
		select(undef, undef, undef, 0.1);
	}
	die "the router does not come back\n";
}

sub disconnect
{
	my ($self) = @_;
	my $session = delete $self->{session} or return;
	close $session->{to};
	close $session->{from};
	kill 'KILL', $session->{pid};
	waitpid($session->{pid}, 0);
	return;
}

# Runs SQL; returns (it succeeded, [lines]). The second is undef when the connection was lost.
sub ask
{
	my ($self, $sql) = @_;
	my $session = $self->{session};
	my @lines;
	local $SIG{PIPE} = 'IGNORE';
	print { $session->{to} } "\\set ERROR false\n$sql;\n\\echo =:ERROR :SQLSTATE\n" or return (0, undef);
	while (defined(my $line = $self->read_line))
	{
		if ($line =~ /^=(\w+) (\S+)$/)
		{
			$self->{state} = $2;
			return ($1 eq 'false' ? 1 : 0, \@lines);
		}
		push @lines, $line;
	}
	return (0, undef);
}

# The next line of psql; undef at its end, or when it says nothing for a long time: a client that lost
# its server does not always notice.
sub read_line
{
	my ($self) = @_;
	my $session = $self->{session};
	until ($session->{input} =~ /\n/)
	{
		my $bits = '';
		vec($bits, fileno($session->{from}), 1) = 1;
		return unless select($bits, undef, undef, 10);
		return unless sysread($session->{from}, $session->{input}, 65536, length $session->{input});
	}
	$session->{input} =~ s/^(.*)\n//;
	return $1;
}

# One statement of a random kind: (SQL, {row => value after it, undef: deleted}).
sub choose
{
	my ($self) = @_;
	my @keys = @{ $self->{mine} };
	my $key = $keys[ int rand @keys ];
	my $table = $self->{table};
	my $kind = rand;
	my @known = grep { defined $self->{rows}{$_} } map { "$key/$_" } 1 .. 5;
	if ($kind < 0.25 || !@known)
	{
		my $id = 1 + int rand 5;
		return $self->choose if defined $self->{rows}{"$key/$id"} && @known < 5;
		return ("UPDATE $table SET value = value + 1 WHERE key = $key AND id = 1",
			{ "$key/1" => $self->{rows}{"$key/1"} + 1 }) if defined $self->{rows}{"$key/$id"};
		my $value = int rand 1000;
		return ("INSERT INTO $table (key, id, value) VALUES ($key, $id, $value)", { "$key/$id" => $value });
	}
	my $row = $known[ int rand @known ];
	my ($id) = $row =~ m{/(\d+)$};
	return ("DELETE FROM $table WHERE key = $key AND id = $id", { $row => undef }) if $kind < 0.35;
	if ($kind < 0.55)
	{    # a transfer, often between shards
		my $other = $keys[ int rand @keys ];
		my ($to) = grep { defined $self->{rows}{$_} && $_ ne $row } map { "$other/$_" } 1 .. 5;
		if (defined $to)
		{
			my ($to_id) = $to =~ m{/(\d+)$};
			return ("BEGIN\\; UPDATE $table SET value = value - 7 WHERE key = $key AND id = $id\\; "
				  . "UPDATE $table SET value = value + 7 WHERE key = $other AND id = $to_id\\; COMMIT",
				{ $row => $self->{rows}{$row} - 7, $to => $self->{rows}{$to} + 7 });
		}
	}
	my $add = 1 + int rand 100;
	return ("UPDATE $table SET value = value + $add WHERE key = $key AND id = $id",
		{ $row => $self->{rows}{$row} + $add });
}

# After a lost answer: what is there? It must be all of the change or nothing of it.
sub settle
{
	my ($self, $change) = @_;
	my (%found, $after, $before);
	for my $attempt (1 .. 300)
	{
		my $lines;
		my $ok = 1;
		for my $row (sort keys %$change)
		{
			my ($key, $id) = $row =~ m{^(.*)/(\d+)$};
			($ok, $lines) = $self->ask("SELECT value FROM $self->{table} WHERE key = $key AND id = $id");
			last unless $ok;
			$found{$row} = $lines->[0];
		}
		if (!$ok)
		{
			$self->disconnect unless defined $lines;
			$self->connect unless defined $lines;
			select(undef, undef, undef, 0.1);
			next;
		}
		my $same = sub { my ($a, $b) = @_; return defined $a ? defined $b && $a == $b : !defined $b; };
		$after = !grep { !$same->($found{$_}, $change->{$_}) } keys %$change;
		$before = !grep { !$same->($found{$_}, $self->{rows}{$_}) } keys %$change;
		last;
	}
	die "after a lost answer, neither before nor after: " . join(' ', map { "$_=" . ($found{$_} // 'none') } sort keys %$change) . "\n"
	  unless $after || $before;
	$self->apply($change) if $after;
	return;
}

sub apply
{
	my ($self, $change) = @_;
	for my $row (keys %$change)
	{
		if (defined $change->{$row}) { $self->{rows}{$row} = $change->{$row}; }
		else { delete $self->{rows}{$row}; }
	}
	return;
}

sub run_client
{
	my ($self, $number) = @_;
	srand($number * 7919);
	my @keys = @{ $self->{keys} };
	$self->{mine} = [ @keys[ grep { $_ % $self->{clients} == $number - 1 } 0 .. $#keys ] ];
	$self->{rows} = {};
	open(my $ticks, '>', "$self->{dir}/ticks$number") or die "ticks: $!";
	$ticks->autoflush(1);
	$self->connect;
	until (-e "$self->{dir}/stop")
	{
		my ($sql, $change) = $self->choose;
		my ($ok, $lines) = $self->ask($sql);
		if ($ok) { $self->apply($change); }
		elsif ($self->{crashes})
		{
			$self->disconnect unless defined $lines;
			$self->connect unless defined $lines;
			$self->ask('ROLLBACK') if $sql =~ /^BEGIN/;
			$self->settle($change);
		}
		else { die "SQLSTATE " . ($self->{state} // '?') . " in: $sql\n"; }
		$self->{statements}++;
		print $ticks '.';
	}
	$self->disconnect;
	$self->report($number, 'ok');
	return;
}

1;
