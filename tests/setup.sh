#!/bin/sh
# SPDX-License-Identifier: MIT
#
# setup.sh demo|check|clients|python: installs with apt-get what `make demo`, `make check`,
# `make check-clients` or `make check-python` needs on Debian and lacks here. Says nothing and asks
# for no rights when nothing is to do. No service is started by what it installs.
set -eu

demo='gcc make libc6-dev bash coreutils python3 perl'
check="$demo bats jq shellcheck clang clang-format clang-tidy strace valgrind gdb file mandoc
    redis-tools git openssh-client openssl default-jdk-headless msmtp tnftp whois gawk procps
    iproute2 util-linux libcap2-bin musl-tools linux-libc-dev binutils curl nodejs nginx
    redis-server libfaketime torsocks libjemalloc2"
# The 32-bit compiler is there only where there is a 32-bit mode. Some kernels have none.
[ "$(uname -m)" != x86_64 ] || check="$check gcc-multilib qemu-user"

# some ninety clients for the matrix, 40 MB, and a compiler for Go, 80 MB
clients="$check wget python3-aiohttp python3-requests python3-httpx python3-psycopg2
    python3-pymysql python3-redis python3-paho-mqtt python3-ldap3 python3-twisted python3-gevent
    php-cli php-curl ruby libwww-perl liblwp-protocol-https-perl lua5.4 lua-socket tcl
    postgresql-client mariadb-client-core rsync lftp aria2 apache2-utils socat mosquitto-clients
    ldap-utils bind9-dnsutils netcat-openbsd netcat-traditional ncat inetutils-telnet elinks w3m
    lynx axel swaks fetchmail smbclient inetutils-ftp monitoring-plugins-basic busybox subversion
    libmemcached-tools gnutls-bin hey golang-go"

case ${1-} in
demo) wanted=$demo ;;
check) wanted=$check ;;
clients) wanted=$clients ;;
python) wanted="$check libpython3.11-testsuite" ;;
*)
    echo "usage: $0 demo|check|clients|python" >&2
    exit 2
    ;;
esac

missing=
for package in $wanted; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
    installed) continue ;;
    esac
    # a Java of another version serves as well
    case $package in
    default-jdk-headless) command -v javac >/dev/null || missing="$missing $package" ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup.sh: neither root nor sudo; please install:$missing" >&2
        exit 1
    fi
    as_root='sudo'
fi

# Services come with some of it (nginx, redis, fetchmail); the tests start what they need by
# themselves. Debian asks this program before it starts one; 101: not allowed.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    trap '$as_root rm -f $policy' EXIT
    $as_root chmod 755 $policy
fi

install_missing() {
    # shellcheck disable=SC2086 # lists
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing
}

# The package lists may be absent or old: look once without, then with fresh ones.
install_missing && exit 0
echo "setup.sh: once more with fresh package lists" >&2
$as_root apt-get -q update
install_missing
