"""System calls of a running process, looked at by strace: they may fail, be skipped, or kill."""

import contextlib
import pathlib
import subprocess

from relay import patiently


def injected(process, what, thread=None):
    """`what`: as strace has it, `fdatasync:error=EIO`, or `fdatasync,fsync:retval=0` (says that it was done, and does
    nothing); the rest as traced()."""
    calls = what.partition(":")[0]
    return traced(process, "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={what}", thread=thread)


@contextlib.contextmanager
def traced(process, *options, thread=None):
    """`process`: a Popen; all its threads, unless one is named by its id."""
    whom = ["-f", "-p", str(process.pid)] if thread is None else ["-p", str(thread)]
    trace = subprocess.Popen(["strace", "-qq", *whom, *options], stderr=subprocess.DEVNULL)
    tasks = pathlib.Path(f"/proc/{process.pid}/task")

    def is_attached():
        those = list(tasks.iterdir()) if thread is None else [tasks / str(thread)]
        return all(f"TracerPid:\t{trace.pid}\n" in (task / "status").read_text() for task in those)

    try:
        # Where a thread waits in a call, that one begins anew, and may be the one that kills.
        patiently(lambda: process.poll() is not None or is_attached(), 10, "strace is attached")
        yield
    finally:
        trace.terminate()
        trace.wait(10)


def thread_of(process, name):
    """The id of its thread with this name."""
    # Where a thread ends while Linux lists them, those behind it are left out.
    return patiently(lambda: looked_up(process, name), 10, f"process {process.pid} has a thread {name}")


def looked_up(process, name):
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if (task / "comm").read_text() == name + "\n":
                return int(task.name)
    return None
