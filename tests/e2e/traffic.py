"""tests/e2e/sender.py on the host `client`, in the background."""

import pathlib
import subprocess
import tempfile

import cluster

SENDER = pathlib.Path(__file__).resolve().parent / "sender.py"


class Traffic:
    """Messages on their way: Traffic("10.1.40.50", 300, "m", every=0.1). `accepted` grows while they are sent."""

    def __init__(self, host, count, prefix, port=25, **options):
        self.count = count
        self.subjects = {f"{prefix}-{number}" for number in range(count)}
        self._out = tempfile.TemporaryFile("w+")
        self._errors = tempfile.TemporaryFile("w+")
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        command = cluster.inside_command("client", "/usr/bin/python3", SENDER, host, port, count, prefix, *flags)
        self._process = subprocess.Popen(command, stdout=self._out, stderr=self._errors)

    def accepted(self):
        """[(subject, attempts, queue id)] so far."""
        self._out.seek(0)
        whole, _, _ = self._out.read().rpartition("\n")
        return [tuple(line.split(" ")) for line in whole.splitlines()]

    def is_running(self):
        return self._process.poll() is None

    def finish(self, seconds):
        """Waits for the end; fails unless every message was accepted."""
        accepted = self._end(seconds)
        assert accepted == self.subjects, self.subjects - accepted

    def stop(self, seconds):
        """Begins no other message, and waits until those that had begun are accepted: they are `subjects` from then on."""
        assert self.is_running(), "there were enough messages"
        self._process.terminate()
        self.subjects = self._end(seconds)

    def _end(self, seconds):
        code = self._process.wait(seconds)
        self._errors.seek(0)
        assert code == 0, self._errors.read()
        return {subject for subject, _, _ in self.accepted()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_running():
            self._process.kill()
            self._process.wait(10)
        self._out.close()
        self._errors.close()
