# A client that stands on Perl's Gearman::Client. What happens to the job is printed, one event a line, bytes in hex.
#
# usage: client.pl PORT do FUNCTION [unique=U] [priority=high|low] [background] [exceptions] < workload
#        client.pl PORT status HANDLE
use strict;
use warnings;
use Gearman::Client;

$| = 1;
binmode STDIN;

sub say_it { print join(' ', @_), "\n" }
sub hex_of { defined $_[0] ? unpack('H*', $_[0]) : '' }

my ($port, $action, @words) = @ARGV;
my $server = "127.0.0.1:$port";

if ($action eq 'status') {
    my $client = Gearman::Client->new(job_servers => [$server]);
    my $status = $client->get_status("$server//$words[0]") or die "no answer\n";
    my ($numerator, $denominator) = @{ $status->progress || ['', ''] };
    say_it('status', $status->known, $status->running, $numerator, $denominator);
    exit 0;
}

my $function = shift @words;
my %word = map { my ($name, $value) = split /=/, $_, 2; ($name, $value) } @words;
my $client = Gearman::Client->new(job_servers => [$server], exceptions => exists $word{exceptions});
my $workload = do { local $/; <STDIN> };
my %options = (priority => $word{priority} || 'normal', timeout => 60);
$options{uniq} = $word{unique} if exists $word{unique};

my $ended;
if (!exists $word{background}) {
    $options{on_data}      = sub { say_it('data',      hex_of(${ $_[0] })) };
    $options{on_warning}   = sub { say_it('warning',   hex_of(${ $_[0] })) };
    $options{on_status}    = sub { say_it('progress',  @_[0, 1]) };
    $options{on_complete}  = sub { say_it('complete',  hex_of(${ $_[0] })); $ended = 1 };
    $options{on_exception} = sub { say_it('exception', hex_of($_[0]));      $ended = 1 };
    # The reason is the client's own word where its time was up.
    $options{on_fail} = sub { my $reason = $_[0] || ''; say_it('fail'); $ended = $reason !~ /timeout/ };
}
my $task  = Gearman::Task->new($function, \$workload, \%options);
my $tasks = $client->new_task_set;
$task->{background} = 1 if exists $word{background};
my $handle = $tasks->add_task($task) or die "not accepted\n";
$handle =~ s{^.*//}{};
say_it('created', $handle);
exit 0 if exists $word{background};
# A task set waits until its tasks have completed or failed; an exception ends the wait by its own callback.
$tasks->wait(timeout => 60);
die "the job did not end\n" if !$ended;
