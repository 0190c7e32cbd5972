# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# What runs beside the kernel: the program that runs a machine, the first user process, the built-in root archive.
# Included by the Makefile; all of it goes to build/host, whatever the kernel's own build folder is.

MUSLCC  ?= musl-gcc
host-flags := -std=gnu17 -O2 -g -Wall -Wextra -Werror -Wshadow -Wno-unused-parameter

run-sources  := $(wildcard tools/run/*.c)
init-sources := $(wildcard system/init/*.c)

tools: $(HOST)/invar-run
init: $(HOST)/init
root: $(HOST)/root.cpio

# A file that was deleted makes its program anew, too.
$(HOST)/.lists: FORCE
	$(call stamp,$@,$(run-sources) $(init-sources) $(wildcard tools/root/etc/*))

$(HOST)/invar-run: $(HOST)/.lists $(run-sources) $(wildcard tools/run/*.h) tools/host.mk
	$(call say,HOSTCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(host-flags) -o $@.$$$$ $(run-sources) && mv -f $@.$$$$ $@

$(HOST)/init: $(HOST)/.lists $(init-sources) $(wildcard system/init/*.h) tools/host.mk
	$(call say,MUSLCC,$@)
	@mkdir -p $(@D)
	$(Q)$(MUSLCC) $(host-flags) -Os -g0 -static -s -o $@.$$$$ $(init-sources) && mv -f $@.$$$$ $@

$(HOST)/root.cpio: $(HOST)/.lists tools/root/build.sh $(HOST)/init $(wildcard tools/root/etc/*) $(wildcard /bin/busybox)
	$(call say,ROOT,$@)
	$(Q)tools/root/build.sh builtin $(HOST)/init $@
