"""Networks that lose, reset, creep and swallow, between clients and relay and between relay and next hop, both at once.

Clients and sink are on a host of their own, at the other end of a cable (tests/support/peers/network.py).
"""

import collections
import contextlib
import pathlib
import re
import sys

import custody
import pytest
from kill_rounds import torn_relay
from mail_history import OCTETS_OF_LARGE, REFUSALS, Load, drained
from namespaces import in_network
from raw_sink import RawSink
from relay import Client, patiently
from sink_store import read_lines

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/peers"))

from network import Network, run  # noqa: E402

NEAR, FAR = "192.0.2.1", "192.0.2.11"
MESSAGES = 40  # acknowledged while the fault lasts
OCTETS = 3000  # of each, where nothing else is said
FULL = 1400  # octets: a packet as long is one of several that hold one content
# How long either side waits for the other, much less than RFC 5321 has it, so that a hole is noticed.
TIMEOUTS = {"connect_timeout": "2s", "banner_timeout": "4s", "command_timeout": "4s", "data_init_timeout": "4s",
            "data_block_timeout": "4s", "data_end_timeout": "8s", "session_idle_timeout": "8s"}


@pytest.fixture(scope="module")
def network():
    network = Network([NEAR], [FAR]).start()
    # Packets as they are on a wire: else the kernel hands content on in pieces of 64 KiB.
    run("ip", "link", "set", "relay", "gso_max_segs", 1)
    run(*network.inside(), "ip", "link", "set", "peers", "gso_max_segs", 1)
    yield network
    network.stop()


def at_the_far_end(network):
    """This thread's new sockets are the peers' host's."""
    return in_network(f"/proc/{network.holder.pid}/ns/net")


class FarClient(Client):
    is_sending = False  # content

    def begin(self, *arguments):
        super().begin(*arguments)
        self.is_sending = True


class FarLoad(Load):
    """Clients at the far end."""

    def __init__(self, network, *arguments, **options):
        super().__init__(*arguments, **options)
        self.network = network
        self.cut = 0  # contents that broke off without this client's doing

    def connect(self):
        with at_the_far_end(self.network):
            return FarClient(self.port, host=NEAR)

    def transmit(self, client, id, recipients, content, leaves=False):
        client.is_sending = False
        try:
            super().transmit(client, id, recipients, content, leaves)
        except OSError:
            self.cut += client.is_sending and not leaves
            raise


class Rule:
    """A rule for what comes in on both hosts, while it is entered; `bites` counts the packets that it met on each."""

    def __init__(self, *rule):
        self.rule = rule
        self.bites = collections.Counter()

    def put(self, network, how):
        for prefix in hosts(network).values():
            run(*prefix, "iptables", how, "INPUT", "!", "-i", "lo", "-p", "tcp", *self.rule)

    def count(self, network):
        for host, prefix in hosts(network).items():
            table = run(*prefix, "iptables", "-nvxL", "INPUT").splitlines()
            self.bites[host] += int(table[-1].split()[0])  # that of the last rule

    @contextlib.contextmanager
    def over(self, network):
        self.put(network, "-A")
        try:
            yield
        finally:
            self.count(network)
            self.put(network, "-D")


class Slow:
    """So many bits a second, each way; `bites` counts how often each host had to hold back what it sent."""

    def __init__(self, rate):
        self.rate = rate
        self.bites = collections.Counter()

    @contextlib.contextmanager
    def over(self, network):
        for host, prefix in hosts(network).items():
            run(*prefix, "tc", "qdisc", "add", "dev", host, "root", "tbf", "rate", self.rate, "burst", "4k",
                "latency", "400ms")
        try:
            yield
        finally:
            for host, prefix in hosts(network).items():
                self.bites[host] += int(re.search(r"overlimits (\d+)", run(*prefix, "tc", "-s", "qdisc", "show", "dev", host))[1])
                run(*prefix, "tc", "qdisc", "del", "dev", host, "root")


def hosts(network):
    """{the end of the cable on each host: what stands in front of its commands}"""
    return {"relay": [], "peers": network.inside()}


