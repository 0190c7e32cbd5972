# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# The interface compiler, and what it makes of abi/idl: below build/host/gen, the same for every kernel. Included by the Makefile.
#     include/invar   for kernel and programs        include/kernel, kernel   for the kernel alone
HOSTCC ?= gcc
gen    := $(HOST)/gen

idlc-sources := $(wildcard tools/idlc/*.c)
# in the order in which one may use another
libraries := $(patsubst %,abi/idl/%.idl,base core)

generated := $(patsubst abi/idl/%.idl,$(gen)/include/invar/%.h,$(libraries)) $(gen)/include/invar/calls.h \
             $(gen)/include/kernel/native_calls.h $(gen)/kernel/native_entries.inc

interfaces: $(generated)

# A file that was deleted makes what came of it anew, too.
$(gen)/.lists: FORCE
	$(call stamp,$@,$(idlc-sources) $(libraries))

$(HOST)/idlc: $(idlc-sources) $(wildcard tools/idlc/*.h) abi/include/invar/status.h tools/idlc/idlc.mk $(gen)/.lists
	$(call say,HOSTCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu17 -O2 -g -Wall -Wextra -Werror -Wshadow -Wno-unused-parameter -Iabi/include -o $@.$$$$ $(idlc-sources) && mv -f $@.$$$$ $@

$(generated) &: $(HOST)/idlc $(libraries)
	$(call say,IDLC,$(libraries))
	$(Q)rm -f $(filter-out $(generated),$(wildcard $(gen)/include/invar/*.h))
	$(Q)$(HOST)/idlc --output $(gen) $(libraries)
