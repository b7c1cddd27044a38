#!/bin/sh
# SPDX-License-Identifier: MIT
#
# rules.sh LIBRARY: what holds for the source and for the library made from it. Run at the top of
# the repository, as `make check-source` does; the pages are looked for beside the library. Prints
# one line for each violation; status 1 if there is any.
set -u

library=${1:?usage: rules.sh LIBRARY}
pages=$(dirname "$library")/man
compiler=${CC:-cc}
LC_ALL=C
export LC_ALL

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 2' INT TERM
: >"$work/violations"

violation() {
    echo "$*" >>"$work/violations"
}

# code FILE: without comments and the insides of strings, the lines numbered.
code() {
    awk '{
        line = $0; out = ""
        while (line != "") {
            if (inside) {
                at = index(line, "*/")
                if (!at) break
                inside = 0; line = substr(line, at + 2); continue
            }
            if (match(line, /\/\*|\/\/|"([^"\\]|\\.)*"/)) {
                token = substr(line, RSTART, RLENGTH)
                out = out substr(line, 1, RSTART - 1)
                line = substr(line, RSTART + RLENGTH)
                if (token == "/*") inside = 1
                else if (token == "//") break
                else out = out "\"\""
            } else { out = out line; break }
        }
        print NR ": " out
    }' "$1"
}

sources() {
    find "$@" -type f \( -name '*.c' -o -name '*.h' -o -name '*.def' \) | sort
}

# --- what the library gives and takes -------------------------------------------------------------

[ -e "$library" ] || { echo "$library is missing; run make"; exit 1; }

# NAME VERSION of what it takes
nm -D --undefined-only "$library" | awk '{ split($NF, part, "@+"); print part[1], part[2] }' |
    sort >"$work/imports"
nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }' | sort >"$work/exports"

"$compiler" -E -P -D_GNU_SOURCE -I. -include shim/symbols-map.h -x c shim/symbols.def |
    sed -n 's/.*EXPORT(\([A-Za-z0-9_]*\)).*/\1/p' | sort >"$work/rows"
[ -s "$work/rows" ] || violation "shim/symbols.def: no rows in it"
comm -23 "$work/exports" "$work/rows" | while read -r name; do
    violation "$library: exports $name, which is no row of shim/symbols.def"
done
comm -13 "$work/exports" "$work/rows" | while read -r name; do
    violation "$library: does not export $name, a row of shim/symbols.def"
done

# Never, and why. What is not here must be in the list of what is allowed, below.
banned() {
    case $1 in
    malloc | calloc | realloc | reallocarray | free | memalign | aligned_alloc | posix_memalign | \
        strdup | strndup | asprintf | vasprintf | getline)
        echo "memory of the program's, its locks, and its own malloc's calls back into us"
        ;;
    *printf* | fopen* | fdopen | fread | fwrite | fgets | fputs | fputc | putc | puts | putchar | \
        perror | fscanf | sscanf | stdin | stdout | stderr | setvbuf | fflush_unlocked)
        echo "stdio allocates, locks, and writes where the program does"
        ;;
    getenv | secure_getenv | setenv | putenv | unsetenv | clearenv)
        echo "the environment is read once, from what the loader hands over; setenv allocates"
        ;;
    strerror* | strsignal | gettext | setlocale | localeconv | strtod | strtof | atof | atoi | \
        isalpha | isdigit | isspace | __ctype_* | tolower | toupper)
        echo "it follows the program's locale, or allocates"
        ;;
    localtime* | mktime | strftime | tzset | gmtime*)
        echo "time zones lock, allocate and read files"
        ;;
    signal | sigaction | sigprocmask | pthread_sigmask | raise | kill | alarm | setitimer | \
        timer_* | sigqueue | pthread_kill)
        echo "signals are the program's own"
        ;;
    exit | abort | atexit | on_exit | __assert* | __cxa_atexit | err* | warn*)
        echo "no end of the program is ours to bring about, and nothing is said there"
        ;;
    pthread_mutex_* | pthread_rwlock_* | pthread_spin_* | pthread_cond_* | sem_*)
        echo "no lock is held when the program forks, or a thread of it dies"
        ;;
    dlopen | dlmopen)
        echo "only who stands behind us is called, with RTLD_NEXT"
        ;;
    __*_chk | __stack_chk_fail)
        echo "a fortified name: we are built without them"
        ;;
    *) return 1 ;;
    esac
}

# What nothing speaks against, and why.
allowed() {
    case $1 in
    # pure functions of memory
    memcpy | memmove | memset | memcmp | memchr | memrchr | strlen | strnlen | strchr | strrchr | \
        strcmp | strncmp | strcspn | strspn) ;;
    # who stands behind us, and no trace of a name that is not there; the loader's list of variables
    dlsym | dlvsym | dlerror | _r_debug | environ | __environ | getauxval | __tls_get_addr) ;;
    # the kernel: one door for all calls; the vDSO; memory, once; a wait that must be a point of
    # cancellation as the call is that it stands for
    syscall | clock_gettime | mmap | mmap64 | munmap | ppoll | __errno_location) ;;
    # what a look-up of a name leaves behind, taken from its thread to the one that asked
    __h_errno_location) ;;
    # of a FILE, before it is closed: its number, what it still has to write, and that
    fileno | fflush | __fpending) ;;
    # fork, and what the compiler puts into every library
    pthread_atfork | pthread_setcancelstate | pthread_setcanceltype | __register_atfork | \
        __cxa_finalize | __gmon_start__ | _ITM_* | __gcc_personality_v0 | _Unwind_Resume) ;;
    *) return 1 ;;
    esac
}

