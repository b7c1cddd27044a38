#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run.sh [TEST…]: Python's own tests of sockets, TLS, event loops, protocols, processes and threads
# (Debian package libpython3.11-testsuite): bare, then under the library with limits that are never hit.
# Fails on each test whose result is another one, and if a limit was hit.
#
# TMO_LIB says what is tried.
set -euo pipefail

python=/usr/bin/python3
[[ $# -gt 0 ]] || set -- socket select selectors epoll poll asyncore asynchat ftplib \
    httplib httpservers imaplib nntplib poplib smtplib smtpd telnetlib xmlrpc docxmlrpc wsgiref \
    urllib2_localnet ssl subprocess signal threadsignals threading fork1 wait3 wait4 os posix \
    pty eintr io fileio file fcntl ioctl mmap popen pipes queue logging

"$python" -c 'import test.test_socket' 2>/dev/null ||
    { echo 'run.sh: needs the Debian package libpython3.11-testsuite: sh tests/setup.sh python' >&2 && exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset "${!SOCKTMO_@}"

# tried HOW NAME [VAR=VALUE…]: leaves the result of each test of test_NAME in HOW. Those of VSOCK
# need a hypervisor that answers.
tried() {
    mkdir -p "$work/home"
    : >"$work/results.xml"
    (cd "$work/home" && env "${@:3}" HOME="$work/home" timeout -k 1 300 "$python" -m test \
        -i '*VSOCK*' -u all,-largefile,-cpu,-network,-urlfetch --junit-xml "$work/results.xml" \
        "test_$2") >"$work/said" 2>&1 || true
    "$python" - "$work/results.xml" <<'EOF' | sort >"$work/$1" || true
import sys
from xml.etree import ElementTree
for case in ElementTree.parse(sys.argv[1]).iter('testcase'):
    said = [part.tag for part in case if part.tag in ('failure', 'error', 'skipped')]
    print(case.get('name') + ':', *said or ['ok'])
EOF
}

all=0 other=0
for name in "$@"; do
    tried bare "$name"
    tried under "$name" LD_PRELOAD="$TMO_LIB" SOCKTMO_TIMEOUT=1h SOCKTMO_ACCEPT=1h SOCKTMO_IDLE=1h \
        SOCKTMO_TOTAL=2h SOCKTMO_DNS=1h SOCKTMO_PROTO=all SOCKTMO_MODE=cap SOCKTMO_LOG="$work/log.%p"
    count=$(grep -c ': ok$' "$work/bare" || true)
    [[ $count -gt 0 ]] || echo "test_$name: none of it can be run here"
    diff "$work/bare" "$work/under" >"$work/differs" || {
        echo "test_$name: bare (<) and under the library (>):"
        cat "$work/differs"
        other=$((other + $(grep -c '^[<>]' "$work/differs")))
    }
    all=$((all + count))
done
closes=$(cat "$work"/log.* | grep -c '"event":"close"' || true)
hit=$(cat "$work"/log.* | grep -c '"event":"timeout"' || true)
echo "$all tests of Python's, $other results are other ones; $closes connections on record, $hit limits hit"
[[ $all -gt 0 && $other -eq 0 && $hit -eq 0 && $closes -gt 0 ]]
