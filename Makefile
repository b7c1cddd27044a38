# SPDX-License-Identifier: MIT
#
# make            libsocktmo.so and socktmo, at the top level (links into build/)
# make demo       builds, then shows four programs that hang bare and end in time under the shim
# make check      all tests; T=NAME runs one unit program or .bats file, F='words' one of its tests
# make check-python  Python's own tests, bare and under the library, must say the same
# make check-clients  some ninety real clients against peers that hang, 7 minutes; F=REGEX some of
#                 them, JOBS=N cells at a time, ENGINE=watchdog by that engine
# make bench      what the shim costs, beside the bare program, with the bounds that must hold
# make lint       formatter, clang-tidy, shellcheck, manual pages, source rules
# make analyze    gcc -fanalyzer over the library and the command
# make fuzz       libFuzzer on the settings and the records, FUZZ_S seconds in all
# make distcheck  other compilers, C libraries, machines, sanitizers; P='musl i386' some of them
# make soak       a server and clients that fork and are killed, SOAK_S seconds; then the books
# make coverage   lines and branches that the tests reach, with those that they do not
# make install    DESTDIR= PREFIX=/usr/local; `make uninstall` leaves nothing
#
# SAN=asan|ubsan|tsan|cov builds and tests that flavour, CC=clang|musl-gcc another compiler; V=1
# shows the commands. All output goes to build/, or to BUILD.

# --- configuration --------------------------------------------------------------------------------

CC       = gcc
PREFIX   = /usr/local
BINDIR   = $(PREFIX)/bin
LIBDIR   = $(PREFIX)/lib
SHAREDIR = $(PREFIX)/share
MANDIR   = $(SHAREDIR)/man
BASHDIR  = $(SHAREDIR)/bash-completion/completions
ZSHDIR   = $(SHAREDIR)/zsh/site-functions
SAN      =
FUZZ_S   = 60
SOAK_S   = 30
CFLAGS   = -O2 -g
LDFLAGS  =
# Of the programs that the tests run, not of the library: `-D_TIME_BITS=64` where it has 32.
PROGRAM_FLAGS =

BUILD    = build$(if $(SAN),/$(SAN))$(if $(filter-out gcc,$(CC)),/$(notdir $(firstword $(CC))))

WARN     = -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wconversion \
           -Wpointer-arith -Wwrite-strings -Wvla -Wundef
SAN_asan = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SAN_ubsan = -fsanitize=undefined -fno-sanitize-recover=all
SAN_tsan = -fsanitize=thread
# Not by the compiler's stand-ins for exec, which add what was written before to the counters, and
# clear them if it fails (libgcc/libgcov-interface.c).
SAN_cov  = --coverage -fprofile-update=atomic -fdata-sections \
           $(addprefix -fno-builtin-,execl execlp execle execv execvp execve fork)
SANFLAGS = $(SAN_$(SAN)) $(if $(SAN),-DTMO_START_FILES)
# No fortified names among our imports, no builtin that becomes a call to a name we wrap.
BASE     = -std=gnu11 -D_GNU_SOURCE -U_FORTIFY_SOURCE -D_FILE_OFFSET_BITS=64 $(WARN) -I. -MMD -MP
PIC      = -fPIC -fvisibility=hidden -fno-plt -fexceptions -fno-stack-protector
LINKHARD = -Wl,-z,defs,-z,now,-z,relro,-O1,--hash-style=gnu
# Our own calls of a wrapper stay with us, and cost no look-up at start.
# Nor is there anything for the compiler's start files to do in the library.
LIBLINK  = -shared -Wl,-Bsymbolic -Wl,-soname,libsocktmo.so $(if $(SAN),,-nostartfiles) \
           $(KEPT_$(SAN))
