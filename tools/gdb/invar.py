# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Commands for gdb on a stopped Invar kernel, loaded by tools/gdb/debug.sh.

invar-threads          every thread: number, state, process, name, where it waits
invar-stack THREAD     the stack of one thread, by its number
invar-stacks           the stacks of all threads
invar-cpus             what each processor runs
invar-log [COUNT]      the newest lines of the log
"""

import struct

import gdb

SAVED_RBP = 5  # words above thread.arch.sp, as in kernel/arch/x86_64/inspect.c

def value(expression):
    return gdb.parse_and_eval(expression)


def container(node, type_name, field):
    """The structures on a list, from its head."""
    target = gdb.lookup_type(type_name).pointer()
    offset = next(f.bitpos // 8 for f in target.target().fields() if f.name == field)
    at = node["next"]
    while at != node.address:
        yield (at.cast(gdb.lookup_type("char").pointer()) - offset).cast(target)
        at = at["next"]


def threads():
    return container(value("all_threads"), "struct thread", "all_node")


def state_name(thread):
    state = thread["sched"]["state"]
    return str(state.cast(gdb.lookup_type("enum thread_state"))).replace("THREAD_", "").lower()


def where(back):
    # the call stands before the address that it returns to, which may already be another function's
    block = gdb.block_for_pc(back - 1)
    while block is not None and block.function is None:
        block = block.superblock
    place = gdb.find_pc_line(back - 1)
    name = block.function.name if block is not None else f"{back:#x}"
    return f"{name} at {place.symtab.filename}:{place.line}" if place.symtab else name


def word(address):
    return struct.unpack("<Q", gdb.selected_inferior().read_memory(address, 8).tobytes())[0]


def saved_fp(thread):
    # as arch_thread_saved_fp does; not called, since the processor may stand anywhere
    return word(int(thread["arch"]["sp"]) + 8 * SAVED_RBP)


def frames(fp, low, high):
    while low <= fp < high - 8 and fp % 8 == 0:
        back = word(fp + 8)
        if back == 0:
            return
        yield back
        following = word(fp)
        if following <= fp:
            return
        fp = following


def running_on(thread):
    for number in range(int(value("cpu_count"))):
        if int(value(f"cpus[{number}].arch.current")) == int(thread):
            return number
    return None


def stack_print(thread):
    print(f"{int(thread['id'])} {thread['name'].string()} ({state_name(thread)})")
    number = running_on(thread)
    if number is not None:
        gdb.execute(f"thread apply {number + 1} -q backtrace")
        return
    top = int(thread["arch"]["stack_top"])
    for address in frames(saved_fp(thread), top - 16384, top):
        print(f"    {where(address)}")


class Threads(gdb.Command):
    """Every thread: number, state, process, name."""

    def __init__(self):
        super().__init__("invar-threads", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for thread in threads():
            process = thread["process"]
            owner = process["name"].string() if int(process) else "-"
            number = running_on(thread)
            on = f" on processor {number}" if number is not None else ""
            print(f"{int(thread['id']):5} {state_name(thread):10} {owner:16} {thread['name'].string()}{on}")


class Stack(gdb.Command):
    """The stack of the thread with this number."""

    def __init__(self):
        super().__init__("invar-stack", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for thread in threads():
            if argument and int(thread["id"]) == int(argument, 0):
                stack_print(thread)
                return
        raise gdb.GdbError("invar-stack NUMBER: no such thread (invar-threads lists them)")


class Stacks(gdb.Command):
    """The stacks of all threads."""

    def __init__(self):
        super().__init__("invar-stacks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for thread in threads():
            stack_print(thread)


class Processors(gdb.Command):
    """What each processor runs."""

    def __init__(self):
        super().__init__("invar-cpus", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for number in range(int(value("cpu_count"))):
            arch = value(f"cpus[{number}].arch")
            current = arch["current"]
            name = current["name"].string() if int(current) else "nothing"
            print(f"{number}: {name}, preempt_count {int(arch['preempt_count'])}, interrupts nested {int(arch['irq_depth'])}")


class Log(gdb.Command):
    """The newest lines of the log; a number says how many (default 40)."""

    def __init__(self):
        super().__init__("invar-log", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        ring = value("'log.c'::ring")
        size, slots = int(ring["size"]), int(ring["slots"])
        first, following = int(ring["first"]), int(ring["next"])
        base = int(ring["bytes"])
        data = gdb.selected_inferior().read_memory(base, size).tobytes()
        fields = gdb.lookup_type("struct ring_header")
        for sequence in range(max(first, following - int(argument or 40)), following):
            at = int(ring["starts"][sequence % slots]) % size
            record = (data + data)[at : at + fields.sizeof + 1024]
            length = struct.unpack_from("<H", record, 12)[0]
            time, cpu = struct.unpack_from("<qI", record, 0)
            text = record[fields.sizeof : fields.sizeof + length].decode("utf-8", "replace")
            print(f"[{time / 1e9:12.6f}] {cpu}: {text.rstrip()}")


for command in (Threads, Stack, Stacks, Processors, Log):
    command()
print("invar-threads, invar-stack, invar-stacks, invar-cpus, invar-log: see help COMMAND")