if grep -q '^__[atu]*san_' "$work/imports"; then
    echo "rules.sh: a build with a sanitizer: what it takes is not looked at" >&2
else
    while read -r name version; do
        if why=$(banned "$name"); then
            violation "$library: takes $name: $why"
        elif ! allowed "$name"; then
            violation "$library: takes $name, which is not in the list of tests/source/rules.sh"
        fi
        case $version in
        GLIBC_2.*)
            minor=${version#GLIBC_2.}
            if [ "${minor%%.*}" -gt 28 ]; then
                violation "$library: takes $name of $version, newer than glibc 2.28"
            fi
            ;;
        esac
    done <"$work/imports"
fi

# --- layers ---------------------------------------------------------------------------------------

# layer FILE: which part it belongs to.
layer() {
    case $1 in
    shim/symbols.def | shim/symbols-map.h) echo table ;; # of sys, and of wrap
    shim/entry.c) echo entry ;;
    shim/*/*) part=${1#shim/}; echo "${part%%/*}" ;;
    *) echo "${1%%/*}" ;;
    esac
}

# may FROM TO: whether a file of FROM may include one of TO.
may() {
    [ "$1" != "$2" ] || return 0
    case $1:$2 in
    sys:table | table:sys | wrap:table) ;;
    track:sys) ;;
    policy:config | policy:track | policy:sys) ;;
    report:config | report:sys) ;;
    wrap:config | wrap:sys | wrap:track | wrap:policy | wrap:report) ;;
    entry:*) ;;
    cli:config | cli:policy | cli:report | cli:sys | cli:table) ;;
    *) return 1 ;;
    esac
}

for file in $(sources shim config cli); do
    from=$(layer "$file")
    grep -n '^ *# *include *"' "$file" | sed 's/^\([0-9]*\):.*"\(.*\)".*/\1 \2/' |
        while read -r line header; do
            [ -e "$header" ] ||
                violation "$file:$line: includes \"$header\", which is no path from the top"
            may "$from" "$(layer "$header")" ||
                violation "$file:$line: $from may not include $header"
        done

    case $from in
    wrap | entry | sys | cli | table) ;;
    *)
        code "$file" | grep -v '^[0-9]*: *# *include' | grep -w errno | while IFS=: read -r line _; do
            violation "$file:$line: errno is for wrap, entry and sys"
        done
        ;;
    esac

    length=$(wc -l <"$file")
    [ "$length" -le 500 ] || violation "$file: $length lines, more than 500"
done

# --- headers --------------------------------------------------------------------------------------

for header in $(find shim config cli -name '*.h' | sort); do
    "$compiler" -std=gnu11 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -fsyntax-only -x c "$header" \
        >"$work/said" 2>&1 ||
        violation "$header: does not compile alone: $(grep -m 1 error "$work/said")"
done

# --- settings -------------------------------------------------------------------------------------

# Roff's way of writing a minus is no matter here.
for page in README.md "$pages/libsocktmo.8" "$pages/socktmo.1" "$pages/socktmo.conf.5"; do
    if [ -e "$page" ]; then
        sed 's/\\-/-/g; s/\\&//g' "$page" >"$work/$(basename "$page")"
    else
        violation "$page is missing"
        : >"$work/$(basename "$page")"
    fi
done

settings=$(sed -n 's/^SETTING(\([A-Z_]*\),.*/\1/p' config/settings.def)
[ -n "$settings" ] || violation "config/settings.def: no rows in it"
for setting in $settings; do
    for page in README.md libsocktmo.8; do
        grep -qw "SOCKTMO_$setting" "$work/$page" || violation "$page: SOCKTMO_$setting is not in it"
    done
    option=$(echo "$setting" | tr 'A-Z_' 'a-z-')
    grep -Eq -e "(--|Fl -)$option([^a-z-]|\$)" "$work/socktmo.1" ||
        violation "socktmo.1: --$option is not in it"
done
sed -n 's/^SETTING(\([A-Z_]*\), [A-Z]*, \(FILE\|RULE\),.*/\1/p' config/settings.def |
    while read -r setting; do
        grep -qxF ".It Cm $(echo "$setting" | tr 'A-Z_' 'a-z_')" "$work/socktmo.conf.5" ||
            violation "socktmo.conf.5: $setting is not in it"
    done

# --- licence --------------------------------------------------------------------------------------

find Makefile shim config cli tests bench examples man -type f \
    \( -name '*.[ch]' -o -name '*.def' -o -name '*.sh' -o -name '*.bats' -o -name '*.bash' \
    -o -name '*.py' -o -name '*.java' -o -name '*.in' -o -name Makefile \) | sort |
    while read -r file; do
        head -n 3 "$file" | grep -q 'SPDX-License-Identifier: MIT' ||
            violation "$file: no SPDX line at its head"
    done

cat "$work/violations"
[ ! -s "$work/violations" ]
