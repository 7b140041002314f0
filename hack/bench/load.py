"""Source, sink and what is sent between them. Both are Postfix's own test programs, the same for every contestant."""

import dataclasses
import re
import subprocess
import time

from programs import LOCAL, UNPACKED_RUN, greets, wait_until

# A contestant that delivers nothing for so long has stopped.
STALLED_AFTER = 60  # seconds


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is sent. `options` are smtp-source's."""

    name: str
    meaning: str
    options: tuple
    settings: tuple = ()  # of our relay alone: ((name, value), ...)
    only_ours: bool = False


WORKLOADS = (
    Workload("4k-new", "4 KB, 20 at a time, a new connection for each message", ("-s", "20", "-l", "4096")),
    Workload("4k-kept", "4 KB, 20 connections that are kept", ("-s", "20", "-d", "-l", "4096")),
    Workload("100k", "100 KB, 20 connections that are kept", ("-s", "20", "-d", "-l", "102400")),
    Workload("100-clients", "4 KB, 100 connections that are kept", ("-s", "100", "-d", "-l", "4096")),
    Workload("10-recipients", "4 KB to 10 recipients, 20 connections that are kept",
             ("-s", "20", "-d", "-l", "4096", "-r", "10")),
    Workload("dkim", "as 4k-kept, with a DKIM signature (RSA of 2048 bits)", ("-s", "20", "-d", "-l", "4096"),
             only_ours=True, settings=(("dkim", "rsa"),)),
)


class Sink:
    """smtp-sink, which tells how many messages it has had."""

    def __init__(self, port, folder):
        self.port = port
        self.output = folder / "sink.out"

    def __enter__(self):
        with self.output.open("wb") as output:
            self.process = subprocess.Popen([*UNPACKED_RUN, "smtp-sink", "-u", "postfix", "-c", f"127.0.0.1:{self.port}", "1000"],
                                            stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        wait_until(greets(LOCAL, self.port), 20, "smtp-sink")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def messages(self):
        with self.output.open("rb") as file:
            file.seek(max(0, self.output.stat().st_size - 200))
            found = re.findall(rb"mesg=(\d+)", file.read())
        return int(found[-1]) if found else 0

    def await_messages(self, count):
        """Returns the moment at which the last of them had come. Raises TimeoutError when they do not."""
        seen, moved = 0, time.monotonic()
        while seen < count:
            now, have = time.monotonic(), self.messages()
            if have > seen:
                seen, moved = have, now
            elif now - moved > STALLED_AFTER:
                raise TimeoutError(f"{seen} of {count} messages came, and none for {STALLED_AFTER} s")
            time.sleep(0.005)
        return moved


def send(workload, count, port):
    """Sends `count` messages; returns once the last is acknowledged. Raises RuntimeError when one is refused."""
    done = subprocess.run([*UNPACKED_RUN, "smtp-source", "-4", "-m", str(count), "-f", "sender@bench.test", "-t",
                           "recipient@bench.test", *workload.options, f"127.0.0.1:{port}"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"smtp-source: {done.stderr.strip()[-400:]}")