# The counters of coverage are in files that all processes share: tests/coverage/kept.c.
COUNTERS = $(CURDIR)/$(BUILD)/counters-of-
KEPT_cov = -Wl,-T,tests/coverage/kept.ld -Wl,--wrap=__gcov_init,--wrap=__gcov_exit
KEPT     = $(if $(KEPT_$(SAN)),$(BUILD)/obj/tests/coverage/$(1).o)

Q        = $(if $(V),,@)
say      = $(if $(V),,@echo "  $(1)";)

# --- what there is --------------------------------------------------------------------------------

CONFIG   = $(sort $(wildcard config/*.c))
SYS      = $(filter-out shim/sys/strings.c,$(sort $(wildcard shim/sys/*.c)))
TRACK    = $(sort $(wildcard shim/track/*.c))
POLICY   = $(sort $(wildcard shim/policy/*.c))
REPORT   = $(sort $(wildcard shim/report/*.c))
WRAP     = shim/entry.c $(sort $(wildcard shim/wrap/*.c)) $(if $(SAN),,shim/sys/strings.c)
CLI      = $(sort $(wildcard cli/*.c))
UNITS    = $(sort $(basename $(notdir $(wildcard tests/unit/*.c))))
PROGRAMS = fds hidden lookups loops luck peer racers steps waits
GUESTS   = $(basename $(notdir $(wildcard tests/guest/*.c)))
EXAMPLES = legacy-client legacy-server
BENCH    = ops paired start hold loop rules
BENCH_OPS = bench/ops.c bench/ends.c bench/data.c bench/wait.c bench/life.c bench/threads.c

ARCHIVE_SRC = $(CONFIG) $(SYS) $(TRACK) $(POLICY) $(REPORT)
obj      = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

ARCHIVE  = $(BUILD)/libtmo.a
LIBRARY  = $(BUILD)/libsocktmo.so
COMMAND  = $(BUILD)/socktmo
MAP      = $(BUILD)/libsocktmo.map
TABLE    = $(BUILD)/settings-table
PAGES    = $(BUILD)/man/socktmo.1 $(BUILD)/man/socktmo.conf.5 $(BUILD)/man/libsocktmo.8
COMPLETE = $(BUILD)/completion/socktmo.bash $(BUILD)/completion/_socktmo
TEST_BIN = $(PROGRAMS:%=$(BUILD)/tests/%) $(GUESTS:%=$(BUILD)/guest/%)
UNIT_BIN = $(UNITS:%=$(BUILD)/unit/%)
EX_BIN   = $(EXAMPLES:%=$(BUILD)/examples/%)
BENCH_BIN = $(BENCH:%=$(BUILD)/bench/%) $(BUILD)/bench/empty.so

.SUFFIXES:
.DELETE_ON_ERROR:
.PHONY: all links programs units demo check check-unit check-bats check-source analyze check-clients \
        check-python distcheck lint style fuzz soak coverage bench install uninstall clean format FORCE

all: $(LIBRARY) $(COMMAND) $(PAGES) $(COMPLETE) links

# The top level shows the plain build; flavours stay in their folder.
links: $(LIBRARY) $(COMMAND)
ifeq ($(BUILD),build)
	@ln -sf $(LIBRARY) libsocktmo.so
	@ln -sf $(COMMAND) socktmo
endif

# --- build ----------------------------------------------------------------------------------------

# Other flags are another build: the stamp changes, and everything depends on it.
STAMP    = $(BUILD)/flags
FLAGS_NOW = $(CC) $(CFLAGS) $(BASE) $(PIC) $(SANFLAGS) $(LDFLAGS) $(PROGRAM_FLAGS)
$(STAMP): FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS_NOW)' | cmp -s - $@ || echo '$(FLAGS_NOW)' >$@

# Where the library will be, only the command has to know.
PLACE    = $(BUILD)/place
$(PLACE): FORCE
	@mkdir -p $(@D)
	@echo '$(LIBDIR)' | cmp -s - $@ || echo '$(LIBDIR)' >$@

$(BUILD)/obj/cli/%.o: cli/%.c $(STAMP) $(PLACE)
	@mkdir -p $(@D)
	$(call say,CC $<)$(CC) $(BASE) $(CFLAGS) $(SANFLAGS) -DTMO_LIBDIR='"$(LIBDIR)"' -c -o $@ $<

# no loop in it becomes a call of itself
$(BUILD)/obj/shim/sys/strings.o: PIC += -fno-builtin

$(BUILD)/obj/%.o: %.c $(STAMP)
	@mkdir -p $(@D)
	$(call say,CC $<)$(CC) $(BASE) $(CFLAGS) $(PIC) $(SANFLAGS) -c -o $@ $<

$(ARCHIVE): $(call obj,$(ARCHIVE_SRC))
	$(call say,AR $@)rm -f $@ && ar crD $@ $^

# The exported names are the rows of the table, and nothing else. Sanitizers call setrlimit
# when instrumented code cannot run yet.
$(MAP): shim/symbols.def shim/symbols-map.h $(STAMP)
	$(call say,MAP $@){ echo '{ global:'; \
	    $(CC) -E -P -D_GNU_SOURCE -I. -include shim/symbols-map.h -x c shim/symbols.def | \
	    sed -n 's/.*EXPORT(\([A-Za-z0-9_]*\)).*/  \1;/p' $(if $(filter asan tsan,$(SAN)),| \
	    grep -v setrlimit); echo '  local: *; };'; } >$@

$(BUILD)/obj/tests/coverage/%.o: tests/coverage/kept.c $(STAMP)
	@mkdir -p $(@D)
	$(call say,CC $< for $*)$(CC) $(BASE) $(CFLAGS) $(PIC) -DTMO_COUNTERS='"$(COUNTERS)$*"' -c \
	    -o $@ $<

$(LIBRARY): $(call obj,$(WRAP)) $(ARCHIVE) $(MAP) $(call KEPT,library)
	$(call say,LD $@)$(CC) $(CFLAGS) $(SANFLAGS) $(LIBLINK) $(LINKHARD) \
	    -Wl,--version-script=$(MAP) $(LDFLAGS) -o $@ $(filter %.o,$^) $(ARCHIVE) -ldl

$(COMMAND): $(call obj,$(CLI)) $(ARCHIVE) $(call KEPT,command)
	$(call say,LD $@)$(CC) $(CFLAGS) $(SANFLAGS) $(LINKHARD) $(KEPT_$(SAN)) $(LDFLAGS) -o $@ \
	    $(filter %.o,$^) $(ARCHIVE) -ldl

$(TABLE): $(call obj,man/settings-table.c cli/options.c cli/say.c) $(ARCHIVE)
	$(call say,LD $@)$(CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -o $@ $^ -ldl

# @SETTINGS NAME@ in a page or a completion is the table, in the shape of that name.
$(PAGES): $(BUILD)/man/%: man/%.in
$(COMPLETE): $(BUILD)/completion/%: cli/completion/%.in
$(PAGES) $(COMPLETE): $(TABLE)
	@mkdir -p $(@D)
	$(call say,GEN $@)awk '/^@SETTINGS [a-z-]+@$$/ { sub(/@$$/, ""); system("$(TABLE) " $$2); next } \
	    { print }' $(filter %.in,$^) >$@

$(BUILD)/tests/%: tests/programs/%.c $(STAMP)
	@mkdir -p $(@D)
	$(call say,CC $<)$(CC) $(BASE) $(PROGRAM_FLAGS) $(CFLAGS) -pthread -o $@ $< -ldl

# musl-gcc knows no kernel headers, and musl's own types are not always those of glibc.
ON_MUSL  = $(if $(findstring musl,$(CC)),-Wno-conversion -Wno-sign-conversion -idirafter \
           /usr/include -idirafter /usr/include/$(shell gcc -print-multiarch))
$(BUILD)/guest/%: tests/guest/%.c $(STAMP)
	@mkdir -p $(@D)
	$(call say,CC $<)$(CC) $(BASE) $(ON_MUSL) $(PROGRAM_FLAGS) $(CFLAGS) -pthread -o $@ $< -ldl

$(BUILD)/examples/%: examples/%.c $(STAMP)
	@mkdir -p $(@D)
	$(call say,CC $<)$(CC) $(BASE) $(CFLAGS) -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,CC $<)$(CC) $(BASE) $(CFLAGS) $(SANFLAGS) -pthread -o $@ $< $(ARCHIVE) -ldl

# ONLY='tests/peer guest/calls' some of them
ONLY     =
programs: $(if $(ONLY),$(ONLY:%=$(BUILD)/%),$(TEST_BIN) $(EX_BIN))
units: $(UNIT_BIN)

$(BUILD)/bench/ops: $(call obj,$(BENCH_OPS))
$(BUILD)/bench/paired: $(call obj,bench/paired.c bench/variant.c)
$(BUILD)/bench/start: $(call obj,bench/start.c bench/variant.c)
$(BUILD)/bench/hold: $(call obj,bench/hold.c bench/ends.c)
$(BUILD)/bench/loop: $(call obj,bench/loop.c bench/ends.c)
$(BUILD)/bench/rules: $(call obj,bench/rules.c bench/ends.c) $(ARCHIVE)
$(BENCH:%=$(BUILD)/bench/%):
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -pthread -o $@ $^

$(BUILD)/bench/empty.so: $(call obj,bench/empty.c)
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) $(CFLAGS) -shared $(LDFLAGS) -o $@ $^

