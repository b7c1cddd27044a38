#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [quick]: what the library costs beside the bare program, and whether the bounds hold.
# Prints tables; the exit status is 1 if any bound fails. With `quick` only what can be counted
# exactly (system calls, instructions, memory, threads), not times. Where system calls are slow, a
# time over its bound is marked, and does not fail. README.md says how to read it.
#
# BENCH_LIB is the library, BENCH_BUILD the folder with the programs that make builds from here.
set -u

here=$(cd "$(dirname "$0")" && pwd)
lib=${BENCH_LIB:-$here/../libsocktmo.so}
build=${BENCH_BUILD:-$here/../build/bench}

# shellcheck disable=SC2046 # names only, no blanks in them
unset LD_PRELOAD $(env | sed -n 's/^\(SOCKTMO_[A-Z_]*\)=.*/\1/p')
export LC_ALL=C

case ${1-} in
'') quick= ;;
quick) quick=1 ;;
*)
    echo "usage: $0 [quick]" >&2
    exit 2
    ;;
esac
for needed in "$lib" "$build/ops" "$build/paired" "$build/start" "$build/hold" "$build/loop" "$build/rules" "$build/empty.so"; do
    if [ ! -e "$needed" ]; then
        echo "bench: $needed is missing; run make bench" >&2
        exit 1
    fi
done
for needed in strace valgrind; do
    if ! command -v "$needed" >/dev/null; then
        echo "bench: needs $needed" >&2
        exit 1
    fi
done
lib=$(cd "$(dirname "$lib")" && pwd)/$(basename "$lib")
build=$(cd "$build" && pwd)

