"""A network of two hosts for one test process: the relay's, and the one of its peers.

The test process itself moves into a network and a mount namespace of its own, with everything that it starts from
then on: relays, scripted servers, clients. It is the relay's host. The peers' host is a second network namespace at
the other end of a cable. Both know each other's addresses only; no packet leaves the machine. Nothing is left once
the process has ended, so a folder of tests that uses this needs a pytest process of its own.
"""

import ctypes
import os
import pathlib
import subprocess

from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
# Ends with the test process, however that ends.
MORTAL = ["setpriv", "--pdeathsig", "KILL"]


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr}{done.stdout}"
    return done.stdout


def v6(address):
    """The IPv6 address that every host has beside its IPv4 address: 192.0.2.11 and 2001:db8::11."""
    return f"2001:db8::{address.rsplit('.', 1)[1]}"


class Network:
    def __init__(self, near, far):
        """`near`: IPv4 addresses of the relay's host, `far`: of its peers' host, all in one /24. The first of `near`
        is what the peers see as the relay's. Each comes with its IPv6 address, v6()."""
        self.near, self.far = list(near), list(far)
        self.holder = None

    def start(self):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare; are we root?")
        run("mount", "--make-rprivate", "/")
        self.holder = subprocess.Popen([*MORTAL, "unshare", "--net", "sleep", "infinity"])
        namespace = f"/proc/{self.holder.pid}/ns/net"
        wait_until(lambda: os.readlink(namespace) != os.readlink("/proc/self/ns/net"), 10, "a namespace for the peers",
                   every=0.02)
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "relay", "type", "veth", "peer", "name", "peers", "netns", self.holder.pid)
        self._raise([], "relay", self.near)
        self._raise(self.inside(), "peers", self.far)
        return self

    def _raise(self, prefix, device, addresses):
        run(*prefix, "ip", "link", "set", "lo", "up")
        for address in addresses:
            run(*prefix, "ip", "address", "add", f"{address}/24", "dev", device)
            # Without the search for duplicates the address is there at once.
            run(*prefix, "ip", "address", "add", f"{v6(address)}/64", "dev", device, "nodad")
        run(*prefix, "ip", "link", "set", device, "up")

    def inside(self):
        """What stands in front of a command so that it runs on the peers' host."""
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]

    def resolve_at(self, address, folder):
        """Makes this process, and what it starts, ask the name server at the address."""
        file = pathlib.Path(folder) / "resolv.conf"
        file.write_text(f"nameserver {address}\noptions timeout:2 attempts:2\n")
        run("mount", "--bind", file, os.path.realpath("/etc/resolv.conf"))
        return file

    def stop(self):
        """Takes the peers' host away, and with it the cable."""
        if self.holder:
            self.holder.kill()
            self.holder.wait(10)
