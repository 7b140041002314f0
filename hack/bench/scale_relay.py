"""Our relay with many destinations, and what it takes while something goes on."""

import json
import threading
import time

import programs  # noqa: F401 - makes the tests' helpers importable

from gauges import Gauge
from relay import Client, Relay
from waiting import wait_until

SAMPLE_EVERY = 0.02  # seconds
SAMPLE_SHARES_EVERY = 0.25  # PSS takes longer to find out
SETTLED = 0.1  # of one core


class BenchRelay(Relay):
    """With the settings that it ships with, but for those that are named and those of its ports. Its `with` kills it: its
    spool is not needed any more."""

    def __init__(self, folder, routes=(), **settings):
        folder.mkdir(parents=True)
        defaults = {"retry_initial_delay": "1m", "retry_max_delay": "1h", "session_drain_timeout": "30s"}
        super().__init__(folder, **(defaults | settings))
        self.configuration = folder / "relay.json"
        self.configuration.write_text(json.dumps({"smarthosts": list(routes)} if routes else {}))

    def start(self, wait=True, arguments=()):
        return super().start(wait, ("--config", self.configuration, *arguments))

    def __enter__(self):
        try:
            return super().__enter__()
        except BaseException:  # an __enter__ that fails has no __exit__
            self.__exit__()
            raise

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def gauge(self):
        return Gauge(self.process.pid)

    def first_accepted_after_start(self, recipient):
        """Starts it; returns the seconds until it has answered the end of data of a message with 250."""
        begun = time.monotonic()
        self.start(wait=False)

        def accepts():
            if self.process.poll() is not None:  # no use in waiting on
                raise RuntimeError(f"the relay ended: {self.log_file.read_text()[-3000:]}")
            with Client(self.smtp_port) as client:
                return client.send("sender@bench.test", [recipient.decode()])
        wait_until(accepts, 120, "the relay takes mail again", every=0.002)
        return time.monotonic() - begun

    def settle(self, seconds=300):
        """Until it has next to nothing to do: deliveries and the spool's compactions are done with."""
        gauge, seen = self.gauge(), {"cpu": 0.0, "at": float("-inf")}

        def is_quiet():
            now, cpu = time.monotonic(), self.gauge().cpu()
            share = (cpu - seen["cpu"]) / (now - seen["at"])
            seen.update(cpu=cpu, at=now)
            return now - began > 1.5 and share < SETTLED
        began = time.monotonic()
        seen.update(cpu=gauge.cpu(), at=began)
        wait_until(is_quiet, seconds, "the relay has nothing to do", every=1)


class Peak:
    """The most memory that a process has while its `with` lasts, in MiB: anonymous, and with its share of files (PSS)."""

    def __init__(self, gauge, with_shares=False):
        self.gauge, self.with_shares = gauge, with_shares
        self.anonymous = self.proportional = 0.0
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self):
        self._sampler.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._sampler.join()

    def _sample(self):
        try:
            while not self._ended.wait(SAMPLE_SHARES_EVERY if self.with_shares else SAMPLE_EVERY):
                self.anonymous = max(self.anonymous, self.gauge.anonymous())
                if self.with_shares:
                    self.proportional = max(self.proportional, self.gauge.proportional())
        except OSError:
            pass  # it has ended, which others will tell
