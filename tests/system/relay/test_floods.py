"""Clients that take all they can get: connections, time, guesses. Whoever is not them is served meanwhile."""

import base64
import contextlib
import itertools
import select
import socket
import statistics
import subprocess
import threading
import time

import pytest
from raw_sink import RawSink
from relay import BIN, PATIENCE, Client, arrived, relay_to

GOOD, SLOW, FLOODER, GUESSER, USER = (f"127.0.0.{number}" for number in range(2, 7))
PASSWORD = "correct horse battery staple"
PER_CLIENT = 20
MESSAGES = 60


class Attack:
    """What a thread does again and again, until the test is over or it has done its share."""

    def __init__(self, step, times):
        self.step, self.times, self.done, self.over, self.failure = step, times, 0, threading.Event(), None
        self.begun = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while self.done < self.times and not self.over.is_set():
                self.step()
                self.done += 1
                self.begun.set()
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure
            self.begun.set()

    def __enter__(self):
        self.thread.start()
        assert self.begun.wait(20 * PATIENCE) and self.failure is None, self.failure
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(30 * PATIENCE)
        assert not self.thread.is_alive() and self.failure is None, self.failure


class Held(contextlib.ExitStack):
    """Connections that stay open, as many as the relay lets them."""

    def open(self, port, source):
        opened = socket.create_connection(("127.0.0.1", port), timeout=20 * PATIENCE, source_address=(source, 0))
        return self.enter_context(opened)


def answer(connection):
    with contextlib.suppress(ConnectionError):
        return connection.recv(4096).decode()
    return ""


@pytest.fixture
def relay(tmp_path):
    users = tmp_path / "users"
    users.write_text(subprocess.run([str(BIN / "relayctl"), "user", "app"], input=PASSWORD + "\n", capture_output=True, text=True,
                                    check=True, timeout=30).stdout)
    with RawSink(tmp_path / "sink") as sink:
        with relay_to(sink, tmp_path, shards=2, allowed_networks=f"{GOOD}/32,{SLOW}/32", max_connections_per_client=PER_CLIENT,
                      auth_users_file=users, auth_requires_tls="off", auth_failures_per_client=5) as relay:
            relay.sink = sink
            yield relay


def good_client_sends(relay, count):
    """Seconds that each message took, from the connection to the 250. Each has its deadline: that of Client."""
    took = []
    for _ in range(count):
        begun = time.monotonic()
        with Client(relay.smtp_port, source=GOOD) as client:
            client.send()
        took.append(time.monotonic() - begun)
    return took


def tell(what, took):
    print(f"{what}: {len(took)} messages, median {statistics.median(took) * 1000:.1f} ms, slowest {max(took) * 1000:.1f} ms")


def is_served(relay, what):
    before = len(relay.sink.store.messages())
    tell(what, good_client_sends(relay, MESSAGES))
    arrived(relay.sink, before + MESSAGES)


def test_slow_senders_hold_nobody_up_Case080_Case081(relay):
    with Held() as held:
        slow = [held.open(relay.smtp_port, SLOW) for _ in range(PER_CLIENT)]
        for number, connection in enumerate(slow):
            assert answer(connection).startswith("220 ")
            connection.sendall(b"EHLO a\r\n")
            assert "250 " in answer(connection)
            if number % 2:  # these send content, octet by octet
                for words in (b"MAIL FROM:<slow@example.com>\r\n", b"RCPT TO:<b@example.net>\r\n", b"DATA\r\n"):
                    connection.sendall(words)
                    assert answer(connection)[0] in "23"

        def trickle():
            for connection in slow:
                connection.sendall(b"x")

        with Attack(trickle, times=1000):
            is_served(relay, "with slow senders")
        assert relay.metric("connections") >= PER_CLIENT, "they are still there"
        assert not [each for each in relay.sink.store.messages() if each.sender == "slow@example.com"]


def test_a_command_that_trickles_is_ended_and_who_sends_whole_ones_stays_Case081(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, session_idle_timeout="4s") as relay:
        with Client(relay.smtp_port) as slow, Client(relay.smtp_port) as other, Held() as held:
            skipped = held.open(relay.smtp_port, SLOW)
            assert answer(skipped).startswith("220 ")
            skipped.sendall(b"x" * 3000)
            assert answer(skipped).startswith("500 5.5.2")
            begun = time.monotonic()
            trickling = {slow.connection, skipped}
            while trickling and time.monotonic() - begun < 20 * PATIENCE:
                trickling.difference_update(select.select(list(trickling), [], [], 0.5)[0])
                for connection in trickling:
                    connection.sendall(b"x")
                other.say("EHLO again", 250)
            assert not trickling and time.monotonic() - begun > 3.5, "they have their time, and no more"
            assert slow.reply().startswith("421 4.4.2") and slow.reply() == ""
            assert answer(skipped).startswith("421 4.4.2"), "a line that is too long is one, too"
            other.send()
        arrived(sink, 1)


def test_who_floods_with_connections_gets_421_and_others_go_on_Case111(relay):
    with Held() as held:
        answers = []

        def connect():
            answers.append(answer(held.open(relay.smtp_port, FLOODER)))

        with Attack(connect, times=500) as flood:
            is_served(relay, "with a flood of connections")
            # It is to be more than one client may have, however fast the good one was.
            while flood.done <= 3 * PER_CLIENT and flood.thread.is_alive():
                flood.thread.join(0.05)
        greeted = sum(each.startswith("220 ") for each in answers)
        assert greeted == PER_CLIENT, "no more of them than a client may have"
        assert all(each.startswith(("220 ", "421 4.7.0 ")) or each == "" for each in answers)
        assert relay.metric('connections_refused_total{reason="too_many_of_client"}') > 0


def test_who_guesses_passwords_is_stopped_and_users_log_in(relay):
    passwords = itertools.count()
    right = "AUTH PLAIN " + base64.b64encode(b"\0app\0" + PASSWORD.encode()).decode()
    codes = []

    def guess():
        with Client(relay.smtp_port, source=GUESSER) as client:
            for _ in range(3):
                wrong = b"\0app\0guess%d" % next(passwords)
                codes.append(client.say("AUTH PLAIN " + base64.b64encode(wrong).decode())[:3])

    with Attack(guess, times=200) as guesses:
        is_served(relay, "with guesses of passwords")
        for _ in range(10):
            with Client(relay.smtp_port, source=USER) as client:
                client.say(right, 235)
                client.send()
        while guesses.done < 5 and guesses.thread.is_alive():
            guesses.thread.join(0.05)
    assert codes[:5] == ["535"] * 5 and set(codes[5:]) == {"454"}, "five guesses, whatever it tries"
    with Client(relay.smtp_port, source=GUESSER) as client:
        assert client.say(right).startswith("454 4.7.0"), "it is not told which guess was right"


def test_all_of_it_at_once_Case080_Case111(relay):
    wrong = "AUTH PLAIN " + base64.b64encode(b"\0app\0guess").decode()
    with Held() as held, contextlib.ExitStack() as attacks:
        slow = [held.open(relay.smtp_port, SLOW) for _ in range(PER_CLIENT)]
        for connection in slow:
            assert answer(connection).startswith("220 ")

        def guess():
            with Client(relay.smtp_port, source=GUESSER) as client:
                client.say(wrong)

        def trickle():
            for connection in slow:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(b"x")

        for step in (guess, trickle, lambda: answer(held.open(relay.smtp_port, FLOODER))):
            attacks.enter_context(Attack(step, times=500))
        is_served(relay, "with all of it")
    assert relay.get("/livez") == (200, "OK\n")
