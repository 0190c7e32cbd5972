# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Builds the kernel:  make O=build/<folder> [PROFILE=release|debug|sanitize] [CC=gcc|clang-14] [V=1]
# and what runs beside it:  make tools (build/host), make root (build/host/root.cpio).  ./invar calls this file.
#
# Sources are named by the build.mk of their own folder; this file names none:
#     obj-y += vmo.c fault.S          compiled into the kernel          obj-$(CONFIG_X) += x.c     by configuration
#     host-test-y += vmo_test.c       unit test on the host             nosanitize-y += early.c    without KASAN, UBSAN
#     cflags-string.c := -O3          more flags for one file
# A build.mk may hold rules too: $(here) is its folder ("kernel/vm/"), $(O)/obj/$(here)vmo.c.o is an object.
#
# Nothing stale stays: headers are tracked (-MMD -MP), an object depends on its command line, the link on its list.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:

ARCH    := x86_64
PROFILE ?= release
BUILD   ?= build
O       ?= $(BUILD)/$(PROFILE)
# one name for a folder, however it was given: the dependency files hold it
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))
override O     := $(patsubst $(CURDIR)/%,%,$(O))
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin LD),default)
LD := ld
endif
NM      ?= nm
HOSTCC  ?= gcc
PYTHON  := /usr/bin/python3
Q       := $(if $(V),,@)
silent  := $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
say      = @$(if $(silent),:,printf) '  %-8s %s\n' '$(1)' '$(2)'

.PHONY: kernel configuration interfaces tools init root clean help list-host-tests list-sources FORCE
kernel: $(O)/invar.elf
configuration: $(O)/include/config.h interfaces

# --- configuration ----------------------------------------------------------------------------------------------------

kernel-goals := $(filter-out tools init root clean help libinvar interfaces interfaces-test accept-interfaces,$(or $(MAKECMDGOALS),kernel))
ifneq ($(kernel-goals),)
include $(O)/.config
endif

# $(call stamp,FILE,TEXT): FILE is rewritten only when TEXT differs from what it holds
define stamp
	@mkdir -p $(dir $(1)); printf '%s\n' '$(subst ','\'',$(2))' | cmp -s - $(1) || printf '%s\n' '$(subst ','\'',$(2))' >$(1)
endef

$(O)/.profile: FORCE
	$(call stamp,$@,$(PROFILE))

$(O)/.config: Kconfig tools/config/kconfig.py $(wildcard config/$(PROFILE).config $(O)/local.config) $(O)/.profile
	$(Q)$(PYTHON) tools/config/kconfig.py generate $(PROFILE) $(O)
# keeps its time unless its text changed
$(O)/include/config.h: $(O)/.config ;

# --- sources ----------------------------------------------------------------------------------------------------------

