# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The names that sources really use: those of the differential tests, read as text, and those of Debian's headers, asked of the compiler."""

import re
import subprocess
from functools import lru_cache
from pathlib import Path

TOKENS = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
DEFINED = re.compile(r"^[ \t]*#[ \t]*(?:define|undef|ifdef|ifndef)[ \t]+\w+", re.MULTILINE)
WORD = re.compile(r"\b[A-Za-z_]\w*\b")
CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
ENUM = re.compile(r"\benum\b\s*\w*\s*\{([^}]*)\}", re.DOTALL)
MACRO = re.compile(r"^#define (\w+)(?= |$)", re.MULTILINE)
OWN_HEADER = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"(\w+\.h)"', re.MULTILINE)

# What of the C library's is nothing but the call, where the names differ.
WRAPPERS = {
    "_exit": "exit_group",
    "_Exit": "exit_group",
    "exit": "exit_group",
    "pthread_exit": "exit",
    "clock_gettime64": "clock_gettime",
    "fadvise": "fadvise64",
    "posix_fadvise": "fadvise64",
    "posix_fallocate": "fallocate",
    "fstatat": "newfstatat",
    "getdents": "getdents64",
    "readdir": "getdents64",
    "lockf": "fcntl",
    "mq_receive": "mq_timedreceive",
    "mq_send": "mq_timedsend",
    "nice": "setpriority",
    "pread": "pread64",
    "prlimit": "prlimit64",
    "pselect": "pselect6",
    "pwrite": "pwrite64",
    "sbrk": "brk",
    "sched_getcpu": "getcpu",
    "shm_open": "openat",
    "sigaction": "rt_sigaction",
    "sigpending": "rt_sigpending",
    "sigprocmask": "rt_sigprocmask",
    "pthread_sigmask": "rt_sigprocmask",
    "sigqueue": "rt_sigqueueinfo",
    "sigsuspend": "rt_sigsuspend",
    "sigtimedwait": "rt_sigtimedwait",
    "sigwaitinfo": "rt_sigtimedwait",
    "klogctl": "syslog",
    "umount": "umount2",
    "wait": "wait4",
    "waitpid": "wait4",
    "eventfd": "eventfd2",
    "signalfd": "signalfd4",
    "inotify_init": "inotify_init1",
    "recv": "recvfrom",
    "send": "sendto",
    "futimens": "utimensat",
    "futimes": "utimensat",
    "lutimes": "utimensat",
    "statvfs": "statfs",
    "fstatvfs": "fstatfs",
}


@lru_cache(maxsize=None)
def test_words(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Of a test's source: all names that its code uses, and those that it calls. Comments, texts and the definition of a name do not count. The headers
    in the test's own folder, which the tests of an area share, are a part of it; `testing.h`, which all have, is not."""
    text = path.read_text()
    code = ENUM.sub("", DEFINED.sub("", TOKENS.sub(" ", text)))
    words, called = frozenset(WORD.findall(code)), frozenset(CALLED.findall(code))
    for header in OWN_HEADER.findall(text):
        if (path.parent / header).is_file():
            more_words, more_called = test_words(path.parent / header)
            words, called = words | more_words, called | more_called
    return words, called


def uses_flag(path: Path, flag: str) -> bool:
    """The flag's name stands in the code."""
    return flag in test_words(path)[0]


def uses_call(path: Path, call: str) -> bool:
    """The code calls the call's wrapper, or names its number."""
    words, called = test_words(path)
    if words & {f"SYS_{call}", f"__NR_{call}"}:
        return True
    return call in called or any(WRAPPERS.get(name) == call for name in called)


@lru_cache(maxsize=None)
def header_names(header: str) -> frozenset[str]:
    """The constants that a header brings: macros without arguments, and members of enumerations. Raises OSError where it cannot be had."""
    names: set[str] = set()
    for option in ("-dM", "-P"):
        ran = subprocess.run(["gcc", "-E", option, "-xc", "-include", header, "/dev/null"], capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise OSError(next((line for line in ran.stderr.splitlines() if "error" in line), "the compiler fails"))
        if option == "-dM":
            names.update(MACRO.findall(ran.stdout))
        for members in ENUM.findall(ran.stdout):
            names.update(found.group() for member in members.split(",") if (found := WORD.search(member)))
    return frozenset(names)
