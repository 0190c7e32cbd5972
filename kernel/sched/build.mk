obj-y += call_fast.c lend.c run_queue.c switch.c wake.c place.c balance.c sleep.c params.c idle.c load.c cpuset.c context.c group.c inspect.c
obj-$(CONFIG_SELFTEST) += sched_selftest.c
