"""Relays that are broken on purpose, and a checker that must see it: else its silence elsewhere would prove nothing.

What breaks them stands outside: strace between relay and kernel, a proxy between relay and peers, a spool that is put back.
Beside each stands the same without the break, of which the checker has nothing to say. tests/support/test_custody.py does
the same with histories that are made up.
"""

import contextlib
import shutil

import custody
import pytest
from disk import Disk
from kill_rounds import kill_rounds, torn_relay
from lying_proxy import (LyingProxy, acknowledges_early, changes_content, drops_a_recipient, refuses_what_it_takes,
                         tells_the_truth)
from mail_history import REFUSALS, Load, drained
from raw_sink import RawSink
from relay import patiently
from system_calls import injected

MESSAGES = 60
NOT_NOW = "connect:*:reply:421 4.3.2 not now"


def judged(history, words):
    """Nothing wrong where `words` is None; else a fault that has them."""
    found = custody.faults(history)
    print(custody.account(history), found[:3])
    if words is None:
        assert found == []
    else:
        assert any(words in fault for fault in found), found


def load_of(port):
    """So many acknowledged messages, by clients that are done."""
    with Load(port, seed=1) as load:
        patiently(lambda: load.acknowledged() >= MESSAGES, 60, f"{MESSAGES} messages")
    return load


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path / "sink", specs=REFUSALS) as sink:
        yield sink


@pytest.mark.parametrize("sabotage, words", [("", None), ("fdatasync,fsync:retval=0", "lost for")], ids=["synced", "skipped"])
def test_a_skipped_sync_is_seen_behind_a_power_cut(tmp_path, sink, sabotage, words):
    """The kernel says that all is on the disk, and has not been asked."""
    sink.faults.add(NOT_NOW)
    with Disk(tmp_path, 256) as disk:
        relay = torn_relay(sink, tmp_path, spool_path=disk.path / "spool").start()
        with injected(relay.process, sabotage) if sabotage else contextlib.nullcontext():
            load = load_of(relay.smtp_port)
            disk.cut_power()
            relay.kill()
        disk.restore_power()
        sink.faults.clear()
        for spec in REFUSALS:
            sink.faults.add(spec)
        with relay:
            history = drained(relay, sink, [load])
    judged(history, words)


@pytest.mark.parametrize("forgets, words", [(False, None), (True, "arrived 2 times")], ids=["kept", "forgotten"])
def test_a_forgotten_delivered_mark_is_seen(tmp_path, sink, forgets, words):
    """The spool is put back to where nothing had been delivered."""
    sink.faults.add(NOT_NOW)
    relay = torn_relay(sink, tmp_path).start()
    load = load_of(relay.smtp_port)
    relay.kill()
    spool, before = relay.settings["spool_path"], tmp_path / "before"
    shutil.copytree(spool, before)
    sink.faults.clear()
    with relay:
        patiently(relay.is_empty, 60, "all is delivered")
    if forgets:
        shutil.rmtree(spool)
        before.rename(spool)
    with relay:
        history = drained(relay, sink, [load])
    judged(history, words)


@pytest.mark.parametrize("lie, words", [(tells_the_truth, None), (acknowledges_early(0.05), "lost for")],
                         ids=["behind", "before"])
def test_a_reply_before_the_commit_is_seen_behind_kills(tmp_path, lie, words):
    judged(kill_rounds(tmp_path, rounds=6, seed=1, through=lambda port: LyingProxy(port, lie)), words)


@pytest.mark.parametrize("lie, words", [
    (drops_a_recipient(b".0@"), "lost for"),
    (refuses_what_it_takes(b"451 4.3.0 later\r\n"), "was refused"),
], ids=["recipient dropped", "refused and taken"])
def test_a_lie_towards_clients_is_seen(tmp_path, sink, lie, words):
    with torn_relay(sink, tmp_path) as relay, LyingProxy(relay.smtp_port, lie) as port, Load(port, seed=1) as load:
        patiently(lambda: len(load.sent) >= MESSAGES, 60, f"{MESSAGES} messages")
        load.stop()
        judged(drained(relay, sink, [load]), words)


def test_octets_that_change_on_the_way_are_seen(tmp_path, sink):
    with LyingProxy(sink.port, changes_content(b"two", b"twu")) as port:
        with torn_relay(sink, tmp_path, smarthost=f"127.0.0.1:{port}") as relay:
            judged(drained(relay, sink, [load_of(relay.smtp_port)]), "arrived changed")
