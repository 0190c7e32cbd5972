obj-y += timer.c clock.c heartbeat.c clock_calls.c
obj-$(CONFIG_SELFTEST) += time_selftest.c
host-test-y += timer_test.c
