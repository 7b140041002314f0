"""Ports of loopback for programs that a test starts."""

import functools
import itertools
import os
import socket

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
        for port in itertools.islice(candidates(os.getpid()), BLOCK):
            probe = socket.socket()
            probes.append(probe)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                probes.pop().close()
            if len(probes) == count:
                return [probe.getsockname()[1] for probe in probes]
        raise RuntimeError(f"fewer than {count} of a block of {BLOCK} ports are free: ss -tan")
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
    for first in range(FIRST, LAST, BLOCK):
        # A name of the network namespace, as ports are: no file, whose folder could be another process's own TMPDIR.
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0smtp-relay-test-ports-{first}")
        except OSError:
            claim.close()
            continue
        claims.append(claim)
        return first
    raise RuntimeError(f"all blocks of ports from {FIRST} to {LAST} are taken: ss -xl | grep smtp-relay-test-ports")


# Never closed: they end with the process.
claims = []