# Pages of a file that was just written count as dirty in whoever maps them.
sync "$lib" "$build"/*

work=$(mktemp -d "$build/run.XXXXXX")
# Records go to memory where that has room for them: there a file costs the same everywhere.
log_dir=$work
if [ -w /dev/shm ] && [ "$(df -kP /dev/shm | awk 'NR == 2 { print $4 }')" -gt 300000 ]; then
    log_dir=$(mktemp -d /dev/shm/socktmo-bench.XXXXXX)
fi
log=$log_dir/records
cleanup() {
    rm -rf "$work" "$log_dir"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

failed=0
: >"$work/report"

# What a system call costs here. Bounds of time are for machines where that is no more than
# $most_call_ns: elsewhere what is over one of them is $over, and not FAIL.
most_call_ns=400
call_ns=$("$build/ops" syscall)
over=FAIL
[ "$call_ns" -le "$most_call_ns" ] || over=over

call_us=$(awk -v ns="$call_ns" 'BEGIN { printf "%.2f", ns / 1000 }')
most_call_us=$(awk -v ns="$most_call_ns" 'BEGIN { print ns / 1000 }')

# Prints what the command prints, and keeps it; counts its failure.
judged() {
    "$@" >"$work/table" || failed=1
    cat "$work/table"
    cat "$work/table" >>"$work/report"
}

limits='SOCKTMO_RECV=30s SOCKTMO_SEND=30s SOCKTMO_CONNECT=30s'

# The variables of a variant are set in the program that is measured, one a line in $work/vars.
variables() { # VARIANT
    case $1 in
    bare | aa) ;;
    empty) echo "LD_PRELOAD=$build/empty.so" ;;
    inert) echo "LD_PRELOAD=$lib" ;;
    with | with-aa | logged | unread)
        echo "LD_PRELOAD=$lib"
        for setting in $limits; do
            echo "$setting"
        done
        [ "$1" != logged ] || echo "SOCKTMO_LOG=$log"
        [ "$1" != unread ] || echo "SOCKTMO_LOG=$work/unread"
        ;;
    esac
}

in_variant() { # VARIANT COMMAND...
    variant=$1
    shift
    variables "$variant" >"$work/vars"
    while IFS= read -r variable; do
        set -- "$variable" "$@"
    done <"$work/vars"
    timeout 120 env "$@"
}

traced() { # VARIANT LOG COMMAND...: strace itself stays bare
    variant=$1 trace=$2
    shift 2
    variables "$variant" >"$work/vars"
    while IFS= read -r variable; do
        set -- -E "$variable" "$@"
    done <"$work/vars"
    timeout 120 strace -f -o "$trace" "$@"
}

is_at_work() {
    found=$(in_variant with "$build/ops" active 2>&1)
    if [ "$found" != '30 30' ]; then
        echo "bench: $lib is not at work: SO_RCVTIMEO of two sockets, s: $found" >&2
        exit 1
    fi
}

# --- counted --------------------------------------------------------------------------------------

# Class, how many calls may be added, and how many with a log. The README has the words.
cat >"$work/calls-bounds" <<'END'
foreign 0 0
ours 0 0
fails 0 0
iov 0 0
mmsg 0 0
wait 0 0
unwatched 0 0
fcntl 0 0
connecting 6 8
accepted 2 4
listening - -
other 0 0
close-ours 1 4
close-other 0 0
cycle 3 12
END
cat >"$work/instructions-bounds" <<'END'
foreign 8
ours 16
fails 40
iov 40
wait 60
unwatched 8
cycle 1200
END

count_calls() {
    for variant in bare inert with logged; do
        traced "$variant" "$work/calls.$variant" "$build/ops" exact 40 80 >/dev/null || failed=1
    done
    judged awk -f "$here/calls.awk" "$work/calls-bounds" "$work/list" "$work/calls.bare" \
        "$work/calls.inert" "$work/calls.with" "$work/calls.logged"
    if [ ! -s "$log" ]; then
        judged sh -c 'echo "FAIL: nothing was written to the log"; exit 1'
    else
        awk -v where="$(stat -f -c %T "$log_dir")" '{ bytes += length($0) + 1 }
            END { printf "%d records, %.0f bytes each, on %s\n", NR, bytes / NR, where }' "$log"
        rm -f "$log"
    fi
}

# instructions_of VARIANT CLASS...: the operations of these classes, in one process.
instructions_of() {
    variant=$1
    shift
    in_variant "$variant" valgrind --tool=callgrind --callgrind-out-file="$work/callgrind" \
        --combine-dumps=yes --toggle-collect=measured --dump-after=measured \
        "$build/ops" exact 96 192 "$@" >"$work/names" 2>"$work/errors" ||
        { failed=1 && cat "$work/errors"; }
    # the k-th dump is the k-th run
    awk 'NR == FNR { name[NR] = $0; next }
        /^desc: Trigger: --dump-after=measured/ { hit = 1 }
        /^totals:/ && hit { print name[++k] "\t" $2; hit = 0 }' \
        "$work/names" "$work/callgrind" >>"$work/instructions.$variant"
    rm -f "$work/callgrind"
}

instructions_table() {
    awk -f "$here/instructions.awk" "$work/instructions-bounds" "$work/list" \
        "$work/instructions.bare" "$work/instructions.inert" "$work/instructions.with"
}

count_instructions() {
    classes=$(awk '$1 !~ /unwatched/ { print $1 }' "$work/instructions-bounds")
    for variant in bare inert with; do
        # shellcheck disable=SC2086 # a list of words
        instructions_of "$variant" $classes
        instructions_of "$variant" unwatched # nothing is, as long as there is no TCP connection
    done
    # The look that a wait makes every 25 ms is none of what each costs, nor the clock that is read
    # anew when others had the processor: on a busy machine it takes some runs until one is without.
    for _ in 1 2 3 4 5 6 7 8; do
        ! instructions_table >/dev/null || break
        for variant in inert with; do
            instructions_of "$variant" wait
        done
    done
    judged instructions_table
}

figure() { # WHAT BARE WITH BOUND [OVER]: one row of the table of single figures
    judged awk -v what="$1" -v bare="$2" -v with="$3" -v bound="$4" -v over="${5-FAIL}" 'BEGIN {
        verdict = with == "" || bare == "" ? "FAIL" : bound == "-" ? "" :
            with - bare > bound ? over : "ok"
        printf "%-46s %9s %9s %+9.1f   %-6s %s\n", what, bare, with, with - bare, bound, verdict
        exit verdict == "FAIL"
    }'
}

true_instructions() { # VARIANT
    in_variant "$1" valgrind --tool=callgrind --callgrind-out-file=/dev/null true 2>&1 |
        awk '/Collected :/ { print $4 }'
}

# Where each process lies in memory moves the figure by some KiB: the median of seven.
private_dirty_kib() { # VARIANT: prints KiB and threads
    variables "$1" >"$work/vars"
    pids=
    for _ in 1 2 3 4 5 6 7; do
        set --
        while IFS= read -r variable; do
            set -- "$@" "$variable"
        done <"$work/vars"
        env "$@" sleep 20 &
        pids="$pids $!"
    done
    sleep 0.3
    for pid in $pids; do
        set -- "/proc/$pid/task"/*
        awk -v threads="$#" '/^Private_Dirty:/ { print $2, threads }' "/proc/$pid/smaps_rollup"
        kill "$pid"
    done | sort -n | awk '{ kib[NR] = $1; if ($2 > threads) threads = $2 }
        END { print kib[int((NR + 1) / 2)], threads }'
}

count_memory() {
    for variant in bare empty inert with logged; do
        private_dirty_kib "$variant" >"$work/memory"
        read -r kib threads <"$work/memory"
        if [ "$variant" = bare ]; then
            bare_kib=$kib
            continue
        fi
        figure "sleep, private dirty KiB, $variant" "$bare_kib" "$kib" 32
        figure "sleep, threads, $variant" 1 "$threads" 0
    done
    for variant in bare inert with logged; do
        in_variant "$variant" "$build/hold" 10000 >"$work/memory"
        read -r sockets before_kib kib threads <"$work/memory"
        if [ "$variant" = bare ]; then
            bare_kib=$kib bare_growth_kib=$((kib - before_kib))
            continue
        fi
        # what the library takes without sockets was judged above, in sleep
        growth_kib=$((kib - before_kib - bare_growth_kib))
        figure "$sockets sockets, private dirty KiB, $variant" "$bare_kib" "$kib" -
        figure "$sockets sockets, bytes a socket, $variant" 0 \
            "$(awk -v kib="$growth_kib" -v n="$sockets" \
                'BEGIN { printf "%.1f", kib * 1024 / n }')" 64
        figure "$sockets sockets, threads, $variant" 1 "$threads" 0
    done
    rm -f "$log"
}

count_figures() {
    printf '%-46s %9s %9s %9s   %s\n' 'single figures' bare this added bound
    bare=$(true_instructions bare)
    for variant in empty inert with logged; do
        figure "true, instructions, $variant" "$bare" "$(true_instructions "$variant")" 80000
    done
    count_memory
}

# --- timed ----------------------------------------------------------------------------------------

paired() { # GENERATIONS ROUNDS "VARIANT..." OPERATION...
    options="-g $1 -r $2" names=$3
    shift 3
    # from the end to the front: -v NAME VAR=VALUE... for each variant, then -- and the operations
    set -- -- "$build/ops" "$@"
    for variant in $(echo "$names" | tr ' ' '\n' | tac); do
        variables "$variant" >"$work/vars"
        while IFS= read -r variable; do
            set -- "$variable" "$@"
        done <"$work/vars"
        [ "$variant" != with-aa ] || variant=aa
        set -- -v "$variant" "$@"
    done
    # shellcheck disable=SC2086 # options are words
    timeout 150 "$build/paired" $options "$@" || failed=1
}

tabbed() {
    sed 's/ *| */\t/g'
}

