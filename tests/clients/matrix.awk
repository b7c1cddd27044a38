# SPDX-License-Identifier: MIT
#
# matrix.awk: docs/CLIENTS.md and the results of all cells become the matrix, the shares and the
# verdict, which is the exit status. With whole=yes the bounds on the shares hold as well.
#
# A result is `NAME/PEER CLASS OUTCOME MS DETAIL…`; CLASS is - unless the client is left out. An
# exception is a client; its row of docs/CLIENTS.md begins with | `NAME` | PEER, PEER |.

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
    if (!(name in seen)) {
        seen[name] = 1
        row_at[++rows] = name
    }
    outcome[$1] = $3
    ms[$1] = $4
    detail = $0
    sub(/^[^ ]+ [^ ]+ [^ ]+ [^ ]+ ?/, "", detail)
    details[$1] = detail
    if ($2 != "-") {
        class[name] = $2
        next
    }
    if ($3 == "ends")
        next
    counted[name]++
    hung[peer]++
    hung["all"]++
    if ($3 == "clean" || $3 == "SILENT" || $3 == "TRUNC") {
        ended[peer]++
        ended["all"]++
    }
    if ($3 == "clean") {
        clean[peer]++
        clean["all"]++
        next
    }
    if (!(name in exceptional)) {
        exceptional[name] = 1
        exceptions++
    }
    if ($3 == "TRUNC" || $3 == "early" || $3 == "none")
        failures[++failed] = $1 ": " $3 ", " detail
    else if ($3 == "SILENT" && detail !~ /status 124$/)
        failures[++failed] = $1 ": silent, and " detail
    else if (!($1 in excepted))
        failures[++failed] = $1 ": " $3 ", and not in docs/CLIENTS.md"
}

function cell(key) {
    if (!(key in outcome))
        return "-"
    if (outcome[key] == "ends")
        return "(ends)"
    return sprintf("%s %.1f", outcome[key], ms[key] / 1000)
}

function line(head, of,    i) {
    printf "%-20s", head
    for (i = 1; i <= columns; i++)
        printf " %-12s", share(of, peer_at[i])
    print " " share(of, "all")
}

function share(of, peer,    n) {
    if (of == "")
        return hung[peer] + 0
    n = (of == "ended" ? ended[peer] : clean[peer]) + 0
    return hung[peer] ? sprintf("%d %.0f %%", n, 100 * n / hung[peer]) : "-"
}

END {
    printf "\n%-20s", "client"
    for (i = 1; i <= columns; i++)
        printf " %-12s", peer_at[i]
    print ""
    for (r = 1; r <= rows; r++) {
        name = row_at[r]
        printf "%-20s", name
        for (i = 1; i <= columns; i++)
            printf " %-12s", cell(name "/" peer_at[i])
        print name in class ? " not counted: " class[name] : ""
        if (counted[name])
            clients++
        else if (!(name in class))
            nothing[++empty] = name
    }
    print ""
    line("hang bare", "")
    line("ended", "ended")
    line("clean", "clean")

    for (i = 1; i <= empty; i++)
        print nothing[i] ": no cell of it hangs bare, see what it says there"
    print "\nwhat is not clean:"
    for (r = 1; r <= rows; r++)
        for (i = 1; i <= columns; i++) {
            key = row_at[r] "/" peer_at[i]
            if (!(key in outcome) || outcome[key] == "ends")
                continue
            if (outcome[key] != "clean" && !(row_at[r] in class))
                print "  " key ": " outcome[key] (key in excepted ? " (listed)" : "") ": " details[key]
            else if (outcome[key] == "clean" && key in excepted)
                print "  " key ": clean, though docs/CLIENTS.md lists it"
        }

    if (whole) {
        if (clients < LEAST_ROWS)
            failures[++failed] = "only " clients + 0 " clients hang, not " LEAST_ROWS
        if (100 * ended["all"] < LEAST_ENDED * hung["all"])
            failures[++failed] = "fewer than " LEAST_ENDED " % ended"
        if (100 * clean["all"] < LEAST_CLEAN * hung["all"])
            failures[++failed] = "fewer than " LEAST_CLEAN " % ended clean"
        if (exceptions > MOST_EXCEPTIONS)
            failures[++failed] = exceptions " clients are exceptions, more than " MOST_EXCEPTIONS
    }
    if (failed) {
        print "\nfailures:"
        for (i = 1; i <= failed; i++)
            print "  " failures[i]
    }
    printf "\n%d clients, %d cells that hang bare: %s\n", clients, hung["all"], failed ? "FAILED" : "ok"
    exit failed > 0
}
