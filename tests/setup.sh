#!/bin/sh
# SPDX-License-Identifier: MIT
#
# setup.sh demo|check: installs with apt-get what `make demo` or `make check` needs on Debian and
# lacks here. Says nothing and asks for no rights when nothing is to do.
set -eu

demo='gcc make libc6-dev bash coreutils python3 perl'
check="$demo bats jq shellcheck clang clang-format clang-tidy strace valgrind gdb file mandoc
    redis-tools git openssh-client openssl default-jdk-headless msmtp tnftp whois gawk procps
    iproute2 util-linux libcap2-bin musl-tools linux-libc-dev binutils"
# the 32-bit compiler is there only where there is a 32-bit mode
[ "$(uname -m)" != x86_64 ] || check="$check gcc-multilib"

case ${1-} in
demo) wanted=$demo ;;
check) wanted=$check ;;
*)
    echo "usage: $0 demo|check" >&2
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

install_missing() {
    # shellcheck disable=SC2086 # lists
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing
}

# The package lists may be absent or old: look once without, then with fresh ones.
install_missing && exit 0
echo "setup.sh: once more with fresh package lists" >&2
$as_root apt-get -q update
install_missing
