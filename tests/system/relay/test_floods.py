"""Clients that take all they can get: connections, time, guesses. Whoever is not them is served meanwhile.

Each test measures good messages first while nothing else comes, then under its attack; `pytest -s` shows the table. Attackers
run in the process of the good client and take turns with it: the figures are above what a client elsewhere would see.
"""

import base64
import contextlib
import itertools
import select
import socket
import ssl
import statistics
import subprocess
import threading
import time

import pytest
from certificates import Authority
from raw_sink import RawSink
from relay import BIN, PATIENCE, Client, arrived, relay_to

GOOD, USER = "127.0.0.2", "127.0.0.3"
# Several addresses of each kind, for the limits are those of one client.
SLOW = [f"127.0.0.{number}" for number in (16, 17)]
FLOODERS = [f"127.0.0.{number}" for number in range(32, 40)]
GUESSERS = [f"127.0.0.{number}" for number in (48, 49, 50, 51)]
PASSWORD = "correct horse battery staple"
PER_CLIENT = 20
GUESSES_PER_CLIENT = 5
MESSAGES = 60
# Seconds from the connection to the 250. Says that a client is still served, also where the machine does much else; how fast
# is told by the table alone.
SLOWEST = 2 * PATIENCE


class Attack:
    """What a thread for each of some addresses does again and again, until the test is over."""

    def __init__(self, step, sources):
        self.step, self.sources = step, sources
        self.done, self.lock = 0, threading.Lock()
        self.over, self.failure = threading.Event(), None
        self.begun = {source: threading.Event() for source in sources}
        self.threads = [threading.Thread(target=self.run, args=(source,)) for source in sources]

    def run(self, source):
        try:
            while not self.over.is_set():
                self.step(source)
                with self.lock:
                    self.done += 1
                self.begun[source].set()
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure
            self.begun[source].set()

    def has_done(self, count):
        """Waits until it has, however fast the good client was."""
        end = time.monotonic() + 30 * PATIENCE
        while self.done < count and self.failure is None and time.monotonic() < end:
            time.sleep(0.05)
        assert self.done >= count and self.failure is None, self.failure

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        for begun in self.begun.values():
            assert begun.wait(20 * PATIENCE) and self.failure is None, self.failure
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(30 * PATIENCE)
        assert not any(thread.is_alive() for thread in self.threads) and self.failure is None, self.failure


class Held(contextlib.ExitStack):
    """Connections that stay open, as many as the relay lets them."""

    def open(self, port, source):
        opened = socket.create_connection(("127.0.0.1", port), timeout=20 * PATIENCE, source_address=(source, 0))
        return self.enter_context(opened)


def answer(connection):
    with contextlib.suppress(ConnectionError):
        return connection.recv(4096).decode()
    return ""


@pytest.fixture(scope="module")
def table():
    """Rows of all tests, printed at the end."""
    rows = []
    yield rows
    print("\n\n| meanwhile | steps of attackers each second | messages | median | slowest |\n|---|---|---|---|---|")
    for what, rate, took in rows:
        print(f"| {what} | {rate:.0f} | {len(took)} | {statistics.median(took) * 1000:.1f} ms | {max(took) * 1000:.1f} ms |")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority")).issue("relay.test")


@pytest.fixture
def relay(tmp_path, table, certificate):
    users = tmp_path / "users"
    users.write_text(subprocess.run([str(BIN / "relayctl"), "user", "app"], input=PASSWORD + "\n", capture_output=True, text=True,
                                    check=True, timeout=30).stdout)
    with RawSink(tmp_path / "sink") as sink:
        with relay_to(sink, tmp_path, shards=2, allowed_networks=f"{GOOD}/32," + ",".join(f"{slow}/32" for slow in SLOW),
                      max_connections_per_client=PER_CLIENT, auth_users_file=users, auth_requires_tls="off",
                      auth_failures_per_client=GUESSES_PER_CLIENT, tls_certificate_file=certificate[0],
                      tls_key_file=certificate[1]) as relay:
            relay.sink, relay.table = sink, table
            is_served(relay, "nothing")
            yield relay


def good_client_sends(relay, count):
    """Seconds that each message took, from the connection to the 250."""
    took = []
    for _ in range(count):
        begun = time.monotonic()
        with Client(relay.smtp_port, source=GOOD) as client:
            client.send()
        took.append(time.monotonic() - begun)
    return took


def is_served(relay, what, *attacks):
    before, steps = len(relay.sink.store.messages()), sum(attack.done for attack in attacks)
    begun = time.monotonic()
    took = good_client_sends(relay, MESSAGES)
    rate = (sum(attack.done for attack in attacks) - steps) / (time.monotonic() - begun)
    relay.table.append((what, rate, took))
    arrived(relay.sink, before + MESSAGES)
    assert max(took) < SLOWEST, f"with {what} a message took {max(took):.1f} s"


