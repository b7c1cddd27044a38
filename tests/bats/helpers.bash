# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034 # what it sets is read by the tests
#
# What every .bats file here loads: a pinned environment, peers that misbehave, programs run under
# the shim with a hard cut, and a look at the log that they leave.
#
# TMO_LIB, TMO_BIN and TMO_BUILD say what is tested; without them it is what `make` leaves in the
# repository. TMO_FOREIGN is the platform, if the system's own programs are of another; with TMO_RUN ours
# are, too, and it runs them. None begins with SOCKTMO_, for the shim reports every such name that it
# does not know. TMO_PRELOAD names what must stand before the shim in LD_PRELOAD, as libasan does.

bats_require_minimum_version 1.5.0

TMO_ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
TMO_LIB=${TMO_LIB:-$TMO_ROOT/libsocktmo.so}
TMO_BIN=${TMO_BIN:-$TMO_ROOT/socktmo}
TMO_BUILD=${TMO_BUILD:-$TMO_ROOT/build}
TMO_PRELOAD=${TMO_PRELOAD:-}
read -ra TMO_CC <<<"${CC:-cc}" # with its options
TMO_LD_PRELOAD=${TMO_PRELOAD:+$TMO_PRELOAD:}$TMO_LIB # for what is not started by `under`

# Nothing of the caller's may decide a test: not its limits, locale, time zone or home, nor
# wrapper scripts that stand before the system's own programs.
# shellcheck disable=SC2086 # names only, no blanks in them
unset ${!SOCKTMO_@}
export TMO_ROOT TMO_LIB TMO_BIN TMO_BUILD TMO_PRELOAD LC_ALL=C TZ=UTC
PATH=/usr/bin:/bin:/usr/sbin:/sbin:$PATH

# Longest that anything started here may take, in seconds; a test may raise it for itself.
TMO_CUT=15

TMO_OWN_PIDS=()

# A fresh folder with a blank in its name, made the current one. Descriptor 8 holds the peers'
# standard input open; when the test's shell ends, however it ends, so do they.
tmo_setup() {
    mkdir -p "$BATS_TEST_TMPDIR/a b"
    cd "$BATS_TEST_TMPDIR/a b" || return 1
    export HOME=$BATS_TEST_TMPDIR
    mkfifo "$BATS_TEST_TMPDIR/hold"
    exec 8<>"$BATS_TEST_TMPDIR/hold"
}

# shellcheck disable=SC2120 # only the tests name a peer
tmo_teardown() {
    peer_stop "$@"
    exec 8>&-
}

setup() {
    tmo_setup
}

teardown() {
    tmo_teardown
}

# bats looks at each command that is about to run, to say which one failed. What is called in
# thousands of tests keeps it from that by `local - && set +T`, and has a tenth of the processors'
# time for it.

# own PID: the test's end is to be that process's end too.
own() {
    TMO_OWN_PIDS+=("$1")
}

# peer_start MODE [OPTION…]: a peer as tests/programs/peer.c has it. Sets PEER_PORT (with --unix
# the path) and PEER_PID. With several peers, copy them before the next is started.
peer_start() {
    local ready=

    # shellcheck disable=SC2086 # words
    exec 7< <(exec ${TMO_RUN-} "$TMO_BUILD/tests/peer" "$@" <"$BATS_TEST_TMPDIR/hold" 3>&- 8>&-)
    PEER_PID=$!
    own "$PEER_PID"
    read -r -t 5 -u 7 ready PEER_PORT || true
    exec 7<&-
    case $ready in
    port | unix) ;;
    *)
        echo "peer_start: '$*' was not ready within 5 s" >&2
        return 1
        ;;
    esac
}

