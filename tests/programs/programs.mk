# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Builds Lua and SQLite, with SQLite's programs that check it, from Debian's sources as static programs with musl. Called by tests/programs/run:
#   make -f tests/programs/programs.mk O=FOLDER LUA=SOURCE SQLITE=SOURCE TCL=FOLDER TCL_PROGRAM=FOLDER
# SQLite's sources become one file by its own rules, which need tclsh: it runs where it was unpacked.
MUSL_CC ?= musl-gcc
FLAGS := -O1 -w -static -s
SQLITE_FLAGS := -DSQLITE_THREADSAFE=1 -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_RTREE -DSQLITE_ENABLE_DBPAGE_VTAB -DSQLITE_ENABLE_DBSTAT_VTAB \
	-DSQLITE_ENABLE_BYTECODE_VTAB -DSQLITE_ENABLE_MEMSYS5 -DSQLITE_ENABLE_FTS4 -DSQLITE_ENABLE_GEOPOLY -DHAVE_USLEEP=1
FUZZ := test/fuzzcheck.c test/ossfuzz.c test/vt02.c test/fuzzinvariants.c ext/recover/dbdata.c ext/recover/sqlite3recover.c
programs := $(addprefix $(O)/,lua sqlite3 speedtest1 fuzzcheck mptester kvtest)

all: $(programs)

$(O)/lua:
	mkdir -p $(O)/lua-include
	: >$(O)/lua-include/lua5.4-deb-multiarch.h # Debian's rules make it; it names folders of modules
	$(MUSL_CC) $(FLAGS) -O2 -DLUA_USE_POSIX -DDEB_HOST_MULTIARCH='"x86_64-linux-gnu"' -I$(O)/lua-include -o $@ $(filter-out %/luac.c,$(wildcard $(LUA)/src/*.c)) -lm

$(O)/amalgamation/sqlite3.c:
	mkdir -p $(@D)
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%s TCL_LIBRARY=%s exec %s "$$@"\n' $(TCL)/usr/lib/x86_64-linux-gnu $(TCL)/usr/share/tcltk/tcl8.6 \
		$(TCL_PROGRAM)/usr/bin/tclsh8.6 >$(@D)/tclsh
	chmod +x $(@D)/tclsh
	cd $(@D) && PATH=$(@D):$$PATH $(MAKE) -j1 -f $(SQLITE)/main.mk TOP=$(SQLITE) BCC='gcc -O1' NAWK=awk sqlite3.c shell.c

$(O)/amalgamation/sqlite3.o: $(O)/amalgamation/sqlite3.c
	$(MUSL_CC) $(FLAGS) $(SQLITE_FLAGS) -c -o $@ $<

$(O)/sqlite3: $(O)/amalgamation/sqlite3.o
	$(MUSL_CC) $(FLAGS) $(SQLITE_FLAGS) -I$(<D) -o $@ $(O)/amalgamation/shell.c $< -lm

$(O)/speedtest1 $(O)/kvtest: $(O)/%: $(O)/amalgamation/sqlite3.o
	$(MUSL_CC) $(FLAGS) $(SQLITE_FLAGS) -I$(<D) -o $@ $(SQLITE)/test/$*.c $< -lm

$(O)/mptester: $(O)/amalgamation/sqlite3.o
	$(MUSL_CC) $(FLAGS) $(SQLITE_FLAGS) -I$(<D) -o $@ $(SQLITE)/mptest/mptest.c $< -lm

$(O)/fuzzcheck: $(O)/amalgamation/sqlite3.o
	$(MUSL_CC) $(FLAGS) $(SQLITE_FLAGS) -DSQLITE_OSS_FUZZ -DSQLITE_CORE -I$(<D) -I$(SQLITE)/test -I$(SQLITE)/ext/recover -o $@ $(addprefix $(SQLITE)/,$(FUZZ)) $< -lm

.PHONY: all
