# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors

obj-y += vdso.c vdso_image.S

# The image is a program of its own, for user mode.
vdso-out := $(O)/obj/$(here)
vdso-cflags := -std=c17 -O2 -fPIC -ffreestanding -fvisibility=default -fno-stack-protector -fcf-protection=none \
               -fno-asynchronous-unwind-tables -fno-unwind-tables -fomit-frame-pointer -mgeneral-regs-only \
               -Wall -Wextra -Werror -Wno-missing-prototypes
cflags-vdso_image.S := -Wa,-I$(vdso-out)

$(vdso-out)vdso_user.o: $(here)vdso_user.c $(here)vdso_data.h $(O)/.flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(vdso-cflags) -c -o $@ $<

$(vdso-out)vdso.so: $(here)vdso.lds $(vdso-out)vdso_user.o
	$(call say,LD,$@)
	$(Q)$(LD) -shared -nostdlib -s -soname linux-vdso.so.1 --hash-style=both -Bsymbolic -z noexecstack -z max-page-size=4096 \
	    --build-id=none --no-undefined -T $< -o $@ $(filter %.o,$^)

$(vdso-out)vdso_image.S.o: $(vdso-out)vdso.so
