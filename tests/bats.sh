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

# The longest files first.
# shellcheck disable=SC2012,SC2011,SC2016 # names of our own; the inner shell's $
ls -S -- "$@" | xargs -d '\n' -n 1 -P "$jobs" bash -c 'one "$1"' -
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
