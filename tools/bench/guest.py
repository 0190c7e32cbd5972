# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""What the counting plugin has to know about a guest, from its symbols: where it is entered, where threads begin, where it idles; and names for people."""

from pathlib import Path

from symbols import Symbols

_EXCEPTIONS = {
    0: "division error",
    1: "debug exception",
    2: "non-maskable interrupt",
    3: "breakpoint",
    6: "invalid instruction",
    7: "no floating point",
    8: "double fault",
    13: "protection fault",
    14: "page fault",
    16: "floating point error",
    17: "alignment fault",
    18: "machine check",
    19: "vector exception",
}
_INTERRUPTS = {0xF0: "timer interrupt", 0xF1: "reschedule interrupt", 0xF2: "call interrupt", 0xFF: "spurious interrupt"}
_STUB = 16  # bytes of one of Invar's 256 entry stubs
_STUBS = "entry_stubs"

_LINUX_EXCEPTIONS = r"asm_exc_(?!nmi|xen|.*noist).*"
_LINUX_INTERRUPTS = r"asm_sysvec_.*|asm_exc_nmi.*"
_LINUX_STUBS = r"irq_entries_start|spurious_entries_start"  # many small ones, that go on elsewhere
_LINUX_IDLE = (
    r"do_idle|cpu_startup_entry|call_cpuidle|cpu_idle_poll|default_idle(_call)?|arch_cpu_idle(_.*)?|(pv_)?native_safe_halt|acpi_idle_.*|"
    r"cpuidle_.*|menu_(select|reflect|update)|ladder_select_state|haltpoll_.*|tick_nohz_(idle_.*|get_sleep_length|next_event|stop_tick|get_next_hrtimer|retain_tick)|"
    r"can_stop_idle_tick|get_next_timer_interrupt|__?next_timer_interrupt|next_expiry_recalc|timer_clear_idle|hrtimer_(get_next_event|next_event_without)|"
    r"__hrtimer_next_event_base|__hrtimer_get_next_event|sched_clock_idle_.*|sched_idle_set_state|ct_idle_.*|ct_kernel_(enter|exit)(_state)?(\..*)?|"
    r"ct_cpuidle_.*|rcu_(idle_.*|needs_cpu|is_idle_cpu)|nohz_(balance_enter_idle|run_idle_balance)|tick_check_broadcast_expired|tick_broadcast_.*"
)

Range = tuple[int, int, str]


def invar_ranges(kernel: Symbols) -> list[Range]:
    """Of Invar: the 256 entry stubs, the first step of a thread, the idle loop."""
    ranges = []
    for stubs in kernel.named(_STUBS):
        middle = stubs.start + 32 * _STUB
        ranges += [(stubs.start, middle, "exception"), (middle, stubs.start + 256 * _STUB, "interrupt")]
    ranges += [(found.start, found.start + 1, "thread") for found in kernel.named("context_first_run")]
    ranges += [(found.start, found.end, "idle") for found in kernel.named("sched_idle_loop")]
    return ranges


def linux_ranges(kernel: Symbols) -> list[Range]:
    """The same of Linux on x86-64. An entry comes back to its own code, so that only the first instruction is one."""
    ranges = [(found.start, found.start + 1, "exception") for found in kernel.named(_LINUX_EXCEPTIONS)]
    ranges += [(found.start, found.start + 1, "interrupt") for found in kernel.named(_LINUX_INTERRUPTS)]
    ranges += [(found.start, found.end, "interrupt") for found in kernel.named(_LINUX_STUBS)]
    ranges += [(found.start, found.start + 1, "thread") for found in kernel.named("ret_from_fork")]
    ranges += [(found.start, found.end, "idle") for found in kernel.named(_LINUX_IDLE)]
    return ranges


def program_ranges(program: Symbols) -> list[Range]:
    """Where a program begins, and where the benchmark's reads its clock."""
    ranges = [(found.start, found.start + 1, "program") for found in program.named("_start")]
    return ranges + [(found.start, found.end, "clock") for found in program.named("bench_now")]


def map_write(path: Path, ranges: list[Range]) -> None:
    """The plugin's map file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{start:x} {end:x} {kind}\n" for start, end, kind in sorted(ranges)))


def entry_name(kernel: Symbols, address: int) -> str:
    """What an entry to the kernel is, by its first address."""
    found = kernel.find(address)
    if found is None:
        return f"entry {address:#x}"
    if found.name == _STUBS:
        vector = (address - found.start) // _STUB
        return _EXCEPTIONS.get(vector) or _INTERRUPTS.get(vector) or (f"exception {vector}" if vector < 32 else f"interrupt {vector:#x}")
    if found.name in ("entry_syscall", "entry_SYSCALL_64"):
        return "system call"
    return found.name.removeprefix("asm_exc_").removeprefix("asm_sysvec_").removeprefix("asm_").replace("_", " ")