def slow_senders(relay, held):
    """As many as may be there, all greeted; every second one sends content."""
    senders = [held.open(relay.smtp_port, source) for source in SLOW for _ in range(PER_CLIENT)]
    for number, connection in enumerate(senders):
        assert answer(connection).startswith("220 ")
        connection.sendall(b"EHLO a\r\n")
        assert "250 " in answer(connection)
        if number % 2:
            for words in (b"MAIL FROM:<slow@example.com>\r\n", b"RCPT TO:<b@example.net>\r\n", b"DATA\r\n"):
                connection.sendall(words)
                assert answer(connection)[0] in "23"
    return senders


def trickle(senders):
    """An octet of each, ten times a second: a line would end them, and so would silence."""
    def step(_):
        for connection in senders:
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"x")
        time.sleep(0.1)
    return Attack(step, SLOW[:1])


def flood(relay, held, answers):
    """Connections one behind the other. `answers`: by address, what each was told."""
    def step(source):
        connection = held.open(relay.smtp_port, source)
        answers[source].append(answer(connection))
        if not answers[source][-1].startswith("220 "):
            connection.close()
    return Attack(step, FLOODERS)


def shake_hands(relay):
    """STARTTLS and a handshake, then another connection. Each costs the relay a signature."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def step(source):
        with Client(relay.smtp_port, source=source) as client:
            client.say("STARTTLS", 220)
            with context.wrap_socket(client.connection):
                pass
    return Attack(step, FLOODERS)


def guess(relay, codes):
    """Three guesses a connection. `codes`: by address."""
    passwords = itertools.count()

    def step(source):
        with Client(relay.smtp_port, source=source) as client:
            for _ in range(3):
                wrong = b"\0app\0guess%d" % next(passwords)
                codes[source].append(client.say("AUTH PLAIN " + base64.b64encode(wrong).decode())[:3])
    return Attack(step, GUESSERS)


def lists(sources):
    return {source: [] for source in sources}


def test_slow_senders_hold_nobody_up_Case080_Case081(relay):
    with Held() as held:
        with trickle(slow_senders(relay, held)) as senders:
            is_served(relay, "slow senders", senders)
        assert relay.metric("connections") >= len(SLOW) * PER_CLIENT, "they are still there"
        assert not [each for each in relay.sink.store.messages() if each.sender == "slow@example.com"]


def test_a_command_that_trickles_is_ended_and_who_sends_whole_ones_stays_Case081(tmp_path):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, session_idle_timeout="4s") as relay:
        with Client(relay.smtp_port) as slow, Client(relay.smtp_port) as other, Held() as held:
            skipped = held.open(relay.smtp_port, SLOW[0])
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
    answers = lists(FLOODERS)
    with Held() as held, flood(relay, held, answers) as connections:
        connections.has_done(2 * PER_CLIENT * len(FLOODERS))
        is_served(relay, "a flood of connections", connections)
        connections.has_done(3 * PER_CLIENT * len(FLOODERS))
    for told in answers.values():
        assert sum(each.startswith("220 ") for each in told) == PER_CLIENT, "no more of them than a client may have"
        assert all(each.startswith(("220 ", "421 4.7.0 ")) or each == "" for each in told)
    assert relay.metric('connections_refused_total{reason="too_many_of_client"}') > 0


def test_handshakes_one_behind_the_other_hold_nobody_up_Case063(relay):
    with shake_hands(relay) as handshakes:
        is_served(relay, "handshakes", handshakes)
        handshakes.has_done(10 * len(FLOODERS))
    assert relay.metric('client_tls_total{outcome="tls1_3"}') >= 10 * len(FLOODERS)


def test_who_guesses_passwords_is_stopped_and_users_log_in(relay):
    right = "AUTH PLAIN " + base64.b64encode(b"\0app\0" + PASSWORD.encode()).decode()
    codes = lists(GUESSERS)
    with guess(relay, codes) as guesses:
        is_served(relay, "guesses of passwords", guesses)
        for _ in range(10):
            with Client(relay.smtp_port, source=USER) as client:
                client.say(right, 235)
                client.send()
        guesses.has_done(3 * len(GUESSERS))
    for source, told in codes.items():
        assert told[:GUESSES_PER_CLIENT] == ["535"] * GUESSES_PER_CLIENT, "as many guesses as it has"
        assert set(told[GUESSES_PER_CLIENT:]) <= {"454"}, "whatever it tries"
        with Client(relay.smtp_port, source=source) as client:
            assert client.say(right).startswith("454 4.7.0"), "it is not told which guess was right"


def test_all_of_it_at_once_Case080_Case111(relay):
    with Held() as held, contextlib.ExitStack() as attacks:
        under_way = [attacks.enter_context(attack) for attack in (
            trickle(slow_senders(relay, held)), flood(relay, held, lists(FLOODERS)), guess(relay, lists(GUESSERS)))]
        under_way[1].has_done(2 * PER_CLIENT * len(FLOODERS))
        is_served(relay, "all of it", *under_way)
    assert relay.get("/livez") == (200, "OK\n")
