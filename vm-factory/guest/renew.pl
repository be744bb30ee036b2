# Makes a resumed machine's time and randomness its own. Reads "SECONDS NANOSECONDS HEX" on its input, answers "done" (and "ready" before).
# Perl, because this needs system calls that neither Node nor busybox offers, and because a waiting perl is small.
my ($clock_settime, $clock_realtime, $reseed_crng) = (227, 0, 0x5207);
$| = 1;
print "ready\n";
my $line = <STDIN> // exit 1;
my ($seconds, $nanoseconds, $seed) = $line =~ /^(\d+) (\d+) ([0-9a-f]{64,})$/ or die "not understood\n";
my $time = pack('q q', $seconds, $nanoseconds);
syscall($clock_settime, $clock_realtime, $time) == 0 or die "clock: $!\n";
open(my $random, '+<', '/dev/urandom') or die "urandom: $!\n";
syswrite($random, pack('H*', $seed)) or die "seed: $!\n";
# Mixed in, a seed counts only from the next reseed on; this is one.
ioctl($random, $reseed_crng, 0) or die "reseed: $!\n";
print "done\n";
