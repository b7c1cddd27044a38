# SPDX-License-Identifier: MIT
# Judges how much longer a program takes to start, from the output of `start`, in us. OVER is the
# verdict on one that is over its bound.
BEGIN {
    FS = "\t"
    bound_us = 100
}

{
    us[$1] = $2
    more[$1] = $3
}

END {
    slack = more["aa"] < 0 ? -more["aa"] : more["aa"]
    verdict = !("inert" in more) || !("with" in more) || !("logged" in more) ? "FAIL" :
        more["inert"] > bound_us + slack || more["with"] > bound_us + slack ||
        more["logged"] > bound_us + slack ? over : "ok"
    printf "%-28s %9s %7s %7s %7s %7s %7s   %s\n", "start of true", "bare us", "A/A", "empty",
        "inert", "with", "logged", "bound + A/A"
    printf "%-28s %9.1f %+7.1f %+7.1f %+7.1f %+7.1f %+7.1f   %d + %.1f  %s\n", "us more than bare",
        us["bare"], more["aa"], more["empty"], more["inert"], more["with"], more["logged"],
        bound_us, slack, verdict
    exit verdict == "FAIL"
}
