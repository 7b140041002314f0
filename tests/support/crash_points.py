"""Kills a relay at each system call of one of its threads in turn, or takes its power, while one message goes its whole way.

strace attaches to the thread alone and kills the process as the first call of a kind begins, so that all before it is done
and this one is not. The next relay finds what is left, settles it, and is killed at the second call of that kind, and so
on until a message goes all the way with no kill; then comes the next kind, of those that the thread was seen to make. Power
goes as such a call has ended: what it wrote is not on the disk then, unless it is a sync.
"""

import collections
import contextlib
import dataclasses
import random
import re
import signal
import threading
import time

from mail_history import DOMAIN, OCTETS_OF_LARGE, REFUSED, Load, content_of
from power_cuts import is_stopped, take_power
from relay import Client, patiently
from system_calls import thread_of, traced

# What they do of a message: shard-0 speaks with client and next hop; the committer writes the spool, reception and
# delivery; the scheduler plans; the log tells.
THREADS = ("committer", "shard-0", "scheduler", "log")
# Calls by which something outside the process changes, or is learned; all others wait, or order threads and memory.
EFFECTS = {"accept", "accept4", "recvfrom", "recvmsg", "sendto", "sendmsg", "write", "writev", "pwrite64", "fdatasync", "fsync",
           "openat", "rename", "unlink", "close", "shutdown"}
# Of those, what makes or orders something on a disk.
WRITES = {"write", "writev", "pwrite64", "fdatasync", "fsync", "openat", "rename", "unlink"}
MOST_CALLS = 2000  # of one thread for one message; more means that it waits by turning


def is_dead(relay):
    return relay.process.poll() is not None


class Kill:
    """The process dies as the call begins."""

    signal = "KILL"
    rest = 0  # seconds without a sync until nothing goes on; a shard, which answers who asks for that, makes calls meanwhile

    def watching(self, _relay):
        return contextlib.nullcontext()

    def restart(self, relay):
        relay.start()


class PowerCut:
    """The process stands still as the call has ended, and it and its disk are without power."""

    signal = "STOP"
    rest = 0.2  # what waited behind a cut is recorded by a sync of its own, which must not be taken for the next message's
    LOOKS = 0.002  # seconds between two

    def __init__(self, disk):
        self._disk = disk

    @contextlib.contextmanager
    def watching(self, relay):
        """From a thread of its own, since clients of a relay that stands still wait in vain."""
        ends = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(relay, ends), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ends.set()
            watcher.join(60)
            assert not watcher.is_alive(), "the power is not cut"
            # By a call behind the message's way it may stand still only now; then it goes on.
            relay.signal(signal.SIGCONT)

    def _watch(self, relay, ends):
        while not ends.wait(self.LOOKS):
            if is_stopped(relay.process):
                return take_power(relay, self._disk)

    def restart(self, relay):
        self._disk.restore_power()
        relay.start()


@dataclasses.dataclass(frozen=True)
class Journey:
    """A message, and how many syncs of the spool its whole way takes: one before its 250, one behind its delivery, one with
    a report."""

    octets: int
    recipients: tuple
    syncs: int


JOURNEYS = {
    "small": Journey(500, ("a", "b"), 2),
    "large": Journey(OCTETS_OF_LARGE, ("a",), 2),
    "bounced": Journey(500, ("a", REFUSED), 3),
}


class CrashPoints:
    """Sends one message for each kill, and keeps what the checker needs: `sent`."""

    def __init__(self, relay, folder, seed, journey, crash=None):
        self.relay, self.folder, self.journey, self.crash = relay, folder, journey, crash or Kill()
        self._rng = random.Random(seed)
        self._load = Load(relay.smtp_port, seed)
        self._syncs, self._since = None, 0.0

    @property
    def sent(self):
        return self._load.sent

    def walk(self, thread, of=None):
        """Kills at each call of each kind that this thread makes for a message, or of those in `of`; returns {kind: how
        many}."""
        kills = collections.Counter()
        for kind in self._kinds(thread):
            if of is not None and kind not in of:
                continue
            while self._is_killed(thread, kind, kills[kind] + 1):
                kills[kind] += 1
                assert kills[kind] < MOST_CALLS, f"{thread} makes no end of {kind}"
        return kills

    def _kinds(self, thread):
        log = self.folder / "strace.log"
        self._send_through(thread, f"{thread}-learns", "-o", str(log))
        assert not is_dead(self.relay)
        return sorted(set(re.findall(r"^(\w+)\(", log.read_text(), re.M)))

    def _is_killed(self, thread, kind, call):
        # strace counts each kind of call for itself.
        self._send_through(thread, f"{thread}-{kind}-{call}", "-o", "/dev/null", "-e", f"trace={kind}",
                           "-e", f"inject={kind}:signal={self.crash.signal}:when={call}")
        return is_dead(self.relay)

    def _send_through(self, thread, id, *options):
        """One message goes its way while strace looks on, as far as it gets."""
        patiently(self._is_settled, 30, "what the last kill has left is settled")
        before = self.relay.metric("spool_syncs_total")
        process = self.relay.process
        with self.crash.watching(self.relay), traced(process, *options, thread=thread_of(process, thread)):
            self._send(id)
            patiently(lambda: is_dead(self.relay) or self._is_through(before), 30,
                      "the message is through, or the relay killed")

    def _is_settled(self):
        if is_dead(self.relay):
            self.crash.restart(self.relay)
        return self._rests()

    def _is_through(self, syncs_before):
        return self._rests() and self.relay.metric("spool_syncs_total") - syncs_before >= self.journey.syncs

    def _rests(self):
        syncs = self.relay.metric("spool_syncs_total")
        if syncs != self._syncs:
            self._syncs, self._since = syncs, time.monotonic()
        return self.relay.is_empty() and time.monotonic() - self._since >= self.crash.rest

    def _send(self, id):
        recipients = [f"{name}-{id}@{DOMAIN}" for name in self.journey.recipients]
        content = content_of(id, self.journey.octets, self._rng)
        with contextlib.suppress(OSError, AssertionError), Client(self.relay.smtp_port) as client:
            self._load.transmit(client, id, recipients, content)
