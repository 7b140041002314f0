"""A next hop that fails at each step of its dialogue, answers late, early, twice, garbage and without an end, under load.

tests/system/relay/test_delivery.py has the same faults with one message, and what the relay says of them.
"""

import collections
import os

import custody
import pytest
from faults import FLOODS
from gauges import Gauge
from kill_rounds import torn_relay
from mail_history import OCTETS_OF_LARGE, REFUSALS, Load, drained
from raw_sink import RawSink
from relay import PATIENCE, patiently

TIMES = int(os.environ.get("TORTURE_FAULTS", "1"))  # at each step
STEPS = "connect ehlo mail rcpt data body end".split()
SOME = 10  # messages that are acknowledged while the next hop is well
SECONDS_TO_FAIL = 60 + 30 * TIMES  # until all has gone wrong that shall, on a machine that is busy
WAITED = 1  # seconds that the relay waits for an answer
SETTINGS = {f"{step}_timeout": f"{WAITED}s" for step in ("banner", "command", "data_init", "data_block", "data_end")} | {
    "retry_max_delay": "200ms"}
# For good where it judges the next hop, or a message that can be reported: a report that is refused stays as a dead letter.
# Who gets a report has no dot in the local part.
REFUSED_FOR_GOOD = [f"{step}:reply:550 5.7.1 never" for step in ("connect", "ehlo", "mail=@", "rcpt=.0@")]


def at(steps, *actions):
    return [f"{step}:{action}" for action in actions for step in steps]


FAULTS = {
    "breaks off": at(STEPS, "drop", "reset"),
    "refuses and talks garbage": REFUSED_FOR_GOOD + at(STEPS, "reply:421 4.3.2 not now", "reply:451 4.3.0 later",
                                                       "reply:999 garbage"),
    "says nothing": at(STEPS, f"delay:{2 * WAITED}"),
    "answers twice or early": at((step for step in STEPS if step != "body"), "twice") + at(["data"], "early"),
}
# Where the reply to an end of data is late or out of step, only the next hop knows that it took the message.
MAY_REPEAT = {"says nothing", "answers twice or early"}

OFFERED = 1_000_000_000  # octets of each flood
MOST_TAKEN = 32 << 20  # octets of one at most, what both kernels' buffers hold among them
MOST_MEMORY = 32  # MiB that it may cost


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path / "sink", specs=REFUSALS) as sink:
        yield sink


def goes_on(load):
    before = load.acknowledged()
    patiently(lambda: load.acknowledged() >= before + SOME, 60, "mail is taken")


def fails(sink, faults):
    """Until every fault has happened so many times: else nothing was tried."""
    for fault in faults:
        step, _, action = fault.partition(":")
        sink.faults.add(f"{step}:{TIMES}:{action}")
    patiently(lambda: sink.faults.left() == 0, SECONDS_TO_FAIL, "every fault has happened")


def judged(relay, sink, load):
    history = drained(relay, sink, [load])
    print(f"{len(history.sent)} messages: {custody.account(history)}")
    assert custody.faults(history) == []
    return custody.account(history)


@pytest.mark.parametrize("how", FAULTS)
def test_a_next_hop_that_fails_at_each_step_loses_and_changes_nothing_Case119_Case125(tmp_path, sink, how):
    with torn_relay(sink, tmp_path, **SETTINGS) as relay:
        with Load(relay.smtp_port, seed=1) as load:
            goes_on(load)
            fails(sink, FAULTS[how])
            goes_on(load)
        put_off = relay.metric('recipients_total{result="deferred"}')
        print(f"\n{TIMES} times each of {len(FAULTS[how])} faults, {put_off:.0f} recipients put off", end="; ")
        sums = judged(relay, sink, load)
    assert put_off and sums.delivered
    assert sums.duplicates == 0 or how in MAY_REPEAT


@pytest.mark.parametrize("form", FLOODS)
def test_a_next_hop_that_answers_a_gigabyte_is_given_up_and_costs_no_memory_Case120(tmp_path, sink, form):
    with torn_relay(sink, tmp_path, **SETTINGS) as relay:
        gauge = Gauge(relay.process.pid)
        # Large ones, so that content is under way when the flood comes.
        with Load(relay.smtp_port, seed=1, octets=OCTETS_OF_LARGE, pause=0.1) as load:
            goes_on(load)
            before = gauge.resident()
            fails(sink, at(STEPS, f"flood:{OFFERED} {form}"))
            patiently(lambda: len(sink.floods) == TIMES * len(STEPS), 60, "every flood has ended")
            grown = gauge.peak() - before
            goes_on(load)
        print(f"\n{len(sink.floods)} floods of {OFFERED} octets; of one were taken, at most: {most_taken(sink.floods)};"
              f" {max(each.seconds for each in sink.floods):.1f} s at most, {grown:.0f} MiB of memory")
        assert relay.records("hop_failure") and relay.records("deferral"), "both are judged: the hop, and messages"
        sums = judged(relay, sink, load)
    assert {each.stage for each in sink.floods if each.octets} == set(STEPS)
    assert max(each.octets for each in sink.floods) < MOST_TAKEN
    assert max(each.seconds for each in sink.floods) < 2 * WAITED * PATIENCE
    assert grown < MOST_MEMORY
    assert sums.duplicates == 0


def most_taken(floods):
    most = collections.Counter()
    for each in floods:
        most[each.stage] = max(most[each.stage], each.octets)
    return ", ".join(f"{step} {most[step] / 1e6:.1f} MB" for step in STEPS)
