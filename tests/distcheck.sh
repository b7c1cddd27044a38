#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# distcheck.sh [PLATFORM…]: builds and tests every flavour that one machine can: other compilers, C
# libraries, classes and machines, and sanitizers. Says for each how it went, and what is lacking
# where it cannot be built.
#
# TESTS='recv guest-calls' names some .bats files, and only what they need is then built; BUILD_ONLY=1
# leaves it at that.
#
# What a platform runs are the tests of programs that are compiled with it; a test that needs one of
# the system's is skipped where that is of another platform.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

declare -A needs=(
    [memcheck]='valgrind' [clang]='clang' [asan]='gcc' [tsan]='gcc' [musl]='musl-gcc (Debian package musl-tools)'
    [i386]='gcc -m32 (Debian package gcc-multilib)'
    [i386-time64]='gcc -m32 (Debian package gcc-multilib), and glibc 2.34'
    [shared]='gcc'
    [armhf]='clang, a sysroot for armhf, and qemu-arm (Debian packages libc6-dev-armhf-cross, libgcc-12-dev-armhf-cross, binutils-arm-linux-gnueabihf, qemu-user)'
    [arm64]='clang, a sysroot for arm64, and qemu-aarch64 (Debian packages libc6-dev-arm64-cross, libgcc-12-dev-arm64-cross, binutils-aarch64-linux-gnu, qemu-user)'
)
declare -A flags=(
    [memcheck]='' [clang]='CC=clang' [asan]='SAN=asan' [tsan]='SAN=tsan' [musl]='CC=musl-gcc'
    [i386]='CC=gcc\ -m32 BUILD=build/i386'
    # the library as it is, and programs whose time_t has 64 bits
    [i386-time64]='CC=gcc\ -m32 BUILD=build/i386-time64 PROGRAM_FLAGS="-D_TIME_BITS=64 -Wno-conversion"'
    [armhf]='CC=clang\ --target=arm-linux-gnueabihf BUILD=build/armhf'
    # a table so small that nearly every number shares what is kept of it with others
    [shared]='CFLAGS="-O2 -g -DTMO_HOT_SIZE=8" BUILD=build/shared'
    [arm64]='CC=clang\ --target=aarch64-linux-gnu BUILD=build/arm64'
)
# shellcheck disable=SC2016 # evaluated later
declare -A has=(
    [memcheck]='command -v valgrind'
    [clang]='command -v clang' [asan]='command -v gcc' [tsan]='command -v gcc'
    [musl]='command -v musl-gcc'
    [i386]='echo "int main(void){return 0;}" | gcc -m32 -x c -o /dev/null -'
    [i386-time64]='printf "#include <sys/types.h>\n%s\n" "int a[sizeof(time_t) == 8 ? 1 : -1];" |
        gcc -m32 -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64 -x c -c -o /dev/null -'
    [shared]='command -v gcc'
    [armhf]='command -v qemu-arm && echo "int main(void){return 0;}" |
        clang --target=arm-linux-gnueabihf -x c -o /dev/null -'
    [arm64]='command -v qemu-aarch64 && echo "int main(void){return 0;}" |
        clang --target=aarch64-linux-gnu -x c -o /dev/null -'
)

# Of all platforms; of the table that is too small; of those whose programs are slow.
own='accept actions closing connect eventloop hosts lifetime luck modes recv retry send signals waits
    guest guest-asides guest-calls guest-cancels guest-confined guest-descriptors guest-endings
    guest-faults guest-interrupts guest-names guest-processes guest-shared guest-threads'
by_number='accept closing connect eventloop lifetime recv send sockopt waits guest-calls
    guest-descriptors guest-interrupts guest-processes guest-shared guest-threads'
threaded='guest-cancels guest-interrupts guest-shared guest-threads hosts'

tests_of() {
    case $1 in
    tsan) echo "${TESTS:-$threaded}" ;;
    arm*) echo 'recv send' ;;
    shared) echo "${TESTS:-$by_number}" ;;
    i386) [[ -z ${TMO_RUN-} ]] && echo "${TESTS:-$own}" || echo recv ;;
    i386-time64) [[ -z ${TMO_RUN-} ]] && echo 'recv send waits eventloop' || echo recv ;;
    *) echo "${TESTS:-$own}" ;;
    esac
}

# needed: the programs that TESTS run.
needed() {
    local name

    printf 'tests/peer tests/steps tests/waits'
    for name in $TESTS; do
        [[ $name != guest-* ]] || printf ' guest/%s' "${name#guest-}"
    done
}