# What rules cost a connect, and a process at its start.
time_rules() {
    printf '%-46s %9s %9s %9s   %s\n' 'rules, ns' none these added bound
    "$build/rules" >"$work/rules" || failed=1
    while read -r count reading by_address by_host; do
        case $count in
        10) most=500 most_read=- ;;
        *) most=20000 most_read=2000000 ;;
        esac
        figure "$count rules, the last matches: by address" 0 "$by_address" "$most"
        figure "$count rules, the last matches: by host glob" 0 "$by_host" "$most"
        figure "$count rules, read at start" 0 "$reading" "$most_read"
    done <"$work/rules"
}

time_calls() {
    tabbed >"$work/times-bounds" <<'END'
file read | ratio | 1.02
file write | ratio | 1.02
pipe write+read | ratio | 1.02
unix send+recv | ratio | 1.02
udp send+recv | ratio | 1.02
tcp-nonblocking recv | ratio | 1.02 | fast
tcp-nonblocking send | ratio | 1.02 | fast
tcp-nonblocking recv EAGAIN | ratio | 1.02 | fast
tcp recv | ratio | 1.04
tcp cycle | ratio | 1.06 | fast
tcp close, timed | logged_ns | 3500 | fast
tcp close, timed | unread_ns | 500
tcp recv, 19000 open | crowded_ns | 3
tcp poll ready | added_ns | 30 | fast
tcp select ready | added_ns | 30 | fast
tcp epoll_wait ready | added_ns | 30 | fast
recv | growth | 1.3
recv EAGAIN | growth | 1.3
END
    {
        paired 15 100 'bare aa empty inert with' 'file read' 'file write' 'pipe write+read' \
            'unix send+recv' 'udp send+recv' 'tcp-nonblocking recv' 'tcp-nonblocking send' \
            'tcp-nonblocking recv EAGAIN' 'tcp recv' 'tcp cycle' 'tcp poll ready' \
            'tcp select ready' 'tcp epoll_wait ready'
        # a pipe that nobody reads: 500 ns each are 1 % of the time at 20,000 records a second
        mkfifo "$work/unread"
        exec 9<>"$work/unread"
        dd if=/dev/zero of=/dev/fd/9 oflag=nonblock bs=4096 2>/dev/null
        paired 9 30 'with with-aa logged unread' 'tcp close, timed'
        exec 9>&-
        paired 9 60 'bare aa with' 'tcp recv, 19000 open'
        # two threads need a CPU each
        [ "$(nproc)" -lt 2 ] ||
            paired 15 60 'bare aa empty with' 'one thread recv' 'two threads recv' \
                'one thread recv EAGAIN' 'two threads recv EAGAIN'
    } >"$work/times"
    if [ "$(nproc)" -lt 2 ]; then
        echo 'two threads are left out: there is one CPU'
        sed -i '/growth/d' "$work/times-bounds"
    fi
    judged awk -v over="$over" -f "$here/times.awk" "$work/times-bounds" "$work/times"
    echo "records went to a file on $(stat -f -c %T "$log_dir")"
}

