# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Programs against the native interface: libinvar, static, beside musl. Included by the Makefile; a program is compiled with $(user-flags) and linked with
# $(libinvar).
user-flags := -std=gnu17 -O2 -Wall -Wextra -Werror -Wshadow -Wno-unused-parameter -Iabi/include -Iuser/lib/include -I$(gen)/include
libinvar   := $(HOST)/lib/libinvar.a

user-lib-sources := $(wildcard user/lib/*.c)
user-lib-objects := $(patsubst %.c,$(HOST)/obj/%.o,$(user-lib-sources))

.PHONY: libinvar
libinvar: $(libinvar)

$(HOST)/obj/user/.lists: FORCE
	$(call stamp,$@,$(user-lib-sources) $(user-flags))

$(HOST)/obj/user/%.o: user/%.c user/user.mk $(HOST)/obj/user/.lists | $(generated)
	$(call say,MUSLCC,$<)
	@mkdir -p $(@D)
	$(Q)$(MUSLCC) $(user-flags) -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $@.$$$$ $< && mv -f $@.$$$$ $@

$(libinvar): $(user-lib-objects)
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@.$$$$ && ar rcs $@.$$$$ $^ && mv -f $@.$$$$ $@

-include $(user-lib-objects:.o=.d)
