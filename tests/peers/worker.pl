# A worker that stands on Perl's Gearman::Worker. The functions:
#
#   echo       gives the workload back            count     gives its length
#   content    gives what the file holds that the workload names
#   log        prints `log <workload>`            empty     gives an empty result
#   data       sends `one,` `two,`, gives `three` warning   warns `careful`, gives `done`
#   progress   says 1/4 and 2/4, gives `done`     fail      fails
#   exception  throws `boom`
#   hold       says 1/4, waits until the file that the workload names is there, gives `released`
#
# usage: worker.pl PORT
use strict;
use warnings;
use Gearman::Worker;

$| = 1;
my $worker = Gearman::Worker->new(job_servers => ["127.0.0.1:$ARGV[0]"]);

my %functions = (
    echo  => sub { $_[0]->arg },
    count => sub { length $_[0]->arg },
    content => sub {
        open my $source, '<:raw', $_[0]->arg or die "$!\n";
        local $/;
        <$source>;
    },
    log   => sub { print 'log ', $_[0]->arg, "\n"; 'logged' },
    empty => sub { '' },
    data  => sub {
        $worker->send_work_data($_[0], $_) for 'one,', 'two,';
        'three';
    },
    warning => sub {
        $worker->send_work_warning($_[0], 'careful');
        'done';
    },
    progress => sub {
        $_[0]->set_status($_, 4) for 1, 2;
        'done';
    },
    fail      => sub { undef },
    exception => sub { die "boom\n" },
    hold      => sub {
        $_[0]->set_status(1, 4);
        # The test makes the file; nothing tells of it.
        select undef, undef, undef, 0.005 until -e $_[0]->arg;
        'released';
    },
);
$worker->register_function($_ => $functions{$_}) for sort keys %functions;
$worker->work while 1;