loop() { # VARIANT MODE CONNECTIONS COUNT: its figure alone
    in_variant "$1" "$build/loop" "$2" "$3" "$4" | awk '{ print $2 }'
}

middle() {
    sort -n | awk '{ at[NR] = $1 } END { print NR ? at[int((NR + 1) / 2)] : "" }'
}

# An epoll loop over many connections: its processor time. Each variant a few times, in turn.
time_loops() {
    for round in 1 2 3 4 5 6 7 8 9; do
        for variant in bare aa with; do
            echo "$variant $round $(loop "$variant" traffic 10000 200000)"
        done
    done >"$work/traffic"
    # ratios within a round, then their median
    for variant in aa with; do
        awk -v variant="$variant" '$1 == "bare" { bare[$2] = $3 }
            $1 == variant { print $3 / bare[$2] }' "$work/traffic" | middle >"$work/ratio.$variant"
    done
    read -r aa <"$work/ratio.aa"
    read -r with <"$work/ratio.with"
    judged awk -v aa="$aa" -v with="$with" -v over="$over" 'BEGIN {
        slack = aa > 1 ? aa - 1 : 1 - aa
        verdict = with == "" ? "FAIL" : with > 1.01 + slack ? over : "ok"
        printf "%-46s %9s %9.4f %9s   1.01 + %.4f %s\n", "epoll loop, 10000 busy, ns an event, ratio",
            aa, with, "", slack, verdict
        exit verdict == "FAIL"
    }'
    for mode in wait tick; do
        count=$([ "$mode" = wait ] && echo 200000 || echo 30)
        few=$(for _ in 1 2 3 4 5; do loop with "$mode" 10 "$count"; done | middle)
        many=$(for _ in 1 2 3 4 5; do loop with "$mode" 10000 "$count"; done | middle)
        judged awk -v mode="$mode" -v few="$few" -v many="$many" 'BEGIN {
            bad = few == "" || many == "" || many > 1.5 * few
            printf "%-46s %9s %9s %8.2fx   1.5 %s\n", "epoll " mode ", 10 and 10000 idle, CPU ns",
                few, many, few ? many / few : 0, bad ? "FAIL" : "ok"
            exit bad
        }'
    done
    # past the limit, so that each is looked at, by a system call; as in a pool they are left alone
    figure 'epoll, 10000 idle, CPU ppm over 32 s' 0 \
        "$(SOCKTMO_AWAIT=answer loop with idle 10000 32)" 1000 "$over"
}

time_start() {
    set --
    for variant in bare aa empty inert with logged; do
        variables "$variant" >"$work/vars"
        set -- "$@" -v "$variant"
        while IFS= read -r variable; do
            set -- "$@" "$variable"
        done <"$work/vars"
    done
    timeout 60 "$build/start" 400 "$@" -- true >"$work/start" || failed=1
    judged awk -v over="$over" -f "$here/start.awk" "$work/start"
}

is_at_work
"$build/ops" list >"$work/list"
echo "bare: no preload; inert: the library without settings; with: $limits; logged: and a log"
meltdown=$(cat /sys/devices/system/cpu/vulnerabilities/meltdown 2>/dev/null || echo unknown)
echo "a plain system call (getppid) takes $call_us us here; Meltdown: $meltdown"
[ "$over" = FAIL ] ||
    echo "bounds of time are for at most $most_call_us us: 'over' is over one of them, and no FAIL"
echo
count_calls
echo
count_instructions
echo
count_figures
if [ -z "$quick" ]; then
    echo
    time_calls
    time_rules
    echo
    time_loops
    echo
    time_start
fi
echo
if [ "$failed" -ne 0 ]; then
    echo 'bench: FAIL'
    grep FAIL "$work/report"
    exit 1
fi
over_rows=$(grep -c ' over$' "$work/report")
if [ "$over_rows" -eq 0 ]; then
    echo 'bench: every bound holds'
else
    echo "bench: every exact bound holds; $over_rows timed rows are over theirs on a machine whose" \
        "system call takes $call_us us (they are for at most $most_call_us)"
fi
