# SPDX-License-Identifier: MIT
#
# client.pl LIBRARY PORT: fetches something from 127.0.0.1:PORT. The limits that a library has of
# its own are far away.
use strict;
use warnings;

my ($library, $port) = @ARGV;
my $far = 3600;
my %libraries = (
    socket => sub {
        require IO::Socket::INET;
        my $s = IO::Socket::INET->new("127.0.0.1:$port") or die "connect: $@\n";
        print $s "hello\n";
        $s->flush;
        my $n;
        1 while $n = sysread $s, my $bytes, 4096;
        defined $n or die "sysread: $!\n";
    },
    lwp => sub {
        require LWP::UserAgent;
        my $answer = LWP::UserAgent->new(timeout => $far)->get("http://127.0.0.1:$port/x");
        $answer->is_success or die $answer->status_line, "\n";
        # a body that was cut off is a success to LWP, but for this header
        die $answer->header('X-Died'), "\n" if $answer->header('X-Died');
        die "aborted by the client\n" if $answer->header('Client-Aborted');
    },
    'lwp-tls' => sub {
        require LWP::UserAgent;
        my $agent = LWP::UserAgent->new(timeout => $far, ssl_opts => { verify_hostname => 0 });
        my $answer = $agent->get("https://127.0.0.1:$port/x");
        $answer->is_success or die $answer->status_line, "\n";
    },
    tiny => sub {
        require HTTP::Tiny;
        my $answer = HTTP::Tiny->new(timeout => $far)->get("http://127.0.0.1:$port/x");
        $answer->{success} or die "$answer->{status} $answer->{content}\n";
    },
    smtp => sub {
        require Net::SMTP;
        my $smtp = Net::SMTP->new('127.0.0.1', Port => $port, Timeout => $far);
        $smtp or die "Net::SMTP: $@\n";
        $smtp->mail('a@example.org') or die 'mail: ', $smtp->message, "\n";
    },
    ftp => sub {
        require Net::FTP;
        my $ftp = Net::FTP->new('127.0.0.1', Port => $port, Timeout => $far);
        $ftp or die "Net::FTP: $@\n";
        $ftp->login or die 'login: ', $ftp->message, "\n";
    },
);
$libraries{$library}->();
