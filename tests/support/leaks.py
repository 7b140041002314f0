"""Whether processes take more and more: memory, file descriptors, threads."""

import dataclasses
import time

from gauges import Gauge
from waiting import wait_until


@dataclasses.dataclass
class Sample:
    resident: float  # MiB; the kernel gives and takes pages of files in it as it likes
    own: float  # MiB of it that are the process's own
    descriptors: int
    threads: int

    def __str__(self):
        return f"{self.resident:7.1f} {self.own:7.1f} {self.descriptors:6d} {self.threads:6d}"


HEADER = f"{'process':20} {'when':>10} {'RSS MiB':>7} {'own MiB':>7} {'fds':>6} {'thrds':>6}"


class Watched:
    """A process, how it was when it had warmed up, and how much its memory may have grown since."""

    def __init__(self, name, pid, growth, descriptors=0, threads=0):
        """`descriptors`, `threads`: so many it may have in any case; it may have had few because it had just lost
        connections, or because its turn for some of its threads had not come."""
        self.name, self.gauge, self.growth = name, Gauge(pid), growth
        self.floors = {"descriptors": descriptors, "threads": threads}
        self.base = None

    def sample(self):
        return Sample(self.gauge.resident(), self.gauge.anonymous(), self.gauge.descriptors(), self.gauge.threads())

    def has_warmed_up(self):
        self.base = self.sample()
        return self.base

    def excess(self):
        """What it has too much of, in words; '' when nothing."""
        now, found = self.sample(), []
        if now.own > self.base.own + self.growth:
            found.append(f"its memory grew from {self.base.own:.1f} to {now.own:.1f} MiB, more than {self.growth} MiB")
        for what in self.floors:
            before, after = getattr(self.base, what), getattr(now, what)
            if after > max(before, self.floors[what]):
                found.append(f"it has {after} {what}, {before} before")
        return " and ".join(found)

    def verdict(self, seconds):
        """What it still has too much of that long behind the load: connections are closed and memory is given back in
        their own time."""
        try:
            wait_until(lambda: not self.excess(), seconds, f"{self.name} is as small as before", every=1)
        except AssertionError:
            return self.excess()
        return ""


def row(name, when, sample):
    return f"{name:20} {when:>10} {sample}"


class Progress:
    """A line for each process every so many seconds."""

    def __init__(self, watched, every, tell=print):
        self.watched, self.every, self.tell = watched, every, tell
        self.began = self.told = time.monotonic()
        self.tell(HEADER)

    def tick(self, now=False):
        if not now and time.monotonic() - self.told < self.every:
            return
        self.told = time.monotonic()
        for each in self.watched:
            self.tell(row(each.name, f"{self.told - self.began:.0f} s", each.sample()))
