"""A third-party program on the peers' host, with all the processes that it starts."""

import os
import pathlib
import signal
import socket
import subprocess

from waiting import wait_until

from .network import MORTAL, ROOT

RUN = ROOT / "hack/peers/run"
UNPACKED = ROOT / "build/peers/root"
# The first process of a namespace takes the others with it. A server that changes its user would lose what makes it end
# with its parent.
INIT = ["sh", "-c", '"$@"; exit $?', "sh"]
STARTS_WITHIN = 30  # seconds; a machine may be busy


class Program:
    """Runs `command` of hack/peers/unpack with the folder's etc, spool, log and mail for its own (see hack/peers/run).

    It has a process namespace, so that stop() ends what it forked, too. Its output is in `folder`/NAME.log.
    """

    def __init__(self, network, folder, name, command, binds=None):
        """`binds`: {absolute path as the program sees it: where it is}."""
        self.network, self.folder, self.name = network, pathlib.Path(folder), name
        self.command = [str(part) for part in command]
        self.binds = dict(binds or {})
        self.log_file = self.folder / f"{name}.log"
        self.process = None

    def wrapped(self):
        binds = [part for path, source in self.binds.items() for part in ("--bind", f"{source}:{path}")]
        return [str(RUN), "--state", str(self.folder / "state"), *binds]

    def run(self, *command, input=None):
        """A command of the same installation, to its end; returns what it wrote."""
        done = subprocess.run([*self.network.inside(), *self.wrapped(), *map(str, command)], input=input,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
        return done.stdout

    def start(self, ready):
        """Returns once `ready` is true."""
        command = [*MORTAL, *self.network.inside(), "unshare", "--pid", "--fork", "--kill-child", *INIT,
                   *self.wrapped(), *self.command]
        with self.log_file.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)

        def is_ready():
            if self.process.poll() is not None:  # no use in waiting on
                raise RuntimeError(f"{self.name} ended: {self.log()[-3000:]}")
            return ready()
        wait_until(is_ready, STARTS_WITHIN, f"{self.name} is ready; its log ends in {self.log()[-500:]}", every=0.05)
        return self

    def stop(self):
        """Ends it with all its processes, at once: what it has accepted is on its disk. None is left when it returns."""
        if self.process is None:
            return
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        if self.process.poll() is None:
            # The namespace's first, which is gone after all others; unshare waits for it.
            first = children.read_text().split()
            os.kill(int(first[0]) if first else self.process.pid, signal.SIGKILL)
        self.process.wait(20)
        self.process = None

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""


def greets(address, port):
    """A predicate: a server says 220 to who connects."""
    def check():
        with socket.create_connection((address, port), timeout=5) as connection:
            return connection.recv(3) == b"220"
    return check


def listens(address, port):
    """A predicate: the port accepts connections."""
    def check():
        socket.create_connection((address, port), timeout=5).close()
        return True
    return check
