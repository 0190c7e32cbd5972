obj-y += spinlock.c mutex.c waitq.c epoch.c
obj-$(CONFIG_DEBUG) += lock_debug.c
