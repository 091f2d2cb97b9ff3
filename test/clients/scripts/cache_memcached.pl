# Cache::Memcached against two servers: cache_memcached.pl use|again text PORT PORT

use strict;
use warnings;
use Cache::Memcached;
use Time::HiRes qw(sleep time);

my ($phase, undef, @ports) = @ARGV;
my @servers = map { "127.0.0.1:$_" } @ports;
my $noise = pack 'C*', map { ($_ * $_ * 7919 >> 7) & 255 } 0 .. 899_999;
my $long_key = 'k' x 250;
$| = 1;

sub shown { my ($value) = @_; defined $value ? substr($value, 0, 200) : 'undef' }

sub check {
    my ($what, $actual, $expected) = @_;
    return if defined $actual ? defined $expected && $actual eq $expected : !defined $expected;
    die "$what: " . shown($actual) . ' instead of ' . shown($expected) . "\n";
}

sub done { print "ok $_[0]\n" }

# Waits for what no server announces: that a second has passed.
sub soon {
    my ($what, $probe) = @_;
    my $end = time + 5;
    until ($probe->()) {
        die "$what: did not happen\n" if time > $end;
        sleep 0.05;
    }
}

sub connected { Cache::Memcached->new({ servers => \@_, select_timeout => 10, connect_timeout => 5 }) }

sub storage {
    my ($client) = @_;
    check 'set', $client->set('a', 'one'), 1;
    check 'get', $client->get('a'), 'one';
    check 'add, present', !!$client->add('a', 'two'), '';
    check 'add, absent', $client->add('b', 'two'), 1;
    check 'replace, present', $client->replace('a', 'three'), 1;
    check 'replace, absent', !!$client->replace('nothing', 'x'), '';
    check 'append', $client->append('a', '!'), 1;
    check 'prepend', $client->prepend('a', '?'), 1;
    check 'append, absent', !!$client->append('nothing', '!'), '';
    check 'joined', $client->get('a'), '?three!';
    check 'delete', $client->delete('a'), 1;
    check 'delete, absent', !!$client->delete('a'), '';
    check 'get, absent', $client->get('a'), undef;
    # It takes a number behind the key, which memcached allows only if it is 0.
    $client->set('a', 'one');
    check 'delete with time', !!$client->delete('a', 5), '';
    check 'not deleted', $client->get('a'), 'one';
    $client->set('bytes', "\0\r\nEND\r\n\xff");
    check 'bytes', $client->get('bytes'), "\0\r\nEND\r\n\xff";
    $client->set('empty', '');
    check 'empty', $client->get('empty'), '';
    $client->set('object', { list => [1, 'x'] });
    check 'object', $client->get('object')->{list}[1], 'x';
    $client->set($long_key, 'long');
    check 'long key', $client->get($long_key), 'long';
    my $spaced = Cache::Memcached->new({ servers => [$servers[0]], namespace => 'space:' });
    $spaced->set('a', 'x');
    check 'namespace', $client->get('space:a'), 'x';
    done 'set get add replace append prepend delete, kinds of values, keys of 250 bytes, namespace';
}

sub counting {
    my ($client) = @_;
    $client->set('n', 10);
    check 'incr', $client->incr('n', 5), 15;
    check 'decr', $client->decr('n', 20), 0;
    check 'incr, absent', $client->incr('none'), undef;
    $client->set('count', 0);
    $client->disconnect_all;
    my @children;
    for my $child (1 .. 4) {
        my $pid = fork;
        if ($pid) { push @children, $pid; next }
        my $own = connected($servers[0]);
        $own->incr('count', 3) for 1 .. 50;
        exit 0;
    }
    for my $pid (@children) {
        waitpid $pid, 0;
        check 'child', $?, 0;
    }
    check 'sum of incr', $client->get('count'), 600;
    done 'incr decr; 4 processes add up to 600';
}

