"""Networks that lose, reset, creep and swallow, between clients and relay and between relay and next hop, both at once.

Clients and sink are on a host of their own, at the other end of a cable (tests/support/peers/network.py).
"""

import contextlib
import pathlib
import sys

import custody
import pytest
from kill_rounds import torn_relay
from mail_history import REFUSALS, Load, drained
from namespaces import in_network
from raw_sink import RawSink
from relay import Client, patiently

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support/peers"))

from network import Network, run  # noqa: E402

NEAR, FAR = "192.0.2.1", "192.0.2.11"
MESSAGES = 40  # acknowledged while the fault lasts
# How long either side waits for the other, much less than RFC 5321 has it, so that a hole is noticed.
TIMEOUTS = {"connect_timeout": "2s", "banner_timeout": "4s", "command_timeout": "4s", "data_init_timeout": "4s",
            "data_block_timeout": "4s", "data_end_timeout": "8s", "session_idle_timeout": "8s"}


@pytest.fixture(scope="module")
def network():
    network = Network([NEAR], [FAR]).start()
    yield network
    network.stop()


def at_the_far_end(network):
    """This thread's new sockets are the peers' host's."""
    return in_network(f"/proc/{network.holder.pid}/ns/net")


class FarLoad(Load):
    """Clients at the far end."""

    def __init__(self, network, *arguments, **options):
        super().__init__(*arguments, **options)
        self.network = network

    def connect(self):
        with at_the_far_end(self.network):
            return Client(self.port, host=NEAR)


class Rule:
    """A rule for what comes in on both hosts, while it is entered."""

    def __init__(self, *rule):
        self.rule = rule

    def put(self, network, how):
        for prefix in ([], network.inside()):
            run(*prefix, "iptables", how, "INPUT", "!", "-i", "lo", "-p", "tcp", *self.rule)

    @contextlib.contextmanager
    def over(self, network):
        self.put(network, "-A")
        try:
            yield
        finally:
            self.put(network, "-D")


class Slow:
    """So many bits a second, each way."""

    def __init__(self, rate):
        self.rate = rate

    @contextlib.contextmanager
    def over(self, network):
        for prefix, device in (([], "relay"), (network.inside(), "peers")):
            run(*prefix, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", self.rate, "burst", "4k",
                "latency", "400ms")
        try:
            yield
        finally:
            for prefix, device in (([], "relay"), (network.inside(), "peers")):
                run(*prefix, "tc", "qdisc", "del", "dev", device, "root")


FAULTS = {
    "loss of 5 %": Rule("-m", "statistic", "--mode", "random", "--probability", "0.05", "-j", "DROP"),
    "a reset for each fiftieth packet": Rule("-m", "statistic", "--mode", "random", "--probability", "0.02",
                                             "-j", "REJECT", "--reject-with", "tcp-reset"),
    "64 kbit a second": Slow("64kbit"),
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


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_bad_network_loses_and_changes_nothing_Case124(network, relay, far_sink, fault):
    with FarLoad(network, relay.smtp_port, seed=1, octets=3000) as load:
        goes_on(load)
        with fault.over(network):
            goes_on(load)
        goes_on(load)
    judged(relay, far_sink, load)


def test_a_black_hole_loses_nothing_and_is_left_behind_Case123(network, relay, far_sink):
    """Longer than the relay waits, so that it gives connections up whose other ends know nothing of it."""
    with FarLoad(network, relay.smtp_port, seed=1, octets=3000) as load:
        goes_on(load)
        # It may open between two messages, when there is none to swallow.
        for _ in range(20):
            with Rule("-j", "DROP").over(network):
                patiently(lambda: relay.records("deferral") or relay.metric("queue_messages") == 0, 60, "a delivery is given up")
            goes_on(load)
            if relay.records("deferral"):
                break
        assert relay.records("deferral"), "something was swallowed"
    judged(relay, far_sink, load)
