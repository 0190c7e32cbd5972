# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The rows: their sets, areas and order in tables and pictures.

The program knows what a row does; which rows are scored, and in which order people read them, stands here. The suite `bench` fails when the two
disagree about the scored rows.
"""

import re

SCORED = "scored"
SHOWN = "shown"
SCALE = "scale"
ROW_SETS = (SCORED, SHOWN, SCALE)
OTHER_SETS = ("boot", "memory", "sizes", "processors")
ALL_SETS = ROW_SETS + OTHER_SETS
DEFAULT_SETS = (SCORED, SHOWN, "boot", "memory", "sizes")

# Scored rows in the order of the published table, by area.
SCORED_AREAS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("calls and clocks", ("null_call", "clock_vdso", "clock_call", "read_zero_1", "write_null_1")),
    ("names and descriptors", ("open_close", "stat", "fstat")),
    ("pipes, sockets, events", ("pipe_self_1", "pipe_rtt_1", "pipe_rtt_4k", "unix_stream_rtt", "unix_dgram_rtt", "eventfd_rtt")),
    ("waiting and switching", ("futex_wake_none", "futex_rtt", "yield_alone", "yield_two", "context_switch_2", "context_switch_16")),
    ("many descriptors", ("epoll_100", "epoll_rtt", "epoll_empty", "unix_fd_pass")),
    ("timers", ("timer_fifo_late", "timer_slack_late")),
    ("processes and threads", ("fork_exit", "vfork_exit", "fork_exec", "vfork_exec", "pthread_create_join")),
    (
        "memory",
        ("mmap_touch_munmap_1", "mmap_touch_munmap_64", "pagefault_anon", "pagefault_zero", "munmap_page", "mprotect_1"),
    ),
    ("signals", ("sigaction", "signal_self", "fault_signal", "signal_rtt")),
    ("files", ("create_close", "write_file_4k", "read_file_4k", "unlink", "pread_4k", "read_cached_64k", "write_cached_64k")),
    ("network, loopback", ("udp_rtt", "tcp_rtt", "tcp_connect", "tcp_64k")),
)

AREA_OF: dict[str, str] = {name: area for area, names in SCORED_AREAS for name in names}
SCORED_ROWS: tuple[str, ...] = tuple(AREA_OF)

# Shown rows in their order; what the program has beyond these comes behind, by name.
SHOWN_ORDER: tuple[str, ...] = (
    "getdents_1000",
    "path_walk_8",
    "poll_100",
    "select_100",
    "writev_8",
    "pagefault_file",
    "pagefault_cow",
    "madvise_dontneed",
    "brk_page",
    "signalfd",
    "timerfd",
    "pipe_bandwidth",
    "unix_bandwidth",
    "fork_10000_mappings",
    "threads_1000_sleeping",
    "pty_rtt",
    "mix_hackbench",
    "mix_make",
)

_PLACE: dict[str, int] = {name: place for place, name in enumerate(SCORED_ROWS + SHOWN_ORDER)}
_NUMBER = re.compile(r"(\d+)")


def row_key(name: str) -> tuple[int, list[tuple[int, int, str]]]:
    """Sorts rows as people read them: the known ones in their order, the others by name with numbers in them by value."""
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in _NUMBER.split(name) if part]
    return _PLACE.get(name, len(_PLACE)), parts


def rows_sorted(names: "list[str] | set[str] | tuple[str, ...] | dict[str, object]") -> list[str]:
    """The names in the order of tables."""
    return sorted(names, key=row_key)
