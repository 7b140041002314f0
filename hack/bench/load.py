"""Source, sink and what is sent between them, the same for every contestant. Both are Postfix's own test programs; its
source has no TLS, so where that is needed hack/bench/source, which sends the same, takes its place."""

import dataclasses
import re
import subprocess
import time

from programs import LOCAL, ROOT, UNPACKED_RUN, greets, wait_until

# A contestant that delivers nothing for so long has stopped.
STALLED_AFTER = 60  # seconds
SOURCE = ROOT / "build/bench/source"


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is sent. `options` are smtp-source's, which ours has too."""

    name: str
    meaning: str
    options: tuple
    settings: tuple = ()  # of our relay alone: ((name, value), ...)
    only_ours: bool = False
    starttls: bool = False


WORKLOADS = (
    Workload("4k-new", "4 KB, 20 at a time, a new connection for each message", ("-s", "20", "-l", "4096")),
    Workload("4k-starttls", "4 KB, 20 at a time, a new connection with STARTTLS for each message, TLS sessions resumed",
             ("-s", "20", "-l", "4096"), starttls=True),
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

    def __init__(self, port, folder, connections=256):
        """`connections`: more than these it does not answer at a time."""
        self.port, self.connections = port, connections
        self.output = folder / "sink.out"

    def __enter__(self):
        with self.output.open("wb") as output:
            self.process = subprocess.Popen([*UNPACKED_RUN, "smtp-sink", "-u", "postfix", "-m", str(self.connections), "-c",
                                             f"127.0.0.1:{self.port}", "1000"],
                                            stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            wait_until(greets(LOCAL, self.port), 20, "smtp-sink")
        except BaseException:  # an __enter__ that fails has no __exit__
            self.__exit__()
            raise
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


def build_source():
    subprocess.run([ROOT / "hack/bench/build", "source"], check=True)


def send(workload, count, port):
    """Sends `count` messages; returns once the last is acknowledged. Raises RuntimeError when one is refused.

    The result is the share of TLS sessions that were resumed, None without TLS.
    """
    source = [str(SOURCE), "-starttls"] if workload.starttls else [*UNPACKED_RUN, "smtp-source", "-4"]
    done = subprocess.run([*source, "-m", str(count), "-f", "sender@bench.test", "-t", "recipient@bench.test",
                           *workload.options, f"127.0.0.1:{port}"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-400:])
    return int(re.search(r"resumed=(\d+)", done.stdout)[1]) / count if workload.starttls else None