roots   := kernel executive personality
folders := $(sort $(dir $(wildcard $(foreach r,$(roots),$r/build.mk $r/*/build.mk $r/*/*/build.mk $r/*/*/*/build.mk $r/*/*/*/*/build.mk))))
sources :=
host-tests :=
nosanitize :=

define read_folder
here := $(1)
obj-y :=
host-test-y :=
nosanitize-y :=
include $(1)build.mk
sources += $$(addprefix $(1),$$(obj-y))
host-tests += $$(addprefix $(1),$$(host-test-y))
nosanitize += $$(addprefix $(1),$$(nosanitize-y))
$$(foreach f,$$(obj-y),$$(eval file-cflags-$(1)$$f := $$(cflags-$$f))$$(eval cflags-$$f :=))
endef
$(foreach d,$(folders),$(eval $(call read_folder,$(d))))

objects := $(addprefix $(O)/obj/,$(addsuffix .o,$(sources)))

# --- what is made of the interfaces (tools/idlc) ------------------------------------------------------------------------

HOST := $(BUILD)/host
include tools/idlc/idlc.mk

# --- flags ------------------------------------------------------------------------------------------------------------

is-clang := $(findstring clang,$(notdir $(CC)))

includes-kernel      := -Ikernel/include -Ikernel/arch/$(ARCH)/include -Iabi/include -I$(gen)/include -I$(gen)/kernel
includes-executive   := $(includes-kernel) -Iexecutive/include
includes-personality := $(includes-executive) -Ipersonality/include

frame-limit := $(if $(CONFIG_KASAN)$(CONFIG_UBSAN),2048,1024)
warnings := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla -Wundef \
            -Wpointer-arith -Wwrite-strings -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
            -Wframe-larger-than=$(frame-limit)
# The sanitizers' branches make the compilers see values that cannot be.
warnings += $(if $(CONFIG_KASAN)$(CONFIG_UBSAN),-Wno-array-bounds $(if $(is-clang),,-Wno-maybe-uninitialized))

code-gcc   := -fno-allow-store-data-races -fconserve-stack
code-clang := -Wno-gnu -Wno-unused-command-line-argument
code := -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -march=x86-64 -mtune=generic \
        -O2 $(if $(CONFIG_DEBUG),-g3,-g) -fno-omit-frame-pointer -fno-strict-aliasing -fno-common -fno-stack-protector -fcf-protection=none \
        -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-delete-null-pointer-checks \
        $(if $(is-clang),$(code-clang),$(code-gcc))

kasan-gcc   := -fsanitize=kernel-address --param asan-instrumentation-with-call-threshold=0 --param asan-globals=0 --param asan-stack=0
kasan-clang := -fsanitize=kernel-address -mllvm -asan-instrumentation-with-call-threshold=0 -mllvm -asan-globals=0 -mllvm -asan-stack=0
ubsan       := -fsanitize=undefined -fno-sanitize=alignment,null,object-size,vptr
sanitizers  := $(if $(CONFIG_KASAN),$(if $(is-clang),$(kasan-clang),$(kasan-gcc))) $(if $(CONFIG_UBSAN),$(ubsan))

base-flags = $(includes-$(firstword $(subst /, ,$(1)))) -include $(O)/include/config.h $(code)
cflags     = -std=c17 $(call base-flags,$(1)) $(warnings) $(if $(filter $(1),$(nosanitize)),,$(sanitizers)) $(file-cflags-$(1)) $(EXTRA)
asflags    = $(call base-flags,$(1)) $(file-cflags-$(1))
ldflags   := -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none

# The command line as a whole: a change of a flag or of the compiler itself rebuilds everything.
$(O)/.flags: FORCE
	$(call stamp,$@,$(CC) $(shell $(CC) -dumpfullversion -dumpversion 2>&1) $(code) $(warnings) $(sanitizers) $(EXTRA) $(includes-personality) \
	    $(foreach s,$(sources),$(file-cflags-$(s))) $(nosanitize))
$(O)/.objects: FORCE
	$(call stamp,$@,$(LD) $(ldflags) $(objects))

# --- the kernel -------------------------------------------------------------------------------------------------------

$(O)/obj/%.c.o: %.c $(O)/.flags $(O)/include/config.h | $(generated)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(call cflags,$<) -MMD -MP -c -o $@ $<

$(O)/obj/%.S.o: %.S $(O)/.flags $(O)/include/config.h | $(generated)
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(call asflags,$<) -MMD -MP -c -o $@ $<

-include $(objects:.o=.d)

linker-script := kernel/arch/$(ARCH)/kernel.ld
ksyms := $(O)/tools/ksyms

$(ksyms): tools/ksyms/ksyms.c
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu17 -O2 -Wall -Wextra -Werror -o $@ $<

# Linked twice: the first link has an empty symbol table and gives the addresses; the table lies behind the text, so the
# second link moves no function. A third table, made from the result, proves it.
link = $(LD) $(ldflags) -T $(linker-script) -o $(1) $(objects) $(2)
$(O)/invar.elf: $(objects) $(linker-script) $(ksyms) $(O)/.objects
	$(call say,LD,$@)
	$(Q)$(ksyms) --empty >$(O)/ksyms0.S && $(CC) -c -o $(O)/ksyms0.o $(O)/ksyms0.S
	$(Q)$(call link,$(O)/pass1.elf,$(O)/ksyms0.o)
	$(Q)$(NM) -n $(O)/pass1.elf | $(ksyms) >$(O)/ksyms1.S && $(CC) -c -o $(O)/ksyms1.o $(O)/ksyms1.S
	$(Q)$(call link,$@.tmp,$(O)/ksyms1.o)
	$(Q)$(NM) -n $@.tmp | $(ksyms) | cmp -s - $(O)/ksyms1.S || { echo "$@: the symbol table moved a function" >&2; exit 1; }
	$(Q)mv $@.tmp $@; rm -f $(O)/pass1.elf

list-sources:
	@printf '%s\n' $(sources)
list-host-tests:
	@printf '%s\n' $(host-tests)

# --- what runs beside it ----------------------------------------------------------------------------------------------

include tools/host.mk user/user.mk tools/check.mk

clean:
	rm -rf $(O)
help:
	@sed -n '4,16s/^# \{0,1\}//p' Makefile