sub many {
    my ($client) = @_;
    $client->set("m$_", "value $_", 100) for 1 .. 500;
    my $found = $client->get_multi('nothing', map { "m$_" } 1 .. 500);
    check 'get_multi', scalar(keys %$found), 500;
    check 'one of them', $found->{m500}, 'value 500';
    $client->delete("m$_") for 1 .. 500;
    check 'get_multi of what is gone', scalar(keys %{ $client->get_multi(map { "m$_" } 1 .. 500) }), 0;
    done 'get_multi, 500 items';
}

sub sizes {
    my ($client) = @_;
    check 'set of 900 KB', $client->set('big', $noise), 1;
    check 'get of 900 KB', $client->get('big') eq $noise, 1;
    $client->set("big$_", $noise) for 1 .. 5;
    my $found = $client->get_multi(map { "big$_" } 1 .. 5);
    check 'get_multi of 900 KB', scalar(grep { $_ eq $noise } values %$found), 5;
    my $packed = Cache::Memcached->new({ servers => [$servers[0]], compress_threshold => 1000 });
    my $text = 'compressible ' x 50_000;
    check 'compressed', $packed->set('packed', $text), 1;
    check 'decompressed', $packed->get('packed') eq $text, 1;
    check 'set of 2 MB', !!$client->set('large', $noise x 3), '';
    check 'alive after that', $client->get('big') eq $noise, 1;
    done '900 KB values, alone and five at once; compressed value; too large refused';
}

sub expiry {
    my ($client) = @_;
    $client->set('short', 'x', 1);
    soon 'expiry', sub { !defined $client->get('short') };
    check 'gone at once', !defined($client->set('past', 'x', -1) ? $client->get('past') : undef), 1;
    done 'expiry';
}

sub distributed {
    my $both = connected(@servers);
    $both->set("d$_", $_) for 1 .. 1000;
    check 'get_multi over two', scalar(keys %{ $both->get_multi(map { "d$_" } 1 .. 1000) }), 1000;
    my @shares = map { scalar keys %{ connected($_)->get_multi(map { "d$_" } 1 .. 1000) } } @servers;
    check 'each item on one server', $shares[0] + $shares[1], 1000;
    check 'both take part', (sort { $a <=> $b } @shares)[0] > 200, 1;
    done "two servers, @shares items";
}

sub administration {
    my ($client) = @_;
    # Asks for "stats", "stats malloc" and what it counts itself.
    my $stats = $client->stats;
    check 'stats', $stats->{hosts}{ $servers[0] }{misc}{cmd_get} > 0, 1;
    check 'alive after stats', $client->set('a', 'x'), 1;
    check 'stats of one kind', $client->stats('settings')->{hosts}{ $servers[0] }{settings} =~ /item_size_max \d+/, 1;
    check 'flush_all', $client->flush_all, 1;
    check 'after flush_all', $client->get('a'), undef;
    for (1 .. 20) {
        $client->disconnect_all;
        $client->set('a', 'x');
        check 'after connecting again', $client->get('a'), 'x';
    }
    done 'stats, flush_all, connected anew';
}

my $client = connected($servers[0]);
if ($phase eq 'use') {
    connected(@servers)->flush_all;
    storage($client);
    counting($client);
    many($client);
    sizes($client);
    expiry($client);
    distributed();
    administration($client);
    $client->set('kept', { value => 1 }, 1000);
    $client->set('kept-big', $noise);
    $client->set('kept-number', 41);
    my $both = connected(@servers);
    $both->set("kept$_", $_) for 1 .. 100;
    done 'left items behind';
}
else {
    check 'item after restart', $client->get('kept')->{value}, 1;
    check '900 KB after restart', $client->get('kept-big') eq $noise, 1;
    check 'incr after restart', $client->incr('kept-number'), 42;
    check 'two servers after restart', scalar(keys %{ connected(@servers)->get_multi(map { "kept$_" } 1 .. 100) }), 100;
    done 'everything is there after a restart';
}
