"""Ports of loopback for programs that a test starts."""

import fcntl
import functools
import itertools
import os
import pathlib
import socket
import tempfile

# Below those that Linux gives to outgoing connections (ip_local_port_range, from 32768), of which tests that run beside
# this one open thousands: between our look and the program's bind, one of them could have it.
FIRST, LAST = 12000, 32000
# Enough that a port comes again when nothing is left of its last connections.
BLOCK = 500


def free_ports(count):
    """Different ports of 127.0.0.1 that nothing listens on, out of a block that no other process of tests takes from:
    relays share a port without a complaint (SO_REUSEPORT), and one would get the mail of another's test."""
    probes = []
    try:
        while len(probes) < count:
            probe = socket.socket()
            probes.append(probe)
            try:
                probe.bind(("127.0.0.1", next(candidates(os.getpid()))))
            except OSError:
                probes.pop().close()
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def free_port():
    return free_ports(1)[0]


@functools.lru_cache(maxsize=1)
def candidates(_process):
    """Again and again the ports of this process's block. A forked process gets one of its own."""
    first = block()
    return itertools.cycle(range(first, first + BLOCK))


def block():
    """The first port of a block that is this process's until it ends."""
    folder = pathlib.Path(tempfile.gettempdir()) / "smtp-relay-test-ports"
    folder.mkdir(exist_ok=True)
    for first in range(FIRST, LAST, BLOCK):
        lock = os.open(folder / str(first), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return first  # the lock goes with the process
        except OSError:
            os.close(lock)
    raise RuntimeError(f"all blocks of ports are taken: see {folder}")
