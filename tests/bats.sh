#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# bats.sh JOBS FILTER FILE…: runs these .bats files, JOBS at a time, and prints what each of them says
# when it is through; then how many tests there were. FILTER, a regular expression for names of
# tests, may be empty. (`bats --jobs` takes twice the processor time.)
set -uo pipefail

jobs=$1 filter=$2
shift 2
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# shellcheck disable=SC2317 # xargs calls it
one() { # FILE
    local out status

    out=$(bats --timing ${filter:+--filter "$filter"} "$1" 2>&1)
    status=$?
    printf '# %s\n%s\n' "$1" "$out" | tee "$results/${1##*/}"
    return "$status"
}
export -f one
export filter results

# The longest first, so that none is left alone at the end: these, for all they wait, then by size.
longest() {
    local file

    for file in "$@"; do
        case ${file##*/} in
        healthy.bats | guest-reports.bats | dns.bats | clients.bats | guest-calls.bats) echo "$file" ;;
        esac
    done
    # shellcheck disable=SC2012 # names of our own
    ls -S -- "$@"
}
# shellcheck disable=SC2016 # the inner shell's $
longest "$@" | awk '!seen[$0]++' | xargs -d '\n' -n 1 -P "$jobs" bash -c 'one "$1"' -
status=$?

count() { # PATTERN FILE…: how many results are like that
    cat -- /dev/null "${@:2}" | grep -cE "$1"
}
shopt -s nullglob
skipped=$(count '^ok .* # skip' "$results"/*)
printf '%d tests ok, %d not, %d skipped; in guest-*, the torture suite, %d ok\n' \
    $(($(count '^ok ' "$results"/*) - skipped)) "$(count '^not ok ' "$results"/*)" "$skipped" \
    "$(count '^ok ' "$results"/guest-*)"
exit $status
