"""A memory cgroup of a test's own, of version 1 or 2, in which one process after another lives, as the container of a pod does.

    with MemoryLimit(256 << 20) as limit:
        Relay(folder, prefix=limit.prefix)
        limit.kills()       how many were killed because they wanted more

What is counted is as in a pod: the process's own memory, what the kernel holds for it, and the pages of files that it has
read or written, which give way when room is needed.
"""

import os
import pathlib

from relay import patiently

# Version 1: limit, the most that was used, kills; likewise version 2, the newer files of which an older kernel lacks.
FILES = {1: ("memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"),
         2: ("memory.max", "memory.peak", "memory.events")}


class MemoryLimit:
    def __init__(self, octets):
        self.version, top = hierarchy()
        self.folder = top / f"smtp-relay-test-{os.getpid()}"
        self._limit, self._most, self._events = (self.folder / name for name in FILES[self.version])
        self._octets = octets

    @property
    def prefix(self):
        """What a command begins with that is to live here, with its first octet."""
        return ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self.folder / "cgroup.procs")]

    def set(self, octets):
        """For whoever lives here, and who comes; while nobody does it may be less than was used before."""
        self._limit.write_text(str(octets))

    def most(self):
        """MiB at a time, at most, so far; it never is more than the limit, since file pages give way."""
        return int(self._most.read_text()) >> 20

    def kills(self):
        fields = dict(line.split() for line in self._events.read_text().splitlines())
        return int(fields["oom_kill"])

    def __enter__(self):
        self.folder.mkdir()
        # As on a node of Kubernetes, nothing is swapped out.
        name, value = {1: ("memory.swappiness", "0"), 2: ("memory.swap.max", "0")}[self.version]
        if (self.folder / name).exists():  # the second is there where the kernel can swap
            (self.folder / name).write_text(value)
        self.set(self._octets)
        return self

    def __exit__(self, *_):
        # A process that has ended is counted until its last page is given back.
        patiently(self._is_removed, 20, f"{self.folder} is empty")

    def _is_removed(self):
        self.folder.rmdir()
        return True


def hierarchy():
    """(version, folder) of the one that counts memory on this machine."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    for _, folder, kind, options, *_ in mounts:
        if kind == "cgroup" and "memory" in options.split(","):
            return 1, pathlib.Path(folder)
    for _, folder, kind, *_ in mounts:
        top = pathlib.Path(folder)
        if kind == "cgroup2" and "memory" in (top / "cgroup.controllers").read_text().split():
            if "memory" not in (top / "cgroup.subtree_control").read_text().split():
                (top / "cgroup.subtree_control").write_text("+memory")
            return 2, top
    raise AssertionError("no cgroup of this machine counts memory (/proc/self/mounts), and a test of it is not skipped: mount "
                         "the controller memory")