# peer_stop [PID]: ends that one, or all that the test started.
peer_stop() {
    local pid
    local -a pids=("${@:-${TMO_OWN_PIDS[@]}}")

    for pid in "${pids[@]}"; do
        [[ -n $pid ]] || continue
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    [[ $# -gt 0 ]] || TMO_OWN_PIDS=()
}

# bounded CMD…: runs it with neither bats' descriptor nor ours, and cuts it off (status 124).
bounded() {
    timeout -k 1 "$TMO_CUT" "$@" 3>&- 8>&-
}

# timed CMD…: bats' run, bounded, with elapsed_ms.
timed() {
    local - && set +T
    local before=${EPOCHREALTIME/./} after

    run bounded "$@"
    after=${EPOCHREALTIME/./}
    elapsed_ms=$(((after - before) / 1000))
}

# bare [VAR=VALUE…] -- CMD…: without the shim. Sets status, output, lines and elapsed_ms.
bare() {
    local -a variables=()

    while [[ $1 != -- ]]; do
        variables+=("$1")
        shift
    done
    shift
    if [[ -n ${TMO_RUN-} && $1 == "$TMO_BUILD"/* ]]; then
        emulated "$@"
    else
        timed env "${variables[@]}" "$@"
    fi
}

# emulated CMD…: by the emulator TMO_RUN, which hands the environment on, but must not itself have
# the preload.
emulated() {
    local variable
    local -a its_own=() handed_on=()

    for variable in "${variables[@]}"; do
        case $variable in
        LD_PRELOAD=*) handed_on=(-E "$variable") ;;
        *) its_own+=("$variable") ;;
        esac
    done
    # shellcheck disable=SC2086 # words
    timed env "${its_own[@]}" $TMO_RUN "${handed_on[@]}" "$@"
}

# under [VAR=VALUE…] -- CMD…: the same under the shim.
under() {
    if [[ ! -e $TMO_LIB ]]; then
        echo "under: $TMO_LIB is missing; run make" >&2
        return 1
    fi
    [[ -z ${TMO_FOREIGN-} ]] || requires_own "$@"
    bare "LD_PRELOAD=$TMO_LD_PRELOAD" "$@"
}

# requires_own [VAR=VALUE…] -- CMD…: skips the test where the library is not for that program.
requires_own() {
    while [[ $1 != -- ]]; do
        shift
    done
    case $2 in
    "$TMO_BUILD"/* | "$BATS_TEST_TMPDIR"/* | "$BATS_FILE_TMPDIR"/* | ./*) ;;
    *) skip "$2 is not of the platform that this build is for" ;;
    esac
}

# assert_between LOW HIGH [VALUE [WHAT]]: VALUE may have a decimal point; elapsed_ms if left out.
assert_between() {
    local value=${3-$elapsed_ms} what=${4-elapsed_ms}

    # without a process where it can be: there are thousands of these
    if [[ $value =~ ^[0-9]{1,15}$ && $1 != *.* && $2 != *.* ]]; then
        (($1 <= 10#$value && 10#$value <= $2)) && return
    elif awk -v low="$1" -v high="$2" -v value="$value" \
        'BEGIN { exit !(value ~ /^[0-9.]+$/ && value + 0 >= low + 0 && value + 0 <= high + 0) }'; then
        return
    fi
    fail "$what is '$value', not between $1 and $2"
}

# fail MESSAGE: says it with what the last program said and what is in the log.
fail() {
    echo "$1" >&2
    echo "status ${status-none}, elapsed_ms ${elapsed_ms-none}, output: ${output-none}" >&2
    [[ ! -e log ]] || sed 's/^/log: /' log >&2
    return 1
}

# record EVENT [FILTER]: the records of that event in ./log, each through a jq filter.
record() {
    [[ -e log ]] || return 0
    jq -rc --arg event "$1" "select(.event == \$event) | ${2:-.}" log
}

# records EVENT: how many there are, in JSON.
records() {
    local line count=0

    if [[ -e log ]]; then
        while IFS= read -r line; do
            [[ $line != *"\"event\":\"$1\","* ]] || count=$((count + 1))
        done <log
    fi
    echo "$count"
}

# assert_records EVENT COUNT
assert_records() {
    local count

    count=$(records "$1")
    [[ $count -eq $2 ]] || fail "$count records of '$1', not $2"
}

# not_on PLATFORM WHY
not_on() {
    [[ ${TMO_FOREIGN-} != "$1" ]] || skip "$2"
}

# not_emulated [WHY]: skips the test under an emulator. Its threads share what the end of a signal's
# handler restores: where errno is, among others.
not_emulated() {
    [[ -z ${TMO_RUN-} ]] || skip "${1:-handlers beside threads are more than the emulator can}"
}

# not_covered WHY: skips the test where coverage is counted.
not_covered() {
    [[ ${TMO_SAN-} != cov ]] || skip "$1"
}

# not_tsan WHY: skips the test under ThreadSanitizer, where its runtime cannot do what it is about.
not_tsan() {
    [[ ${TMO_SAN-} != tsan ]] || skip "$1"
}

# requires CMD [PACKAGE]: skips the test where a program is not installed.
requires() {
    command -v "$1" >/dev/null || skip "$1 is not installed (Debian package ${2:-$1})"
}
