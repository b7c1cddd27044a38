# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # helpers.bash reads TMO_CUT, and sets status and output
#
# For the tests that run the programs of tests/guest, and waits of tests/programs, loaded after
# helpers and steps.

# Limits that no case is as long as; a log; every kind of socket; rules, from a file that is looked at
# now and then, too: as much as there can be in the way. GUEST_ENGINE=both has a thread as well.
NEVER_HIT=(SOCKTMO_TIMEOUT=60s SOCKTMO_ACCEPT=60s SOCKTMO_LINGER=60s SOCKTMO_IDLE=60s
    SOCKTMO_TOTAL=300s SOCKTMO_PROTO=all SOCKTMO_EVENTS=all SOCKTMO_ENGINE="${GUEST_ENGINE-kernel}"
    SOCKTMO_RULES='to 127.0.0.1 port 1-40000: recv=59s; from ::1: send=59s; unix /*: idle=59s')
NEVER_HIT_CONF=$'[in]\nmatch = from any\nrecv = 58s\n[out]\nmatch = to any\ntotal = 299s\n'

TMO_CUT=30 # a case ends itself before (tests/guest/guest.h)

# Sanitizers make each case some times slower, and the first report of a race slower yet.
if [[ ${TMO_SAN-} == [at]san ]]; then
    export GUEST_GUARD_S=40
    TMO_CUT=45
fi

# without_thread WHY: skips the test where GUEST_ENGINE asks for a thread, which shows there.
without_thread() {
    [[ ${GUEST_ENGINE-kernel} == kernel ]] || skip "$1"
}

# agree PROGRAM CASE [SETTING=VALUE…]: bare, under the library without settings, and with limits,
# all at once: all say the same and end well. The log of the last is left in with_limits/log.
agree() {
    local so

    rm -rf without_library without_settings with_limits
    AGREE_PROGRAM=$1 AGREE_CASE=$2 AGREE_MORE=("${@:3}")
    side_by_side agree_so without_library without_settings with_limits
    for so in without_settings with_limits; do
        diff without_library/said "$so/said" >differs ||
            fail "$2 says otherwise $so: $(head -n 20 differs)"
    done
    [[ $(tail -n 1 without_library/said) == "$2: ok" ]] || fail "$2 was not done"
    grep -q '"event":"start"' with_limits/log || fail "the library was not there"
}

# Limits that every case is longer than, and that are only recorded.
ALWAYS_HIT=(SOCKTMO_TIMEOUT=4ms SOCKTMO_ACCEPT=4ms SOCKTMO_PROTO=all SOCKTMO_EVENTS=all
    SOCKTMO_ACTION=report)

# agree_reports PROGRAM CASE…: of each case the same is said bare, with limits on calls that are
# only recorded, and with idle and total beside them.
agree_reports() {
    local so

    AGREE_PROGRAM=$1
    for AGREE_CASE in "${@:2}"; do
        mkdir "$AGREE_CASE"
        pushd "$AGREE_CASE" >/dev/null || return
        side_by_side agree_so without_library reported reported_all
        for so in reported reported_all; do
            diff without_library/said "$so/said" >differs ||
                fail "$AGREE_CASE says otherwise $so: $(head -n 20 differs)"
            grep -q '"event":"start"' "$so/log" || fail "the library was not there"
            ! grep -E '"action":"(error|reset|exit|abort)"|"reason":"timeout"' "$so/log" ||
                fail "$AGREE_CASE: something was ended"
        done
        [[ $(tail -n 1 without_library/said) == "$AGREE_CASE: ok" ]] || fail "$AGREE_CASE was not done"
        grep -hs '"event":"timeout"' reported*/log >>../hit || true
        popd >/dev/null || return
    done
    [[ -s hit ]] || fail "no limit was hit"
}

# agree_so HOW: in a folder of its own.
agree_so() {
    local program=$TMO_BUILD/guest/$AGREE_PROGRAM

    [[ -e $program ]] || program=$TMO_BUILD/tests/$AGREE_PROGRAM
    case $1 in
    without_library) bare -- "$program" "$AGREE_CASE" ;;
    without_settings) under -- "$program" "$AGREE_CASE" ;;
    with_limits)
        printf %s "$NEVER_HIT_CONF" >conf
        under "${NEVER_HIT[@]}" SOCKTMO_CONFIG="$PWD/conf" SOCKTMO_LOG="$PWD/log" "${AGREE_MORE[@]}" -- "$program" "$AGREE_CASE"
        ;;
    reported) under "${ALWAYS_HIT[@]}" SOCKTMO_LOG="$PWD/log" -- "$program" "$AGREE_CASE" ;;
    reported_all)
        under "${ALWAYS_HIT[@]}" SOCKTMO_IDLE=60ms SOCKTMO_TOTAL=100ms SOCKTMO_LOG="$PWD/log" -- \
            "$program" "$AGREE_CASE"
        ;;
    esac
    [[ $status -eq 0 ]] || fail "$AGREE_CASE $1: status $status"
    printf '%s\n' "$output" >said
}
