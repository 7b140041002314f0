"""Clients of `make bench-scale`: connections that stay, and many messages to many destinations by processes of their own."""

import collections
import contextlib
import multiprocessing
import os
import selectors
import socket
import time

from programs import LOCAL

CONTENT_SIZE = 4096  # octets
WORKERS = 2
CONNECTIONS = 32  # of each worker
CONNECTIONS_AN_ADDRESS = 50  # as many as the relay allows a client by default
PROGRESS_EVERY = 10  # seconds
LINE = 76


def content(size):
    """A message of so many octets that no compression makes smaller, with its final dot."""
    head = b"Subject: bench\r\n\r\n"
    digits = os.urandom(size).hex().encode()
    lines = [digits[at:at + LINE - 2] + b"\r\n" for at in range(0, size - len(head), LINE)]
    return (head + b"".join(lines))[:size - 2] + b"\r\n.\r\n"


class Connection:
    """One SMTP connection that is kept. Fails with RuntimeError when the relay refuses anything."""

    def __init__(self, port, source=LOCAL):
        self.socket = socket.create_connection((LOCAL, port), timeout=60, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pending = b""
        self._wanted = 1  # reply lines
        self._content = None
        self._read_all()
        self.socket.sendall(b"EHLO client.bench.test\r\n")
        while not self._pending.rpartition(b"\r\n")[0].rpartition(b"\r\n")[2].startswith(b"250 "):
            self._pending += self._receive()
        self._pending = b""

    def begin(self, recipient, message):
        self._content = message
        self._wanted = 3
        self.socket.sendall(b"MAIL FROM:<sender@bench.test>\r\nRCPT TO:<" + recipient + b">\r\nDATA\r\n")

    def proceed(self):
        """Reads what there is, at least something, and goes on. Says whether the message is accepted."""
        self._take(self._receive())
        if self._wanted > 0:
            return False
        if self._content is None:
            return True
        self._wanted = 1
        self.socket.sendall(self._content)
        self._content = None
        return False

    def send(self, recipient, message):
        self.begin(recipient, message)
        while not self.proceed():
            pass

    def close(self):
        self.socket.close()

    def _read_all(self):
        while self._wanted > 0:
            self._take(self._receive())

    def _receive(self):
        received = self.socket.recv(4096)
        if not received:
            raise RuntimeError("the relay has closed the connection")
        return received

    def _take(self, received):
        *lines, self._pending = (self._pending + received).split(b"\r\n")
        for line in lines:
            if line[:1] not in (b"2", b"3"):
                raise RuntimeError(f"the relay refuses: {line.decode(errors='replace')}")
        self._wanted -= len(lines)


class Idle:
    """So many connections behind their EHLO, from as many addresses as it takes; closed with its `with`."""

    def __init__(self, port, count):
        self.port, self.count = port, count
        self.connections = []

    def __enter__(self):
        with contextlib.ExitStack() as opened:
            for number in range(self.count):
                group = number // CONNECTIONS_AN_ADDRESS
                connection = Connection(self.port, f"127.0.{1 + group // 250}.{1 + group % 250}")
                opened.callback(connection.close)
                self.connections.append(connection)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_):
        self._opened.close()

    def each_sends_one(self, recipient):
        message = content(CONTENT_SIZE)
        for connection in self.connections:
            connection.send(recipient, message)


Due = collections.namedtuple("Due", "moment recipient")  # by time.monotonic()


def _send_all(port, schedule, counts, slot):
    """Sends what the schedule yields, none before its moment, over CONNECTIONS connections; counts what was accepted."""
    message = content(CONTENT_SIZE)
    with selectors.DefaultSelector() as ready, contextlib.ExitStack() as opened:
        idle = []
        for number in range(CONNECTIONS):
            connection = Connection(port, f"127.0.0.{10 + slot}")
            opened.callback(connection.close)
            ready.register(connection.socket, selectors.EVENT_READ, connection)
            idle.append(connection)
        following = next(schedule, None)
        while following or len(idle) < CONNECTIONS:
            now = time.monotonic()
            while idle and following and following.moment <= now:
                idle.pop().begin(following.recipient, message)
                following = next(schedule, None)
            wait = max(0, following.moment - now) if idle and following else None
            for key, _ in ready.select(wait):
                if key.data.proceed():
                    idle.append(key.data)
                    counts[slot] += 1


class Senders:
    """Processes that send, one for each schedule; those that are left end with its `with`."""

    def __init__(self, port, schedules):
        self.counts = multiprocessing.RawArray("Q", len(schedules))
        fork = multiprocessing.get_context("fork")
        self.processes = [fork.Process(target=_send_all, args=(port, schedule, self.counts, slot), daemon=True)
                          for slot, schedule in enumerate(schedules)]

    def __enter__(self):
        try:
            for process in self.processes:
                process.start()
        except BaseException:  # an __enter__ that fails has no __exit__
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.pid is not None:
                process.kill()
                process.join()

    def accepted(self):
        return sum(self.counts)

    def wait(self, on_progress=lambda accepted: None):
        """Until all is accepted. Raises RuntimeError as soon as one of them fails; what it met is on stderr."""
        told = time.monotonic()
        while any(process.is_alive() for process in self.processes):
            if any(process.exitcode for process in self.processes):
                break
            self.processes[0].join(0.2)
            if time.monotonic() - told >= PROGRESS_EVERY:
                told = time.monotonic()
                on_progress(self.accepted())
        if any(process.exitcode for process in self.processes):
            raise RuntimeError(f"a sender failed behind {self.accepted():,} messages, see above")


def fill(port, recipients, count, on_progress=lambda accepted, seconds: None):
    """Sends `count` messages as fast as they are taken, to each of the recipients in turn. Returns the seconds it took."""
    def schedule(slot):
        return (Due(0, recipients[number % len(recipients)]) for number in range(slot, count, WORKERS))

    begun = time.monotonic()
    with Senders(port, [schedule(slot) for slot in range(WORKERS)]) as senders:
        senders.wait(lambda accepted: on_progress(accepted, time.monotonic() - begun))
    return time.monotonic() - begun


def send_steadily(port, recipients, rate, seconds):
    """Sends `rate` messages a second for so long. Returns the seconds it took, more when the relay was too slow."""
    begun = time.monotonic()
    schedule = (Due(begun + number / rate, recipients[number % len(recipients)]) for number in range(round(rate * seconds)))
    with Senders(port, [schedule]) as senders:
        senders.wait()
    return time.monotonic() - begun
