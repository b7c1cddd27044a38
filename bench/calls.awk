# SPDX-License-Identifier: MIT
# Counts system calls between the markers of `ops exact` in logs of strace -f, and judges what the
# library adds to them. Files: bounds (class, bound, bound with a log), `ops list`, then the logs,
# named ANYTHING.VARIANT. What is judged is the difference of the longer and the shorter run, per
# call; a twentieth of a call is let pass, for what is done once a second and not once a call.
function per_call(variant, op) {
    return (total[variant, op, long[op]] - total[variant, op, short[op]]) / (long[op] - short[op])
}

function added(variant, op) {
    return per_call(variant, op) - per_call("bare", op)
}

function bound_of(variant, op) {
    return variant == "logged" ? bound_logged[class[op]] : bound[class[op]]
}

function holds(variant, op) {
    return bound_of(variant, op) == "-" || added(variant, op) <= bound_of(variant, op) + 0.05
}

function number(x) {
    return sprintf(x == int(x) ? "%d" : "%.2f", x)
}

# Which calls those are.
function what_is_added(variant, op,    i, more, text) {
    for (i = 1; i <= call_count; i++) {
        more = by_name[variant, op, long[op], call[i]] - by_name[variant, op, short[op], call[i]]
        more -= by_name["bare", op, long[op], call[i]] - by_name["bare", op, short[op], call[i]]
        more /= long[op] - short[op]
        if (more > 0.004 || more < -0.004)
            text = text sprintf(" %s%s%s", call[i], more > 0 ? "+" : "", number(more))
    }
    return text
}

function row(op, verdict) {
    if (!(("bare", op, long[op]) in total) || !(("with", op, long[op]) in total) ||
        !(("logged", op, long[op]) in total) || !(("inert", op, long[op]) in total))
        verdict = "FAIL (not measured)"
    else
        verdict = holds("inert", op) && holds("with", op) && holds("logged", op) ? "ok" : "FAIL"
    if (bound[class[op]] == "-" && verdict == "ok")
        verdict = ""
    if (verdict ~ /FAIL/)
        failed = 1
    printf "%-46s %5s %6s %6s %7s   %-6s %s%s\n", op, number(per_call("bare", op)),
        "+" number(added("inert", op)), "+" number(added("with", op)),
        "+" number(added("logged", op)),
        bound[class[op]] == bound_logged[class[op]] ? bound[class[op]] :
        bound[class[op]] "/" bound_logged[class[op]], verdict, what_is_added("logged", op)
}

# One line for all calls of a kind to which nothing is added.
function kind_of(op,    word) {
    split(op, word, " ")
    return word[1] ": " (class[op] ~ /^(foreign|ours|fails|iov|mmsg)$/ ? "data calls" : \
        class[op] ~ /wait|unwatched/ ? "poll select epoll" : class[op])
}

function nothing_added(op) {
    return class[op] ~ /^(foreign|ours|fails|iov|mmsg|wait|unwatched|fcntl)$/ &&
        (("with", op, long[op]) in total) && what_is_added("inert", op) == "" &&
        what_is_added("with", op) == "" && what_is_added("logged", op) == ""
}

FNR == 1 {
    file_number++
    variant = FILENAME
    sub(/.*\./, "", variant)
}

file_number == 1 {
    bound[$1] = $2
    bound_logged[$1] = $3
    next
}

file_number == 2 {
    split($0, field, "\t")
    class[field[1]] = field[2]
    if (field[2] != "time" && field[2] != "threads")
        ops[++op_count] = field[1]
    next
}

/"bench:[^"]*:(begin|end)"/ {
    split($0, quoted, "\"")
    split(quoted[2], field, ":")
    inside = field[4] == "begin"
    op = field[2]
    n = field[3] + 0
    if (inside) {
        total[variant, op, n] = 0
        if (!(op in short) || n < short[op])
            short[op] = n
        if (!(op in long) || n > long[op])
            long[op] = n
    }
    next
}

inside && $2 ~ /^[a-z_0-9]+\(/ {
    name = $2
    sub(/\(.*/, "", name)
    if (!(name in known)) {
        known[name] = 1
        call[++call_count] = name
    }
    total[variant, op, n]++
    by_name[variant, op, n, name]++
}

END {
    printf "%-46s %5s %6s %6s %7s   %-6s\n", "system calls", "bare", "inert", "with", "logged",
        "bound"
    for (i = 1; i <= op_count; i++)
        if (nothing_added(ops[i]))
            quiet[kind_of(ops[i])]++
    for (i = 1; i <= op_count; i++) {
        kind = kind_of(ops[i])
        if (!nothing_added(ops[i]))
            row(ops[i])
        else if (!(kind in said)) {
            said[kind] = 1
            printf "%-46s %5s %6s %6s %7s   %-6s %s\n", kind " x" quiet[kind], "", "+0",
                "+0", "+0", "0", "ok"
        }
    }
    exit failed
}
