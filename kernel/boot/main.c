// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The order of boot, readable from top to bottom. kernel_main() runs on the boot processor's boot stack, cpu_main() on the idle stack of each other processor, both with interrupts
// off until they become idle threads; all the rest happens in the boot thread, preemptible.
#include <arch/ipi.h>
#include <kernel/assert.h>
#include <kernel/boot.h>
#include <kernel/debug.h>
#include <kernel/epoch.h>
#include <kernel/job.h>
#include <kernel/kasan.h>
#include <kernel/log.h>
#include <kernel/namespace.h>
#include <kernel/page.h>
#include <kernel/platform.h>
#include <kernel/process.h>
#include <kernel/region.h>
#include <kernel/slab.h>
#include <kernel/status.h>
#include <kernel/time.h>
#include <kernel/trace.h>
#include <kernel/vdso.h>

extern const struct boot_call boot_calls_start[], boot_calls_end[];

static void boot_calls_run(enum boot_stage stage) {
    for (const struct boot_call *c = boot_calls_start; c < boot_calls_end; c++) {
        if (c->stage != stage)
            continue;
        inv_status_t status = c->fn();
        if (status != INV_OK)
            log_error("boot", "%s: %s", c->name, status_text(status));
    }
}

static void processors_start(void) {
    for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
        if (slab_cpu_create(cpu) != INV_OK || sched_idle_create(cpu) != INV_OK)
            log_error("boot", "no memory for processor %u", cpu);
    }
    arch_start_processors();
}

static void memory_log(void) {
    struct page_stats stats;
    page_get_stats(&stats);
    log_info("boot", "%lu MiB of memory, %lu KiB taken so far", stats.total * PAGE_SIZE >> 20,
             (stats.total - stats.free) * PAGE_SIZE >> 10);
}

static void boot_thread(void *arg) {
    char prefix[64] = "";

    (void)arg;
    epoch_start_threads();
    process_start_reaper();
    vdso_init();
    clock_wall_set(clock_wall()); // publishes it
    boot_mark(BOOT_MARK_THREADS);
    boot_calls_run(BOOT_STAGE_EXECUTIVE);
    boot_mark(BOOT_MARK_EXECUTIVE);
    boot_calls_run(BOOT_STAGE_ARCHIVE);
    boot_mark(BOOT_MARK_ARCHIVE);
    boot_calls_run(BOOT_STAGE_DEVICE);
    boot_mark(BOOT_MARK_DEVICES);
    platform_clock_refine();
    clock_wall_set(clock_wall());
    // After the devices: until its version 8.1 QEMU mixes up what other processors write to their interrupt controllers while one changes the memory map
    // (the enabling of a PCI function), and stops with an assertion of the device that such a write hits.
    processors_start();
    boot_mark(BOOT_MARK_PROCESSORS);
    memory_log();
    if (boot_option("selftest", prefix, sizeof(prefix))) {
        selftest_run_all(prefix);
        platform_power_off();
    }
    boot_calls_run(BOOT_STAGE_PERSONALITY);
}

noreturn_fn void kernel_main(void) {
    struct thread *t;

    boot_mark_at(BOOT_MARK_FIRMWARE, boot_info.entry_cycles);
    boot_mark(BOOT_MARK_EARLY);
    spin_init_boot();
    log_init();
    log_info("boot", "Invar by %s, command line: %s", boot_info.protocol, boot_info.cmdline);
    page_init();
    kasan_init();
    slab_init();
    log_grow();
    boot_mark(BOOT_MARK_MEMORY);
    object_init_boot();
    job_init_boot();
    namespace_init_boot();
    token_init_boot();
    sched_context_init_boot();
    vm_init_boot();
    epoch_init();
    ipc_init_boot();
    region_init_boot();
    process_init_boot();
    boot_mark(BOOT_MARK_OBJECTS);
    platform_init();
    clock_init();
    boot_mark(BOOT_MARK_PLATFORM);
    trace_init();
    sched_init();
    timer_cpu_init();
    ASSERT(thread_create_kernel(boot_thread, NULL, "boot", PRIORITY_FAIR, &t) == INV_OK);
    sched_cpu_start(cpus[0].idle); // from here on sleeping is checked for
    thread_start(t);
    object_put(&t->obj);
    sched_idle_loop();
}

noreturn_fn void cpu_main(void) {
    timer_cpu_init();
    sched_cpu_start(this_cpu()->idle);
    sched_idle_loop();
}
