obj-y += call_fast.c lend.c run_queue.c switch.c wake.c place.c balance.c sleep.c params.c idle.c load.c cpuset.c context.c group.c inspect.c
obj-$(CONFIG_SELFTEST) += sched_selftest.c
# Its caller (entry.S) keeps no register for it, and it has no frame to return through once it has switched.
cflags-call_fast.c := $(if $(CONFIG_DEBUG)$(findstring clang,$(notdir $(CC))),,-fno-peephole2 -fomit-frame-pointer -fcall-used-bx -fcall-used-r12 -fcall-used-r13 -fcall-used-r14 -fcall-used-r15)
