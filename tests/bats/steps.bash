# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # what it sets is read by the tests; helpers.bash sets the rest
#
# For tests that say step by step what is done to sockets and what must come of it; the steps are
# those of tests/programs/steps.c.

# What a test may add to a limit's upper bound of 10 % + 50 ms, for a machine with its hands full.
BUSY_MS=400

LIMITS=()

# is_lacking CALL: whether this platform has it not, whatever follows its name. musl has no fortified
# names, nor these two (sendfile64 is a macro); on 32-bit machines these two are not followed by number
# (libsocktmo(8)).
is_lacking() {
    case ${TMO_FOREIGN-}:$1 in
    musl:__* | musl:epoll_pwait2* | musl:sendfile64* | i386:sys_recvmmsg* | \
        i386:sys_sendfile* | armhf:sys_recvmmsg* | armhf:sys_sendfile*) ;;
    *) return 1 ;;
    esac
}

# without_those_lacking ARRAY: takes them out of a list of calls.
without_those_lacking() {
    local -n list=$1
    local call
    local -a here=()

    for call in "${list[@]}"; do
        is_lacking "$call" || here+=("$call")
    done
    list=("${here[@]}")
}

# limits SETTING=VALUE…: from now on, each without its SOCKTMO_. Where a test polls, that is only to
# see what is there: a test of the limits of poll itself says NONBLOCK=on.
limits() {
    LIMITS=(SOCKTMO_NONBLOCK=off "${@/#/SOCKTMO_}")
}

# steps STEP…: under the limits, with a log. steps_bare STEP…: without the shim.
steps() {
    under "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" -- "$TMO_BUILD/tests/steps" "$@"
}

steps_bare() {
    bare -- "$TMO_BUILD/tests/steps" "$@"
}

# kernel_is_early MS: from now on the socket timeouts of some calls go off by so much too soon, as they
# do where a machine stood still for a moment and the kernel's count of ticks is behind. A library
# behind ours takes it from the timeout for the time of the call.
kernel_is_early() {
    cat >early.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

static void set(int fd, int option, const struct timeval *t)
{
    int e = errno;
    int (*next)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
    if (t->tv_usec != 0)
        next(fd, SOL_SOCKET, option, t, sizeof *t);
    errno = e;
}

static struct timeval shorten(int fd, int option)
{
    int e = errno;
    int (*next)(int, int, int, void *, socklen_t *) = dlsym(RTLD_NEXT, "getsockopt");
    struct timeval all = {0, 0}, less;
    socklen_t size = sizeof all;
    next(fd, SOL_SOCKET, option, &all, &size);
    errno = e;
    less = all;
    less.tv_usec -= less.tv_usec != 0 ? EARLY_MS * 1000 : 0;
    set(fd, option, &less);
    return all;
}

#define EARLY(type, name, parameters, arguments, fd, option)                                       \
    type name parameters                                                                           \
    {                                                                                              \
        type(*next) parameters = dlsym(RTLD_NEXT, #name);                                          \
        struct timeval all = shorten(fd, option);                                                  \
        type r = next arguments;                                                                   \
        set(fd, option, &all);                                                                     \
        return r;                                                                                  \
    }
EARLY(int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), fd, SO_SNDTIMEO)
EARLY(ssize_t, recv, (int fd, void *b, size_t n, int f), (fd, b, n, f), fd, SO_RCVTIMEO)
EARLY(ssize_t, send, (int fd, const void *b, size_t n, int f), (fd, b, n, f), fd, SO_SNDTIMEO)
#undef getc
EARLY(int, getc, (FILE *file), (file), fileno(file), SO_RCVTIMEO)
END
    "${TMO_CC[@]}" -shared -fPIC -DEARLY_MS="$1" -o early.so early.c -ldl
    export LD_LIBRARY_PATH=$PWD
    [[ $TMO_LD_PRELOAD == *early.so ]] || TMO_LD_PRELOAD+=:early.so
}

# expect LINE…: the steps ended well and said just that. A LINE is `STEP RESULT ERRNO [NOTE]`, a
# pattern, and may end in @LIMIT, how long the step waited for that limit, or @LOW-HIGH, both in ms.
expect() {
    [[ $status -eq 0 ]] || fail "status $status"
    expect_lines "$@"
}