# memchecked LOG: cases of the torture programs, one at a time under valgrind's memcheck, which slows
# them too much for their own bounds of time: what counts is that no error has the library in its
# stack. Bad pointers in system calls are the programs' own. What is not through after 100 s is cut off,
# and counted. Sets said.
memchecked() {
    local program name bad=0 count=0 cut=0 status

    : >"$1"
    for program in ${PROGRAMS:-asides calls descriptors endings shared}; do
        for name in $("build/guest/$program" --list); do
            rm -f build/memcheck.*
            status=0
            { # bash says who was killed
                timeout -k 1 100 env LD_PRELOAD="$PWD/build/libsocktmo.so" GUEST_GUARD_S=90 \
                    SOCKTMO_TIMEOUT=60s SOCKTMO_PROTO=all SOCKTMO_IDLE=60s SOCKTMO_EVENTS=all \
                    SOCKTMO_LOG="$PWD/build/memcheck-records" \
                    valgrind -q --log-file="$PWD/build/memcheck.%p" "build/guest/$program" "$name" \
                    >/dev/null || status=$?
            } 2>/dev/null
            [[ $status -ne 124 && $status -le 128 ]] || cut=$((cut + 1))
            count=$((count + 1))
            cat build/memcheck.* 2>/dev/null | sed 's/^==[0-9]*== //' >build/memcheck-errors
            if awk -v RS='' '/Invalid|uninitialised|overlap|Mismatched/ && !/Syscall param/ && /libsocktmo/ {
                    print; found = 1 } END { exit !found }' build/memcheck-errors >>"$1"; then
                echo "^ $program $name" >>"$1"
                bad=$((bad + 1))
            fi
        done
    done
    rm -f build/memcheck.* build/memcheck-records build/memcheck-errors
    said="$count cases of the torture suite, $cut cut off, $bad with an error of the library's"
    [[ $bad -eq 0 ]] || said+=": see $1"
    [[ $bad -eq 0 && $count -gt 0 ]]
}

# tried PLATFORM: builds, and runs its tests. Sets said.
tried() {
    local log=build/distcheck-$1.log
    local -a make

    eval "make=(make -s -j2 ${flags[$1]})"
    [[ -z ${TESTS-} || $1 == memcheck ]] || make+=("ONLY=$(needed)")
    if ! "${make[@]}" all programs units >"$log" 2>&1; then
        said="does not build: see $log"
        return 1
    fi
    said=builds
    [[ -z ${BUILD_ONLY-} ]] || return 0
    if [[ $1 == memcheck ]]; then
        memchecked "$log"
        return
    fi
    case $1 in
    arm64) # of TCP_INFO the emulator knows what its own headers have
        export TMO_FOREIGN=$1 TMO_RUN='qemu-aarch64 -L /usr/aarch64-linux-gnu'
        make+=("RUN=$TMO_RUN")
        ;;
    armhf)
        export TMO_FOREIGN=$1 TMO_RUN='qemu-arm -L /usr/arm-linux-gnueabihf'
        make+=("RUN=$TMO_RUN")
        ;;
    i386*)
        export TMO_FOREIGN=i386
        if ! "build/$1/unit/word" >/dev/null 2>&1; then # a kernel without 32-bit programs
            command -v qemu-i386 >/dev/null ||
                { said='builds; this kernel runs no 32-bit programs, and there is no qemu-i386' && return 1; }
            export TMO_RUN=qemu-i386
            make+=("RUN=$TMO_RUN")
        fi
        ;;
    musl) export TMO_FOREIGN=$1 ;;
    esac
    checked "$@"
    local status=$?
    unset TMO_FOREIGN TMO_RUN
    return $status
}

# checked PLATFORM: its tests, as `make` runs them. Sets said.
checked() {
    local units=

    [[ -z ${TMO_RUN-} ]] || units='T=deadline due duration errnos fdtable hosts load logfile record scope settings sink slot word'
    "${make[@]}" check-unit ${units:+"$units"} >>"$log" 2>&1 ||
        { said="unit tests fail: see $log" && return 1; }
    "${make[@]}" check-bats ${TMO_RUN:+BATS_JOBS=1} "T=$(tests_of "$1" | xargs)" >>"$log" 2>&1
    local status=$? count skipped
    if [[ -n ${TMO_RUN-} && $1 == i386* ]]; then # of the waits what asks least of an emulator
        "${make[@]}" check-bats T=waits 'F=lasts as long|for ever|handed over' >>"$log" 2>&1 || status=1
    fi
    count=$(grep -c '^ok ' "$log")
    skipped=$(grep -c '^ok .* # skip' "$log")
    said="unit tests, $((count - skipped)) tests ok, $skipped skipped"
    if [[ $status -ne 0 ]]; then
        said+=", $(grep -c '^not ok' "$log") not: see $log"
        return 1
    fi
}

mkdir -p build
[[ $# -gt 0 ]] || set -- clang asan tsan memcheck shared musl i386 i386-time64 arm64 armhf
failed=0
for platform in "$@"; do
    if [[ -z ${needs[$platform]-} ]]; then
        echo "distcheck: no platform '$platform'; there are: ${!needs[*]}" >&2
        exit 2
    fi
    if ! eval "${has[$platform]}" >/dev/null 2>&1; then
        echo "distcheck: $platform: lacks ${needs[$platform]}"
        failed=1
        continue
    fi
    said=
    tried "$platform" || failed=1
    echo "distcheck: $platform: $said"
done
exit $failed
