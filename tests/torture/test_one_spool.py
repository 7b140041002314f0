"""Processes that are started on a spool that another one has, under load: they take nothing and break nothing, and one of them
goes on once the spool is free, however its owner ended."""

import os
import pathlib
import socket

import custody
import pytest
from kill_rounds import torn_relay
from mail_history import REFUSALS, Load, drained
from raw_sink import RawSink
from relay import patiently

ROUNDS = max(2, int(os.environ.get("TORTURE_KILLS", "100")) // 50)
SOME = 30
COULD_NOT_START = 1  # an exit code


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path / "sink", specs=REFUSALS) as sink:
        yield sink


class Successors:
    """Relays on one spool, each with ports and a log of its own."""

    def __init__(self, sink, folder):
        self.sink, self.folder, self.all = sink, folder, []

    def start(self, wait=False, **settings):
        relay = torn_relay(self.sink, self.folder, **settings)
        relay.log_file = self.folder / f"relay{len(self.all)}.log"
        self.all.append(relay)
        return relay.start(wait)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for relay in self.all:
            if relay.process.poll() is None:
                relay.kill()


def goes_on(load):
    before = load.acknowledged()
    patiently(lambda: load.acknowledged() >= before + SOME, 60, "mail is taken")


def is_refused(relay):
    """It says for whom it waits, is alive and not ready, and nobody can send to it."""
    waits = patiently(lambda: relay.records("spool_locked"), 20, "it says that it waits")
    assert waits[0]["spool"] == str(relay.settings["spool_path"])
    patiently(lambda: relay.get("/readyz")[0] == 503, 20, "it is not ready")
    assert "waiting for another process" in relay.get("/readyz")[1] and relay.get("/livez")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", relay.smtp_port), timeout=5).close()


def has_spool(relay):
    """Whether the kernel says that it holds the lock (`relay` is a process that runs)."""
    locks = [line.split() for line in pathlib.Path("/proc/locks").read_text().splitlines()]
    return any(int(lock[4]) == relay.process.pid for lock in locks if lock[1] != "->")


def judged(relay, sink, load):
    history = drained(relay, sink, [load])
    unknown = sum(1 for sent in history.sent if sent.unknown)
    print(f"{len(history.sent)} messages, {unknown} of them with an unknown reply: {custody.account(history)}")
    assert custody.faults(history) == []


def test_of_processes_on_one_spool_one_alone_takes_mail_and_kills_hand_it_on_Case104(tmp_path, sink):
    """Two wait for the spool; its owner, or one that waits, is killed; again and again."""
    with Successors(sink, tmp_path) as relays:
        owner = relays.start(wait=True)
        waiting = [relays.start(), relays.start()]
        with Load(owner.smtp_port, seed=1) as load:
            for number in range(ROUNDS):
                for relay in waiting:
                    is_refused(relay)
                goes_on(load)
                assert [has_spool(relay) for relay in (owner, *waiting)] == [True, False, False]
                if number % 2:
                    waiting.pop().kill()
                    goes_on(load)
                    waiting.append(relays.start())
                owner.kill()
                owner = patiently(lambda: next((each for each in waiting if each.is_ready()), None), 60, "one has the spool")
                waiting.remove(owner)
                load.port = owner.smtp_port
                waiting.append(relays.start())
                goes_on(load)
            for relay in waiting:
                is_refused(relay)
                assert relay.stop() == 0
        print(f"\n{ROUNDS} owners killed, {len(relays.all)} processes; ", end="")
        judged(owner, sink, load)


def test_a_process_with_the_ports_of_another_ends_and_says_why_while_the_other_goes_on_Case104(tmp_path, sink):
    with Successors(sink, tmp_path) as relays:
        owner = relays.start(wait=True)
        with Load(owner.smtp_port, seed=1) as load:
            goes_on(load)
            ports = {name: owner.settings[name] for name in ("listen", "http_listen", "admin_listen")}
            second = relays.start(**ports)
            assert second.process.wait(30) == COULD_NOT_START
            assert str(owner.smtp_port) in second.records("start_failed")[0]["error"]
            goes_on(load)
            # The same once it is gone: all that it had is there.
            owner.kill()
            owner.start()
            goes_on(load)
        judged(owner, sink, load)
