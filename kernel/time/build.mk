obj-y += timer.c clock.c
obj-$(CONFIG_SELFTEST) += time_selftest.c
host-test-y += timer_test.c
