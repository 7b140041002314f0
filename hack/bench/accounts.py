"""What a program costs: CPU time and memory of all its processes, by a control group of its own."""

import contextlib
import os
import pathlib
import signal
import threading
import time

from programs import wait_until

SAMPLE_EVERY = 0.25  # seconds; reading memory costs the machine time as well


def hierarchy():
    """Where control groups of version 2 are mounted. Raises RuntimeError where none are."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(folder)
    raise RuntimeError("CPU time is counted by control groups of version 2, and /proc/mounts shows none: "
                       "mount -t cgroup2 none /sys/fs/cgroup/unified")


class Account:
    """A control group. What enter() starts is in it, with all that it starts itself."""

    def __init__(self, name):
        self.folder = hierarchy() / f"bench-{os.getpid()}-{name}"
        self.folder.mkdir()
        self.peak = 0.0
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def enter(self):
        """To be called in the child, before it executes its program."""
        (self.folder / "cgroup.procs").write_text("0")

    def processes(self):
        return [int(line) for line in (self.folder / "cgroup.procs").read_text().split()]

    def seconds(self):
        """CPU time so far, in user mode and in the system, of those that ended too."""
        fields = dict(line.split() for line in (self.folder / "cpu.stat").read_text().splitlines())
        return int(fields["user_usec"]) / 1e6, int(fields["system_usec"]) / 1e6

    def watch(self):
        self._sampler.start()
        return self

    def resident(self):
        """MiB; pages that several share are counted once between them."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(OSError, IndexError):
                rollup = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
                total += int(rollup.split("\nPss:")[1].split()[0])
        return total / 1024

    def _sample(self):
        while not self._ended.wait(SAMPLE_EVERY):
            self.peak = max(self.peak, self.resident())

    def close(self):
        """Ends every process in it."""
        self._ended.set()
        if self._sampler.is_alive():
            self._sampler.join()
        deadline = time.monotonic() + 20
        while self.processes():
            for process in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise RuntimeError(f"processes {self.processes()} do not end")
            time.sleep(0.05)
        wait_until(self._is_removed, 20, f"{self.folder} can be removed")

    def _is_removed(self):
        """The last process is in it for a moment after it has left the list."""
        self.folder.rmdir()
        return True
