# SPDX-License-Identifier: MIT
#
# matrix.awk: docs/CLIENTS.md and the results of all cells become the matrix, the shares and the
# verdict, which is the exit status. With whole=yes the bounds on the shares hold as well; with
# engine=NAME they do instead of the exceptions.
#
# A result is `NAME/PEER HOW OUTCOME MS DETAIL…`, HOW preload or guard. What ran under the guard has
# sums of its own, and all of it must end. An exception is a client; its row of docs/CLIENTS.md begins
# with | `NAME` | PEER, PEER |.

BEGIN {
    columns = split(peers, peer_at, " ")
    LEAST_ENDED = 95
    LEAST_CLEAN = 88
    MOST_EXCEPTIONS = 15
    LEAST_ROWS = 60
}

FILENAME ~ /\.md$/ {
    if (split($0, part, /[|]/) >= 4 && part[2] ~ /^ `[^`]+` $/) {
        gsub(/[ `]/, "", part[2])
        gsub(/ /, "", part[3])
        for (n = split(part[3], peer_of, ","); n > 0; n--)
            excepted[part[2] "/" peer_of[n]] = 1
    }
    next
}

{
    name = peer = $1
    sub(/\/[^\/]*$/, "", name)
    sub(/.*\//, "", peer)
    if (!(name in how)) {
        how[name] = $2
        row_at[++rows] = name
    }
    outcome[$1] = $3
    ms[$1] = $4
    detail = $0
    sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ ?/, "", detail)
    details[$1] = detail
    if ($3 == "ends")
        next
    counted[name]++
    add(hung, $2, peer)
    has_ended = $3 == "clean" || $3 == "SILENT" || $3 == "TRUNC"
    if (has_ended)
        add(ended, $2, peer)
    if ($3 == "clean") {
        add(clean, $2, peer)
        next
    }
    if ($2 == "preload" && !(name in exceptional)) {
        exceptional[name] = 1
        exceptions++
    }
    if ($3 == "TRUNC" || $3 == "early" || $3 == "none")
        failures[++failed] = $1 ": " $3 ", " detail
    else if ($3 == "SILENT" && detail !~ /status 124$/)
        failures[++failed] = $1 ": silent, and " detail
    else if ($2 == "guard" && !has_ended)
        failures[++failed] = $1 ": " $3 ", under the guard, where all must end"
    else if (!($1 in excepted) && engine == "")
        failures[++failed] = $1 ": " $3 ", and not in docs/CLIENTS.md"
}

function add(sums, by, peer) {
    sums[by, peer]++
    sums[by, "all"]++
}

function cell(key) {
    if (!(key in outcome))
        return "-"
    if (outcome[key] == "ends")
        return "(ends)"
    return sprintf("%s %.1f", outcome[key], ms[key] / 1000)
}

# One line of sums: of the cells that hang, or of those of them that are in SUMS.
function line(head, by, sums,    i) {
    printf "%-28s", head
    for (i = 1; i <= columns; i++)
        printf " %-12s", share(by, sums, peer_at[i])
    print " " share(by, sums, "all")
}

function share(by, sums, peer) {
    if (sums == "hung")
        return hung[by, peer] + 0
    if (!hung[by, peer])
        return "-"
    return sprintf("%d %.0f %%", count(by, sums, peer), percent(by, sums, peer))
}

function count(by, sums, peer) {
    return (sums == "ended" ? ended[by, peer] : clean[by, peer]) + 0
}

function percent(by, sums, peer) {
    return 100 * count(by, sums, peer) / hung[by, peer]
}

END {
    printf "\n%-20s %-7s", "client", "how"
    for (i = 1; i <= columns; i++)
        printf " %-12s", peer_at[i]
    print ""
    for (r = 1; r <= rows; r++) {
        name = row_at[r]
        printf "%-20s %-7s", name, how[name]
        for (i = 1; i <= columns; i++)
            printf " %-12s", cell(name "/" peer_at[i])
        print ""
        if (counted[name])
            clients++
        else
            nothing[++empty] = name
    }
    print ""
    line("preload: hang bare", "preload", "hung")
    line("         ended", "preload", "ended")
    line("         clean", "preload", "clean")
    if (hung["guard", "all"])
        printf "under the guard: %d cells hang bare, %.0f %% ended, %.0f %% clean\n", \
            hung["guard", "all"], percent("guard", "ended", "all"), percent("guard", "clean", "all")

    for (i = 1; i <= empty; i++)
        print nothing[i] ": no cell of it hangs bare, see what it says there"
    print "\nwhat is not clean:"
    for (r = 1; r <= rows; r++)
        for (i = 1; i <= columns; i++) {
            key = row_at[r] "/" peer_at[i]
            if (!(key in outcome) || outcome[key] == "ends")
                continue
            if (outcome[key] != "clean")
                print "  " key ": " outcome[key] (key in excepted ? " (listed)" : "") ": " details[key]
            else if (key in excepted && engine == "")
                print "  " key ": clean, though docs/CLIENTS.md lists it"
        }

    if (whole) {
        if (clients < LEAST_ROWS)
            failures[++failed] = "only " clients + 0 " clients hang, not " LEAST_ROWS
        if (100 * ended["preload", "all"] < LEAST_ENDED * hung["preload", "all"])
            failures[++failed] = "fewer than " LEAST_ENDED " % ended"
        if (100 * clean["preload", "all"] < LEAST_CLEAN * hung["preload", "all"])
            failures[++failed] = "fewer than " LEAST_CLEAN " % ended clean"
        if (exceptions > MOST_EXCEPTIONS && engine == "")
            failures[++failed] = exceptions " clients are exceptions, more than " MOST_EXCEPTIONS
        if (!hung["guard", "all"])
            failures[++failed] = "nothing ran under the guard"
    }
    if (failed) {
        print "\nfailures:"
        for (i = 1; i <= failed; i++)
            print "  " failures[i]
    }
    printf "\n%s%d clients, %d cells that hang bare: %s\n", engine == "" ? "" : "engine " engine ": ", \
        clients, hung["preload", "all"] + hung["guard", "all"], failed ? "FAILED" : "ok"
    exit failed > 0
}
