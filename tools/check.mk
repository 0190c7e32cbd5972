# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Analysers run over every kernel source with the flags that it is compiled with, so that "make -j" spreads them and only
# what changed is read again. Included by the Makefile, called by tools/check/check.sh, which counts the findings.

check-sources := $(filter %.c,$(sources))
sparse-gcc    := $(shell $(HOSTCC) -print-file-name=include 2>/dev/null)

.PHONY: check-clang check-sparse check-stack
check-clang: $(patsubst %,$(O)/check/%.clang,$(check-sources))
check-sparse: $(patsubst %,$(O)/check/%.sparse,$(check-sources))

# With CC=clang-14. A finding is a line with "warning:" or "error:".
$(O)/check/%.clang: % tools/check.mk $(O)/.flags $(O)/include/config.h | $(generated)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -g,$(call cflags,$<)) -Wno-error --analyze -Xclang -analyzer-config -Xclang max-nodes=40000 \
	    -Xclang -analyzer-output=text -MMD -MP -MF $@.d -MT $@ -o /dev/null $< >$@ 2>&1 || :

$(O)/check/%.sparse: % tools/check.mk $(O)/.flags $(O)/include/config.h | $(generated)
	@mkdir -p $(@D)
	$(Q)sparse -gcc-base-dir $(sparse-gcc)/.. -std=c17 $(call base-flags,$<) -Wcast-to-as -Wnon-pointer-null -Wno-decl -Wno-cast-truncate \
	    -Wno-unknown-attribute '-D_Atomic(type)=type' $< >$@ 2>&1 || :

# Objects with the compiler's call graph beside them (gcc, EXTRA=-fcallgraph-info=su).
check-stack: $(patsubst %,$(O)/obj/%.o,$(check-sources))

-include $(patsubst %,$(O)/check/%.clang.d,$(check-sources))