def loses(share):
    return Rule("-m", "statistic", "--mode", "random", "--probability", share, "-j", "DROP")


def resets(share, *which):
    return Rule(*which, "-m", "statistic", "--mode", "random", "--probability", share, "-j", "REJECT",
                "--reject-with", "tcp-reset")


IN_THE_MIDDLE = "resets in the middle of large messages"
FAULTS = {  # what goes wrong, how many messages go through it, how large they are
    "loss of 5 %": (loses("0.05"), MESSAGES, OCTETS),
    "loss of 20 %": (loses("0.2"), MESSAGES // 4, OCTETS),
    "a reset for each fiftieth packet": (resets("0.02"), MESSAGES, OCTETS),
    IN_THE_MIDDLE: (resets("0.005", "-m", "length", "--length", f"{FULL}:"), MESSAGES, OCTETS_OF_LARGE),
    "64 kbit a second": (Slow("64kbit"), MESSAGES, OCTETS),
}


@pytest.fixture
def far_sink(network, tmp_path):
    with at_the_far_end(network):
        sink = RawSink(tmp_path / "sink", listen=[(FAR, 0)], specs=REFUSALS)
    with sink:
        yield sink


@pytest.fixture
def relay(far_sink, tmp_path):
    relay = torn_relay(far_sink, tmp_path, smarthost=f"{FAR}:{far_sink.port}", allowed_networks="192.0.2.0/24", **TIMEOUTS)
    relay.settings["listen"] = f"{NEAR}:{relay.smtp_port}"
    with relay:
        yield relay


def goes_on(load, messages=MESSAGES, seconds=120):
    before = load.acknowledged()
    patiently(lambda: load.acknowledged() >= before + messages, seconds, "mail is taken")


def judged(relay, sink, load):
    history = drained(relay, sink, [load], half_open=True)
    unknown = sum(1 for sent in history.sent if sent.unknown)
    print(f"{len(history.sent)} messages, {unknown} of them with an unknown reply: {custody.account(history)}")
    assert custody.faults(history) == []


def broken_off(sink):
    """How many connections to the next hop ended in the middle of content."""
    ended = collections.Counter(entry["connection"] for entry in read_lines(sink.store.folder / "messages.jsonl"))
    begun = {session["connection"]: sum(command["line"] == "DATA" for command in session["commands"])
             for session in sink.store.sessions()}
    return sum(count > ended[connection] for connection, count in begun.items())


@pytest.mark.parametrize("name", FAULTS)
def test_a_bad_network_loses_and_changes_nothing_Case124(network, relay, far_sink, name):
    fault, messages, octets = FAULTS[name]
    with FarLoad(network, relay.smtp_port, seed=1, octets=octets) as load:
        goes_on(load)
        with fault.over(network):
            goes_on(load, messages)
        goes_on(load)
    met = {"relay": load.cut, "peers": broken_off(far_sink)}
    print(f"\nit met packets: {dict(fault.bites)}; contents that broke off on their way to each: {met}")
    judged(relay, far_sink, load)
    assert fault.bites["relay"] and fault.bites["peers"], "else nothing was tried"
    if name == IN_THE_MIDDLE:
        assert met["relay"] and met["peers"]


def test_a_black_hole_loses_nothing_and_is_left_behind_Case123(network, relay, far_sink):
    """Longer than the relay waits, so that it gives connections up whose other ends know nothing of it."""
    hole = Rule("-j", "DROP")
    with FarLoad(network, relay.smtp_port, seed=1, octets=OCTETS) as load:
        goes_on(load)
        # It may open between two messages, when there is none to swallow.
        for _ in range(20):
            with hole.over(network):
                patiently(lambda: relay.records("deferral") or relay.metric("queue_messages") == 0, 60, "a delivery is given up")
            goes_on(load)
            if relay.records("deferral"):
                break
        assert relay.records("deferral"), "something was swallowed"
    print(f"\nit swallowed packets: {dict(hole.bites)}")
    judged(relay, far_sink, load)
