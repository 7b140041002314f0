"""A relay in a memory cgroup, as in its pod: the limit that pods have by default is enough, and one that is not loses nothing."""

import pathlib
import signal

import custody
import pytest
import yaml
from gauges import Gauge
from kill_rounds import torn_relay
from mail_history import REFUSALS, Load, drained
from memory_limit import MemoryLimit
from raw_sink import RawSink
from relay import patiently

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEBIBYTE = 1 << 20
NOT_NOW = "connect:*:reply:421 4.3.2 not now"
SMALL_CLIENTS, LARGE_CLIENTS = 20, 8
SECONDS_OF_LARGE = 180  # until all have come at once, and gone at once, on a machine that is busy
SOME = 100


def limit_of_a_pod():
    """Octets of spec.resources.limits.memory unless somebody says otherwise."""
    crd = yaml.safe_load((ROOT / "crds/smtp.buildinglink.com_smtprelays.yaml").read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    text = spec["resources"]["properties"]["limits"]["default"]["memory"]
    assert text.endswith("Mi"), text
    return int(text[:-2]) * MEBIBYTE


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path / "sink", specs=REFUSALS) as sink:
        yield sink


def judged(history):
    unknown = sum(1 for sent in history.sent if sent.unknown)
    print(f"{len(history.sent)} messages, {unknown} of them with an unknown reply: {custody.account(history)}")
    assert custody.faults(history) == []


def goes_on(load, messages=SOME, seconds=60):
    before = load.acknowledged()
    patiently(lambda: load.acknowledged() >= before + messages, seconds, "mail is taken")


def test_the_limit_of_a_pod_is_enough_for_many_clients_and_messages_of_50_MiB_at_once_Case112(tmp_path, sink):
    with MemoryLimit(limit_of_a_pod()) as limit, \
         torn_relay(sink, tmp_path, max_message_size="64Mi", delivery_connections="20", prefix=limit.prefix) as relay:
        gauge = Gauge(relay.process.pid)
        # They come while nothing goes on, so that what the relay keeps in memory for the first delivery is full.
        sink.faults.add(NOT_NOW)
        # One each, save that who leaves in the middle comes again.
        with Load(relay.smtp_port, seed=1, clients=LARGE_CLIENTS, name="large", octets=50 * MEBIBYTE, pause=3600) as large:
            with Load(relay.smtp_port, seed=1, clients=SMALL_CLIENTS, pause=0.05) as small:
                goes_on(small)
                patiently(lambda: large.acknowledged() == LARGE_CLIENTS, SECONDS_OF_LARGE, "the large messages are taken")
                sink.faults.clear()
                for spec in REFUSALS:
                    sink.faults.add(spec)
                goes_on(small)
        peak = gauge.peak()
        history = drained(relay, sink, [small, large], SECONDS_OF_LARGE)
        print(f"\n{peak:.0f} MiB in memory at most, the program's files among them; with file pages {limit.most()} MiB")
        assert limit.kills() == 0
        assert peak * MEBIBYTE < limit_of_a_pod() / 2, "the rest is for pages of the spool's files"
    judged(history)


def test_a_relay_that_is_killed_for_its_memory_again_and_again_loses_nothing_Case112(tmp_path, sink):
    """With a limit that is hardly enough to start, then with a quarter more each time, until it lives on."""
    with MemoryLimit(limit_of_a_pod()) as limit:
        relay = torn_relay(sink, tmp_path, prefix=limit.prefix).start()
        octets = int(Gauge(relay.process.pid).anonymous() * MEBIBYTE)
        limits, killed_at_work = [], 0
        with Load(relay.smtp_port, seed=1, clients=SMALL_CLIENTS) as load:
            goes_on(load)
            relay.kill()
            while True:
                limits.append(octets // MEBIBYTE)
                before = load.acknowledged()
                limit.set(octets)
                relay.start(wait=False)
                patiently(lambda: relay.process.poll() is not None or load.acknowledged() >= before + 5 * SOME, 120,
                          "it is killed, or takes mail")
                if relay.process.poll() is None:
                    break
                assert relay.process.returncode == -signal.SIGKILL, relay.log_file.read_text()[-2000:]
                killed_at_work += load.acknowledged() > before
                octets += octets // 4
        limit.set(limit_of_a_pod())
        history = drained(relay, sink, [load])
        print(f"\n{limit.kills()} kills, {killed_at_work} of them at work, with limits of {limits} MiB; the last was enough")
        assert limit.kills() == len(limits) - 1 >= killed_at_work >= 1
    judged(history)
