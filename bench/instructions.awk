# SPDX-License-Identifier: MIT
# Judges the instructions that the library adds to a call. Files: bounds (class, bound), `ops list`,
# then counts, named ANYTHING.VARIANT: operation, N, instructions of N calls, tab-separated. What is
# judged is the difference of the longer and the shorter run, per call; of several runs the smallest
# counts.
function is_measured(variant, op) {
    return (op in long) && ((variant, op, short[op]) in total) && ((variant, op, long[op]) in total)
}

function per_call(variant, op) {
    if (!is_measured(variant, op))
        return 0
    return (total[variant, op, long[op]] - total[variant, op, short[op]]) / (long[op] - short[op])
}

function number(x) {
    return sprintf(x == int(x) ? "%+d" : "%+.2f", x)
}

function row(op,    measured, bare, inert, with, limit, verdict) {
    measured = is_measured("bare", op) && is_measured("inert", op) && is_measured("with", op)
    bare = per_call("bare", op)
    inert = per_call("inert", op) - bare
    with = per_call("with", op) - bare
    limit = bound[class[op]]
    verdict = !measured ? "FAIL (not measured)" : inert <= limit && with <= limit ? "ok" : "FAIL"
    if (verdict != "ok")
        failed = 1
    printf "%-46s %5.0f %6s %6s %7.0f   %-6s %s\n", op, bare, number(inert), number(with), bare + with, limit, verdict
}

BEGIN {
    FS = "\t"
}

FNR == 1 {
    file_number++
    variant = FILENAME
    sub(/.*\./, "", variant)
}

file_number == 1 {
    split($0, field, " ")
    bound[field[1]] = field[2]
    next
}

file_number == 2 {
    class[$1] = $2
    if ($2 in bound)
        ops[++op_count] = $1
    next
}

{
    if (!((variant, $1, $2) in total) || $3 + 0 < total[variant, $1, $2])
        total[variant, $1, $2] = $3 + 0
    if (!($1 in short) || $2 + 0 < short[$1])
        short[$1] = $2 + 0
    if (!($1 in long) || $2 + 0 > long[$1])
        long[$1] = $2 + 0
}

END {
    printf "%-46s %5s %6s %6s %7s   %-6s\n", "instructions a call", "bare", "inert", "with", "in all",
        "bound"
    for (i = 1; i <= op_count; i++)
        row(ops[i])
    exit failed
}
