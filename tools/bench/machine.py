# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Boots a kernel in deterministic time and gives back what it printed.

One virtual nanosecond is one instruction, whatever the host does: machines may run side by side, and limits of time are the host's and detect hangs
only. The flags belong together and are the same for every kernel; only -kernel and -append differ.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from failure import FAILED, Failure

QEMU = os.environ.get("INVAR_QEMU", "qemu-system-x86_64")
LINUX_WORDS = "console=ttyS0 nokaslr norandmaps tsc=reliable tsc_early_khz=1000000 random.trust_cpu=on panic=-1 quiet"
INVAR_WORDS = "console=ttyS0 panic=-1 quiet"
CACHE_VERSION = "1"  # part of every key: changes when the meaning of what is kept does


@dataclass(frozen=True)
class Machine:
    """One boot. `what` is for people; it and `limit` are no part of what the machine is."""

    what: str
    kernel: Path
    archive: Path
    append: str
    seed: int = 1
    board: str = "q35"
    memory: int = 256  # MiB
    processors: int = 1
    more: tuple[str, ...] = ()  # further options of QEMU
    limit: int = 900  # host seconds

    def command_line(self) -> list[str]:
        """QEMU and its arguments."""
        files = ["-kernel", str(self.kernel), "-initrd", str(self.archive)]
        return [*flags(self.board, self.memory, self.processors, self.seed), *self.more, *files, "-append", self.append]

    def deterministic(self) -> bool:
        """Whether its time is its own, and not the host's."""
        return True

    def key(self) -> str:
        """A hash of all that the output depends on."""
        machine = [*flags(self.board, self.memory, self.processors, self.seed), *self.more, self.append]
        text = "\n".join([CACHE_VERSION, qemu_version(), *machine, file_hash(self.kernel), file_hash(self.archive)])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def flags(board: str, memory: int, processors: int, seed: int) -> list[str]:
    """The flags of deterministic measurement."""
    return [
        *(QEMU, "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"),
        *("-M", board, "-m", str(memory), "-smp", str(processors), "-accel", "tcg", "-cpu", "max,-erms,-fsrm"),
        *("-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", str(seed)),
    ]


@lru_cache(maxsize=None)
def qemu_version() -> str:
    """QEMU's own name for its version; Failure where it cannot be run."""
    if shutil.which(QEMU) is None:
        raise Failure(f"bench: {QEMU} is not there (./invar setup bench installs it)")
    run = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=False)
    if run.returncode != 0 or not run.stdout:
        raise Failure(f"bench: {QEMU} --version gives status {run.returncode}")
    return run.stdout.splitlines()[0]


@lru_cache(maxsize=None)
def file_hash(path: Path) -> str:
    """SHA-256 of a file that does not change while the program runs."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise Failure(f"bench: {path}: {error.strerror}") from error


class Boots:
    """Boots machines, as many at a time as told, and keeps what those with a cache printed."""

    def __init__(self, folder: Path, jobs: int, fresh: bool) -> None:
        self.logs = folder / "log"
        self.cache = folder / "cache"
        self.jobs = jobs
        self.fresh = fresh
        self.lock = threading.Lock()
        self.running: set[subprocess.Popen[bytes]] = set()
        self.load = dict.fromkeys(sorted(os.sched_getaffinity(0)), 0)  # by processor of the host: the machines bound to it
        self.stopping = False
        self.done = 0
        self.total = 0
        self.logs.mkdir(parents=True, exist_ok=True)
        self.cache.mkdir(parents=True, exist_ok=True)

    def all(self, machines: list[tuple[Machine, bool]]) -> list[str]:
        """What each machine printed; the flag allows to take it from the cache. The first failure stops the others."""
        with self.lock:
            self.total += len(machines)
        with ThreadPoolExecutor(max_workers=self.jobs) as pool:
            futures = [pool.submit(self.one, machine, cached) for machine, cached in machines]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
                failed = [future.exception() for future in futures if future.done() and not future.cancelled() and future.exception()]
                if failed and failed[0]:
                    raise failed[0]
            except BaseException:
                self.stop()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            return [future.result() for future in futures]

    def one(self, machine: Machine, cached: bool = False) -> str:
        """What one machine printed."""
        kept = self.cache / f"{machine.key()}.txt" if cached else None
        if kept is not None and kept.exists() and not self.fresh:
            self.progress(machine, "kept")
            return kept.read_text()
        begin = time.monotonic()
        text = self.boot(machine, self.log_of(machine))
        if kept is not None:
            part = kept.with_suffix(f".{os.getpid()}")
            part.write_text(text)
            part.replace(kept)
        self.progress(machine, f"{time.monotonic() - begin:.0f} s")
        return text

    def log_of(self, machine: Machine) -> Path:
        """Where the machine's console is kept."""
        return self.logs / (machine.what.replace(" ", "-").replace(",", "") + ".log")

    def forget(self, machine: Machine) -> None:
        """Takes the machine's output out of the cache: it was no good."""
        (self.cache / f"{machine.key()}.txt").unlink(missing_ok=True)

    @contextmanager
    def bound(self, machine: Machine) -> Iterator[list[str]]:
        """The words that bind a machine in deterministic time to the host's processor with the fewest of them.

        Where QEMU's threads run at the same time, its main loop may set the clock of an idle machine while the virtual processor that has just halted
        has not yet counted its last instructions: one sleep in some 50,000 is late by these, and a figure moves. On one processor they take turns.
        """
        if not machine.deterministic():
            yield []
            return
        with self.lock:
            processor = min(self.load, key=lambda number: self.load[number])
            self.load[processor] += 1
        try:
            yield ["taskset", "-c", str(processor)]
        finally:
            with self.lock:
                self.load[processor] -= 1

    def boot(self, machine: Machine, log: Path) -> str:
        """Runs QEMU with its console in a file; Failure when it does not end by itself."""
        with self.bound(machine) as words:
            return self._boot(machine, log, [*words, *machine.command_line()])

    def _boot(self, machine: Machine, log: Path, command: list[str]) -> str:
        """The same with the whole command line."""
        with log.open("wb") as console:
            with self.lock:
                if self.stopping:
                    raise Failure(f"bench: {machine.what}: stopped")
                # the machine leaves our process group, since Ctrl-C is for us to handle, and dies with the thread that waits for it
                process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self.running.add(process)
            try:
                status = process.wait(timeout=machine.limit)
            except subprocess.TimeoutExpired:
                raise Failure(f"bench: {machine.what}: no end after {machine.limit} s of the host's time; its console: {log}", FAILED) from None
            finally:
                with self.lock:
                    self.running.discard(process)
                if process.poll() is None:
                    process.kill()
                    process.wait()
        if status != 0:
            raise Failure(f"bench: {machine.what}: QEMU ended with status {status}; its console: {log}", FAILED)
        return log.read_bytes().decode("utf-8", errors="replace")

    def stop(self) -> None:
        """Kills the machines that run and starts no more."""
        with self.lock:
            self.stopping = True
            for process in self.running:
                process.send_signal(signal.SIGKILL)

    def progress(self, machine: Machine, note: str) -> None:
        """One line to the person: rewritten on a terminal."""
        with self.lock:
            self.done += 1
            text = f"invar: bench: {self.done} of {self.total}: {machine.what} ({note})"
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{text}\033[K" + ("\r\033[K" if self.done == self.total else ""))
            else:
                sys.stderr.write(text + "\n")
            sys.stderr.flush()
