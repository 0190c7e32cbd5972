obj-y += timer.c clock.c
obj-$(CONFIG_SELFTEST) += time_selftest.c
