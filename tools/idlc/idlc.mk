# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# The interface compiler, and what it makes of abi/idl: below build/host/gen, the same for every kernel. Included by the Makefile.
#     include/invar   for kernel and programs     include/kernel, kernel   for the kernel alone     man   manual pages (man -l)
HOSTCC ?= gcc
gen    := $(HOST)/gen

idlc-sources := $(filter-out %_test.c,$(wildcard tools/idlc/*.c))
host-tests   += tools/idlc/idlc_test.c tools/idlc/interface_test.c
# in the order in which one may use another
libraries := $(patsubst %,abi/idl/%.idl,base core)

generated := $(patsubst abi/idl/%.idl,$(gen)/include/invar/%.h,$(libraries)) $(gen)/include/invar/calls.h $(gen)/include/invar/call_table.h \
             $(gen)/include/kernel/native_calls.h $(gen)/kernel/native_entries.inc

interfaces: $(generated)

# A file that was deleted makes what came of it anew, too.
$(gen)/.lists: FORCE
	$(call stamp,$@,$(idlc-sources) $(libraries))

$(HOST)/idlc: $(idlc-sources) $(wildcard tools/idlc/*.h) abi/include/invar/status.h tools/idlc/idlc.mk $(gen)/.lists
	$(call say,HOSTCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu17 -O2 -g -Wall -Wextra -Werror -Wshadow -Wno-unused-parameter -Iabi/include -o $@.$$$$ $(idlc-sources) && mv -f $@.$$$$ $@

# What was released stays as it was, or there is no build.
$(gen)/made: $(HOST)/idlc $(libraries) abi/idl/released
	$(call say,IDLC,$(libraries))
	$(Q)rm -rf $(filter-out $(generated),$(wildcard $(gen)/include/invar/*.h)) $(gen)/man
	$(Q)$(HOST)/idlc --check abi/idl/released --output $(gen) $(libraries)
	@touch $@
# Each keeps its time unless its text changed: a new call compiles little anew.
$(generated): $(gen)/made
	@test -e $@ || $(HOST)/idlc --output $(gen) $(libraries)

# The interface that tests of what is made use: build/host/gen-test.
gen-test       := $(HOST)/gen-test
generated-test := $(addprefix $(gen-test)/,include/invar/sample.h include/invar/interface/sample.h interface/sample_client.c interface/sample_server.c \
                    interface/sample_generator.c)
.PHONY: interfaces-test
interfaces-test: $(generated-test)
$(gen-test)/made: $(HOST)/idlc abi/idl/base.idl tools/idlc/test/sample.idl
	$(call say,IDLC,tools/idlc/test/sample.idl)
	$(Q)$(HOST)/idlc --output $(gen-test) abi/idl/base.idl tools/idlc/test/sample.idl
	@touch $@
$(generated-test): $(gen-test)/made
	@test -e $@ || $(HOST)/idlc --output $(gen-test) abi/idl/base.idl tools/idlc/test/sample.idl

# At a release: what is new is the same for ever from now on.
.PHONY: accept-interfaces
accept-interfaces: $(HOST)/idlc
	$(Q)$(HOST)/idlc --accept abi/idl/released $(libraries)
