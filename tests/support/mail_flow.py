"""A relay with mail that flows through it, until it is told to pause."""

import threading

from raw_sink import RawSink
from relay import Client, patiently, relay_to

MESSAGES_OF_A_CONNECTION = 20
CONTENT = b"Subject: soak\r\n\r\n" + b"0123456789abcdef" * 256 + b"\r\n"
PAUSE = 0.02  # seconds between two messages


class MailFlow:
    """One client after another, one message after another, through a relay to a smarthost that takes them all."""

    def __init__(self, folder):
        self.folder = folder / "relay"
        self.sink = self.relay = self.thread = None
        self.ends = threading.Event()
        self.sent, self.refused = 0, []

    def open(self):
        self.folder.mkdir()
        self.sink = RawSink(self.folder / "sink").start()
        self.relay = relay_to(self.sink, self.folder).start()

    def close(self):
        try:
            if self.thread:
                self.stop()
        finally:
            if self.relay:
                self.relay.stop()
            if self.sink:
                self.sink.stop()

    def start(self):
        self.ends.clear()
        self.thread = threading.Thread(target=self._send, daemon=True)
        self.thread.start()

    def stop(self):
        """Returns when all that was sent has been delivered."""
        self.ends.set()
        self.thread.join()
        self.thread = None
        patiently(self.relay.is_empty, 60, "the relay has delivered all")

    def faults(self):
        """What was lost or refused, in words."""
        arrived = sum(1 for message in self.sink.store.messages() if message.accepted)
        found = self.refused[:5]
        if arrived < self.sent:
            found.append(f"the relay took {self.sent} messages, and {arrived} arrived")
        return found

    def _send(self):
        while not self.ends.is_set():
            try:
                with Client(self.relay.smtp_port) as client:
                    for _ in range(MESSAGES_OF_A_CONNECTION):
                        client.send(content=CONTENT)
                        self.sent += 1
                        if self.ends.wait(PAUSE):
                            break
            except (AssertionError, OSError) as error:
                self.refused.append(f"the relay refused a message: {error}")
                if self.ends.wait(1):
                    break
