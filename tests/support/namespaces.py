"""Sockets of this process in another network namespace."""

import contextlib
import ctypes
import os
import threading

CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def in_network(namespace):
    """This thread's new sockets are of the namespace, by its file; those that it has stay where they are."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(file):
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"{file.name}: {os.strerror(ctypes.get_errno())}")

    with open(f"/proc/self/task/{threading.get_native_id()}/ns/net", "rb") as home, open(namespace, "rb") as there:
        enter(there)
        try:
            yield
        finally:
            enter(home)