expect_lines() {
    local - && set +T
    local at=0 line pattern bounds said name result error ms note

    [[ ${#lines[@]} -eq $# ]] || fail "${#lines[@]} answers, not $#"
    for line in "$@"; do
        pattern=${line% @*} bounds=
        [[ $pattern == "$line" ]] || bounds=${line##* @}
        read -r name result error ms note <<<"${lines[at]}"
        said="$name $result $error${note:+ $note}"
        # shellcheck disable=SC2053 # a pattern
        [[ $said == $pattern ]] || fail "answer $((at + 1)) is '$said', not '$pattern'"
        case $bounds in
        '') ;;
        *-*) assert_between "${bounds%-*}" "${bounds#*-}" "$ms" "answer $((at + 1)), $said: ms" ;;
        *) assert_waited "$bounds" "$ms" "answer $((at + 1)), $said: ms" ;;
        esac
        at=$((at + 1))
    done
}

# assert_waited LIMIT MS WHAT: no earlier than the limit, and no later than promised.
assert_waited() {
    assert_between "$1" $(($1 * 11 / 10 + 50 + BUSY_MS)) "$2" "$3"
}

# answer N: the result of the Nth answer, counted from 1.
answer() {
    local name result
    read -r name result _ <<<"${lines[$1 - 1]}"
    echo "$result"
}

# same_as_bare STEP…: what is said with and without the shim is the same but for the times.
same_as_bare() {
    local without

    steps_bare "$@"
    [[ $status -ne 124 ]] || fail "bare, it does not end"
    without="$status
$(without_times)"
    steps "$@"
    [[ $without == "$status
$(without_times)" ]] || fail "not as without the shim, which is: $without"
}

# Once a wait was interrupted and went on, nobody knows what errno was before it (libsocktmo(8),
# LIMITATIONS): with ERRNO_MAY_CHANGE set a success may leave another one.
without_times() {
    awk -v any="${ERRNO_MAY_CHANGE-}" '{ if (any != "") sub(/errno-changed/, "-")
        $4 = ""; print }' <<<"$output"
}

# hangs STEP…: without the shim the steps do not end, which is cut off after a second.
hangs() {
    TMO_CUT=1
    steps_bare "$@"
    TMO_CUT=15
    [[ $status -eq 124 ]] || fail "bare, it ends by itself"
}

# of_record LINE NAME…: sets `found` to what the record LINE has under each NAME, "-" for what it has
# not. jq takes 20 ms to start, and these are asked for thousands of times.
of_record() {
    local name
    local -a values=()

    for name in "${@:2}"; do
        if [[ $1 =~ \"$name\":(\"([^\"]*)\"|([^,}]*)) ]]; then
            values+=("${BASH_REMATCH[2]}${BASH_REMATCH[3]}")
        else
            values+=(-)
        fi
    done
    found=${values[*]}
}

# assert_timeouts LINE…: the timeout records, in order, as `LIMIT LIMIT_MS CALL PEER`; each waited
# for its limit at least, and not much longer.
assert_timeouts() {
    local - && set +T
    local line found at=0

    assert_records timeout $#
    while IFS= read -r line; do
        [[ $line == *'"event":"timeout",'* ]] || continue
        at=$((at + 1))
        of_record "$line" limit limit_ms call peer
        [[ $found == "${!at}" ]] || fail "timeout record $at is '$found', not '${!at}'"
        of_record "$line" limit_ms waited_ms
        assert_waited "${found% *}" "${found#* }" "timeout record $at: waited_ms"
    done <log
}

# assert_closes LINE…: the close records, in any order, as `DIR REASON TIMEOUTS`.
assert_closes() {
    local - && set +T
    local line found expected=$1 all=

    while IFS= read -r line; do
        [[ $line == *'"event":"close",'* ]] || continue
        of_record "$line" dir reason timeouts
        all+=${all:+$'\n'}${found/% -/ 0}
    done <log
    [[ $# -eq 1 ]] || expected=$(printf '%s\n' "$@" | sort)
    [[ $all != *$'\n'* ]] || all=$(sort <<<"$all")
    [[ $all == "$expected" ]] || fail "the close records are: $all; not: $expected"
}

# side_by_side FUNCTION WORD…: all at once, each in a folder and with a log of its own. Left out are
# calls that are lacking here.
side_by_side() {
    local - && set +T
    local test=$1 word pid
    local -a pids=() failed=() words=("${@:2}")

    without_those_lacking words
    set -- "${words[@]}"
    mkdir "${@%:*}"
    for word in "$@"; do
        {
            cd "${word%:*}" || exit 1
            "$test" "$word"
        } &
        pids+=($!)
    done
    for word in "$@"; do
        wait "${pids[0]}" || failed+=("$word")
        pids=("${pids[@]:1}")
    done
    [[ ${#failed[@]} -eq 0 ]] || fail "not so with: ${failed[*]}"
}
