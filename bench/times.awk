# SPDX-License-Identifier: MIT
# Judges times. Files: bounds (operation, kind of bound, bound, tab-separated; then "fast" where it
# is for machines with fast system calls: what is over it elsewhere is OVER), then the output of
# `paired`. Kinds: `ratio` to the first variant; `added_ns` for "with" beside bare; `logged_ns` and
# `unread_ns` for those variants beside "with"; `growth` of the added ns from the operation "one
# thread X" to "two threads X"; `crowded_ns` from "X" to "X, ...". Each bound is let out by what the
# same run shows between a program and itself (aa).
function abs(x) {
    return x < 0 ? -x : x
}

# The verdict on OP in VARIANT. What was asked for above is in an array already: hence `seen`.
function judge(op, variant, limit, value, slack, format,    verdict) {
    verdict = value <= limit + slack ? "ok" : is_for_fast ? over : "FAIL"
    if (!((op, variant) in seen) || !((op, "aa") in seen))
        verdict = "FAIL (not measured)"
    if (verdict ~ /FAIL/)
        failed = 1
    return sprintf(format "  %s", limit, slack, verdict)
}

function ratio_row(op, limit) {
    printf "%-28s %9.1f %7.4f %7s %7s %7.4f   %s\n", op, ns[op, "bare"], ratio[op, "aa"],
        shown(op, "empty"), shown(op, "inert"), ratio[op, "with"],
        judge(op, "with", limit, ratio[op, "with"], abs(ratio[op, "aa"] - 1), "%.2f + %.4f")
}

function shown(op, variant) {
    return (op, variant) in ratio ? sprintf("%.4f", ratio[op, variant]) : "-"
}

# Up to `limit` times what one thread pays, or up to 3 ns more than that.
function growth_row(call, factor,    one, two, before, after, slack, limit) {
    one = "one thread " call
    two = "two threads " call
    before = difference[one, "with"]
    after = difference[two, "with"]
    slack = abs(difference[one, "aa"]) + abs(difference[two, "aa"])
    limit = factor * before > before + 3 ? factor * before : before + 3
    printf "%-28s %9s %7s %7s %7s %7s   %s\n", call ", one thread", sprintf("%.1f", ns[one, "bare"]),
        sprintf("%+.1f", difference[one, "aa"]), sprintf("%+.1f", difference[one, "empty"]), "-",
        sprintf("%+.1f", before), "ns added"
    printf "%-28s %9s %7s %7s %7s %7s   %s\n", call ", two threads",
        sprintf("%.1f", ns[two, "bare"]), sprintf("%+.1f", difference[two, "aa"]),
        sprintf("%+.1f", difference[two, "empty"]), "-", sprintf("%+.1f", after),
        judge(two, "with", limit, after, slack, "%.1f + %.1f")
}

# What a close costs more in VARIANT than without a log.
function record_row(op, variant, words, limit) {
    printf "%-28s %9.0f %7s %7s %7s %7s   %s\n", words, ns[op, "with"],
        sprintf("%+.0f", difference[op, "aa"]), "-", "-", sprintf("%+.0f", difference[op, variant]),
        judge(op, variant, limit, difference[op, variant], abs(difference[op, "aa"]), "%.0f + %.0f")
}

# What is added among many sockets beyond what is added to few.
function crowded_row(op, limit,    few) {
    few = op
    sub(/,.*/, "", few)
    printf "%-28s %9.1f %7s %7s %7s %7s   %s\n", op, ns[op, "bare"],
        sprintf("%+.1f", difference[op, "aa"]), "-", "-",
        sprintf("%+.1f", difference[op, "with"] - difference[few, "with"]),
        judge(op, "with", limit, difference[op, "with"] - difference[few, "with"],
            abs(difference[op, "aa"]) + abs(difference[few, "aa"]), "%.0f + %.1f")
}

function added_row(op, limit) {
    printf "%-28s %9.1f %7s %7s %7s %7s   %s\n", op ", ns", ns[op, "bare"],
        sprintf("%+.1f", difference[op, "aa"]), sprintf("%+.1f", difference[op, "empty"]),
        sprintf("%+.1f", difference[op, "inert"]), sprintf("%+.1f", difference[op, "with"]),
        judge(op, "with", limit, difference[op, "with"], abs(difference[op, "aa"]), "%.0f + %.1f")
}

BEGIN {
    FS = "\t"
}

NR == FNR {
    rows++
    what[rows] = $1
    kind[rows] = $2
    limit[rows] = $3
    fast[rows] = $4 == "fast"
    next
}

{
    seen[$1, $2] = 1
    ns[$1, $2] = $3
    ratio[$1, $2] = $4
    difference[$1, $2] = $5
}

END {
    printf "%-28s %9s %7s %7s %7s %7s   %s\n", "time", "bare ns", "A/A", "empty", "inert", "with",
        "bound + A/A"
    for (i = 1; i <= rows; i++) {
        is_for_fast = fast[i]
        if (kind[i] == "ratio")
            ratio_row(what[i], limit[i])
        else if (kind[i] == "growth")
            growth_row(what[i], limit[i])
        else if (kind[i] == "added_ns")
            added_row(what[i], limit[i])
        else if (kind[i] == "crowded_ns")
            crowded_row(what[i], limit[i])
        else if (kind[i] == "unread_ns")
            record_row(what[i], "unread", "close, its log not read, ns", limit[i])
        else
            record_row(what[i], "logged", "close record to a file, ns", limit[i])
    }
    exit failed
}