# What runs the README's commands has all processors for the compiler.
BUILDS   = $(Q)$(MAKE) --no-print-directory -j$$(nproc)

demo:
	$(BUILDS) all programs
	TMO_BUILD=$(BUILD) TMO_LIB=$(CURDIR)/$(LIBRARY) sh examples/demo.sh

# --- check ----------------------------------------------------------------------------------------

# libasan must come first, whoever else is preloaded. Faults and their handlers are the programs' own.
ASAN     = detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:use_sigaltstack=0
PRELOAD_asan = $(shell $(CC) -print-file-name=libasan.so)
PRELOAD_tsan = $(shell $(CC) -print-file-name=libtsan.so)
TEST_ENV = TMO_LIB=$(CURDIR)/$(LIBRARY) TMO_BIN=$(CURDIR)/$(COMMAND) TMO_BUILD=$(CURDIR)/$(BUILD) \
           TMO_PRELOAD=$(PRELOAD_$(SAN)) TMO_SAN=$(SAN) ASAN_OPTIONS=$(ASAN) \
           $(if $(filter tsan,$(SAN)),TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp)
BATS     = $(sort $(wildcard tests/bats/*.bats))
T        =
F        =
# Files at a time: most of a test is waiting.
BATS_JOBS = 3
CHOSEN   = $(if $(T),$(wildcard $(T:%=tests/bats/%.bats)),$(BATS))

check:
	$(BUILDS) all programs units
	$(Q)$(MAKE) --no-print-directory -j1 check-unit check-source check-bats

RUN      = # what runs programs of another machine
check-unit: $(if $(T),$(filter $(T:%=$(BUILD)/unit/%),$(UNIT_BIN)),$(UNIT_BIN))
	@for unit in $^; do said=$$($(RUN) $$unit) || { echo "$$unit: $$said"; exit 1; }; \
	    echo "$$unit: $$said"; done

# The other compilers, C libraries, machines, and sanitizers: P='musl i386' some of them.
distcheck:
	$(Q)bash tests/distcheck.sh $(P)

check-source: all
	$(Q)sh tests/source/rules.sh $(LIBRARY)
	$(Q)! $(TABLE) markdown | grep -vxFf README.md || \
	    { echo "README.md: these rows of the settings are not in its table" >&2; exit 1; }

check-bats: all programs
	$(if $(CHOSEN),$(Q)$(TEST_ENV) bash tests/bats.sh $(BATS_JOBS) '$(F)' $(CHOSEN))

# ENGINE=watchdog: the same by another engine
ENGINE   =
check-clients: all programs
	$(Q)$(TEST_ENV) TMO_ENGINE='$(ENGINE)' bash tests/clients/run.sh '$(F)'

# Python's own tests, bare and under the library: T='ssl select' some of them
check-python: all
	$(Q)$(TEST_ENV) bash tests/python/run.sh $(T)

# --- lint, fuzz, bench ----------------------------------------------------------------------------

C_FILES  = $(wildcard cli/*.[ch] config/*.[ch] shim/*.[ch] shim/*/*.[ch] man/*.c tests/unit/*.[ch] \
           tests/fuzz/*.c tests/soak/*.c tests/programs/*.[ch] tests/guest/*.[ch] examples/*.c \
           bench/*.[ch])
TIDY     = $(filter %.c,$(filter cli/% config/% shim/%,$(C_FILES)))
SCRIPTS  = tests/setup.sh tests/bats.sh tests/distcheck.sh tests/source/rules.sh examples/demo.sh \
           examples/init/legacy-daemon .ci/run \
           $(wildcard bench/*.sh tests/bats/*.bats tests/bats/*.bash tests/clients/*.sh \
           tests/clients/*.bash tests/clients/programs/*.sh tests/soak/*.sh tests/python/*.sh)

# Optimized, it sees less. Memory that a function returns counts as lost with gcc 12; the shim
# allocates none.
ANALYZED = -O0 -Wno-stringop-overread -Wno-analyzer-malloc-leak -DTMO_LIBDIR=\"$(LIBDIR)\"
# What takes seconds of it.
style: all
	clang-format --dry-run -Werror $(C_FILES)
	shellcheck $(SCRIPTS) $(BUILD)/completion/socktmo.bash
	mandoc -Tlint -Wwarning $(PAGES)
	sh tests/source/rules.sh $(LIBRARY)

lint: style
	printf '%s\n' $(TIDY) | xargs -n 6 -P 2 sh -c 'clang-tidy --quiet "$$@" -- $(BASE) 2>/dev/null' -

# What gcc finds by following the paths of the code.
analyze:
	printf '%s\n' $(TIDY) | xargs -n 6 -P 2 sh -c 'for file; do gcc -fanalyzer \
	    $(filter-out -MMD -MP,$(BASE)) $(PIC) $(ANALYZED) -c -o /dev/null "$$file" || exit 255; done' -

# QUICK=1: only what is counted exactly, no times.
bench: $(LIBRARY) $(BENCH_BIN)
	$(Q)BENCH_LIB=$(CURDIR)/$(LIBRARY) BENCH_BUILD=$(CURDIR)/$(BUILD)/bench \
	    sh bench/run.sh $(if $(QUICK),quick)

format:
	clang-format -i $(C_FILES)

# Each target for its share of FUZZ_S, from the seeds of tests/fuzz/NAME and what it found before.
FUZZERS  = config record rules
FUZZ_SAN = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -DTMO_START_FILES
FUZZ_CC  = clang $(filter-out -MMD -MP,$(BASE)) $(FUZZ_SAN)
FUZZ_OBJ = $(ARCHIVE_SRC:%.c=$(BUILD)/fuzz/obj/%.o)
.SECONDARY: $(FUZZ_OBJ)
$(BUILD)/fuzz/obj/%.o: %.c $(STAMP)
	@mkdir -p $(@D)
	$(call say,FUZZ $@)$(FUZZ_CC) -fsanitize=fuzzer-no-link -c -o $@ $<
$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_OBJ)
	@mkdir -p $(BUILD)/fuzz/corpus/$*
	$(call say,FUZZ $@)$(FUZZ_CC) -fsanitize=fuzzer -o $@ $< $(FUZZ_OBJ) -ldl

fuzz: $(FUZZERS:%=$(BUILD)/fuzz/%)
	@for name in $(FUZZERS); do \
	    $(BUILD)/fuzz/$$name -max_total_time=$$(($(FUZZ_S) / $(words $(FUZZERS)))) \
	        -verbosity=0 -print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz/ \
	        $(BUILD)/fuzz/corpus/$$name tests/fuzz/$$name >$(BUILD)/fuzz/$$name.log 2>&1 || \
	        { cat $(BUILD)/fuzz/$$name.log; exit 1; }; \
	    sed -n "s/^stat::number_of_executed_units: */fuzz: $$name, inputs: /p" \
	        $(BUILD)/fuzz/$$name.log; done

$(BUILD)/soak: tests/soak/soak.c $(STAMP)
	@mkdir -p $(@D)
	$(call say,CC $<)$(CC) $(BASE) $(CFLAGS) -pthread -o $@ $<

soak: $(LIBRARY) $(BUILD)/soak
	$(Q)$(TEST_ENV) bash tests/soak/run.sh $(SOAK_S)

# Tests that fail here are told at the end, but what they reach counts.
COVERED  = gcovr --root . --object-directory $(BUILD)/cov --filter 'shim/' --filter 'config/' \
           --exclude-unreachable-branches --exclude-throw-branches
COVERAGE = $(MAKE) SAN=cov CFLAGS='-O0 -g'
coverage:
	$(COVERAGE) all programs units
	find $(BUILD)/cov -name '*.gcda' -delete
	for of in library command; do rm -f $(BUILD)/cov/counters-of-$$of; \
	    truncate -s 4M $(BUILD)/cov/counters-of-$$of; chmod 666 $(BUILD)/cov/counters-of-$$of; done
	-$(COVERAGE) check-unit
	-$(COVERAGE) check-bats >$(BUILD)/coverage-tests.txt 2>&1
	TMO_COVERAGE_DUMP=1 LD_PRELOAD=$(CURDIR)/$(BUILD)/cov/libsocktmo.so env true
	TMO_COVERAGE_DUMP=1 $(BUILD)/cov/socktmo --version >/dev/null
	-grep '^not ok\|^[0-9]* tests ok' $(BUILD)/coverage-tests.txt
	$(COVERED) --txt $(BUILD)/coverage.txt --print-summary --fail-under-line 92

# --- install --------------------------------------------------------------------------------------

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 \
	    $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR)
	install -m 755 $(COMMAND) $(DESTDIR)$(BINDIR)/socktmo
	install -m 755 $(LIBRARY) $(DESTDIR)$(LIBDIR)/libsocktmo.so
	install -m 644 $(BUILD)/man/socktmo.1 $(DESTDIR)$(MANDIR)/man1/socktmo.1
	install -m 644 $(BUILD)/man/socktmo.conf.5 $(DESTDIR)$(MANDIR)/man5/socktmo.conf.5
	install -m 644 $(BUILD)/man/libsocktmo.8 $(DESTDIR)$(MANDIR)/man8/libsocktmo.8
	install -m 644 $(BUILD)/completion/socktmo.bash $(DESTDIR)$(BASHDIR)/socktmo
	install -m 644 $(BUILD)/completion/_socktmo $(DESTDIR)$(ZSHDIR)/_socktmo

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/socktmo $(DESTDIR)$(LIBDIR)/libsocktmo.so \
	    $(DESTDIR)$(MANDIR)/man1/socktmo.1 $(DESTDIR)$(MANDIR)/man5/socktmo.conf.5 \
	    $(DESTDIR)$(MANDIR)/man8/libsocktmo.8 $(DESTDIR)$(BASHDIR)/socktmo $(DESTDIR)$(ZSHDIR)/_socktmo

# --- clean up -------------------------------------------------------------------------------------

clean:
	rm -rf build libsocktmo.so socktmo

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
