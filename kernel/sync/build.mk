obj-y += spinlock.c mutex.c waitq.c epoch.c
obj-$(CONFIG_DEBUG) += lock_debug.c
obj-$(CONFIG_SELFTEST) += sync_selftest.c
host-test-y += spinlock_test.c mutex_test.c
