"""Ports of loopback for programs that a test starts."""

import random
import socket

# Below those that Linux gives to outgoing connections (ip_local_port_range, from 32768), of which tests that run beside
# this one open thousands: between our look and the program's bind, one of them could have it.
FIRST, LAST = 12000, 32000


def free_ports(count):
    """Different ports of 127.0.0.1 that nothing listens on; by chance, so that tests side by side seldom meet."""
    probes = []
    try:
        while len(probes) < count:
            probe = socket.socket()
            probes.append(probe)
            try:
                probe.bind(("127.0.0.1", random.randrange(FIRST, LAST)))
            except OSError:
                probes.pop().close()
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def free_port():
    return free_ports(1)[0]
